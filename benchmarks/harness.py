"""Side by side in one run: peers take turns, each in its own process.

A peer is named `NAME[:METHOD[:DEVICES]]`, such as `linen`, `ours` or
`ours:scan:1`; method and devices are those of seqjax. `--python NAME=PATH` runs
one in another interpreter. A peer that is not installed, or cannot run a case,
is a gap in the table that says why.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from seqjax.train import runtime

ROOT = pathlib.Path(__file__).parents[1]
HISTORY = ROOT / "benchmarks" / "history.jsonl"
PEERS = "ours,linen,nnx,haiku,eqx,keras,pytorch"
NAMES = {
  "ours": "seqjax",
  "linen": "Flax Linen",
  "nnx": "Flax NNX",
  "haiku": "Haiku",
  "eqx": "Equinox",
  "keras": "Keras 3 (JAX)",
  "pytorch": "PyTorch",
}


class Gap(Exception):
  """A peer has no figure here; the message says why."""


class Worker:
  """A process with one peer."""

  def __init__(self, name: str, python: str):
    self._process = subprocess.Popen(
      [python, "-m", "benchmarks.worker", name],
      cwd=ROOT,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
    )

  def ask(self, do: str, **request) -> dict[str, Any]:
    """One request, one answer.

    Raises:
      Gap: the peer cannot, or its process is gone.
    """
    stdin, stdout = self._process.stdin, self._process.stdout
    assert stdin is not None
    assert stdout is not None
    try:
      stdin.write(json.dumps({"do": do, **request}) + "\n")
      stdin.flush()
      answer = json.loads(stdout.readline())
    except (OSError, ValueError):
      raise Gap(f"its process ended with {self._process.wait()}") from None
    if "gap" in answer:
      raise Gap(answer["gap"])
    return answer

  def close(self) -> None:
    self._process.kill()
    self._process.communicate()


def parser(description: str | None) -> argparse.ArgumentParser:
  """The options that all benchmarks share."""
  made = argparse.ArgumentParser(
    description=(description or "").split("\n")[0],
    epilog=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  made.add_argument(
    "--peers", type=_peers, default=PEERS, help=f"default {PEERS}"
  )
  made.add_argument(
    "--python",
    action="append",
    default=[],
    metavar="NAME=PATH",
    help="the interpreter of a peer",
  )
  made.add_argument("--rounds", type=int, default=5)
  made.add_argument(
    "--seconds", type=float, default=2.0, help="of each peer in each round"
  )
  made.add_argument(
    "--no_deviation",
    action="store_true",
    help="leave out the comparison with float64, which compiles once more",
  )
  made.add_argument("--json", type=pathlib.Path, help="write the rows there")
  made.add_argument(
    "--record", action="store_true", help=f"append to {HISTORY.name}"
  )
  return made


def _peers(text: str) -> list[str]:
  """The peers of `--peers`, checked before the first of them is started."""
  for peer in (peers := text.split(",")):
    if peer.split(":")[0] not in NAMES:
      raise argparse.ArgumentTypeError(
        f"{peer!r} is no peer, expected some of {', '.join(NAMES)}"
      )
  return peers


def build(case: dict[str, Any], kind: str, options, keep=None):
  """Compiles one case in every peer.

  Args:
    case: cell, hidden_size, num_layers, batch, time, vocab, dtype.
    kind: "train", "forward" or "stream".
    options: from `parser`.
    keep: receives `{peer: worker}`; without it the processes end at once.

  Returns:
    A row a peer: the case, `kind`, `peer`, and either `gap`, which says why it
    has no figures, or `compile_s`, `temp_bytes`, `parameters`, `devices`.
  """
  rows = []
  for peer in options.peers:
    name, method, devices = (*peer.split(":"), "", "")[:3]
    row = {**case, "kind": kind, "peer": peer}
    rows.append(row)
    if name == "ours":
      row["method"] = method or "auto"
      default = runtime.cpu_devices(case["batch"]) if kind == "train" else 1
      row["devices"] = int(devices or default)
    worker = _start(peer, options)
    try:
      row |= worker.ask("build", **row)
    except Gap as gap:
      row["gap"] = str(gap)
    if keep is None or "gap" in row:
      worker.close()
    else:
      keep[peer] = worker
  return rows


def measure(case: dict[str, Any], kind: str, options) -> list[dict[str, Any]]:
  """Times one case in all peers, which take turns.

  Returns:
    The rows of `build` with `min_ms`, `median_ms` and, for training, the
    `deviation`: the largest relative difference of the losses of the first
    three steps from the same peer's in float64, from the same parameters; None
    for a peer that has no float64.
  """
  workers: dict[str, Worker] = {}
  seconds: dict[str, list[float]] = {}
  steps: dict[str, int] = {}
  try:
    rows = build(case, kind, options, workers)
    # Round 0 finds out how many steps fill the time, and is not counted.
    for turn in range(options.rounds + 1):
      for row in rows:
        peer = row["peer"]
        if "gap" in row:
          continue
        try:
          if turn:
            answer = workers[peer].ask("time", steps=steps[peer])
            seconds[peer].append(answer["seconds"])
            continue
          train = kind == "train" and not options.no_deviation
          row["deviation"] = (
            _deviation(workers[peer], row, options) if train else None
          )
          workers[peer].ask("time", steps=2)
          once = workers[peer].ask("time", steps=2)["seconds"]
          steps[peer] = max(1, int(options.seconds / once))
          seconds[peer] = []
        except Gap as gap:  # out of memory, say: the others go on
          row["gap"] = str(gap)
  finally:
    for worker in workers.values():
      worker.close()
  for row in rows:
    if "gap" not in row:
      times = seconds[row["peer"]]
      row["min_ms"] = min(times) * 1e3
      row["median_ms"] = statistics.median(times) * 1e3
  return rows


def _start(peer: str, options) -> Worker:
  pythons = dict(entry.split("=", 1) for entry in options.python)
  name = peer.split(":")[0]
  return Worker(name, pythons.get(name, sys.executable))


def _deviation(worker: Worker, row, options) -> float | None:
  wide = _start(row["peer"], options)
  exact = {**row, "dtype": "float64", "method": "scan", "devices": 1}
  try:
    with tempfile.TemporaryDirectory() as folder:
      path = f"{folder}/leaves.npz"
      worker.ask("leaves", path=path)
      wide.ask("build", **exact)
      expected = wide.ask("losses", leaves=path)["losses"]
    actual = worker.ask("losses")["losses"]
  except Gap:
    return None
  finally:
    wide.close()
  pairs = zip(actual, expected, strict=True)
  return max(abs(a - b) / abs(b) for a, b in pairs)


def title(case: dict[str, Any]) -> str:
  layers = f"{case['num_layers']} x " if case["num_layers"] > 1 else ""
  name = {"lstm": "LSTM", "gru": "GRU", "elman": "Elman"}[case["cell"]]
  return (
    f"{name} {layers}{case['hidden_size']}, batch {case['batch']}"
    f" x {case['time']}, {case['dtype']}"
  )


def table(rows: list[dict[str, Any]]) -> str:
  """Markdown; how many times as long as seqjax (the first row) each takes."""
  first = rows[0].get("min_ms")
  lines = [
    f"{title(rows[0])}",
    "",
    "| peer | min, ms | median, ms | times seqjax's minimum | deviation |"
    " temporaries, MiB | compiled in, s |",
    "|---|---|---|---|---|---|---|",
  ]
  for row in rows:
    name = label(row)
    if "gap" in row:
      lines.append(f"| {name} | {row['gap']} | | | | | |")
      continue
    ratio = f"{row['min_ms'] / first:.2f}" if first else ""
    deviation = row["deviation"]
    memory = row["temp_bytes"]
    lines.append(
      f"| {name} | {row['min_ms']:.4g} | {row['median_ms']:.4g} | {ratio} |"
      f" {'' if deviation is None else f'{deviation:.0e}'} |"
      f" {'' if memory is None else f'{memory / 2**20:,.0f}'} |"
      f" {row['compile_s']:.1f} |"
    )
  return "\n".join(lines) + "\n"


def label(row: dict[str, Any]) -> str:
  name, method, _ = (*row["peer"].split(":"), "", "")[:3]
  text = NAMES[name] + (f" `{method}`" if method else "")
  if row.get("devices", 1) > 1:
    text += f", {row['devices']} devices"
  return text


def finish(rows: list[dict[str, Any]], options) -> None:
  """Writes the rows where the options say."""
  entry = {
    "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"),
    "command": _command(sys.argv),
    "machine": {
      "cores": os.cpu_count(),
      "processor": _processor(),
      "python": platform.python_version(),
    },
    "versions": _versions(),
    "rows": rows,
  }
  if options.json:
    options.json.write_text(json.dumps(entry, indent=1) + "\n", "utf-8")
  if options.record:
    with HISTORY.open("a", encoding="utf-8") as file:
      file.write(json.dumps(entry) + "\n")


def _command(argv: list[str]) -> str:
  """What was asked for, without the paths of this machine."""
  words = [f"python -m benchmarks.{pathlib.Path(argv[0]).stem}"]
  rest = iter(argv[1:])
  for word in rest:
    if word in ("--python", "--json"):
      next(rest, None)
    elif not word.startswith(("--python=", "--json=")):
      words.append(word)
  return " ".join(words)


def _processor() -> str:
  info = pathlib.Path("/proc/cpuinfo")
  if info.exists():
    for line in info.read_text("utf-8").splitlines():
      if line.startswith("model name"):
        return line.split(":", 1)[1].strip()
  return platform.processor()


def _versions() -> dict[str, str]:
  found = {}
  for name in ("jax", "jaxlib", "flax", "dm-haiku", "equinox", "keras"):
    try:
      found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      continue
  return found
