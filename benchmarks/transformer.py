"""A training step of a GPT, in tokens a second, beside PyTorch.

  python -m benchmarks.transformer [--sizes=128] --python pytorch=PATH

Four blocks that normalise first, exact GELU, learned positions, causal
attention over 65 characters; forward, backward, clip by global norm, AdamW. Of
size 128, 4 heads, 32 x 128 tokens (0.8M parameters), and of size 256, 4 heads,
32 x 256 tokens (3.3M). seqjax on one CPU device: a step has no loop whose
pointwise part would leave the other core idle.
"""

from benchmarks import harness

SIZES = (128, 256)
PEERS = ["ours::1", "pytorch"]


def case(size: int, batch: int = 32) -> dict:
  """The GPT of a size; its context is as long as it is wide."""
  return {
    "peers": "_transformer",
    "cell": "transformer",
    "hidden_size": size,
    "num_layers": 4,
    "heads": 4,
    "batch": batch,
    "time": size,
    "vocab": 65,
    "dtype": "float32",
  }


def table(rows, what: str) -> str:
  """Markdown; how many times as fast as each peer seqjax (the first row) is.

  Args:
    rows: of `harness.measure`.
    what: is timed: "a step", "a sample".
  """
  first, ours = rows[0], rows[0].get("min_ms")
  tokens = first["batch"] * first["time"]
  lines = [
    f"GPT {first['num_layers']} x {first['hidden_size']}, batch"
    f" {first['batch']} x {first['time']}, {first['dtype']}",
    "",
    f"| peer | tokens a second: best, median | {what}, ms: min, median |"
    " seqjax is faster: by best, by median | deviation | parameters |"
    " temporaries, MiB |",
    "|---|---|---|---|---|---|---|",
  ]
  for row in rows:
    if "gap" in row:
      lines.append(f"| {harness.label(row)} | {row['gap']} | | | | | |")
      continue
    best, median = row["min_ms"], row["median_ms"]
    ratios = ""
    if ours:
      ratios = f"{best / ours:.2f}, {median / first['median_ms']:.2f}"
    deviation, memory = row["deviation"], row["temp_bytes"]
    lines.append(
      f"| {harness.label(row)} | {1e3 * tokens / best:,.0f},"
      f" {1e3 * tokens / median:,.0f} | {best:.1f}, {median:.1f} | {ratios} |"
      f" {'' if deviation is None else f'{deviation:.0e}'} |"
      f" {row['parameters']:,} |"
      f" {'' if memory is None else f'{memory / 2**20:,.0f}'} |"
    )
  return "\n".join(lines) + "\n"


def main():
  parser = harness.parser(__doc__)
  parser.add_argument("--sizes", default="", help="some of 128,256")
  parser.set_defaults(peers=PEERS)
  options = parser.parse_args()
  sizes = options.sizes.split(",") if options.sizes else map(str, SIZES)
  rows = []
  for size in map(int, sizes):
    found = harness.measure(case(size), "train", options)
    print(table(found, "a step"), flush=True)
    rows += found
  harness.finish(rows, options)


if __name__ == "__main__":
  main()
