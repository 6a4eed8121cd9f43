"""What a person sees while training: a bar on a terminal, lines elsewhere."""

import time

import rich.console
import rich.progress


class Progress:
  """Use as a context manager; `say` prints a line, `step` moves the bar.

  Off a terminal the same facts come as plain lines with rate and time left.
  """

  def __init__(self, total: int, start: int):
    self._console = rich.console.Console(
      highlight=False, soft_wrap=True, emoji=False
    )
    self._total, self._start = total, start
    self._begin = time.monotonic()
    self._bar = None
    if self._console.is_terminal:
      self._bar = rich.progress.Progress(
        rich.progress.TextColumn("step {task.completed}/{task.total}"),
        rich.progress.BarColumn(),
        rich.progress.TextColumn("{task.description}"),
        rich.progress.TimeRemainingColumn(),
        console=self._console,
      )
      self._task = self._bar.add_task("", total=total, completed=start)

  def __enter__(self) -> "Progress":
    if self._bar:
      self._bar.start()
    return self

  def __exit__(self, *_) -> None:
    if self._bar:
      self._bar.stop()

  def say(self, line: str) -> None:
    """Prints a line above the bar."""
    self._console.print(line, markup=False)

  def step(self, step: int) -> None:
    """Moves the bar, if there is one."""
    if self._bar:
      self._bar.update(self._task, completed=step)

  def report(self, step: int, text: str) -> None:
    """What the last log interval brought."""
    if self._bar:
      self._bar.update(self._task, completed=step, description=text)
    else:
      done = max(step - self._start, 1)
      left = (time.monotonic() - self._begin) / done * (self._total - step)
      self.say(f"step {step}/{self._total}  {text}  {clock(left)} left")


def clock(seconds: float) -> str:
  """`75` to `1:15`."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f"{hours}:{minutes:02}:{seconds:02}"
  return f"{minutes}:{seconds:02}"
