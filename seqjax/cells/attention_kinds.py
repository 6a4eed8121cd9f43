"""Kinds of attention: scores with their parameters.

A kind is a frozen dataclass of hyper-parameters, as a cell is:

  kind.init(key, query_size, memory_size)  -> params
  kind.remember(params, memory, mask)      -> Memory    # once a sequence
  kind(params, query, memory, past)        -> (context, weights)

`remember` projects all that does not depend on the query. `past` is where was
looked before; kinds that take it into account have `sees_past`, and cannot
attend for all steps of a sequence at once.
"""

import abc
import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import attention, base, checks, initializers


class Memory(NamedTuple):
  """What stays the same while a memory is read; None is not in use."""

  keys: jax.Array  # [*batch, source, A]
  values: jax.Array  # [*batch, source, features of the context]
  mask: jax.Array  # [*batch, source], 1 or 0
  fertility: Any = None  # [*batch, source], see `Additive`


class Past(NamedTuple):
  """Where was looked: `[*batch, source]` each, zeros at first."""

  weights: jax.Array  # of the last step
  coverage: Any = None  # see `Additive`


class Kind[Params](abc.ABC):
  """A way to attend."""

  @property
  def sees_past(self) -> bool:
    """Whether weights depend on where was looked before."""
    return False

  @property
  def covers(self) -> bool:
    """Whether `past` has to have a coverage."""
    return False

  def context_size(self, memory_size: int) -> int:
    """Features of the context."""
    return memory_size

  @abc.abstractmethod
  def init(
    self,
    key: jax.Array,
    query_size: int,
    memory_size: int,
    dtype: Any = jnp.float32,
  ) -> Params:
    """Draws the parameters, all of one dtype: a NamedTuple of arrays.

    Raises:
      ValueError: the sizes do not go together.
    """

  @abc.abstractmethod
  def keys(self, params: Params, memory: jax.Array) -> jax.Array:
    """What queries are compared with: `[*batch, source, A]`."""

  def remember(
    self, params: Params, memory: jax.Array, mask: jax.Array
  ) -> Memory:
    """Projects a memory, once a sequence.

    Args:
      params: from `init`.
      memory: `[*batch, source, memory_size]`; what it holds where the mask is 0
        is not read.
      mask: `[*batch, source]`, 1 or 0.
    """
    memory = jnp.where(mask[..., None] > 0, memory, 0)
    return Memory(self.keys(params, memory), memory, mask)

  @abc.abstractmethod
  def __call__(
    self, params: Params, query: jax.Array, memory: Memory, past: Past
  ) -> tuple[jax.Array, jax.Array]:
    """Reads the memory.

    Args:
      params: from `init`.
      query: `[*batch, query_size]`.
      memory: from `remember`.
      past: where was looked before.

    Returns:
      `(context [*batch, features], weights [*batch, source])`.
    """


def _read(scores: jax.Array, memory: Memory) -> tuple[jax.Array, jax.Array]:
  """`(context, weights)` of scores `[*batch, source]`."""
  weights = attention.normalize(scores, memory.mask)
  return attention.read(weights, memory.values), weights


class AdditiveParams(NamedTuple):
  query_kernel: jax.Array  # [Q, A]
  key_kernel: jax.Array  # [M, A]
  bias: jax.Array  # [A]
  vector: jax.Array  # [A]
  coverage_kernel: Any = None  # [A]
  fertility_kernel: Any = None  # [M]


@dataclasses.dataclass(frozen=True)
class Additive(Kind[AdditiveParams]):
  """A small network compares query and memory.

    s_j = v . tanh(q W + m_j U + b)

  Bahdanau, Cho, Bengio 2015, equation 6, with the bias of their code. With
  `coverage` it knows how much of each position has been read already,

    s_j = v . tanh(q W + m_j U + b + C_j u)
    C_j = sum over the steps before of w_j / F_j
    F_j = n sigmoid(m_j . g)

  Tu et al. 2016, "Modeling coverage for neural machine translation", section
  3.1, the linguistic coverage with fertility F, n at most.

  Initialisation: W, U, v, g Glorot uniform, b and u zero.

  Attributes:
    size: A.
    coverage: see above.
    max_fertility: n, how many steps a position may be read.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive.
  """

  size: int
  coverage: bool = False
  max_fertility: float = 2.0
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("size", self.size)
    checks.check_compute_dtype(self.compute_dtype)
    if self.max_fertility <= 0:
      raise ValueError(
        f"max_fertility is {self.max_fertility}, expected a positive number"
      )

  @property
  def sees_past(self) -> bool:
    return self.coverage

  @property
  def covers(self) -> bool:
    return self.coverage

  def init(self, key, query_size, memory_size, dtype=jnp.float32):
    query_key, key_key, vector_key, fertility_key = jax.random.split(key, 4)
    draw = functools.partial(glorot, dtype=dtype)
    return AdditiveParams(
      draw(query_key, query_size, self.size),
      draw(key_key, memory_size, self.size),
      jnp.zeros((self.size,), dtype),
      draw(vector_key, self.size, 1)[:, 0],
      jnp.zeros((self.size,), dtype) if self.coverage else None,
      draw(fertility_key, memory_size, 1)[:, 0] if self.coverage else None,
    )

  def keys(self, params, memory):
    return base.affine(
      memory, params.key_kernel, params.bias, self.compute_dtype
    )

  def remember(self, params, memory, mask):
    remembered = super().remember(params, memory, mask)
    if not self.coverage:
      return remembered
    told = base.matmul(remembered.values, params.fertility_kernel[:, None])
    fertility = self.max_fertility * jax.nn.sigmoid(told[..., 0])
    return remembered._replace(fertility=fertility)

  def __call__(self, params, query, memory, past):
    query = base.matmul(query, params.query_kernel, self.compute_dtype)
    keys = memory.keys
    if self.coverage:
      keys = keys + past.coverage[..., None] * base.align(
        params.coverage_kernel, keys
      )
    return _read(attention.additive(query, keys, params.vector), memory)


