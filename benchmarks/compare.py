"""Two entries of `history.jsonl` side by side, to see what got slower.

  python -m benchmarks.train_step --record     (appends an entry)
  python -m benchmarks.compare [OLD NEW]       (default: the last two)

OLD and NEW are positions in the file, from 0, or from the end if negative. What
is compared is the time of seqjax as a share of that of each peer in the same
run, since machines and their moods differ from run to run; rows that got more
than a tenth worse are marked.
"""

import argparse
import json

from benchmarks import harness

_CASE = ("kind", "cell", "hidden_size", "num_layers", "batch", "time", "dtype")


def ratios(entry) -> dict[tuple, float]:
  """`{(case, peer): time of seqjax / time of the peer}`."""
  found, groups = {}, {}
  for row in entry["rows"]:
    if "min_ms" in row:
      case = tuple(row[name] for name in _CASE)
      groups.setdefault(case, {})[row["peer"]] = row["min_ms"]
  for case, times in groups.items():
    for peer, milliseconds in times.items():
      if "ours" in times and peer != "ours":
        found[case, peer] = times["ours"] / milliseconds
  return found


def main():
  parser = argparse.ArgumentParser(description="Compares two recorded runs")
  parser.add_argument("old", type=int, nargs="?", default=-2)
  parser.add_argument("new", type=int, nargs="?", default=-1)
  options = parser.parse_args()
  lines = harness.HISTORY.read_text("utf-8").splitlines()
  try:
    entries = [json.loads(lines[i]) for i in (options.old, options.new)]
  except IndexError:
    raise SystemExit(
      f"{harness.HISTORY.name} has {len(lines)} entries, expected both"
    ) from None
  old, new = (ratios(entry) for entry in entries)
  print(f"old: {entries[0]['date']}, new: {entries[1]['date']}")
  print("| case | peer | old ratio | new ratio | |")
  print("|---|---|---|---|---|")
  worse = 0
  both = sorted(old.keys() & new.keys())
  for key in both:
    case, peer = key
    mark = "worse" if new[key] > 1.1 * old[key] else ""
    worse += bool(mark)
    name = " ".join(str(value) for value in case)
    print(f"| {name} | {peer} | {old[key]:.2f} | {new[key]:.2f} | {mark} |")
  print(f"{worse} of {len(both)} got worse")


if __name__ == "__main__":
  main()
