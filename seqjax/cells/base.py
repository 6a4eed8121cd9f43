"""The cell contract: one time step of a recurrence as pure functions.

A cell is a frozen dataclass that holds hyper-parameters only. It is therefore
hashable, printable, equal to its twin and fit to be a static argument of
`jax.jit`. Its methods are pure functions of explicit parameters:

  cell.init(key, input_size, dtype)          -> params
  cell.initial_carry(params, batch_shape)    -> carry
  cell.step(params, carry, inputs, key=None) -> (carry, output)
  cell.prepare(params, batch_shape, key=None) -> params

Axis letters used in the whole package:
  B  batch (`*batch` in docstrings: any number of leading axes, also none)
  T  time
  D  input features     H  hidden units     V  vocabulary     L  layers
"""

import abc
import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from seqjax.cells.rows import Rows as Rows
from seqjax.cells.rows import has_rows as has_rows
from seqjax.cells.rows import map_params as map_params
from seqjax.cells.rows import rows_of as rows_of

# `unroll` gives step t the key fold_in(key, t); this position, which no
# sequence reaches, is the key of `prepare`.
PREPARE_POSITION = 2**32 - 1


class Cell[Params, Carry](abc.ABC):
  """One time step of a recurrence.

  What stays the same over a sequence is `params`, a NamedTuple of arrays (or a
  tuple of such: `Stack`); what changes is `carry`, likewise; what arrives at
  each step is `inputs`. A cell says the types of both: `Cell[Params, Carry]`.

  What stays the same but differs from row to row stands in the params as
  `Rows`. `init` cannot know it and leaves such a field None. `prepare` puts in
  what is drawn; what comes from elsewhere a method of the cell's own, of the
  kind `attend(params, memory, lengths) -> params`. Until then `rows_of` is an
  error that names that method.
  """

  output_size: int  # size of the last axis of the output

  @property
  def noisy(self) -> bool:
    """Whether a step makes use of its key."""
    return False

  @property
  def factored(self) -> bool:
    """Whether `project`, `recur` and `update` exist (see `FactoredCell`)."""
    return False

  @abc.abstractmethod
  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> Params:
    """Draws the parameters, all of one dtype.

    Args:
      key: a `jax.random` key.
      input_size: features of one input step.
      dtype: of every array, whatever JAX's default is. `unroll` refuses params
        of several dtypes.

    Returns:
      A NamedTuple of arrays; the kernels of all gates lie side by side in one
      matrix, each gate initialised on its own. None stands where a method of
      the cell puts `Rows`.
    """

  @abc.abstractmethod
  def initial_carry(
    self, params: Params, batch_shape: Sequence[int] = ()
  ) -> Carry:
    """The carry before the first step.

    Floating-point arrays `[*batch, ...]`: vectors, but also matrices. No
    integers: Jacobians and the parallel methods work on it.
    """

  @abc.abstractmethod
  def step(
    self,
    params: Params,
    carry: Carry,
    inputs: jax.Array,
    *,
    key: jax.Array | None = None,
  ) -> tuple[Carry, jax.Array]:
    """Advances by one step; also the interface for streaming.

    Args:
      params: what `init` (or `prepare`) returned.
      carry: what `initial_carry` or the step before returned.
      inputs: `[*batch, input_size]`.
      key: randomness of this step; without it the step is deterministic.

    Returns:
      `(carry, output)`, output `[*batch, output_size]`.
    """

  def prepare(
    self,
    params: Params,
    batch_shape: Sequence[int] = (),
    *,
    key: jax.Array | None = None,
  ) -> Params:
    """Once a sequence: draws what is constant over it. Default: nothing."""
    del batch_shape, key
    return params

  def input_size(self, params: Any) -> int:
    """The input features that `params` were made for."""
    return params.input_kernel.shape[0]


