"""Layers: what models are built of, as thin Flax modules.

The contract is `Layer`, and `RNN` runs a cell over time. Other kinds have files
of their own; `sequential.py` puts layers on top of each other.
"""

import abc
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.gradients.norms import StepLoss, hidden_gradient_norms, together
from seqjax.nn.embedding import look_up
from seqjax.nn.keys import one_key
from seqjax.nn.parameters import Parameters
from seqjax.recurrence import length_mask, unroll
from seqjax.recurrence.truncated import Truncated
from seqjax.recurrence.unroll import check_method, resolve_method


class Layer[Carry](nnx.Module, abc.ABC):
  """A sequence in, a sequence of the same length out.

  Whatever the layer does, these hold:
    * outputs at or past a row's length are exactly zero, whatever the inputs
      hold there, and the carry is that of its own last valid step;
    * a reset at t puts the initial carry in place of what came before t;
    * a causal layer gives the same numbers in one call, in windows that hand
      the carry on, and step by step;
    * without a key it is deterministic.

  Attributes:
    output_size: features of the output.
    causal: whether an output depends on what came before alone. Only then is
      there a `step`.
    residual: whether it adds to its inputs, so that what the layers of a stack
      hand on is one stream. There gradient norms are those of the stream.
    reads_tokens: whether the call takes `embedding=E`, `[V, input_size]`: the
      inputs are then tokens, int `[batch, time]`, that are looked up in it.
  """

  output_size: int
  causal: bool = True
  residual: bool = False
  reads_tokens: bool = False

  @abc.abstractmethod
  def initial_carry(self, batch_shape: Sequence[int]) -> Carry:
    """The carry before the first step: a tree of arrays `[*batch, ...]`.

    They may be integers, unlike those of a cell: a position for each row.
    """

  def remember(
    self, memory: jax.Array, lengths: jax.Array | None = None
  ) -> Any:
    """What a decoder keeps of a memory, computed once a sequence.

    Keys and values projected, say. Default: nothing, the layer reads none.

    Args:
      memory: `[batch, source, features]`.
      lengths: int `[batch]`, of the memory; default all of it is valid.

    Returns:
      A tree of arrays `[batch, ...]`, for `attend`.
    """
    del memory, lengths
    return ()

  def attend(self, remembered: Any) -> "Layer[Carry]":
    """The layer that reads what `remember` returned; only then may it run.

    Its params hold what is remembered as `base.Rows`.
    """
    del remembered
    return self

  @abc.abstractmethod
  def __call__(
    self,
    inputs: jax.Array,
    carry: Carry | None = None,
    *,
    lengths: jax.Array | None = None,
    resets: jax.Array | None = None,
    key: jax.Array | None = None,
  ) -> tuple[Carry, jax.Array]:
    """Runs over the sequence.

    Args:
      inputs: `[batch, time, input_size]`.
      carry: what the sequence starts from; default the initial carry.
      lengths: int `[batch]`; default all steps are valid.
      resets: bool `[batch, time]`.
      key: randomness; None turns it off.

    Returns:
      `(carry, outputs)`, outputs `[batch, time, output_size]`.
    """

  def step(self, carry: Carry, inputs: jax.Array) -> tuple[Carry, jax.Array]:
    """One step `[*batch, input_size]` without noise: `(carry, output)`.

    Raises:
      ValueError: the layer is not causal.
    """
    del carry, inputs
    raise ValueError(
      f"{type(self).__name__} is not causal, expected a causal layer to step:"
      " it reads a sequence from its end, too"
    )

  def last(
    self, outputs: jax.Array, lengths: jax.Array | None = None
  ) -> jax.Array:
    """What the layer puts out once it has seen the whole row.

    Args:
      outputs: of the call, `[batch, time, output_size]`.
      lengths: as for the call.

    Returns:
      `[batch, output_size]`: the output at each row's last valid step; zeros
      for a row of length 0.
    """
    batch, time, _ = outputs.shape
    if lengths is None:
      lengths = jnp.full((batch,), time)
    end = jnp.maximum(lengths - 1, 0)[:, None, None]
    return jnp.take_along_axis(outputs, end, axis=1)[:, 0]

  def gradient_norms(
    self,
    inputs: jax.Array,
    step_loss: StepLoss,
    *,
    carry: Carry | None = None,
    lengths: jax.Array | None = None,
  ) -> dict[str, jax.Array]:
    """|dL/dcarry_t|, L the loss of each row's last step, without noise.

    Args:
      inputs: `[batch, time, input_size]`.
      step_loss: `[time, batch]` from outputs `[time, batch, output_size]`.
      carry: as for the call.
      lengths: as for the call.

    Returns:
      Norms `[batch, time]` by name, all leaves of a carry together; see
      `gradients.hidden_gradient_norms`.

    Raises:
      ValueError: the layer cannot be looked into.
    """
    del inputs, step_loss, carry, lengths
    raise ValueError(
      f"{type(self).__name__} has no gradient norms over time, expected"
      " recurrent layers"
    )


