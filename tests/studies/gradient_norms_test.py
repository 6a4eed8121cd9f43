"""The sweep: what it writes, and the mistakes it names."""

import json

import numpy as np
import pytest

from seqjax.errors import InputError
from seqjax.studies import base, gradient_norms
from tests import experiments


def small(*cells):
  config = experiments.load("gradient_norms")
  with config.unlocked():
    config.num_seeds = 2
    config.batch_size = 3
    config.lengths = (4, 16)
    config.model.hidden_size = 8
    for name in list(config.cells):
      if name not in cells:
        del config.cells[name]
  return config


def test_a_sweep_leaves_everything(tmp_path, capsys):
  gradient_norms.run(small("lstm_forget_1", "lru"), tmp_path)
  left = {p.name for p in tmp_path.iterdir()}
  assert left == {
    "gradients.npz",
    "metrics.jsonl",
    "gradient_lag.png",
    "gradient_lag.svg",
    "gradient_length.png",
    "gradient_length.svg",
    "report.html",
  }
  page = (tmp_path / "report.html").read_text()
  assert "LSTM, forget bias 1" in page
  assert page.count("data:image/png;base64,") == 2
  assert "http" not in page.replace("http://www.w3.org", "")
  records = [
    json.loads(line)
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
  ]
  assert [r["cell"] for r in records] == ["LRU", "LSTM, forget bias 1"]
  assert {r["verdict"] for r in records} <= {"vanishing", "stable", "exploding"}
  with np.load(tmp_path / "gradients.npz") as arrays:
    norms = arrays["LRU/lag_norms"]
    assert norms.shape == (2, 3, 16)
    assert (norms > 0).all()
    # The loss is a unit direction of h: at lag 0 the gradient has norm 1.
    np.testing.assert_allclose(
      arrays["LSTM, forget bias 1/lag_norms"][..., 0], 1.0, rtol=1e-5
    )
    total = arrays["LRU/total"]
    np.testing.assert_allclose(
      arrays["LRU/clipped"], np.minimum(total, 1.0), rtol=1e-5
    )
  assert "[2/2] LSTM, forget bias 1" in capsys.readouterr().out


def test_a_transformer_beside_a_cell(tmp_path):
  """Its window says how far back anything arrives, and one norm is checked."""
  config = experiments.load("gradient_norms:families")
  with config.unlocked():
    config.num_seeds, config.batch_size, config.lengths = 2, 3, (4, 24)
    config.input_size = config.model.hidden_size = 8
    del config.cells["elman"], config.cells["min_gru"]
    del config.layers["transformer_1024"]
    config.layers.transformer_64.layer = "transformer(heads=2, window=6)"
    config.layers.transformer_64.num_layers = 2
  gradient_norms.run(config, tmp_path)
  records = [
    json.loads(line)
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines()
  ]
  label = "Transformer, 4 blocks, window 64"
  assert [r["cell"] for r in records] == ["LSTM, forget bias 1", label]
  assert [r["has_state"] for r in records] == [True, False]
  with np.load(tmp_path / "gradients.npz") as arrays:
    norms = arrays[f"{label}/lag_norms"]
    assert norms.shape == arrays["LSTM, forget bias 1/lag_norms"].shape
    assert (norms[..., :11] > 0).all()  # 2 blocks of 5 steps back each
    assert (norms[..., 11:] == 0).all()
    assert arrays[f"{label}/total"].shape == (2, 2)
    assert (arrays[f"{label}/total"] > 0).all()


@pytest.mark.parametrize(
  ("field", "value", "message"),
  [
    (
      "label",
      "LSTM, forget bias 1",
      "config.layers.transformer_64.label is 'LSTM, forget bias 1', expected",
    ),
    (
      "layer",
      "feed_forward",
      "config.layers.transformer_64.layer is 'feed_forward', expected a trans",
    ),
  ],
)
def test_mistakes_in_layers(field, value, message):
  config = experiments.load("gradient_norms:families")
  config.layers.transformer_64[field] = value
  with pytest.raises(InputError, match=message):
    gradient_norms.check(config)


def test_options_of_layers_are_spelt_out():
  config = base.resolve(experiments.load("gradient_norms:families"))
  assert "norm='pre'" in config.layers.transformer_64.layer


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"lengths": (2, 8)}, r"config.lengths is \[2, 8\], expected lengths of"),
    ({"num_seeds": 0}, "config.num_seeds is 0, expected a whole number >= 1"),
    ({"cells": {}}, "config.cells is empty"),
    (
      {"cells": {"x": {"label": "x", "cell": "ltsm"}}},
      "config.model.cell is 'ltsm', expected one of",
    ),
  ],
)
def test_mistakes(tmp_path, change, message):
  config = small("lru")
  with config.unlocked():
    for name, value in change.items():
      if name in config:
        del config[name]
      config[name] = value
  with pytest.raises(InputError, match=message):
    gradient_norms.run(config, tmp_path)


def test_the_grid_has_every_activation_with_every_initialisation():
  cells = [
    entry.cell
    for entry in experiments.load("gradient_norms:grid").cells.values()
  ]
  assert len(set(cells)) == len(cells) == 9
