"""Sampling from a GPT with its cache, beside a cached loop in PyTorch.

  python -m benchmarks.generation --python pytorch=PATH

256 tokens of one row and of 32, by the GPT of `benchmarks.transformer` of size
256: one step a token. seqjax is `decode.sampling.sample`, one compiled loop
over a ring of keys and values, on one CPU device and with the rows split over
two; PyTorch a loop in Python over arrays that were made once.
"""

from benchmarks import harness, transformer

# A single row cannot be split.
PEERS = {1: ["ours::1", "pytorch"], 32: ["ours::1", "ours::2", "pytorch"]}


def main():
  parser = harness.parser(__doc__)
  parser.set_defaults(peers=None)
  options = parser.parse_args()
  rows, chosen = [], options.peers
  for batch, peers in PEERS.items():
    options.peers = chosen or peers
    case = transformer.case(256, batch)
    found = harness.measure(case, "generate", options)
    print(transformer.table(found, "a sample"), flush=True)
    rows += found
  harness.finish(rows, options)


if __name__ == "__main__":
  main()
