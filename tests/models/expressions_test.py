"""Cells, methods and gradients written as calls."""

import dataclasses

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_collections import ConfigDict

import seqjax
from seqjax import GRU, LRU, LSTM
from seqjax.errors import InputError
from seqjax.models import expressions, layers
from seqjax.recurrence import Checkpointed, Fused, Newton, Scan
from seqjax.recurrence.truncated import Truncated
from tests import table

KEY = jax.random.key(0)
F32 = {"compute_dtype": "float32"}


def cell(expression):
  return layers.cell(expression, hidden_size=4, compute_dtype="float32")


def model(**changes):
  fields = {
    "layer": "rnn",
    "cell": "lstm",
    "hidden_size": 4,
    "num_layers": 1,
    "dropout": 0.0,
    "compute_dtype": "float32",
    "method": "auto",
    "gradient": "bptt",
  }
  return ConfigDict({**fields, **changes})


@pytest.mark.parametrize(
  ("expression", "expected"),
  [
    ("lstm", LSTM(4, **F32)),
    (" lstm() ", LSTM(4, **F32)),
    ("LSTM", LSTM(4, **F32)),
    ("lstm(peepholes=True)", LSTM(4, peepholes=True, **F32)),
    ("lstm(3, 2.0)", LSTM(3, forget_bias=2.0, **F32)),
    ("lstm(forget_bias=-2)", LSTM(4, forget_bias=-2.0, **F32)),
    ("lstm(compute_dtype=None)", LSTM(4)),
    ("LayerNormLSTM", seqjax.LayerNormLSTM(4, **F32)),
    ("layer_norm_lstm", seqjax.LayerNormLSTM(4, **F32)),
    ("lru", LRU(4, 4, **F32)),
    ("lru(output_size=2)", LRU(4, 2, **F32)),
    ("output_feedback(output_size=2)", seqjax.OutputFeedback(4, 2, **F32)),
    (
      "elman(activation='relu', recurrent_init=\"identity:0.5\")",
      seqjax.Elman(4, activation="relu", recurrent_init="identity:0.5", **F32),
    ),
    (
      "zoneout(lstm, h=0.2, c=0.3)",
      seqjax.Zoneout(LSTM(4, **F32), h=0.2, c=0.3),
    ),
    (
      "weight_drop(cell=gru(chrono=9), rate=0.5)",
      seqjax.WeightDrop(GRU(4, chrono=9, **F32), 0.5),
    ),
    (
      "stack(lstm, gru(hidden_size=3))",
      seqjax.Stack((LSTM(4, **F32), GRU(3, **F32))),
    ),
    ("stack([lstm, gru])", seqjax.Stack((LSTM(4, **F32), GRU(4, **F32)))),
    ("Stack(layers=(gru,))", seqjax.Stack((GRU(4, **F32),))),
  ],
)
def test_what_is_written_is_what_is_made(expression, expected):
  assert cell(expression) == expected


@pytest.mark.parametrize(
  ("expression", "message"),
  [
    ("lstmm", "expected one of elman, indrnn, lstm, .*, zoneout for 'lstmm'"),
    ("zoneout(lstmm)", "expected one of elman, .* for 'lstmm'"),
    ("", r"expected a name or a call such as name\(option=1\) \("),
    ("lstm(", r"expected a name or a call .*never closed, column 5"),
    ("lstm)", "expected a name or a call .*, column 5"),
    ("lstm; gru", "expected a name or a call .*, column 5"),
    ("lstm\0", "expected a name or a call"),
    ("(" * 300, "expected a name or a call"),
    ("seqjax.LSTM(4)", r"expected a name or a call .*, not 'seqjax.LSTM\(4\)'"),
    ("[lstm]", r"expected a name or a call .*, not '\[lstm\]'"),
    ("'lstm'", "expected a name or a call .*, not \"'lstm'\""),
    ("lambda: lstm", "expected a name or a call .*, not 'lambda: lstm'"),
    (
      "__import__('os')",
      "expected one of elman, .*, zoneout for '__import__'",
    ),
    (
      "lstm(peephole=True)",
      r"expected options of lstm \(hidden_size, forget_bias, peepholes,"
      r" projection_size, chrono, input_init, recurrent_init, compute_dtype\),"
      " not 'peephole'",
    ),
    ("gru(forget_bias=1.0)", r"expected options of gru \(.*not 'forget_bias'"),
    ("lstm(**{})", r"expected options of lstm \(.*, not '\*\*'"),
    ("lstm(3, hidden_size=3)", "expected hidden_size of lstm once"),
    ("mgu(1, 'a', 'b', None, 5)", "expected at most 4 options of mgu, not 5"),
    ("lstm(*[3])", r"a literal \(int\) for hidden_size, not '\*\[3\]'"),
    ("lstm(1 + 2)", r"a literal \(int\) for hidden_size, not '1 \+ 2'"),
    ("lstm(hidden_size=2.5)", r"a literal \(int\) for hidden_size, not '2.5'"),
    ("lstm(True)", r"a literal \(int\) for hidden_size, not 'True'"),
    ("lstm(peepholes=1)", r"a literal \(bool\) for peepholes, not '1'"),
    ("lstm(forget_bias=gru)", r"literal \(float\) for forget_bias, not 'gru'"),
    ("lstm(forget_bias=1e999)", r"a literal \(float\) for forget_bias, not"),
    (
      "lstm(recurrent_init=identity)",
      r"a literal \(str\) for recurrent_init, not 'identity'",
    ),
    ("lstm(compute_dtype=3)", r"a literal \(str or NoneType\) for compute_dty"),
    ("zoneout(h=0.2)", "expected a value for cell, an option of zoneout"),
    ("weight_drop(lstm)", "expected a value for rate, an option of weight_dr"),
    ("output_feedback", "expected a value for output_size, an option of outp"),
    ("zoneout('lstm')", "expected a name or a call .*, not \"'lstm'\""),
    ("zoneout(3)", "expected a name or a call .*, not '3'"),
    ("stack(lstm, 3)", "expected a name or a call .*, not '3'"),
    ("stack()", "expected a value for layers, an option of stack"),
  ],
)
def test_what_cannot_be_read_is_one_line(expression, message):
  with pytest.raises(InputError, match=message) as error:
    cell(expression)
  told = str(error.value)
  assert told.startswith(f"config.model.cell is {expression!r}, expected ")
  assert "\n" not in told


