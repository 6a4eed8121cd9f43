"""seqjax: the task of experiments/translate.py, by the loop's own step."""

import time
import types

import jax
import numpy as np

from benchmarks.peers import translation_batches
from seqjax.config import Config
from seqjax.experiments import translate
from seqjax.tasks import translation
from seqjax.train import train_state
from seqjax.train.shardings import make_shardings


def config_of(case: dict) -> Config:
  """The settings for Multi30k, of the sizes that all peers share."""
  config: Config = translate.get_config("multi30k")
  config.batch_size = case["batch"]
  config.label_smoothing = case["label_smoothing"]
  config.model.hidden_size = case["hidden_size"]
  config.model.embed_size = case["embed_size"]
  config.model.embed_dropout, config.model.dropout, _ = case["dropout"]
  config.model.method = case["method"]
  config.optimizer.ema_decay = 0.0  # no peer keeps an average
  return config


class Ids:
  """Of both languages, without a text behind them."""

  padding, unknown, start, stop = range(translation_batches.RESERVED)

  def __init__(self, size: int):
    self._size = size

  def __len__(self) -> int:
    return self._size


def task_of(config: Config, vocab: int) -> translation.Translation:
  """The task without data."""
  task, ids = translation.Translation(config), Ids(vocab)
  task.__dict__["encoder"] = types.SimpleNamespace(source=ids, target=ids)
  return task


class Runner:
  """See `runner.JaxRunner`; a step is a pass over all batches."""

  def __init__(self, case: dict):
    config = config_of(case)
    task = task_of(config, case["vocab"])
    shardings = make_shardings(case["batch"])
    state = train_state.init_state(task, config)
    self._mesh = shardings.mesh
    self._state = jax.device_put(state, shardings.of_state(state))
    self._batches = [
      shardings.place(_batch(batch))
      for batch in translation_batches.batches(case)
    ]
    self._step = train_state.make_train_step(task, config, state, shardings)

  def compile(self, kind):
    del kind  # it trains
    begin, temporaries = time.perf_counter(), []
    steps = []
    with jax.set_mesh(self._mesh):
      for batch in self._batches:
        steps.append(self._step.lower(self._state, batch).compile())
        analysis = steps[-1].memory_analysis()
        temporaries.append(analysis.temp_size_in_bytes)
    self._steps = list(zip(steps, self._batches, strict=True))
    params = jax.tree.leaves(self._state.params)
    return {
      "compile_s": time.perf_counter() - begin,
      "temp_bytes": max(temporaries),
      "parameters": sum(leaf.size for leaf in params),
      "devices": self._mesh.size,
    }

  def leaves(self):
    raise NotImplementedError("dropout is drawn by each library's own rule")

  def time(self, steps):
    state = self._state
    begin = time.perf_counter()
    for _ in range(steps):
      for step, batch in self._steps:
        state, _ = step(state, batch)
    self._state = jax.block_until_ready(state)
    return (time.perf_counter() - begin) / steps


def _batch(batch) -> translation.Batch:
  rows = len(batch.sources)
  there, indices = np.ones(rows, np.float32), np.arange(rows, dtype=np.int32)
  return translation.Batch(*batch, there, indices)
