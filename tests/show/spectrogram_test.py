"""Pictures of sounds: odd input draws, too."""

import numpy as np
import pytest

from seqjax.show import spectrogram

RNG = np.random.default_rng(0)
WORDS = [(0.1, "one"), (0.4, "$two_"), (0.45, "三")]


def panel(frames, steps, words=WORDS):
  shares = RNG.dirichlet(np.ones(4), steps) if steps else np.zeros((0, 4))
  return spectrogram.Panel(
    RNG.normal(size=(frames, 20)), 0.01, words, shares, 0.03, list("-abc"),
    title="says: one $two_ 三",
  )  # fmt: skip


@pytest.mark.parametrize(
  "panels",
  [
    [panel(60, 20), panel(90, 30, [])],
    [panel(0, 0, [])],
    [spectrogram.Panel(np.zeros((5, 3)), 0.01, [])],
  ],
)
def test_draws(panels, tmp_path):
  path = tmp_path / "picture.png"
  spectrogram.draw(panels, path)
  assert path.stat().st_size > 5_000


@pytest.mark.parametrize("count", [0, 1, 60])
def test_captions_grow(count, tmp_path):
  path = tmp_path / "captions.png"
  samples = RNG.normal(0, 0.1, 8_000 if count else 0)
  moments = [(0.02 * i, f"word{i}") for i in range(count)]
  spectrogram.captions(samples, 8_000, moments, path, title="says: $x")
  assert path.stat().st_size > 5_000
