"""A look at where a training step spends its time."""

import pathlib
from collections.abc import Callable
from typing import Any

import jax

FOLDER = "profile"
# Steps of this process that are recorded; the ones before warm up.
_FIRST, _LAST = 10, 15


class Profile:
  """A train step that records itself; use as a context manager.

  Steps 10 to 15 of this process are recorded, with all that the loop does
  between them, or the last ones where there are fewer: never the first, which
  holds the compilation. (A batch of another shape compiles once more, whenever
  it comes.) What is computed stays the same; the rate on record for these steps
  is none, since writing takes a second.

  TensorBoard reads the folder with its plugin for profiles, and
  `perfetto_trace.json.gz` in it is for https://ui.perfetto.dev.
  """

  def __init__(
    self,
    train_step: Callable[..., Any],
    steps: range,
    directory: pathlib.Path,
    say: Callable[[str], None],
  ):
    """Nothing is recorded yet.

    Args:
      train_step: from `make_train_step`.
      steps: that this process is going to do.
      directory: of the run; the folder "profile" in it is written.
      say: told what was written, and where.
    """
    self._train_step, self._say = train_step, say
    self._steps = iter(steps)
    self._recorded = steps[1:][: _LAST - 1][-(_LAST - _FIRST + 1) :]
    self._folder = directory / FOLDER
    self._step, self._running = 0, False

  def __enter__(self) -> "Profile":
    if not self._recorded:
      self._say(
        "--profile: the first step holds the compilation and is not recorded,"
        " and there is no other; give a larger --config.steps"
      )
    return self

  def __exit__(self, *_) -> None:
    if self._running:  # ended early
      self._stop()

  def __call__(self, state: Any, batch: Any) -> Any:
    """One step, see `make_train_step`."""
    self._step = step = next(self._steps)
    if step not in self._recorded:
      return self._train_step(state, batch)
    if step == self._recorded[0]:
      self._start(state)
    with jax.profiler.StepTraceAnnotation("train", step_num=step):
      result = self._train_step(state, batch)
    if step == self._recorded[-1]:
      jax.block_until_ready(result)
      self._stop()
    return result

  def _start(self, state: Any) -> None:
    jax.block_until_ready(state)  # what came before is not recorded
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # calls of Python would bury the rest
    jax.profiler.start_trace(
      self._folder, create_perfetto_trace=True, profiler_options=options
    )
    self._running = True

  def _stop(self) -> None:
    jax.profiler.stop_trace()
    self._running = False
    newest = max(self._folder.glob("plugins/profile/*"))
    self._say(
      f"profile of steps {self._recorded[0]} to {self._step}: open"
      f" {newest / 'perfetto_trace.json.gz'} in https://ui.perfetto.dev, or"
      f" {self._folder} in TensorBoard with its profile plugin"
    )
