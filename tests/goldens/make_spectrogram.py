"""Writes spectrogram.npz: what librosa computes of half a second of sound.

  pip install librosa==0.11.0 numpy
  python tests/goldens/make_spectrogram.py

A vowel that glides, a hiss that fades in, a silence and a click. For each case
the options as JSON and the energies of the mel filters `[frames, mels]`; of
one, slopes over time as well.
"""

import json
import pathlib

import librosa
import numpy as np

RATE = 16_000
# Options as those of `Features`, windows and hops in samples.
CASES = [
  dict(scale=scale, area_norm=area_norm, power=power, centre=centre)
  | dict(frame=frame, step=step, fft=fft, mels=mels, low=low, high=high)
  for scale, area_norm, power, centre, frame, step, fft, mels, low, high in (
    ("slaney", True, 2.0, False, 512, 320, 512, 40, 20.0, 8_000.0),
    ("slaney", True, 2.0, True, 400, 320, 512, 40, 20.0, 8_000.0),
    ("slaney", True, 1.0, False, 400, 320, 512, 40, 0.0, 4_000.0),
    ("slaney", False, 1.0, True, 399, 320, 512, 24, 125.0, 7_500.0),
    ("slaney", False, 2.0, False, 400, 320, 400, 24, 20.0, 8_000.0),
    ("htk", True, 2.0, True, 400, 320, 512, 40, 20.0, 8_000.0),
    ("htk", True, 1.0, False, 512, 320, 512, 24, 125.0, 7_500.0),
    ("htk", False, 1.0, True, 512, 320, 512, 24, 0.0, 4_000.0),
    ("htk", False, 2.0, False, 400, 320, 512, 40, 20.0, 8_000.0),
  )
]


def sound():
  """Float32 `[8000]`."""
  time = np.arange(RATE // 2) / RATE
  rng = np.random.default_rng(0)
  angle = 2 * np.pi * np.cumsum(140 + 60 * time) / RATE
  vowel = sum(np.sin(k * angle) / k for k in range(1, 20))
  samples = 0.2 * vowel + 0.1 * time * rng.normal(size=len(time))
  samples[5_000:6_500] = 0
  samples[6_000] = 0.9
  return samples.astype(np.float32)


def main():
  samples = sound()
  arrays = {"samples": samples}
  for number, case in enumerate(CASES):
    energies = librosa.feature.melspectrogram(
      y=samples.astype(np.float64),
      sr=RATE,
      n_fft=case["fft"],
      win_length=case["frame"],
      hop_length=case["step"],
      center=case["centre"],
      pad_mode="constant",
      power=case["power"],
      n_mels=case["mels"],
      fmin=case["low"],
      fmax=case["high"],
      htk=case["scale"] == "htk",
      norm="slaney" if case["area_norm"] else None,
      dtype=np.float64,
    )
    arrays[f"{number}/options"] = np.array(json.dumps(case))
    arrays[f"{number}/energies"] = energies.T.astype(np.float32)
    if number == 1:
      for width in (3, 9):
        slopes = librosa.feature.delta(
          np.log(np.maximum(energies, 1e-5)), width=width, mode="nearest"
        )
        arrays[f"{number}/slopes{width}"] = slopes.T.astype(np.float32)
  path = pathlib.Path(__file__).with_name("spectrogram.npz")
  np.savez_compressed(path, **arrays)
  print(path, path.stat().st_size, "bytes, librosa", librosa.__version__)


if __name__ == "__main__":
  main()