class RNN[Params, Carry](Layer[Carry]):
  """A cell and its parameters, run over time.

  Attributes:
    cell: the cell.
    params: `Parameters` of the cell, drawn from `key`, or from `rngs`.
    method: how the recurrence is evaluated, see `unroll`.
    gradient: "bptt", the exact one, or `Truncated(k1, k2)`: of what is trained;
      `gradient_norms` are those of the whole sequence.

  Raises:
    ValueError: the method cannot run the cell; no such gradient; not exactly
      one of `key` and `rngs`.
  """

  reads_tokens = True

  def __init__(
    self,
    cell: base.Cell[Params, Carry],
    input_size: int,
    *,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
    method: Any = "auto",
    gradient: Any = "bptt",
  ):
    check_method(resolve_method(method), cell)
    if gradient != "bptt" and not isinstance(gradient, Truncated):
      raise ValueError(
        f"gradient is {gradient!r}, expected 'bptt' or Truncated(k1, k2)"
      )
    self.cell, self.method, self.gradient = cell, method, gradient
    self.params = Parameters(cell.init(one_key(key, rngs), input_size))
    self.output_size = cell.output_size

  def initial_carry(self, batch_shape: Sequence[int]) -> Carry:
    return self.cell.initial_carry(self.params.get_value(), batch_shape)

  def __call__(
    self,
    inputs: jax.Array,
    carry: Carry | None = None,
    *,
    lengths: jax.Array | None = None,
    resets: jax.Array | None = None,
    key: jax.Array | None = None,
    embedding: jax.Array | None = None,
  ) -> tuple[Carry, jax.Array]:
    params = self.params.get_value()
    if embedding is not None:
      params, inputs = look_up(self.cell, params, embedding, inputs)
    run = unroll
    if isinstance(self.gradient, Truncated):
      run = self.gradient.unroll
    return run(
      self.cell,
      params,
      inputs,
      lengths=lengths,
      resets=resets,
      initial_carry=carry,
      key=key,
      method=self.method,
    )

  def step(self, carry: Carry, inputs: jax.Array) -> tuple[Carry, jax.Array]:
    return self.cell.step(self.params.get_value(), carry, inputs)

  def gradient_norms(self, inputs, step_loss, *, carry=None, lengths=None):
    norms = hidden_gradient_norms(
      self.cell,
      self.params.get_value(),
      inputs,
      step_loss,
      lengths=lengths,
      initial_carry=carry,
    )
    return {"layer 0": together(norms)}


def check_causal(layer: Layer[Any]) -> None:
  """Raises ValueError unless the layer is causal."""
  if not layer.causal:
    raise ValueError(
      "layers are not causal, expected causal ones: the model reads one step"
      " after the other"
    )


def valid_only(x: jax.Array, lengths: jax.Array | None) -> jax.Array:
  """`x` `[batch, time, features]` with zeros at and past the lengths."""
  if lengths is None:
    return x
  return jnp.where(length_mask(lengths, x.shape[1])[..., None], x, 0)
