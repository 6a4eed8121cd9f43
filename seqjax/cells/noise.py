"""Regularisers inside the recurrence: zoneout and recurrent dropout."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base


@dataclasses.dataclass(frozen=True)
class Zoneout[Params, Carry](base.Cell[Params, Carry]):
  """Keeps entries of the state at random instead of zeroing them.

    with a key     s_t = d_t * s_(t-1) + (1 - d_t) * s'_t,  d_t ~ Bernoulli(p)
    without one    s_t = p * s_(t-1) + (1 - p) * s'_t

  where s' is what `cell` makes of its h or c (Krueger et al. 2017, "Zoneout:
  regularizing RNNs by randomly preserving hidden activations"). The second line
  is the expectation, to be used in evaluation. The output is the new h.

  Attributes:
    cell: a cell whose output is the `h` of its carry: `Elman`, `LSTM`, `GRU`,
      `IndRNN`, `MGU`, the layer-normalised ones.
    h: probability p for the hidden state, in [0, 1).
    c: probability p for the cell of an LSTM.

  Raises:
    ValueError: a rate is out of range, c without a cell c; from `init`, a cell
      whose carry has no h.
  """

  cell: base.Cell[Params, Carry]
  h: float = 0.0
  c: float = 0.0

  def __post_init__(self):
    base.check_cell("cell", self.cell)
    base.check_rate("h", self.h)
    base.check_rate("c", self.c)

  @property
  def output_size(self) -> int:
    return self.cell.output_size

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> Params:
    params = self.cell.init(key, input_size, dtype)
    fields = getattr(self.cell.initial_carry(params), "_fields", ())
    if fields not in (("h",), ("h", "c")):
      raise ValueError(
        f"cell is {self.cell}, expected one whose carry is (h) or (h, c); wrap"
        " each layer on its own"
      )
    if self.c and "c" not in fields:
      raise ValueError(f"c is {self.c}, expected 0: {self.cell} has no cell c")
    return params

  @property
  def noisy(self) -> bool:
    return bool(self.h or self.c) or self.cell.noisy

  def input_size(self, params: Any) -> int:
    return self.cell.input_size(params)

  def initial_carry(self, params, batch_shape=()):
    return self.cell.initial_carry(params, batch_shape)

  def prepare(self, params, batch_shape=(), *, key=None):
    return self.cell.prepare(params, batch_shape, key=key)

  def step(
    self,
    params: Params,
    carry: Any,
    inputs: jax.Array,
    *,
    key: jax.Array | None = None,
  ) -> tuple[Carry, jax.Array]:
    new_carry: Any
    new_carry, _ = self.cell.step(
      params, carry, inputs, key=base.subkey(key, 0)
    )
    kept = []
    for index, name in enumerate(new_carry._fields):
      rate, new = getattr(self, name), new_carry[index]
      old = carry[index].astype(new.dtype)
      if rate and key is not None:
        draw = jax.random.fold_in(key, 1 + index)
        new = jnp.where(jax.random.bernoulli(draw, rate, old.shape), old, new)
      elif rate:
        new = rate * old + (1 - rate) * new
      kept.append(new)
    new_carry = type(new_carry)(*kept)
    return new_carry, new_carry.h


class RecurrentDropoutParams[Params](NamedTuple):
  cell: Params
  # [*batch, hidden_size], drawn by `prepare`.
  mask: base.Rows | None = None


@dataclasses.dataclass(frozen=True)
class RecurrentDropout[Params, Carry](
  base.FactoredCell[RecurrentDropoutParams[Params], Carry]
):
  """Dropout on the state on its way into the recurrent kernel.

    recur(m * h_(t-1)) in place of recur(h_(t-1))

  with the mask m of `Dropout`: one a sequence (`variational`, Gal and
  Ghahramani 2016, equation 7) or one a step. Where the state is used without
  the kernel, as in the sum of a GRU, it is not dropped. With one mask a
  sequence the cell factors as the one inside.

  Attributes:
    cell: a factored cell with an `h` in its carry.
    rate: probability that an entry is zeroed, in [0, 1).
    variational: one mask a sequence instead of one a step.

  Raises:
    ValueError: `rate` is out of range, or the cell does not factor.
  """

  cell: base.FactoredCell[Params, Carry]
  rate: float
  variational: bool = True

  def __post_init__(self):
    base.check_cell("cell", self.cell)
    base.check_rate("rate", self.rate)
    if not self.cell.factored:
      raise ValueError(
        f"cell is {self.cell}, expected one with project, recur and update"
      )

  @property
  def factored(self) -> bool:
    return self.variational

  @property
  def pointwise(self) -> bool:
    return False  # what `recur` multiplies by differs from row to row

  @property
  def activate_has_params(self) -> bool:
    return self.cell.activate_has_params

  @property
  def noisy(self) -> bool:
    return bool(self.rate) and not self.variational

  @property
  def output_size(self) -> int:
    return self.cell.output_size

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> RecurrentDropoutParams[Params]:
    params = self.cell.init(key, input_size, dtype)
    if not hasattr(self.cell.initial_carry(params), "h"):
      raise ValueError(f"cell is {self.cell}, expected one with h in its carry")
    return RecurrentDropoutParams(params)

  def input_size(self, params: Any) -> int:
    return self.cell.input_size(params.cell)

  def initial_carry(self, params, batch_shape=()):
    return self.cell.initial_carry(params.cell, batch_shape)

  def prepare(self, params, batch_shape=(), *, key=None):
    cell = self.cell.prepare(params.cell, batch_shape, key=base.subkey(key, 0))
    if key is None or not self.variational or not self.rate:
      return params._replace(cell=cell)
    carry: Any = self.cell.initial_carry(cell, batch_shape)
    mask = base.dropout_mask(base.subkey(key, 1), self.rate, carry.h.shape)
    return RecurrentDropoutParams(cell, base.Rows(mask))

  def project(self, params, inputs):
    return self.cell.project(params.cell, inputs)

  def recur(
    self, params: RecurrentDropoutParams[Params], carry: Any
  ) -> jax.Array:
    if params.mask is not None:
      mask = base.align(params.mask.value, carry.h).astype(carry.h.dtype)
      carry = carry._replace(h=carry.h * mask)
    return self.cell.recur(params.cell, carry)

  def combine(self, projected, recurred):
    return self.cell.combine(projected, recurred)

  def activate(self, params, carry, pre):
    return self.cell.activate(params.cell, carry, pre)

  def step(
    self,
    params: RecurrentDropoutParams[Params],
    carry: Any,
    inputs: jax.Array,
    *,
    key: jax.Array | None = None,
  ) -> tuple[Carry, jax.Array]:
    if key is not None and self.rate and not self.variational:
      mask = base.dropout_mask(key, self.rate, carry.h.shape)
      params = params._replace(mask=base.Rows(mask))
    return super().step(params, carry, inputs)
