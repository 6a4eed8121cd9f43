"""The contract of cells that are linear in their state."""

import abc

import jax

from seqjax.cells import base


class LinearCell[Params, Carry](base.Cell[Params, Carry]):
  """A cell whose state s obeys s_t = a_t * s_(t-1) + b_t, entry by entry.

  a_t and b_t do not depend on the state, so all time steps can be evaluated in
  parallel (Blelloch 1990, "Prefix sums and their applications"; Martin and
  Cundy 2018, "Parallelizing linear recurrent neural nets over sequence
  length"). The state is one array, real or complex; the carry holds it as
  floating-point leaves. A state of matrices is flattened by `to_state`.
  """

  @property
  def contracting(self) -> bool:
    """Whether |a_t| <= 1 always: then no product of them overflows."""
    return False

  @abc.abstractmethod
  def coefficients(
    self, params: Params, inputs: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """a_t and b_t, both `[..., state_size]`, for inputs `[..., D]`."""

  @abc.abstractmethod
  def readout(
    self, params: Params, state: jax.Array, inputs: jax.Array
  ) -> jax.Array:
    """The output `[..., output_size]` of a state `[..., state_size]`."""

  @abc.abstractmethod
  def to_state(self, carry: Carry) -> jax.Array:
    """The carry as one array `[..., state_size]`."""

  @abc.abstractmethod
  def to_carry(self, state: jax.Array) -> Carry:
    """The inverse of `to_state`."""

  def step(
    self,
    params: Params,
    carry: Carry,
    inputs: jax.Array,
    *,
    key: jax.Array | None = None,
  ) -> tuple[Carry, jax.Array]:
    del key
    a, b = self.coefficients(params, inputs)
    state = a * self.to_state(carry).astype(b.dtype) + b
    keep_dtype = lambda new, old: new.astype(old.dtype)
    new_carry = jax.tree.map(keep_dtype, self.to_carry(state), carry)
    return new_carry, self.readout(params, state, inputs)