@pytest.mark.parametrize(
  ("expression", "message"),
  [
    ("lstm(chrono=1)", r"'lstm\(chrono=1\)': chrono is 1, expected 0 \(off\)"),
    ("lstm(hidden_size=0)", "hidden_size is 0, expected a positive integer"),
    ("stack(())", "layers is empty, expected at least one cell"),
    ("zoneout(lstm, h=1.5)", r"h is 1.5, expected a rate in \[0, 1\)"),
    ("recurrent_dropout(mgu, 0.1)", "expected one with project, recur and"),
  ],
)
def test_what_a_cell_refuses_is_told_in_its_words(expression, message):
  with pytest.raises(InputError, match=f"config.model.cell is .*{message}"):
    cell(expression)


@pytest.mark.parametrize(
  ("hidden_size", "dtype", "message"),
  [
    (0, "float32", "config.model.hidden_size is 0, expected a positive"),
    (4, "int8", "config.model.compute_dtype is 'int8', expected one of 'flo"),
  ],
)
def test_what_all_cells_share_is_checked_first(hidden_size, dtype, message):
  with pytest.raises(InputError, match=f"^{message}"):
    layers.cell("lstm", hidden_size=hidden_size, compute_dtype=dtype)


@pytest.mark.parametrize("name", table.EXPRESSIONS)
def test_the_repr_of_a_cell_is_an_expression(name):
  assert cell(repr(table.CELLS[name])) == table.CELLS[name]


@given(st.text("lstmgrua_(),='.0123=[]*{}: \n", max_size=30))
def test_anything_else_is_refused_in_one_line(text):
  told = ""
  try:
    cell(text)
  except InputError as error:
    told = str(error)
  assert "\n" not in told


@pytest.mark.parametrize(
  ("expression", "expected"),
  [
    ("scan", Scan()),
    ("checkpointed(segment=64)", Checkpointed(segment=64)),
    ("checkpointed(2, inner=fused)", Checkpointed(segment=2, inner=Fused())),
    ("newton(jacobian='diagonal')", Newton(jacobian="diagonal")),
    ("fused(project_first=True)", Fused(project_first=True)),
  ],
)
def test_methods(expression, expected):
  assert layers.method(expression) == expected


@pytest.mark.parametrize("name", table.METHODS)
def test_the_repr_of_a_method_is_an_expression(name):
  assert layers.method(repr(table.METHODS[name])) == table.METHODS[name]


def test_gradients():
  assert layers.gradient("bptt") == "bptt"
  assert layers.gradient("truncated(k1=2, k2=4)") == Truncated(2, 4)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"method": "fusde"}, "config.model.method is 'fusde', expected one of au"),
    (
      {"method": "checkpointed(segment=-1)"},
      "config.model.method is .*: segment is -1, expected 0",
    ),
    (
      {"method": "associative"},
      "config.model: method 'associative' needs a recurrence that is linear",
    ),
    (
      {"method": "fused", "cell": "zoneout(lstm)"},
      "config.model: method 'fused' needs",
    ),
    (
      {"gradient": "bttp"},
      "config.model.gradient is 'bttp', expected one of bptt, truncated",
    ),
    (
      {"gradient": "truncated(k1=3, k2=4)"},
      "config.model.gradient is .*: k2 is 4, expected a multiple of k1, 3",
    ),
    (
      {"gradient": "truncated(k1=2, k2=4)", "layer": "bidirectional"},
      "config.model.gradient is .*, expected 'bptt' for layers in both",
    ),
    ({"layer": "rrn"}, "config.model.layer is 'rrn', expected one of rnn, bi"),
    ({"num_layers": 0}, "config.model.num_layers is 0, expected at least 1"),
    (
      {"layer": "feed_forward", "num_layers": -1},
      "config.model.num_layers is -1, expected at least 0",
    ),
    ({"dropout": 1.0}, "config.model.dropout is 1.0, expected a rate"),
  ],
)
def test_a_model_that_cannot_be_made_is_refused_at_once(changes, message):
  with pytest.raises(InputError, match=message):
    layers.create(model(**changes))


