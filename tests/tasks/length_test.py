"""What attention is for: sequences longer than any that was trained on."""

import numpy as np
import pytest

import seqjax
from tests import experiments

COPY, REVERSE = ">", "<"  # the source's first symbol says which


def pairs(count, shortest, longest, seed):
  """Random strings over eight symbols, to be copied or reversed; all differ."""
  rng, found = np.random.default_rng(seed), {}
  while len(found) < count:
    size = rng.integers(shortest, longest + 1)
    text = "".join("abcdefgh"[i] for i in rng.integers(0, 8, size))
    how = rng.choice([COPY, REVERSE])
    found[how + text] = text if how == COPY else text[::-1]
  return list(found.items())


LONG = pairs(300, 26, 40, seed=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("strings")
  parts = {
    "train": pairs(20_000, 1, 25, seed=0),
    "val": pairs(100, 1, 25, seed=1),
    "test": LONG,
  }
  for part, found in parts.items():
    for ending, lines in zip(
      ("en", "xx"), zip(*found, strict=True), strict=True
    ):
      (folder / f"{part}.{ending}").write_text("\n".join(lines) + "\n")
  return folder


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["location_aware(width=3)", "none"])
def test_reversal_and_copy_of_longer_strings(tmp_path, folder, attention):
  """Exact, greedily, of 26 to 40 symbols after training on 1 to 25."""
  config = experiments.load("translate")
  config.data.path = str(folder)
  config.data.tokenizer = "characters"
  config.num_buckets = 2
  config.model.hidden_size = 64
  config.model.embed_size = 32
  config.model.attention = attention
  config.model.decoder = "bahdanau"
  config.showcase.pairs = 0
  config.steps = config.eval_every = config.checkpoint_every = 800
  run = seqjax.fit(config, tmp_path)
  written = run.translate([source for source, _ in LONG], beam=1)
  exact = {
    how: np.mean(
      [
        text == target
        for text, (source, target) in zip(written, LONG, strict=True)
        if source[0] == how
      ]
    )
    for how in (COPY, REVERSE)
  }
  if attention == "none":
    assert max(exact.values()) < 0.05, exact
  else:
    assert min(exact.values()) >= 0.9, exact
