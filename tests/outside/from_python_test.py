"""A run in a program or a notebook: trained, loaded, used."""

import asyncio
import concurrent.futures
import copy
import inspect
import pathlib
import re
import signal

import jax
import numpy as np
import pytest

import seqjax
from seqjax.errors import InputError
from seqjax.experiments import char_lm
from seqjax.train import progress
from tests.compilations import compilations
from tests.experiments import small

README = (pathlib.Path(__file__).parents[2] / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
  """A run of a language model."""
  made = tmp_path_factory.mktemp("run")
  seqjax.fit(small("char_lm"), made)
  return made


def test_a_second_call_compiles_nothing(directory):
  """Other tasks: `tests/tasks/compilations_test.py`."""
  run = seqjax.load(directory)
  with compilations() as found:
    run.generate(prompt="The ", num_tokens=9)
  assert len(found) == 1
  with compilations() as found:
    run.generate(prompt="She ", num_tokens=20, seed=2, temperature=0.5)
    run.generate(prompt="The ", num_tokens=9, temperature=0)
  assert not found
  with compilations() as found:
    run.generate(prompt="a", temperature=2, top_p=0.5, top_k=3)
    run.generate(prompt="a", top_p=0.9)
  assert len(found) == 1


def test_what_is_given_and_what_comes(directory):
  """Counts and sizes are those asked for, whatever was padded."""
  run = seqjax.load(directory)
  texts = run.generate(prompt="The ", num_tokens=7, num_samples=3, seed=5)
  assert [len(text) for text in texts] == [11] * 3
  assert run.generate(prompt="The ", num_tokens=7, seed=5) == texts[:1]
  longer = run.generate(prompt="The ", num_tokens=600, seed=5)
  assert longer[0].startswith(texts[0])
  ranked = run.complete(prompt="Th", top_k=500, num_tokens=3)
  assert len(ranked) == len(run.task.tokens) - 1  # all but the unknown
  assert all(len(said) == 3 for said, _ in ranked)


def test_states_of_a_run_step_by_step(directory):
  """What `Run.apply` says of a language model."""
  run = seqjax.load(directory)
  ids = run.task.tokens.encode("The cat")

  def step(carry, token):
    carry, logits = run.apply(run.params, carry, token, method="step")
    return carry, (carry, logits[0])

  start = run.apply(run.params, 1, method="initial_carry")
  last, (states, logits) = jax.lax.scan(step, start, ids[:, None])
  carry, at_once = run.apply(run.params, ids[None])
  np.testing.assert_allclose(logits, at_once[0], atol=1e-5)
  for one, other, all_steps in zip(
    *map(jax.tree.leaves, (last, carry, states)), strict=True
  ):
    np.testing.assert_allclose(one, other, atol=1e-5)
    np.testing.assert_array_equal(all_steps[-1], one)


def test_a_run_tells_what_it_is(directory):
  run = seqjax.load(str(directory))
  assert "complete" in dir(run)
  assert "predict" not in dir(run)
  assert not hasattr(run, "predict")
  with pytest.raises(AttributeError, match="apply, evaluate, generate, comple"):
    run.predict  # noqa: B018
  assert "language_model, step 2, " in repr(run)
  assert list(inspect.signature(run.generate).parameters)[0] == "prompt"
  assert "temperature: below 1" in inspect.getdoc(run.generate)
  assert copy.copy(run).step == run.step == 2
  _, logits = run.apply(run.params, run.task.tokens.encode("The ")[None])
  assert logits.shape == (1, 4, len(run.task.tokens))
  with pytest.raises(InputError, match="split is 'train', expected one of val"):
    run.evaluate("train")
  with pytest.raises(InputError, match="nothing holds no config.json"):
    seqjax.load(directory / "nothing")
  with pytest.raises(InputError, match="is 'newest', expected best or last"):
    seqjax.load(directory, "newest")


def test_fit_goes_on_and_is_interrupted(tmp_path, monkeypatch):
  """Also in a thread, and where an event loop runs, as in a notebook."""
  config = small("char_lm", steps=6)
  step = progress.Progress.step

  def interrupt(self, number):
    step(self, number)
    if number == 3:
      signal.raise_signal(signal.SIGINT)

  with monkeypatch.context() as patch:
    patch.setattr(progress.Progress, "step", interrupt)
    with pytest.raises(KeyboardInterrupt):
      seqjax.fit(config, tmp_path / "run")
  assert 3 <= seqjax.load(tmp_path / "run", "last").step < 6
  handler = signal.getsignal(signal.SIGINT)

  async def notebook():
    return seqjax.fit(config, tmp_path / "run")

  run = asyncio.run(notebook())
  assert seqjax.load(tmp_path / "run", "last").step == 6
  assert signal.getsignal(signal.SIGINT) is handler
  with concurrent.futures.ThreadPoolExecutor() as pool:
    other = pool.submit(seqjax.fit, config, str(tmp_path / "other")).result()
  same = jax.tree.map(np.array_equal, run.params, other.params)
  assert all(jax.tree.leaves(same))
  assert config == small("char_lm", steps=6)  # left as it is


def test_fit_takes_the_devices_that_there_are(tmp_path):
  """Here two: one, where the batch is odd."""
  count = jax.device_count()
  seqjax.fit(small("char_lm", batch_size=5), tmp_path)
  assert jax.device_count() == count


@pytest.mark.parametrize(
  ("config", "message"),
  [
    ({"task": "language_model"}, "config is dict, expected an ml_collections"),
    (small("gradient_norms"), "config.study is 'gradient_norms', which leaves"),
    (
      small("char_lm", batch_size=0),
      "config.batch_size is 0, expected a whole",
    ),
    (small("char_lm", task="poetry"), "config.task is 'poetry', expected one"),
  ],
)
def test_what_cannot_be_trained(tmp_path, config, message):
  with pytest.raises(InputError, match=message):
    seqjax.fit(config, tmp_path)


def test_the_section_of_the_readme(tmp_path, monkeypatch, capsys):
  """As it stands, with a smaller experiment under the same name."""
  (section,) = re.findall(r"## From Python\n(.*?)\n## ", README, re.DOTALL)
  (snippet,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
  config = small("char_lm", eval_every=500, checkpoint_every=500, log_every=500)
  monkeypatch.setattr(char_lm, "get_config", lambda: config)
  monkeypatch.chdir(tmp_path)
  names = {}
  exec(snippet.replace("steps = 500", "steps = 20"), names)
  assert names["text"].startswith("The ")
  assert names["other"].startswith("She ")
  assert np.isfinite(names["values"]["loss"])
  assert names["grads"].keys() == names["run"].params.keys()
