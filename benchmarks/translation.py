"""Training of a translator, in target tokens a second, beside PyTorch.

  python -m benchmarks.translation --python pytorch=PATH

The model of experiments/translate.py:multi30k: a bidirectional GRU of 256
reads, a conditional GRU of 256 with additive attention writes, embeddings of
200 are tied three ways, 10,000 symbols; dropout by one mask a sequence, label
smoothing, clip by global norm, Adam. Batches of 80 pairs, one of each of eight
buckets by length. Each peer pads as it does in training: seqjax to the longest
of the bucket, PyTorch to that of the batch.
"""

from benchmarks import harness
from benchmarks.peers import translation_batches

CASE = {
  "peers": "_translation",
  "cell": "gru",
  "hidden_size": 256,
  "num_layers": 1,
  "batch": 80,
  "time": translation_batches.MEAN,
  "vocab": 10_000,
  "dtype": "float32",
  "embed_size": 200,
  "dropout": (0.3, 0.5, 0.5),  # on embeddings, memory, before the read-out
  "label_smoothing": 0.1,
  "buckets": 8,
}


def table(rows, tokens: int) -> str:
  """Markdown; how many times as fast as each peer seqjax (the first row) is."""
  ours = rows[0]
  lines = [
    "| peer | target tokens a second: best, median | a step, ms: min, median |"
    " seqjax is faster: by best, by median | parameters | temporaries, MiB |"
    " compiled in, s |",
    "|---|---|---|---|---|---|---|",
  ]
  for row in rows:
    if "gap" in row:
      lines.append(f"| {harness.label(row)} | {row['gap']} | | | | | |")
      continue
    best, median = row["min_ms"], row["median_ms"]
    ratios = ""
    if "gap" not in ours:
      by_best, by_median = best / ours["min_ms"], median / ours["median_ms"]
      ratios = f"{by_best:.2f}, {by_median:.2f}"
    count, memory = row["buckets"], row["temp_bytes"]
    lines.append(
      f"| {harness.label(row)} | {1e3 * tokens / best:,.0f},"
      f" {1e3 * tokens / median:,.0f} | {best / count:.1f},"
      f" {median / count:.1f} | {ratios} | {row['parameters']:,} |"
      f" {'' if memory is None else f'{memory / 2**20:,.0f}'} |"
      f" {row['compile_s']:.1f} |"
    )
  return "\n".join(lines) + "\n"


def main():
  parser = harness.parser(__doc__)
  parser.set_defaults(peers=["ours", "pytorch"])
  options = parser.parse_args()
  rows = harness.measure(CASE, "train", options)
  print(table(rows, translation_batches.target_tokens(CASE)), flush=True)
  harness.finish(rows, options)


if __name__ == "__main__":
  main()
