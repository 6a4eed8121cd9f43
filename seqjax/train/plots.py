"""The picture of a run: loss, gradient norm and learning rate over steps."""

import pathlib

from seqjax import records
from seqjax.gradients import plot

BLUE, ORANGE, GREY = plot.COLORS[0], plot.COLORS[1], "#777777"


def plot_training(
  workdir: pathlib.Path, path: pathlib.Path, loss_unit: str, clip_norm: float
) -> bool:
  """Draws `metrics.jsonl` into a PNG; False if there is nothing to draw yet.

  Args:
    workdir: the run directory.
    path: the PNG.
    loss_unit: for the axis.
    clip_norm: the threshold to mark; 0 for none.
  """
  found = records.read(workdir)
  train = [r for r in found if r["kind"] == "train"]
  validation = [r for r in found if r["kind"] == "validation"]
  if not train:
    return False
  steps = [r["step"] for r in train]
  figure, (top, bottom) = plot.figure(7, 6, rows=2)
  top.plot(steps, [r["loss"] for r in train], color=BLUE, label="training")
  if validation:
    top.plot(
      [r["step"] for r in validation],
      [r["loss"] for r in validation],
      color=ORANGE,
      marker="o",
      linestyle="--",
      label="validation",
    )
    last = validation[-1]
    top.annotate(
      f"{last['loss']:.3f}",
      (last["step"], last["loss"]),
      textcoords="offset points",
      xytext=(0, 8),
      ha="right",
      color=ORANGE,
    )
  top.set_ylabel(f"loss [{loss_unit}]")
  top.legend(frameon=False)
  bottom.plot(
    steps,
    [r["grad_norm"] for r in train],
    color=BLUE,
    label="gradient norm before clipping, mean",
  )
  if clip_norm:
    bottom.axhline(
      clip_norm, color=GREY, linestyle=":", label="clipping threshold"
    )
  bottom.set_yscale("log")
  plot.plain_numbers(bottom.yaxis)
  bottom.set_xlabel("step")
  bottom.set_ylabel("global norm")
  bottom.legend(frameon=False)
  figure.savefig(path, dpi=150)
  return True