def test_a_cell_that_does_not_fit_its_input_is_an_input_error():
  make = layers.create(model(cell="residual(lstm)"))
  with pytest.raises(
    InputError, match="config.model: input_size is 3, expected 4"
  ):
    make(3, KEY)


def test_changes_take_the_place_of_fields():
  make = layers.create(model(), num_layers=2, hidden_size=3, dropout=0.1)
  made = make(5, KEY)
  assert [layer.cell for layer in made.layers] == [LSTM(3, **F32)] * 2
  assert made.dropout == 0.1


def test_feed_forward_needs_no_cell():
  config = model(layer="feed_forward", num_layers=2)
  for field in ("cell", "method", "gradient"):
    del config[field]
  assert layers.create(config)(3, KEY).output_size == 4
  assert layers.create(config, num_layers=0)(3, KEY).output_size == 3
  assert layers.resolve(config) == config


def _cells_in(made):
  yield made
  for field in dataclasses.fields(made):
    value = getattr(made, field.name)
    for inner in value if isinstance(value, tuple) else (value,):
      if isinstance(inner, seqjax.Cell):
        yield from _cells_in(inner)


@pytest.mark.parametrize("name", table.EXPRESSIONS)
def test_a_resolved_config_names_every_option_once_and_for_all(name):
  config = model(cell=repr(table.CELLS[name]), method="newton")
  resolved = layers.resolve(config)
  assert layers.resolve(resolved) == resolved
  assert config.method == "newton"  # the caller's is as it was
  assert cell(resolved.cell) == table.CELLS[name]
  for made in _cells_in(table.CELLS[name]):
    for field in dataclasses.fields(made):
      value = getattr(made, field.name)
      by_config = field.name == "hidden_size" and value == 4
      place = field.name in ("cell", "layers")  # written first, by position
      if not (by_config or place) and not isinstance(value, seqjax.Cell):
        # An LRU puts out as much as it holds where it says nothing.
        assert f"{field.name}={value!r}" in resolved.cell
  assert resolved.method == (
    "newton(max_iterations=20, jacobian='dense', tolerance=0.0)"
  )


def test_what_other_fields_give_is_not_written_twice():
  resolved = layers.resolve(
    model(cell="stack(lru, mgu(hidden_size=3))", hidden_size=4)
  )
  assert resolved.cell == (
    "stack(lru(min_radius=0.9, max_radius=0.999, max_phase=6.283185307179586),"
    " mgu(hidden_size=3, input_init='glorot_uniform',"
    " recurrent_init='orthogonal'))"
  )
  assert resolved.gradient == "bptt"
  resolved = layers.resolve(model(gradient="Truncated(2, 4)", method="auto"))
  assert resolved.gradient == "truncated(k1=2, k2=4)"
  assert resolved.method == "auto"


@pytest.mark.parametrize(
  ("texts", "short"),
  [
    (["lstm(a=1, b=2)", "gru(a=1)"], ["lstm", "gru"]),
    (["lstm(a=1, b=2)", "lstm(a=1, b=3)"], ["lstm(b=2)", "lstm(b=3)"]),
    (["lstm(a=1)", "lstm"], ["lstm(a=1)", "lstm"]),
    (["auto", "fused(a=1)"], ["auto", "fused"]),
    (
      ["zoneout(gru(a=1), h=0.1, c=0)", "zoneout(gru(a=1), h=0.2, c=0)"],
      ["zoneout(gru, h=0.1)", "zoneout(gru, h=0.2)"],
    ),
    (["f(gru(a=1, b=1))", "f(gru(a=2, b=1))"], ["f(gru(a=1))", "f(gru(a=2))"]),
    (["f(x, of=g(a=1))", "f(y, of=h)"], ["f(x, of=g)", "f(y, of=h)"]),
    # No expressions: as they are.
    (["my text.txt", "lstm(a=1)"], ["my text.txt", "lstm(a=1)"]),
    (["8", "16"], ["8", "16"]),
    (["a/b(c)", "f(a=1)"], ["a/b(c)", "f(a=1)"]),
    (["", "("], ["", "("]),
  ],
)
def test_what_tells_expressions_apart(texts, short):
  assert expressions.brief(texts) == short
