"""Parity: whether a row of bits holds an odd number of ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seqjax.data import batching
from seqjax.models import layers
from seqjax.models.many_to_one import ManyToOne
from seqjax.tasks import base


class Parity(base.Task):
  unit = "rows"
  modes = ("tell",)

  def build(self, key):
    make = layers.create(self.config.model)
    return ManyToOne(make, 2, input_size=1, key=key)

  def _draw(self, stream, step):
    rng = np.random.default_rng((self.config.seed, stream, step))
    shape = self.config.batch_size, self.config.length, 1
    bits = rng.integers(0, 2, shape).astype(np.float32)
    return bits, bits.sum(axis=(1, 2)).astype(np.int32) % 2

  def train_batches(self):
    return batching.endless(lambda step: self._draw(0, step))

  def evaluation_batches(self, split):
    return [self._draw(1 if split == "validation" else 2, 0)]

  def loss(self, params, batch, carry, key):
    metrics, *_ = self.evaluate(params, batch, carry)
    return metrics["loss"], metrics, carry

  def evaluate(self, params, batch, carry):
    bits, parity = batch
    logits = self.apply(params, bits)
    nats = optax.softmax_cross_entropy_with_integer_labels(logits, parity)
    right = (logits.argmax(-1) == parity).astype(jnp.float32)
    count = jnp.float32(len(parity))
    metrics = {"loss": (nats.sum(), count), "accuracy": (right.sum(), count)}
    return metrics, carry, jax.nn.softmax(logits)

  def showcase(self, params, directory):
    _, (rows,) = self.evaluate_split(params, "test")
    (directory / "parity.txt").write_text(f"{rows[0]}\n")
    return f"odd with probability {rows[0, 1]:.2f}"

  def tell(self, params, *, bits: str = "0") -> float:
    """The probability that an odd number of bits are ones."""
    row = np.array([[[float(bit)] for bit in bits]], np.float32)
    return float(jax.nn.softmax(self.apply(params, row))[0, 1])

  def tell_mode(self, params, **options) -> str:
    """Tells the parity of bits."""
    return "odd" if self.tell(params, **options) > 0.5 else "even"
