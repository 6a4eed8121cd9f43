"""Runs of two steps, made once each for all tests of this folder."""

import pytest

from seqjax.train import loop
from tests.experiments import small


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
  """From an experiment's name to `(task, params)` of a run, as it was saved."""
  runs = {}

  def train(name):
    if name not in runs:
      directory = tmp_path_factory.mktemp(name.replace(":", "_"))
      assert loop.train(small(name), directory) == 0
      runs[name] = directory
    task, params, _ = loop.load(runs[name])
    return task, params

  return train
