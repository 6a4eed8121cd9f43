"""Compilation of a training step: seconds and memory over the length.

  python -m benchmarks.compile [--peers ours,linen]

The model of `benchmarks.train_step`, two layers of 256, batch 16; once for each
length and peer, each in a fresh process. Temporaries are those of the compiled
program, `memory_analysis`, and do not depend on the machine's mood.
"""

from benchmarks import harness

LENGTHS = (128, 1_024, 8_192)


def main():
  options = harness.parser(__doc__).parse_args()
  rows = []
  print("| cell | steps | peer | compiled in, s | temporaries, MiB |")
  print("|---|---|---|---|---|")
  for cell in ("lstm", "gru", "elman"):
    for time in LENGTHS:
      case = {
        "cell": cell,
        "hidden_size": 256,
        "num_layers": 2,
        "batch": 16,
        "time": time,
        "vocab": 65,
        "dtype": "float32",
      }
      for row in harness.build(case, "train", options):
        rows.append(row)
        start = f"| {cell} | {time} | {harness.label(row)} |"
        if "gap" in row:
          print(f"{start} {row['gap']} | |", flush=True)
          continue
        memory = row["temp_bytes"]
        size = "" if memory is None else f"{memory / 2**20:,.0f}"
        print(f"{start} {row['compile_s']:.1f} | {size} |", flush=True)
  harness.finish(rows, options)


if __name__ == "__main__":
  main()
