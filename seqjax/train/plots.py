"""The picture of a run: loss, gradient norm and learning rate over steps."""

import pathlib

from seqjax.train import metrics

# Okabe and Ito's palette, distinct for colour-blind readers and in grey.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"


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
  import matplotlib

  matplotlib.use("agg")
  from matplotlib import pyplot

  records = metrics.read_records(workdir)
  train = [r for r in records if r["kind"] == "train"]
  validation = [r for r in records if r["kind"] == "validation"]
  if not train:
    return False
  steps = [r["step"] for r in train]
  figure, (top, bottom) = pyplot.subplots(
    2, 1, sharex=True, figsize=(7, 6), layout="constrained"
  )
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
  axis = bottom.yaxis
  for which in (axis.set_major_formatter, axis.set_minor_formatter):
    which(lambda value, _: f"{value:g}")  # 0.5, not 5 x 10^-1
  bottom.set_xlabel("step")
  bottom.set_ylabel("global norm")
  bottom.legend(frameon=False)
  for axis in (top, bottom):
    axis.grid(color="#dddddd", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)
  figure.savefig(path, dpi=150)
  pyplot.close(figure)
  return True
