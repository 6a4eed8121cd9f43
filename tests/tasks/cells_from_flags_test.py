"""Every cell of the table from flags alone: trained, saved, loaded again."""

import json
import pathlib
from unittest import mock

import jax
import numpy as np
import pytest
from absl import flags
from ml_collections import config_flags

from seqjax import command_line
from seqjax.models import layers
from seqjax.show import training
from seqjax.tasks import base
from seqjax.tasks.language_model import LanguageModeling
from seqjax.train import loop, workdir
from tests import table
from tests.nn.toy_attention import Attention

# ml_collections loads config files in a way that Python deprecates.
pytestmark = pytest.mark.filterwarnings(
  "ignore:the load_module:DeprecationWarning"
)

ROOT = pathlib.Path(__file__).parents[2]

# One of each kind in the fast suite: a training costs a second of compiling.
FAST = {
  "OutputFeedback",
  "Autoregressive",
  "LRU",
  "Stack",
  "Residual",
  "LearnedCarry, linear",
  "Dropout",
  "RecurrentDropout",
  "Zoneout",
}


@pytest.fixture(scope="module")
def text_file(tmp_path_factory):
  path = tmp_path_factory.mktemp("text") / "text.txt"
  path.write_text("the quick brown fox jumps over the lazy dog\n" * 9)
  return path


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
  """No pictures."""
  monkeypatch.setattr(LanguageModeling, "showcase", lambda *args: "")
  monkeypatch.setattr(training, "draw", lambda *args: False)


def from_flags(text_file, *more):
  """The config as the launcher gets it from a command line."""
  values = flags.FlagValues()
  config_flags.DEFINE_config_file("config", flag_values=values)
  argv = [
    "launch",
    f"--config={ROOT / 'experiments' / 'char_lm.py'}",
    f"--config.data.path={text_file}",
    "--config.data.validation=0.0",
    "--config.data.test=0.0",
    "--config.steps=2",
    "--config.batch_size=2",
    "--config.window=4",
    "--config.model.hidden_size=4",
    "--config.model.embed_size=3",
    *more,
  ]
  with mock.patch("sys.argv", argv):  # where the fields' flags are looked for
    command_line.parse(values, argv)
  return values.config


def train_and_load(config, directory):
  """Two steps; the run's own config and parameters, read back."""
  assert loop.train(config, directory) == 0
  task, params, step = loop.load(directory)
  assert step == 2
  fresh = jax.eval_shape(task.init, jax.random.key(0))
  assert jax.tree.structure(params) == jax.tree.structure(fresh)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
  return workdir.load_config(directory), params


def test_every_row_of_the_table_is_written():
  for name, expression in table.EXPRESSIONS.items():
    made = layers.cell(expression, hidden_size=4, compute_dtype="float32")
    spelt = repr(made).replace("compute_dtype='float32'", "compute_dtype=None")
    assert spelt == repr(table.CELLS[name])


@pytest.mark.parametrize(
  "name",
  [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
    for name in table.EXPRESSIONS
  ],
)
def test_from_flags_alone(tmp_path, text_file, name):
  expression = table.EXPRESSIONS[name]
  config = from_flags(text_file, f"--config.model.cell={expression}")
  saved, _ = train_and_load(config, tmp_path)
  assert config.model.cell == expression
  assert saved.model == layers.resolve(config.model)
  assert saved.model == layers.resolve(saved.model)
  content = json.loads((tmp_path / "config.json").read_text())
  assert content["model"]["cell"] == saved.model.cell


def test_options_of_method_and_gradient_from_flags(tmp_path, text_file):
  config = from_flags(
    text_file,
    "--config.model.method=checkpointed(segment=2)",
    "--config.model.gradient=truncated(k1=2, k2=2)",
  )
  saved, _ = train_and_load(config, tmp_path)
  assert saved.model.method == "checkpointed(segment=2, inner=None)"
  assert saved.model.gradient == "truncated(k1=2, k2=2)"
  # The same command goes on; it has nothing left to do.
  assert loop.train(config, tmp_path) == 0


def test_a_layer_that_attends_is_one_word(tmp_path, text_file, monkeypatch):
  """A new kind of layer is one entry; the model, the task know nothing."""
  build = lambda config: (
    lambda input_size, key: Attention(
      input_size, config.hidden_size, 3, key=key
    )
  )
  monkeypatch.setitem(layers.LAYERS, "attention", build)
  config = from_flags(
    text_file,
    "--config.model.layer=attention",
    "--config.model.num_layers=2",
  )
  _, params = train_and_load(config, tmp_path)
  assert params["rnn"]["layers"][0]["kernel"].shape == (3, 12)
  task = base.create(config)
  batch = next(task.train_batches())
  with pytest.raises(ValueError, match="Attention has no gradient norms over"):
    jax.eval_shape(task.gradient_norms, params, batch, None)
