"""Which steps a profile holds. That it can be opened: tests/outside."""

import jax
import pytest

from seqjax.train import profiling


@pytest.mark.parametrize(
  ("steps", "recorded"),
  [
    (range(1, 101), range(10, 16)),
    (range(1, 7), range(2, 7)),
    (range(1, 13), range(7, 13)),
    (range(41, 101), range(50, 56)),  # resumed
    (range(41, 43), range(42, 43)),
    (range(1, 2), range(0)),  # the first compiles
    (range(41, 41), range(0)),
  ],
)
def test_the_steps_of_a_profile(tmp_path, monkeypatch, steps, recorded):
  events, said = [], []
  fakes = {
    "start_trace": lambda folder, **_: events.append("start"),
    "stop_trace": lambda: events.append("stop"),
    "StepTraceAnnotation": lambda _, step_num: (
      events.append(step_num) or jax.profiler.TraceAnnotation("")
    ),
  }
  for name, fake in fakes.items():
    monkeypatch.setattr(jax.profiler, name, fake)
  (tmp_path / "profile/plugins/profile/now").mkdir(parents=True)
  train_step = lambda state, batch: (state + batch, {})
  with profiling.Profile(train_step, steps, tmp_path, said.append) as profile:
    for _ in steps:
      assert profile(1, 2) == (3, {})
  whole = ["start", *recorded, "stop"] if recorded else []
  assert events == whole
  assert len(said) == 1
  expected = "profile of steps" if recorded else "--profile: the first step"
  assert said[0].startswith(expected)


def test_a_run_that_ends_early_leaves_its_profile(tmp_path):
  said = []
  with profiling.Profile(
    lambda state, batch: (state, {}), range(1, 99), tmp_path, said.append
  ) as profile:
    for _ in range(12):
      profile(1, 2)
  assert said[0].startswith("profile of steps 10 to 12: open ")
  assert list(tmp_path.glob("profile/plugins/profile/*/perfetto_trace*"))