class FactoredCell[Params, Carry](Cell[Params, Carry]):
  """A cell whose step is `update(carry, project(inputs), recur(carry))`.

  `project` does not see the carry, so it may run for all time steps as one
  matrix product; `recur`, affine in the carry, is the one large product with
  it; `update` is cheap (pointwise, or a norm). It is in two parts itself:

    update(carry, projected, recurred)
      = activate(carry, combine(projected, recurred))

  where `combine`, linear, leaves of both products only what is needed: their
  sum, for most gates. Evaluation methods that exploit these cuts need no more
  knowledge of the cell. All parts also take a time axis in front of the batch:
  `align` puts what `Rows` hold in its place.
  """

  @property
  def factored(self) -> bool:
    return True

  @property
  def pointwise(self) -> bool:
    """Whether unit j of `update` sees unit j of its arguments only.

    Then the Jacobian of a step is a few diagonals and the kernel of `recur`.
    """
    return True

  @property
  def activate_has_params(self) -> bool:
    """Whether `activate` uses params. If not, its gradient costs less."""
    return True

  @abc.abstractmethod
  def project(self, params: Params, inputs: jax.Array) -> jax.Array:
    """Input part of the pre-activations, `[..., k * hidden_size]`."""

  @abc.abstractmethod
  def recur(self, params: Params, carry: Carry) -> jax.Array:
    """Carry part of the pre-activations, `[*batch, k * hidden_size]`."""

  def combine(self, projected: jax.Array, recurred: jax.Array) -> jax.Array:
    """The pre-activations `[..., n]`; default both products side by side."""
    return jnp.concatenate([projected, recurred], axis=-1)

  @abc.abstractmethod
  def activate(
    self, params: Params, carry: Carry, pre: jax.Array
  ) -> tuple[Carry, jax.Array]:
    """New carry and output from what `combine` returned."""

  def update(
    self,
    params: Params,
    carry: Carry,
    projected: jax.Array,
    recurred: jax.Array,
  ) -> tuple[Carry, jax.Array]:
    """New carry and output from both products."""
    return self.activate(params, carry, self.combine(projected, recurred))

  def step(self, params, carry, inputs, *, key=None):
    del key
    projected = self.project(params, inputs)
    return self.update(params, carry, projected, self.recur(params, carry))


def matmul(
  inputs: jax.Array, kernel: jax.Array, compute_dtype: str | None = None
) -> jax.Array:
  """`inputs @ kernel` over the last axis, accumulated in the kernel's dtype.

  Args:
    inputs: `[..., D]`.
    kernel: `[D, K]`.
    compute_dtype: dtype of the factors (`"bfloat16"`); None leaves them.

  Returns:
    `[..., K]` in the dtype of `kernel`.
  """
  dtype = kernel.dtype
  if compute_dtype is not None:
    inputs, kernel = inputs.astype(compute_dtype), kernel.astype(compute_dtype)
  # As two matrices: of more axes XLA's CPU compiler would copy a factor for the
  # gradient of the kernel.
  *batch, features = inputs.shape
  product = lax.dot_general(
    inputs.astype(kernel.dtype).reshape(math.prod(batch), features),
    kernel,
    (((1,), (0,)), ((), ())),
    preferred_element_type=dtype,
  )
  return product.reshape(*batch, kernel.shape[1])


def wide(dtype: Any) -> jnp.dtype:
  """`dtype`, or float32 in place of one of 16 bits."""
  dtype = jnp.dtype(dtype)
  return dtype if dtype.itemsize >= 4 else jnp.dtype("float32")


def affine(
  inputs: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  compute_dtype: str | None = None,
) -> jax.Array:
  """`inputs @ kernel + bias`, see `matmul`."""
  return add_bias(matmul(inputs, kernel, compute_dtype), bias)


def add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
  """Adds `bias` `[K]` to `x` `[..., K]`."""
  return x + align(bias, x)


def align(value: jax.Array, like: jax.Array) -> jax.Array:
  """`value` with leading axes of size 1, as many as `like` has more.

  Spells out what NumPy's rank promotion would do silently.
  """
  return value.reshape((1,) * (like.ndim - value.ndim) + value.shape)


ACTIVATIONS = {
  "tanh": jnp.tanh,
  "relu": jax.nn.relu,
  "sigmoid": jax.nn.sigmoid,
}


def check_choice(argument: str, value: str, choices: Iterable[str]) -> None:
  """Raises ValueError unless `value` is one of `choices`."""
  if value not in choices:
    listed = ", ".join(repr(choice) for choice in choices)
    raise ValueError(f"{argument} is {value!r}, expected one of {listed}")


def check_size(argument: str, value: int) -> None:
  """Raises ValueError unless `value` is a positive integer."""
  if not is_integer(value) or value < 1:
    raise ValueError(f"{argument} is {value!r}, expected a positive integer")


def is_integer(value) -> bool:
  """Whether `value` is an integer, NumPy's too, and no bool."""
  return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_rate(argument: str, value: float) -> None:
  """Raises ValueError unless `value` is a probability below 1."""
  if not 0.0 <= value < 1.0:
    raise ValueError(f"{argument} is {value!r}, expected a rate in [0, 1)")


def check_cell(argument: str, value: Any) -> None:
  """Raises ValueError unless `value` is a cell."""
  if not isinstance(value, Cell):
    raise ValueError(f"{argument} holds {value!r}, expected cells only")


def subkey(key: jax.Array | None, index: int) -> jax.Array | None:
  """`fold_in(key, index)`, None without a key."""
  return None if key is None else jax.random.fold_in(key, index)


def dropout_mask(
  key: Any, rate: float, shape: Sequence[int], dtype: Any = "float32"
) -> jax.Array:
  """Entries 0 with probability `rate`, else 1 / (1 - rate)."""
  keep = jax.random.bernoulli(key, 1.0 - rate, shape)
  return keep.astype(dtype) / (1.0 - rate)
