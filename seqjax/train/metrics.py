"""Metrics: sums and counts, and where they are written."""

import json
import pathlib
from typing import Any

import jax
import tensorboardX

from seqjax import records


class Mean:
  """Adds up `{name: (sum, count)}` on the host."""

  def __init__(self):
    self._sums: dict[str, float] = {}
    self._counts: dict[str, float] = {}

  def add(self, metrics: dict[str, tuple[Any, Any]]) -> dict[str, float]:
    """Adds one batch; returns the means of this batch alone."""
    means = {}
    for name, (total, count) in jax.device_get(metrics).items():
      self._sums[name] = self._sums.get(name, 0.0) + float(total)
      self._counts[name] = self._counts.get(name, 0.0) + float(count)
      means[name] = float(total) / max(float(count), 1.0)
    return means

  def means(self) -> dict[str, float]:
    """Means over all that was added."""
    return {
      name: total / max(self._counts[name], 1.0)
      for name, total in self._sums.items()
    }


class Writer:
  """Appends to `metrics.jsonl` and to TensorBoard events.

  A resumed run first forgets the records of steps it is going to repeat.
  """

  def __init__(self, workdir: pathlib.Path, first_step: int):
    kept = [r for r in records.read(workdir) if r["step"] <= first_step]
    records.write(workdir, kept)
    path = workdir / records.METRICS_FILE
    self._file = path.open("a", encoding="utf-8")
    self._board = tensorboardX.SummaryWriter(
      str(workdir / "tensorboard"), purge_step=first_step + 1
    )

  def __enter__(self) -> "Writer":
    return self

  def __exit__(self, *_) -> None:
    self._file.close()
    self._board.close()

  def write(self, kind: str, step: int, values: dict[str, float]) -> None:
    """One record: `{"kind": kind, "step": step, **values}`."""
    self._file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
    self._file.flush()
    for name, value in values.items():
      self._board.add_scalar(f"{kind}/{name}", value, step)

  def text(self, name: str, step: int, content: str) -> None:
    """A text for TensorBoard."""
    self._board.add_text(name, f"```\n{content}\n```", step)

  def image(self, name: str, step: int, pixels: Any) -> None:
    """A picture `[height, width, 3]` of bytes for TensorBoard."""
    self._board.add_image(name, pixels, step, dataformats="HWC")
