"""Where metrics are written: `metrics.jsonl` and TensorBoard."""

import json
import pathlib
from typing import Any

from seqjax import files
from seqjax.errors import extra

with extra():
  import tensorboardX


class Writer:
  """Appends to `metrics.jsonl` and to TensorBoard events.

  A resumed run first forgets the records of steps it is going to repeat.
  """

  def __init__(self, workdir: pathlib.Path, first_step: int):
    records = files.read_records(workdir)
    kept = [r for r in records if r["step"] <= first_step]
    files.write_records(workdir, kept)
    path = workdir / files.METRICS_FILE
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


def line(values: dict[str, float], remark: str = "") -> str:
  """`loss 1.4560  perplexity 4.2885  (remark)`."""
  told = [f"{name} {value:.4f}" for name, value in values.items()]
  return "  ".join(told + [f"({remark})"] * bool(remark))
