"""Every word of a config that asks for a decoder."""

import jax
import jax.numpy as jnp
import pytest
from ml_collections import ConfigDict

from seqjax import cells, nn
from seqjax.cells import GRU, LSTM
from seqjax.errors import InputError
from seqjax.models import decoders
from seqjax.models.text_decoder import looked_at
from seqjax.recurrence.truncated import Truncated
from seqjax.tasks import base
from tests import experiments

KEY = jax.random.key(0)
F32 = {"compute_dtype": "float32"}
H, M = 4, 4

KINDS = {
  "additive": cells.Additive(H, **F32),
  "additive(coverage=True)": cells.Additive(H, coverage=True, **F32),
  "additive(3, max_fertility=1)": cells.Additive(3, max_fertility=1.0, **F32),
  "Dot": cells.Dot(),
  "dot(scaled=True)": cells.Dot(scaled=True),
  "general": cells.General(**F32),
  "location_aware(filters=2, width=3)": cells.LocationAware(H, 2, 3, **F32),
  "LocationAware()": cells.LocationAware(H, **F32),
  "multi_head": cells.MultiHead(H, **F32),
  "multi_head(heads=2, size=6)": cells.MultiHead(6, 2, **F32),
}


def model(**changes):
  fields = {
    "cell": "gru",
    "hidden_size": H,
    "num_layers": 1,
    "dropout": 0.0,
    "compute_dtype": "float32",
    "method": "auto",
    "gradient": "bptt",
    "decoder": "conditional",
    "attention": "additive",
  }
  return ConfigDict({**fields, **changes})


def make(memory_size=M, **changes):
  return decoders.create(model(**changes))(3, memory_size, KEY)


def products(jaxpr):
  """The dtypes of all products with a matrix of weights."""
  for equation in jaxpr.eqns:
    if equation.primitive.name == "dot_general":
      left, right = (variable.aval for variable in equation.invars)
      if right.ndim == 2:
        yield left.dtype, right.dtype
    for value in equation.params.values():
      if hasattr(value, "jaxpr"):
        yield from products(value.jaxpr)


@pytest.mark.parametrize("decoder", decoders.DECODERS)
def test_all_products_with_weights_are_in_compute_dtype(decoder):
  layer = make(attention="general", decoder=decoder, compute_dtype="bfloat16")
  layer = layer.attend(layer.remember(jnp.ones((1, 2, M))))
  carry = layer.initial_carry((1,))
  found = list(
    products(jax.make_jaxpr(layer.step)(carry, jnp.ones((1, 3))).jaxpr)
  )
  assert len(found) >= 2
  assert {str(dtype) for pair in found for dtype in pair} == {"bfloat16"}


@pytest.mark.parametrize("decoder", decoders.DECODERS)
@pytest.mark.parametrize("attention", KINDS)
def test_all_kinds_in_all_decoders(attention, decoder):
  if decoder == "luong" and KINDS[attention].sees_past:
    with pytest.raises(InputError, match="which sees where was looked before"):
      make(attention=attention, decoder=decoder)
    return

  def run(inputs, memory):
    layer = make(attention=attention, decoder=decoder, num_layers=2)
    layer = layer.attend(layer.remember(memory))
    carry, outputs = layer(inputs)
    assert outputs.shape[-1] == layer.output_size
    return looked_at(carry), outputs

  shapes = jax.eval_shape(run, jnp.ones((2, 7, 3)), jnp.ones((2, 5, M)))
  assert shapes[0].shape == (2, 5)
  assert shapes[1].shape[:2] == (2, 7)


@pytest.mark.parametrize("attention", KINDS)
def test_what_is_written_is_what_is_made(attention):
  assert make(attention=attention).cell == cells.Conditional(
    GRU(H, **F32), GRU(H, **F32), KINDS[attention], M
  )


def test_where_it_attends():
  kind, gru, lstm = KINDS["additive"], GRU(H, **F32), LSTM(H, **F32)
  assert make(decoder="bahdanau", cell="lstm").cell == cells.Bahdanau(
    lstm, kind, M
  )
  fed = make(decoder="input_feeding", num_layers=2)
  assert fed.cell == cells.InputFeeding(
    cells.Stack((gru, gru)), kind, M, H, **F32
  )
  luong = make(decoder="luong", num_layers=3)
  assert isinstance(luong, nn.LuongAttention)
  assert [layer.cell for layer in luong.layer.layers] == [gru] * 3
  assert luong.kind == kind
  deep = make(decoder="conditional", num_layers=3, dropout=0.25)
  first, rest = deep.layers
  assert first.cell == cells.Conditional(gru, gru, kind, M)
  assert [layer.cell for layer in rest.layers] == [gru] * 2
  assert deep.dropout == rest.dropout == 0.25
  plain = make(attention="none", num_layers=2)
  assert [layer.cell for layer in plain.layers] == [gru] * 2


