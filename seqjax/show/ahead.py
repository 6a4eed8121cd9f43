"""How good forecasts are at each step ahead: a table, a file, a picture.

All take means over windows by their names, each `[horizon, columns]` and of
standardised values: `mae`, `mse` and `mase` of the model, `naive_mae` and so on
of who has none (`GUESSES`), and `coverage_80`, `width_80` of an interval that
is said to cover 80 %; with `widened_` in front those of the widened interval,
`true_coverage_80` what the true quantiles cover.
"""

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from seqjax import files
from seqjax.show import plot

GUESSES = {
  "last value": "naive_",
  "last season": "seasonal_naive_",
  "climate": "climate_",
}
KINDS = {"mse": "root mean squared error", "mae": "mean absolute error"}
# Whose intervals, by the beginning of their names.
_WHOSE = {"model": "", "widened": "widened_", "true": "true_"}

Means = Mapping[str, np.ndarray]


def overtaken(model: np.ndarray, climate: np.ndarray) -> int | None:
  """The step from which on the climate is as good, at every step; or None."""
  better = np.flatnonzero(model < climate)
  first = int(better[-1]) + 2 if len(better) else 1
  return first if first <= len(model) else None


def report(
  means: Means, kind: str, names: Sequence[str], deviation: Sequence[float]
) -> str:
  """`table`, and `table_of_columns` below it."""
  of_columns = table_of_columns(means, names, deviation)
  return f"{table(means, kind)}\n{of_columns}"


def table(means: Means, kind: str, most: int = 12) -> str:
  """Errors, and what the widest interval covers, of some of the steps.

  Args:
    means: see above.
    kind: of `KINDS`, the error to be shown.
    most: so many steps are in it; the first and the last are.
  """
  curves, intervals = _errors(means, kind), _intervals(means)
  shown = [
    (label, [f"{error:.4f}" for error in errors])
    for label, errors in curves.items()
  ]
  for share in intervals[:1]:
    for label, prefix in _WHOSE.items():
      if (name := f"{prefix}coverage_{share}") in means:
        shares = 100 * means[name].mean(axis=1)
        shown.append((f"{label} {share} %", [f"{x:.1f} %" for x in shares]))
    for label, prefix in ("width", ""), ("widened to", "widened_"):
      if (name := f"{prefix}width_{share}") in means:
        widths = means[name].mean(axis=1)
        shown.append((label, [f"{width:.4f}" for width in widths]))
  lines = [
    f"{KINDS[kind]} of standardised values, each step ahead:",
    "  step" + "".join(f"{label:>14}" for label, _ in shown),
  ]
  horizon = len(means["mae"])
  for step in np.unique(np.rint(np.geomspace(1, horizon, most)).astype(int)):
    cells = (f"{cells[step - 1]:>14}" for _, cells in shown)
    lines.append(f"  {step:4d}" + "".join(cells))
  first = overtaken(curves["model"], curves["climate"])
  lines.append(
    f"the climate, training's mean, is as good from step {first} on"
    if first
    else "the climate, training's mean, is worse at the last step"
  )
  for share in intervals:
    for label, prefix in _WHOSE.items():
      if (name := f"{prefix}coverage_{share}") in means:
        covered = 100 * means[name].mean(axis=1)
        who = {"model": "", "true": " of the true quantiles"}
        lines.append(
          f"the interval of {share} %{who.get(label, f', {label}')} covers"
          f" {covered.min():.1f} to {covered.max():.1f} %,"
          f" {covered.mean():.1f} % over all steps"
        )
  return "\n".join(lines)


def table_of_columns(
  means: Means,
  names: Sequence[str],
  deviation: Sequence[float],
  most: int = 8,
) -> str:
  """Errors over all steps in the units of each column; MASE has none.

  Args:
    means: see above.
    names: of the columns.
    deviation: of the columns, what standardised values are multiplied by.
    most: so many columns are in it.
  """
  shown = [plot.one_line(name, 24) for name in names[:most]]
  width = max(6, *map(len, shown))
  labels = ["MAE", "RMSE", "MASE", *(f"{guess} MAE" for guess in GUESSES)]
  lines = [
    "over all steps, in the units of each column (MASE has none):",
    f"  {'column'.ljust(width)}" + "".join(f"  {x:>15}" for x in labels),
  ]
  units = _in_units(means, deviation)
  absolute = ["mae", "rmse", "mase", *(f"{p}mae" for p in GUESSES.values())]
  for column, name in enumerate(shown):
    # The root of the mean square, not the mean of roots.
    cells = [
      np.sqrt(np.square(units[label][:, column]).mean())
      if label == "rmse"
      else units[label][:, column].mean()
      for label in absolute
    ]
    lines.append(
      f"  {name.ljust(width)}" + "".join(f"  {cell:15.4g}" for cell in cells)
    )
  if len(shown) < len(names):
    lines.append(f"  {len(shown)} of {len(names)} columns are shown")
  return "\n".join(lines)


