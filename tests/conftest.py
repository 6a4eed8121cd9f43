"""A strict session: mistakes that JAX would forgive are errors here."""

import collections
import os

import hypothesis
import pytest

# Before JAX starts: two devices on one CPU, so that sharding is always real.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
# Thousands of small programs, each run a few times: compiling is all the time
# they take. `make slow` runs with every optimisation.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "True")
# The launcher keeps what it compiles in the user's home; a test does not.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", "")

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")

# The same examples everywhere: what passes here passes on a fresh machine. A
# search for new ones: pytest --hypothesis-profile=default.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same")


def pytest_addoption(parser):
  text = "of a test with many cases, the first and every N-th after it"
  parser.addoption("--every", type=int, default=1, metavar="N", help=text)


def pytest_collection_modifyitems(config, items):
  """Where a run is trained once for many tests, one process takes them all."""
  seen, kept = collections.Counter(), []
  for item in items:
    test = item.nodeid.partition("[")[0]
    if seen[test] % config.option.every == 0:
      kept.append(item)
    seen[test] += 1
  items[:] = kept
  for item in items:
    room, file = item.path.parent.name, item.path.stem
    if room in ("tasks", "outside") or file in ("launch_test", "resume_test"):
      group = room if room == "tasks" else file
      item.add_marker(pytest.mark.xdist_group(group))


# Rooms in which every cast is written out: JAX promotes no dtype by itself.
STRICT_DTYPES = (
  "cells",
  "recurrence",
  "gradients",
  "nn",
  "models",
  "decode",
)


@pytest.fixture(autouse=True)
def strict_dtypes(request):
  """No silent promotion of dtypes in the tests of some rooms."""
  if request.path.parent.name not in STRICT_DTYPES:
    yield
    return
  with jax.numpy_dtype_promotion("strict"):
    yield


@pytest.fixture
def float64():
  """Double precision for the duration of a test."""
  with jax.enable_x64(True):
    yield


@pytest.fixture(params=["graph", "tree"])
def nnx_mode(request):
  """Runs a test in both of Flax NNX's modes."""
  from flax import nnx

  flag = request.param == "graph"
  with nnx.set_graph_mode(flag), nnx.set_graph_updates(flag):
    yield request.param