@pytest.mark.parametrize("decoder", decoders.DECODERS)
def test_how_it_is_run_is_asked_for_as_elsewhere(decoder):
  layer = make(
    decoder=decoder, gradient="truncated(2, 4)", method="checkpointed"
  )
  if decoder == "luong":
    (layer,) = layer.layer.layers
  assert layer.gradient == Truncated(2, 4)
  assert type(layer.method).__name__ == "Checkpointed"


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    (
      {"attention": "additiv"},
      "config.model.attention is 'additiv', expected one of none, additive,"
      " dot, general, location_aware, multi_head for 'additiv'",
    ),
    (
      {"attention": "additive(sise=3)"},
      "config.model.attention is 'additive.sise=3.', expected options of"
      " additive .size, coverage, max_fertility, compute_dtype., not 'sise'",
    ),
    (
      {"attention": "additive(max_fertility=0)"},
      "attention is .*: max_fertility is 0.0, expected a positive number",
    ),
    (
      {"attention": "location_aware(width=4)"},
      "attention is 'location_aware.width=4.': width is 4, expected an odd",
    ),
    (
      {"attention": "multi_head(heads=3)"},
      "attention is .*: heads is 3, expected a divisor of size, 4",
    ),
    (
      {"decoder": "bahdanu"},
      "config.model.decoder is 'bahdanu', expected one of bahdanau, cond",
    ),
    (
      {"decoder": "bahdanu", "attention": "none"},
      "config.model.decoder is 'bahdanu', expected one of bahdanau, cond",
    ),
    (
      {"decoder": "transformer(head=2)"},
      "config.model.decoder is 'transformer.head=2.', expected options of tran",
    ),
    (
      {"decoder": "transformer(norm='both')"},
      "config.model.decoder is .*: norm is 'both', expected one of",
    ),
    (
      {"decoder": "transformer(heads=3)"},
      "^config.model: heads is 3, expected a divisor of the size, 4$",
    ),
    (
      {"decoder": "transformer", "attention": "none"},
      "config.model.attention is 'none', expected a kind of attention with"
      " config.model.decoder = 'transformer', which always attends$",
    ),
    (
      {"decoder": "transformer", "num_layers": 0},
      "^config.model.num_layers is 0, expected at least 1",
    ),
    (
      {"hidden_size": 0},
      "^config.model.hidden_size is 0, expected a positive integer",
    ),
    ({"num_layers": 0}, "config.model.num_layers is 0, expected at least 1"),
    (
      {"attention": "dot", "memory_size": 8},
      "config.model: query_size is 4, expected memory_size, 8, for attention",
    ),
    (
      {"cell": "lru", "decoder": "bahdanau"},
      "config.model: cell is LRU.*, expected one with h in its carry",
    ),
    (
      {"method": "associative"},
      "config.model: method 'associative' needs a recurrence that is linear",
    ),
    (
      {"cell": "min_gru", "method": "associative"},
      "config.model: method 'associative' needs a recurrence that is linear",
    ),
  ],
)
def test_mistakes(changes, message):
  with pytest.raises(InputError, match=message) as error:
    make(**changes)
  assert "\n" not in str(error.value)


def test_a_transformer_is_all_layers_at_once():
  """Whatever cell and attention are."""
  text = "transformer(heads=3, feed_forward=6, norm='post')"
  changes = {"dropout": 0.25, "hidden_size": 6, "method": "associative"}
  found = make(decoder=text, num_layers=3, **changes)
  first, *blocks = found.layers  # no norm behind blocks that end with one
  assert isinstance(first, nn.PositionalInput)
  kind = nn.Transformer(3, 6, norm="post")
  assert [block.options for block in blocks] == [kind] * 3
  assert all(block.causal for block in blocks)
  assert {block.memory_size for block in blocks} == {M}
  assert {layer.dropout for layer in found.layers} == {0.25}
  assert found.output_size == 6
  half = make(decoder="transformer(heads=2)", compute_dtype="bfloat16")
  assert isinstance(half.layers[-1], nn.LayerNorm)
  assert half.layers[1].compute_dtype == "bfloat16"


@pytest.mark.parametrize(
  ("changes", "count"),
  [
    ({}, 1),
    ({"num_layers": 3, "decoder": "input_feeding"}, 1),
    ({"attention": "none"}, 0),
    ({"decoder": "transformer(heads=2)", "num_layers": 3}, 3),
  ],
)
def test_how_many_layers_attend(changes, count):
  config = model(**changes)
  assert decoders.attending_layers(config) == count

  def carry():
    layer = decoders.create(config)(3, M, KEY)
    return layer.attend(layer.remember(jnp.ones((1, 2, M)))).initial_carry((1,))

  found = jax.eval_shape(lambda: [looked_at(carry(), i) for i in range(count)])
  assert len(found) == count
  assert (jax.eval_shape(lambda: looked_at(carry())) is None) == (count == 0)
  if count:
    with pytest.raises(IndexError):
      jax.eval_shape(lambda: looked_at(carry(), count))


@pytest.mark.parametrize(
  ("attention", "spelt"),
  [
    ("none", "none"),
    ("additive", "additive(coverage=False, max_fertility=2.0)"),
    ("Additive(3)", "additive(size=3, coverage=False, max_fertility=2.0)"),
    ("dot", "dot(scaled=False)"),
    ("general", "general"),
    ("location_aware(width=3)", "location_aware(filters=8, width=3)"),
    ("multi_head(heads=2)", "multi_head(heads=2)"),
  ],
)
def test_every_option_is_spelt_out(attention, spelt):
  resolved = decoders.resolve(model(attention=attention))
  assert resolved.attention == spelt
  assert decoders.resolve(resolved) == resolved


def test_a_transformer_is_spelt_out():
  resolved = decoders.resolve(model(decoder="Transformer(2, window=128)"))
  assert resolved.decoder == (
    "transformer(heads=2, feed_forward=0, norm='pre', activation='gelu',"
    " positions='rotary', window=128, max_length=1024, scale_inputs=False,"
    " attention_dropout=0.0)"
  )
  assert decoders.resolve(resolved) == resolved
  assert decoders.resolve(model()).decoder == "conditional"


def test_a_run_saves_it_spelt_out():
  config = base.resolve(experiments.load("translate"))
  assert config.model.attention == "additive(coverage=False, max_fertility=2.0)"
  assert "attention" not in decoders.resolve(ConfigDict({"cell": "gru"}))
