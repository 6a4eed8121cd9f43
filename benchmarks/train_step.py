"""A whole training step of a character model, beside other libraries.

  python -m benchmarks.train_step [--sizes=128] [--python pytorch=PATH]

Embedding, L recurrent layers, softmax, clip by global norm, Adam; batch 64,
128 steps, 65 symbols.
"""

from benchmarks import harness

SIZES = ((128, 1), (256, 2), (512, 2), (1024, 1))


def add_case_options(parser, cells: str, dtypes: str) -> None:
  """Options that choose among the cases; the defaults are given."""
  parser.add_argument("--cells", default=cells)
  parser.add_argument("--dtypes", default=dtypes)
  parser.add_argument("--sizes", default="", help="some of 128,256,512,1024")


def cases(options):
  """The cases that the options choose, small before large."""
  sizes = options.sizes.split(",") if options.sizes else None
  for dtype in options.dtypes.split(","):
    for size, layers in SIZES:
      for cell in options.cells.split(","):
        if sizes is None or str(size) in sizes:
          yield {
            "cell": cell,
            "hidden_size": size,
            "num_layers": layers,
            "batch": 64,
            "time": 128,
            "vocab": 65,
            "dtype": dtype,
          }


def main():
  parser = harness.parser(__doc__)
  add_case_options(parser, "lstm,gru,elman", "float32,bfloat16")
  options = parser.parse_args()
  rows = []
  for case in cases(options):
    found = harness.measure(case, "train", options)
    print(harness.table(found), flush=True)
    rows += found
  harness.finish(rows, options)


if __name__ == "__main__":
  main()
