"""seqjax: `models.LanguageModel` of Transformer blocks."""

import jax
import optax

from benchmarks.peers import runner
from seqjax import nn
from seqjax.decode import sampling
from seqjax.models.language_model import LanguageModel


def model(case: dict) -> runner.Model:
  """Blocks that normalise first, with learned positions."""
  size, time, dtype = case["hidden_size"], case["time"], case["dtype"]
  compute_dtype = "bfloat16" if dtype == "bfloat16" else None
  options = nn.Transformer(
    heads=case["heads"],
    norm="pre",
    activation="gelu",
    positions="learned",
    window=time,
    max_length=time,
  )

  def make(input_size, key):
    first, *keys = jax.random.split(key, 1 + case["num_layers"])
    inputs = nn.PositionalInput(
      input_size, size, positions="learned", max_length=time, key=first
    )
    blocks = [
      nn.TransformerBlock(options, size, compute_dtype=compute_dtype, key=key)
      for key in keys
    ]
    return nn.Sequential([inputs, *blocks, nn.LayerNorm(size)], input_size)

  def build(key):
    return LanguageModel(
      case["vocab"],
      make,
      embed_size=size,
      dropout=0.0,
      compute_dtype=compute_dtype or dtype,
      key=key,
    )

  def init(key):
    params, _ = nn.functionalize(build(key))
    wide = dtype == "float64"
    return jax.tree.map(lambda p: p.astype(float), params) if wide else params

  _, apply = nn.functionalize(build(jax.random.key(0)))
  return runner.Model(
    init,
    lambda params, tokens: apply(params, tokens)[1],
    lambda params, batch: apply(params, batch, method="initial_carry"),
    lambda params, carry, tokens: apply(params, carry, tokens, method="step"),
  )


class Runner(runner.JaxRunner):
  """Trains by AdamW; "generate" writes `case["time"]` tokens a row."""

  def __init__(self, case: dict):
    super().__init__(case, model(case), case.get("devices", 1))
    self._optimizer = optax.chain(
      optax.clip_by_global_norm(1.0),
      optax.adamw(1e-3, b2=0.95, weight_decay=0.1),
    )

  def compile(self, kind):
    told = super().compile(kind)
    if kind == "generate":  # timed like a forward pass: it leaves nothing
      self._kind = "forward"
    return told

  def _generate(self):
    """A sample that begins with the first token of each row."""
    step, carry = self._model.step, self._model.carry
    assert step is not None
    assert carry is not None

    def generate(params, tokens):
      start = carry(params, len(tokens))
      own = lambda carry, tokens: step(params, carry, tokens)
      carried, logits = own(start, tokens[:, 0])
      return sampling.sample(
        own,
        carried,
        logits,
        jax.random.key(0),
        num_tokens=self._case["time"] - 1,
      )

    # Each device writes its own rows, without a word to the others.
    split = jax.shard_map(
      generate,
      mesh=self._whole.mesh,
      in_specs=(self._whole.spec, self._rows.spec),
      out_specs=self._rows.spec,
      check_vma=False,
    )
    return split, (self._params, self._tokens[0][:, :-1])
