"""The forward pass alone: a whole sequence, and one step of a stream.

  python -m benchmarks.forward [--python pytorch=PATH]

The model of `benchmarks.train_step`. A sequence: batch 64, 128 steps. A stream:
one symbol for each row, batch 1 and 64, the result waited for.
"""

from benchmarks import harness, train_step


def main():
  parser = harness.parser(__doc__)
  train_step.add_case_options(parser, cells="lstm,gru", dtypes="float32")
  options = parser.parse_args()
  rows = []
  for case in train_step.cases(options):
    for kind, batch in (("forward", 64), ("stream", 64), ("stream", 1)):
      found = harness.measure({**case, "batch": batch}, kind, options)
      print(f"{kind}: {harness.table(found)}", flush=True)
      rows += found
  harness.finish(rows, options)


if __name__ == "__main__":
  main()
