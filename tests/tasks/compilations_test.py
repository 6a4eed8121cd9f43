"""Inputs as they come: what a task has compiled once serves others, too."""

import numpy as np
import pytest

from seqjax import runs
from seqjax.errors import InputError
from tests.compilations import compilations


@pytest.fixture
def run(trained):
  """A run as it is loaded, of an experiment's name."""

  def load(name):
    task, params = trained(name)
    return runs.Run(task, params, 2, task.directory)

  return load


BALLS = np.random.default_rng(0).uniform(0.3, 0.7, (9, 4, 2))
HOURS = np.sin(np.arange(200.0))[:, None]

# For each: a call, and others of about the same size with other options.
CALLS = {
  "generate": (
    "char_lm",
    lambda run: run.generate(prompt="The ", num_tokens=9),
    lambda run: run.generate(prompt="She ", num_tokens=9, seed=2**32 - 1),
    lambda run: run.generate(prompt="The ", num_tokens=9, temperature=0),
    lambda run: run.generate(num_tokens=300, temperature=2),
  ),
  "generate of the likeliest": (
    "char_lm",
    lambda run: run.generate(num_tokens=9, top_k=5),
    lambda run: run.generate(num_tokens=300, temperature=2, top_p=0.5, top_k=3),
    lambda run: run.generate(prompt="She ", num_tokens=9, top_p=0.9),
  ),
  "generate several": (
    "char_lm",
    lambda run: run.generate(num_samples=3, num_tokens=2),
    lambda run: run.generate(prompt="and", num_samples=4, num_tokens=5),
  ),
  "complete": (
    "next_word",
    lambda run: run.complete(prompt="the"),
    lambda run: run.complete(
      prompt="the value of a ___", top_k=3, num_tokens=5
    ),
  ),
  "fill": (
    "masked_lm",
    lambda run: run.fill(["the film was [MASK]", "[MASK] dull"]),
    lambda run: run.fill(["not [MASK] but [MASK] ."], top_k=3),
  ),
  "predict": (
    "sentiment",
    lambda run: run.predict(["not bad", "dull"]),
    lambda run: run.predict(["good , not bad", "", "x", ["not", "dull"]]),
  ),
  "predict rows": (
    "pass_fail",
    lambda run: run.predict([ROW]),
    lambda run: run.predict([{**ROW, "hours": 1}, ROW]),
  ),
  "tag": (
    "ner",
    lambda run: run.tag(["Jim bought shares ."]),
    lambda run: run.tag([["Who", "?"], "", "Ann of Rome sold 300 shares"]),
  ),
  "tag letters": (
    "protein",
    lambda run: run.tag(["MKV", "GG"]),
    lambda run: run.tag(["mkx", "", "GAVLIBZ", "W"]),
  ),
  "translate": (
    "translate",
    lambda run: run.translate(["the dog sings ."]),
    lambda run: run.translate(["a cat waits .", "", "some cats sing ."]),
    lambda run: run.translate(["the old cat waits ."], alpha=0.5),
  ),
  "detect": (
    "detect",
    lambda run: run.detect([np.zeros((40, 60, 3), np.uint8)]),
    lambda run: run.detect(np.zeros((3, 9, 9), np.uint8), threshold=0.1),
  ),
  "forecast": (
    "forecast",
    lambda run: run.forecast(HOURS[: run.config.data.lookback]),
    lambda run: run.forecast(HOURS[-run.config.data.lookback :]),
  ),
  "forecast with quantiles": (
    "forecast:quantiles",
    lambda run: run.forecast(HOURS[: run.config.data.lookback]),
    lambda run: run.forecast(HOURS[-run.config.data.lookback :]),
  ),
  "roll_out": (
    "ball",
    lambda run: run.roll_out(BALLS[:2]),
    lambda run: run.roll_out(BALLS[:7]),
  ),
}
ROW = {"sleep": "enough", "hours": 9, "attendance": 95, "failures": 0}


@pytest.mark.parametrize("case", CALLS)
def test_a_second_call_compiles_nothing(run, case):
  name, first, *others = CALLS[case]
  run = run(name)
  with compilations() as found:
    first(run)
  assert 0 < len(found) <= 2, found
  with compilations() as found:
    for other in others:
      other(run)
  assert not found


def test_what_is_given_and_what_comes(run):
  sentiment = run("sentiment")
  rows = sentiment.predict([["not", "bad"], "not bad"])
  assert rows.shape == (2, len(sentiment.task.labels))
  np.testing.assert_array_equal(rows[0], rows[1])
  assert sentiment.predict([]).shape == (0, 2)
  with pytest.raises(InputError, match="inputs is 'bad', expected a list"):
    sentiment.predict("bad")
  ner = run("ner")
  assert [len(tags) for tags in ner.tag(["Jim ran .", ""])] == [3, 0]
  assert ner.tag([]) == []
  with pytest.raises(InputError, match="sentences is 'Jim', expected a list"):
    ner.tag("Jim")
  ball = run("ball")
  assert ball.roll_out(BALLS).shape == (9, 5, 2)
  assert ball.roll_out(BALLS[:0]).shape == (0, 5, 2)
  with pytest.raises(InputError, match=r"shape \(9, 3, 2\), expected \[n, 4,"):
    ball.roll_out(BALLS[:, :3])
  forecast = run("forecast")
  with pytest.raises(InputError, match=r"past has shape \(5, 1\), expected"):
    forecast.forecast(HOURS[:5])
