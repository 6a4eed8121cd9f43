"""A whole training step of a character model, beside other libraries.

  python -m benchmarks.train_step [--only=128] [--python pytorch=PATH]

Embedding, L recurrent layers, softmax, clip by global norm, Adam; batch 64,
128 steps, 65 symbols.
"""

from benchmarks import harness

SIZES = ((128, 1), (256, 2), (512, 2), (1024, 1))


def cases(cells, dtypes, sizes):
  for dtype in dtypes:
    for size, layers in SIZES:
      for cell in cells:
        if not sizes or str(size) in sizes:
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
  parser.add_argument("--cells", default="lstm,gru,elman")
  parser.add_argument("--dtypes", default="float32,bfloat16")
  parser.add_argument("--sizes", default="", help="some of 128,256,512,1024")
  options = parser.parse_args()
  rows = []
  sizes = options.sizes.split(",") if options.sizes else []
  for case in cells_of(options, sizes):
    found = harness.measure(case, "train", options)
    print(harness.table(found), flush=True)
    rows += found
  harness.finish(rows, options)


def cells_of(options, sizes):
  return cases(options.cells.split(","), options.dtypes.split(","), sizes)


if __name__ == "__main__":
  main()
