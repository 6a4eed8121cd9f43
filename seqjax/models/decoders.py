"""From the fields of a model's config to a decoder."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from seqjax import cells, nn
from seqjax.cells.attention_kinds import Kind
from seqjax.config import Config
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.expressions import Grammar

# A decoder from its input_size, the features of the memory, and a key.
MakeDecoder = Callable[[int, int, jax.Array], nn.Layer]

KINDS = {
  "additive": cells.Additive,
  "dot": cells.Dot,
  "general": cells.General,
  "location_aware": cells.LocationAware,
  "multi_head": cells.MultiHead,
}
# Where a decoder attends: before its cell, between two, or after it, with what
# was read fed to the next step or not.
DECODERS = "bahdanau", "conditional", "input_feeding", "luong"
NO_ATTENTION = "none"
# Or without a cell: it attends in every layer, in a way of its own.
_DECODERS = Grammar(
  "config.model.decoder", {"transformer": nn.Transformer}, words=DECODERS
)


def _kinds(hidden_size: int, compute_dtype: str) -> Grammar:
  given = {"size": hidden_size, "compute_dtype": compute_dtype}
  return Grammar(
    "config.model.attention",
    KINDS,
    lambda kind: {
      name: value
      for name, value in given.items()
      if name in kind.__dataclass_fields__
    },
    words=(NO_ATTENTION,),
  )


def create(config: Config) -> MakeDecoder:
  """What makes the decoder that a model's config asks for.

  Args:
    config: `decoder`, a word of DECODERS, or a call, "transformer(heads=8)";
      `hidden_size`, `num_layers`, `dropout` and `compute_dtype` as for
      `layers.create`; and for all but a Transformer `attention`, a kind as a
      call, "additive(coverage=True)", or "none", and `cell`, `method` and
      `gradient`.

  Returns:
    A function of `(input_size, memory_size, key)`.

  Raises:
    InputError: a field is out of range; from the function returned, if what it
      is to make does not go together.
  """
  decoder = _DECODERS.parse(config.decoder)
  if isinstance(decoder, nn.Transformer):
    _check_attends(config)
    layers.transformer(decoder, config)  # a mistake is found now

    def make_all(input_size, memory_size, key):
      make = layers.transformer(decoder, config, memory_size=memory_size)
      return make(input_size, key)

    return _told(make_all)
  above = layers.create(config, layer="rnn")
  kind = _kinds(config.hidden_size, config.compute_dtype).parse(
    config.attention
  )
  if kind == NO_ATTENTION:
    return lambda input_size, memory_size, key: above(input_size, key)
  return _told(functools.partial(_make, config, kind, above))


def attending_layers(config: Config) -> int:
  """How many layers of the decoder attend, for `text_decoder.looked_at`.

  Args:
    config: of a model, see `create`.
  """
  if isinstance(_DECODERS.parse(config.decoder), nn.Transformer):
    return config.num_layers
  return int(config.attention != NO_ATTENTION)


def _check_attends(config: Config) -> None:
  if config.attention == NO_ATTENTION:
    raise InputError(
      f"config.model.attention is 'none', expected a kind of attention with"
      f" config.model.decoder = {config.decoder!r}, which always attends"
    )


def _told(make: MakeDecoder) -> MakeDecoder:
  """`make`, whose errors are those of a config."""

  def told(input_size: int, memory_size: int, key: jax.Array) -> nn.Layer:
    try:
      return make(input_size, memory_size, key)
    except ValueError as error:
      raise InputError(f"config.model: {error}") from error

  return told


def _make(
  config: Config,
  kind: Kind[Any],
  above: layers.Make,
  input_size: int,
  memory_size: int,
  key: jax.Array,
) -> nn.Layer:
  below_key, key = jax.random.split(key)
  size = config.hidden_size
  if config.decoder == "luong":
    below = above(input_size, below_key)
    return nn.LuongAttention(
      below,
      kind,
      memory_size,
      size,
      compute_dtype=config.compute_dtype,
      key=key,
    )
  cell = layers.cell(
    config.cell, hidden_size=size, compute_dtype=config.compute_dtype
  )
  attending: cells.Attending
  more = config.num_layers - 1
  if config.decoder == "input_feeding":
    # What is fed back comes from the top: all layers are one cell, without
    # dropout between them.
    stack = cells.Stack((cell,) * config.num_layers) if more else cell
    attending, more = (
      cells.InputFeeding(stack, kind, memory_size, size, config.compute_dtype),
      0,
    )
  elif config.decoder == "bahdanau":
    attending = cells.Bahdanau(cell, kind, memory_size)
  else:
    attending = cells.Conditional(cell, cell, kind, memory_size)
  how, back = layers.method(config.method), layers.gradient(config.gradient)
  first = nn.AttendingRNN(
    attending, input_size, method=how, gradient=back, key=below_key
  )
  if not more:
    return first
  rest = layers.create(config, layer="rnn", num_layers=more)
  size = attending.output_size
  return nn.Sequential([first, rest(size, key)], size, config.dropout)


def resolve(config: Config) -> Config:
  """A copy with all options of attention and decoder spelt out.

  As `layers.resolve`.
  """
  config = config.copy_and_resolve_references()
  if "attention" in config:
    grammar = _kinds(config.hidden_size, config.compute_dtype)
    config.attention = grammar.spell(grammar.parse(config.attention))
    config.decoder = _DECODERS.spell(_DECODERS.parse(config.decoder))
  return config
