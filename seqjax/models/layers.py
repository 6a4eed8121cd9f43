"""From the fields of a model's config to layers."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from seqjax import cells, nn
from seqjax.cells import base
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.models.expressions import Grammar
from seqjax.nn import positional
from seqjax.recurrence.truncated import Truncated
from seqjax.recurrence.unroll import METHODS, check_method

# What models are built with: a layer from its input_size and a key.
Make = Callable[[int, jax.Array], nn.Layer]

CELLS = {
  "elman": cells.Elman,
  "indrnn": cells.IndRNN,
  "lstm": cells.LSTM,
  "gru": cells.GRU,
  "mgu": cells.MGU,
  "layer_norm_lstm": cells.LayerNormLSTM,
  "layer_norm_gru": cells.LayerNormGRU,
  "linear_rnn": cells.LinearRNN,
  "min_gru": cells.MinGRU,
  "min_lstm": cells.MinLSTM,
  "lru": cells.LRU,
  "linear_attention": cells.LinearAttention,
}
# Those that want more than the fields of a config give.
WRAPPERS = {
  "output_feedback": cells.OutputFeedback,
  "autoregressive": cells.Autoregressive,
  "stack": cells.Stack,
  "residual": cells.Residual,
  "learned_carry": cells.LearnedCarry,
  "dropout": cells.Dropout,
  "weight_drop": cells.WeightDrop,
  "recurrent_dropout": cells.RecurrentDropout,
  "zoneout": cells.Zoneout,
}
DTYPES = "float32", "bfloat16"

_METHODS = Grammar(
  "config.model.method", {name: type(m) for name, m in METHODS.items()}
)
_GRADIENTS = Grammar(
  "config.model.gradient", {"truncated": Truncated}, words=("bptt",)
)


def _cells(hidden_size: int, compute_dtype: str) -> Grammar:
  def given(kind):
    values = {"hidden_size": hidden_size, "compute_dtype": compute_dtype}
    return values | ({"output_size": hidden_size} if kind is cells.LRU else {})

  return Grammar("config.model.cell", {**CELLS, **WRAPPERS}, given)


def cell(expression: str, *, hidden_size: int, compute_dtype: str) -> base.Cell:
  """The cell that `config.model.cell` describes.

    lstm                            its options are the defaults of `cells.LSTM`
    lstm(peepholes=True)
    stack(lstm, gru(hidden_size=3))
    zoneout(lstm(forget_bias=2.0), h=0.2, c=0.3)

  Args:
    expression: a name or a call, see `expressions`.
    hidden_size: of every cell in it that does not say its own.
    compute_dtype: likewise, "float32" or "bfloat16".

  Raises:
    InputError: it is no such expression, or a size or dtype is out of range.
  """
  _check_common(hidden_size, compute_dtype)
  return _cells(hidden_size, compute_dtype).parse(expression)


def method(expression: str) -> Any:
  """The method object that `config.model.method` describes, see `unroll`."""
  return _METHODS.parse(expression)


def gradient(expression: str) -> Any:
  """What `config.model.gradient` describes: "bptt" or `Truncated(k1, k2)`."""
  return _GRADIENTS.parse(expression)


def _rnn(config: Config) -> Make:
  """`cell` over time by `method`."""
  made, how, back = _recurrence(config)
  return lambda input_size, key: nn.RNN(
    made, input_size, method=how, gradient=back, key=key
  )


def _bidirectional(config: Config) -> Make:
  """Two of `cell`, one in each direction, by `method`; no causal layer."""
  made, how, back = _recurrence(config)
  if back != "bptt":
    raise InputError(
      f"config.model.gradient is {config.gradient!r}, expected 'bptt' for"
      " layers in both directions"
    )
  return lambda input_size, key: nn.Bidirectional(
    made, made, input_size, method=how, key=key
  )


def _recurrence(config: Config) -> tuple[base.Cell, Any, Any]:
  """Cell, method and gradient that a config describes."""
  _check_layers(config, 1)
  made = cell(
    config.cell,
    hidden_size=config.hidden_size,
    compute_dtype=config.compute_dtype,
  )
  how, back = method(config.method), gradient(config.gradient)
  try:
    check_method(how, made)
  except ValueError as error:
    raise InputError(f"config.model: {error}") from error
  return made, how, back


def _feed_forward(config: Config) -> Make:
  """tanh(x W + b) at every step; no layers at all is the identity."""
  _check_layers(config, 0)
  _check_common(config.hidden_size, config.compute_dtype)
  return lambda input_size, key: nn.FeedForward(
    input_size, config.hidden_size, compute_dtype=config.compute_dtype, key=key
  )


@dataclasses.dataclass(frozen=True)
class _Encoder(nn.Transformer):
  """`nn.Transformer` that sees what comes behind, too."""


# Kinds of layers: each takes a model's config and returns what makes one.
LAYERS: dict[str, Callable[[Config], Make]] = {
  "rnn": _rnn,
  "bidirectional": _bidirectional,
  "feed_forward": _feed_forward,
}
# Kinds with options of their own, which make all layers at once.
TRANSFORMERS: dict[str, type[nn.Transformer]] = {
  "transformer": nn.Transformer,
  "transformer_encoder": _Encoder,
}


def _kinds() -> Grammar:
  return Grammar("config.model.layer", TRANSFORMERS, words=tuple(LAYERS))


def transformer(
  options: nn.Transformer,
  config: Config,
  *,
  causal: bool = True,
  memory_size: int = 0,
) -> Make:
  """What makes a whole Transformer but for its head.

  Inputs at the size of the blocks, the blocks, and behind blocks that normalise
  first one more norm. There what is added up is drawn smaller, by
  1 / sqrt(number of parts): Radford et al. 2019, "Language models are
  unsupervised multitask learners", section 2.3.

  Args:
    options: what kind.
    config: `hidden_size`, of the blocks, `num_layers`, `dropout` and
      `compute_dtype`.
    causal: as for `nn.TransformerBlock`.
    memory_size: likewise.

  Raises:
    InputError: a field is out of range; from the function returned, if the
      sizes do not go together.
  """
  _check_layers(config, 1)
  _check_common(config.hidden_size, config.compute_dtype)
  size, dtype = config.hidden_size, config.compute_dtype
  pre = options.norm == "pre"
  parts = config.num_layers * (3 if memory_size else 2)
  added = options.positions in positional.POSITIONS

  def make(input_size: int, key: jax.Array) -> nn.Layer:
    first = nn.PositionalInput(
      input_size,
      size,
      positions=options.positions if added else "none",
      max_length=options.max_length,
      scale=size**0.5 if options.scale_inputs else 1.0,
      dropout=config.dropout,
      compute_dtype=dtype,
      key=jax.random.fold_in(key, config.num_layers),
    )
    blocks = [
      nn.TransformerBlock(
        options,
        size,
        causal=causal,
        memory_size=memory_size,
        dropout=config.dropout,
        residual_scale=parts**-0.5 if pre else 1.0,
        compute_dtype=dtype,
        key=jax.random.fold_in(key, index),
      )
      for index in range(config.num_layers)
    ]
    last = [nn.LayerNorm(size)] if pre else []
    return nn.Sequential([first, *blocks, *last], input_size)

  return make


def create(config: Config, **changes: Any) -> Make:
  """What makes the layers that a model's config asks for.

  Args:
    config: `layer`, a word of LAYERS or a call of one of TRANSFORMERS,
      `num_layers`, `dropout` between them, and what the kind of layer reads:
      `hidden_size` and `compute_dtype`; "rnn" and "bidirectional" `cell`,
      `method` and `gradient`.
    **changes: values in place of the config's.

  Returns:
    A function of `(input_size, key)` to an `nn.Sequential`.

  Raises:
    InputError: a field is out of range, or the method cannot run the cell; from
      the function returned, if the layer does not fit its input.
  """
  config = ConfigDict({**config, **changes})
  if not 0 <= config.dropout < 1:
    raise InputError(
      f"config.model.dropout is {config.dropout}, expected a rate in [0, 1)"
    )
  one = _one(config)
  if is_transformer(config):
    return one

  def make(input_size: int, key: jax.Array) -> nn.Layer:
    made, size = [], input_size
    for index in range(config.num_layers):
      made.append(one(size, jax.random.fold_in(key, index)))
      size = made[-1].output_size
    return nn.Sequential(made, input_size, config.dropout)

  return make


def stack(config: Config, **changes: Any) -> Make:
  """As `create` without dropout; a single layer is not put into a Sequential.

  It draws its parameters from the key itself. A Transformer always is one.
  """
  if config.num_layers == 1 and not is_transformer(config):
    return _one(ConfigDict({**config, **changes}))
  return create(config, dropout=0.0, **changes)


def resolve(config: Config) -> Config:
  """A copy of a model's config with every option of its expressions spelt out.

  But for those that other fields give. Resolved once more it is the same.

  Raises:
    InputError: an expression is wrong.
  """
  config = config.copy_and_resolve_references()
  with config.unlocked():
    if "cell" in config:
      common = config.hidden_size, config.compute_dtype
      _check_common(*common)
      grammar = _cells(*common)
      config.cell = grammar.spell(grammar.parse(config.cell))
    for field, grammar in (
      ("layer", _kinds()),
      ("method", _METHODS),
      ("gradient", _GRADIENTS),
    ):
      if field in config:
        config[field] = grammar.spell(grammar.parse(config[field]))
  return config


def is_transformer(config: Config) -> bool:
  """Whether a model's config asks for attention instead of a recurrence."""
  return not isinstance(_kinds().parse(config.layer), str)