class NoParams(NamedTuple):
  """There is nothing to learn."""


@dataclasses.dataclass(frozen=True)
class Dot(Kind[NoParams]):
  """s_j = q . m_j, with `scaled` divided by the root of their size.

  Luong, Pham, Manning 2015, equation 8, "dot"; Vaswani et al. 2017, equation 1.

  Attributes:
    scaled: see above.

  Raises:
    ValueError: from `init`, if query and memory are not of one size.
  """

  scaled: bool = False

  def init(self, key, query_size, memory_size, dtype=jnp.float32):
    del key, dtype
    if query_size != memory_size:
      raise ValueError(
        f"query_size is {query_size}, expected memory_size, {memory_size}, for"
        " attention by their product: use general or additive attention, or"
        " make decoder and encoder equally wide"
      )
    return NoParams()

  def keys(self, params, memory):
    del params
    return memory

  def __call__(self, params, query, memory, past):
    del params, past
    score = attention.scaled_dot if self.scaled else attention.dot
    return _read(score(query, memory.keys), memory)


class GeneralParams(NamedTuple):
  kernel: jax.Array  # [Q, M]


@dataclasses.dataclass(frozen=True)
class General(Kind[GeneralParams]):
  """s_j = (q W) . m_j = q . (m_j W^T); the second is what is computed.

  Luong, Pham, Manning 2015, equation 8, "general". W Glorot uniform.

  Attributes:
    compute_dtype: dtype of the matrix products; None is the parameters'.
  """

  compute_dtype: str | None = None

  def __post_init__(self):
    checks.check_compute_dtype(self.compute_dtype)

  def init(self, key, query_size, memory_size, dtype=jnp.float32):
    return GeneralParams(glorot(key, query_size, memory_size, dtype))

  def keys(self, params, memory):
    return base.matmul(memory, params.kernel.T, self.compute_dtype)

  def __call__(self, params, query, memory, past):
    del params, past
    return _read(attention.dot(query, memory.keys), memory)


class LocationAwareParams(NamedTuple):
  query_kernel: jax.Array  # [Q, A]
  key_kernel: jax.Array  # [M, A]
  bias: jax.Array  # [A]
  vector: jax.Array  # [A]
  filters: jax.Array  # [width, k]
  location_kernel: jax.Array  # [k, A]


@dataclasses.dataclass(frozen=True)
class LocationAware(Kind[LocationAwareParams]):
  """Additive, with an eye on where was looked in the step before.

    s_j = v . tanh(q W + m_j U + f_j V + b)
    f_j = sum over i of w'_(j + i - n) F_i        w' the last weights

  Chorowski et al. 2015, equations 8 and 9. All Glorot uniform, b zero.

  Attributes:
    size: A.
    filters: k, how many filters.
    width: 2 n + 1 positions that a filter spans, odd.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive, or the width is even.
  """

  size: int
  filters: int = 8
  width: int = 7
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("size", self.size)
    base.check_size("filters", self.filters)
    base.check_size("width", self.width)
    checks.check_compute_dtype(self.compute_dtype)
    if self.width % 2 == 0:
      raise ValueError(f"width is {self.width}, expected an odd number")

  @property
  def sees_past(self) -> bool:
    return True

  def init(self, key, query_size, memory_size, dtype=jnp.float32):
    keys = jax.random.split(key, 5)
    draw = functools.partial(glorot, dtype=dtype)
    return LocationAwareParams(
      draw(keys[0], query_size, self.size),
      draw(keys[1], memory_size, self.size),
      jnp.zeros((self.size,), dtype),
      draw(keys[2], self.size, 1)[:, 0],
      draw(keys[3], self.width, self.filters),
      draw(keys[4], self.filters, self.size),
    )

  def keys(self, params, memory):
    return base.affine(
      memory, params.key_kernel, params.bias, self.compute_dtype
    )

  def __call__(self, params, query, memory, past):
    query = base.matmul(query, params.query_kernel, self.compute_dtype)
    features = attention.locations(past.weights, params.filters)
    located = base.matmul(features, params.location_kernel, self.compute_dtype)
    scores = attention.location_aware(
      query, memory.keys, located, params.vector
    )
    return _read(scores, memory)


def glorot(key: jax.Array, rows: int, columns: int, dtype: Any) -> jax.Array:
  """A kernel `[rows, columns]`, Glorot uniform."""
  return initializers.packed_kernel(
    "glorot_uniform", key, rows, columns, 1, dtype
  )
