"""Two cells, one in each direction, as a layer."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base
from seqjax.gradients.bidirectional import bidirectional_gradient_norms
from seqjax.nn.keys import one_key
from seqjax.nn.layers import RNN, Layer
from seqjax.recurrence.bidirectional import MERGES, bidirectional


class Bidirectional(Layer[tuple[Any, Any]]):
  """Two cells, one in each direction; see `recurrence.bidirectional`.

  Attributes:
    forward: `RNN` from the first step to the last.
    backward: `RNN` from each row's own last valid step to the first.
    merge: "concat", "sum" or "average" of the two outputs.
    method: how both recurrences are evaluated, see `unroll`.

  Raises:
    ValueError: `merge` is unknown, or the outputs cannot be added.
  """

  causal = False

  def __init__(
    self,
    forward: base.Cell[Any, Any],
    backward: base.Cell[Any, Any],
    input_size: int,
    *,
    merge: str = "concat",
    method: Any = "auto",
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    base.check_choice("merge", merge, MERGES)
    sizes = forward.output_size, backward.output_size
    if merge != "concat" and sizes[0] != sizes[1]:
      raise ValueError(
        f"merge is {merge!r}, expected 'concat' for outputs of different sizes,"
        f" {sizes[0]} and {sizes[1]}"
      )
    keys = jax.random.split(one_key(key, rngs))
    self.forward = RNN(forward, input_size, method=method, key=keys[0])
    self.backward = RNN(backward, input_size, method=method, key=keys[1])
    self.merge, self.method = merge, method
    self.output_size = sum(sizes) if merge == "concat" else sizes[0]

  def initial_carry(self, batch_shape):
    return (
      self.forward.initial_carry(batch_shape),
      self.backward.initial_carry(batch_shape),
    )

  def __call__(
    self, inputs, carry=None, *, lengths=None, resets=None, key=None
  ):
    """`((forward carry, backward carry), outputs)`."""
    return bidirectional(
      self.forward.cell,
      self.backward.cell,
      self._params(),
      inputs,
      lengths=lengths,
      resets=resets,
      initial_carry=carry,
      key=key,
      merge=self.merge,
      method=self.method,
    )

  def last(self, outputs, lengths=None):
    """Each direction where it has seen all: the backward one at the start."""
    if self.merge != "concat":
      raise ValueError(
        f"merge is {self.merge!r}, expected 'concat': merged, the directions"
        " have no last step of their own"
      )
    size = self.forward.output_size
    ahead = super().last(outputs[..., :size], lengths)
    return jnp.concatenate([ahead, outputs[:, 0, size:]], axis=-1)

  def gradient_norms(self, inputs, step_loss, *, carry=None, lengths=None):
    """`{"forward": ..., "backward": ...}`, each with the other constant."""
    _, outputs = self(inputs, carry, lengths=lengths)
    ahead, back = jnp.split(
      self.last(outputs, lengths), [self.forward.output_size], axis=-1
    )
    return bidirectional_gradient_norms(
      self.forward.cell,
      self.backward.cell,
      self._params(),
      inputs,
      (ahead, back),
      step_loss,
      lengths=lengths,
      initial_carry=carry,
    )

  def _params(self) -> tuple[Any, Any]:
    return self.forward.params.get_value(), self.backward.params.get_value()