def write(
  path, means: Means, names: Sequence[str], deviation: Sequence[float]
) -> None:
  """A CSV with a line for each column and step, in the units of the column.

  First come the means of all columns, of standardised values.

  Args:
    path: the file.
    means: see above.
    names: of the columns.
    deviation: of the columns.
  """
  text = io.StringIO()
  writer = csv.writer(text, lineterminator="\n")
  together = {
    name: values.mean(axis=1, keepdims=True) for name, values in means.items()
  }
  blocks = [("all, standardised", _in_units(together, [1.0]), 0)]
  units = _in_units(means, deviation)
  blocks += [(name, units, column) for column, name in enumerate(names)]
  writer.writerow(["column", "step", *units])
  for name, block, column in blocks:
    for step, row in enumerate(
      zip(*(values[:, column] for values in block.values()), strict=True), 1
    ):
      writer.writerow([name, step, *(f"{value:.6g}" for value in row)])
  files.write(path, text.getvalue())


def draw(path, means: Means, kind: str) -> None:
  """Error over the steps ahead; below it what intervals cover, their width.

  Args:
    path: the PNG.
    means: see above.
    kind: of `KINDS`, the error to be drawn.
  """
  intervals = _intervals(means)
  figure, axes = plot.figure(
    8, 3.6 if not intervals else 7.5, rows=3 if intervals else 1
  )
  curves = _errors(means, kind)
  steps = np.arange(1, len(means["mae"]) + 1)
  marker = "o" if len(steps) == 1 else None
  for index, (label, values) in enumerate(curves.items()):
    look = plot.style(index + 1) if index else plot.ROLES["model"]
    axes[0].plot(steps, values, label=label, marker=marker, **look)
  axes[0].set_ylim(0, None)
  axes[0].set_ylabel(f"{KINDS[kind]}\n(standardised)")
  plot.legend_above(figure, axes[0])
  roles = {"model": "model", "widened": "baseline", "true": "truth"}
  for share in intervals:
    first = share == intervals[0]
    for label, role in roles.items():
      for axis, what, factor in (
        (axes[1], "coverage", 100),
        (axes[2], "width", 1),
      ):
        if (name := f"{_WHOSE[label]}{what}_{share}") in means:
          axis.plot(
            steps,
            factor * means[name].mean(axis=1),
            label=label if first else None,
            marker=marker,
            **plot.ROLES[role],
          )
    axes[1].axhline(
      float(share),
      label="said to" if first else None,
      **plot.ROLES["threshold"],
    )
  if intervals:
    said = ", ".join(f"{share} %" for share in intervals)
    axes[1].set_ylabel(f"covered [%]\n(interval of {said})")
    beside = {"loc": "lower right", "bbox_to_anchor": (1, 1)}  # no curve there
    axes[1].legend(frameon=False, ncols=4, fontsize=9, **beside)
    axes[2].set_ylim(0, None)
    axes[2].set_ylabel("width of interval\n(standardised)")
  plot.whole_steps(axes[-1])
  axes[-1].set_xlabel("steps ahead")
  plot.save(figure, path)


def _intervals(means: Means) -> list[str]:
  """What the intervals are said to cover, in per cent, the widest first."""
  prefix = "coverage_"
  found = [x.removeprefix(prefix) for x in means if x.startswith(prefix)]
  return sorted(found, key=float, reverse=True)


def _errors(means: Means, kind: str) -> dict[str, np.ndarray]:
  """By its label the error of the model and of each guess, `[horizon]`."""
  found = {"model": means[kind]}
  found |= {label: means[f"{p}{kind}"] for label, p in GUESSES.items()}
  root = np.sqrt if kind == "mse" else np.asarray
  return {label: root(each.mean(axis=1)) for label, each in found.items()}


def _in_units(
  means: Means, deviation: Sequence[float]
) -> dict[str, np.ndarray]:
  """In units of the columns, roots of squares; shares and MASE have none."""
  found = {}
  for name, values in means.items():
    if "coverage" in name or name == "mase":
      found[name] = values
    elif name.endswith("mse"):
      found[f"{name[:-3]}rmse"] = np.sqrt(values) * np.array(deviation)
    else:
      found[name] = values * np.array(deviation)
  return found