def check_steps(config: Config, counts: dict[str, int]) -> None:
  """Raises InputError for a count past a model's learned positions."""
  kind = _kinds().parse(config.layer)
  if isinstance(kind, str) or kind.positions != "learned":
    return
  for name, count in counts.items():
    if count > kind.max_length:
      raise InputError(
        f"{name} is {count}, expected at most {kind.max_length}, the max_length"
        " of the learned positions of config.model.layer"
      )


def _one(config: Config) -> Make:
  """What makes one layer; of a Transformer all of them."""
  kind = _kinds().parse(config.layer)
  if isinstance(kind, str):
    build = LAYERS[kind](config)
  else:
    build = transformer(kind, config, causal=not isinstance(kind, _Encoder))

  def make(input_size: int, key: jax.Array) -> nn.Layer:
    try:
      return build(input_size, key)
    except ValueError as error:
      raise InputError(f"config.model: {error}") from error

  return make


def _check_layers(config: Config, least: int) -> None:
  if config.num_layers < least:
    raise InputError(
      f"config.model.num_layers is {config.num_layers}, expected at least"
      f" {least}"
    )


def _check_common(hidden_size: int, compute_dtype: str) -> None:
  try:
    base.check_size("config.model.hidden_size", hidden_size)
    base.check_choice("config.model.compute_dtype", compute_dtype, DTYPES)
  except ValueError as error:
    raise InputError(f"{error}") from error
