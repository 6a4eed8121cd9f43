"""Accuracy on four sets of the UCR/UEA archive, by several seeds.

python -m benchmarks.signals --data=FOLDER
python -m benchmarks.signals --data=FOLDER --sets=power,gunpoint --seeds=3

FOLDER holds JapaneseVowels_TRAIN.ts, JapaneseVowels_TEST.ts and so on.
Each variant of experiments/signals.py is trained on the whole training part by
its own settings, and measured once, at its last step, on the test part. A line
for each seed, then mean and sample deviation, and what needs no network.
"""

import pathlib
import statistics
import tempfile
import time

from absl import app, flags

import seqjax
from seqjax.config import Config
from seqjax.experiments import signals

SETS = {
  "vowels": "JapaneseVowels",
  "motions": "BasicMotions",
  "gunpoint": "GunPoint",
  "power": "ItalyPowerDemand",
}
_DATA = flags.DEFINE_string("data", "", "folder of the archive's files")
_SETS = flags.DEFINE_list("sets", list(SETS), f"some of {', '.join(SETS)}")
_SEEDS = flags.DEFINE_integer("seeds", 5, "runs of each set")


def main(argv):
  del argv
  for name in _SETS.value:
    found, begin = [], time.monotonic()
    for seed in range(_SEEDS.value):
      config: Config = signals.get_config(name)
      config.seed = seed
      path = pathlib.Path(_DATA.value) / f"{SETS[name]}_TRAIN.ts"
      config.data.path = str(path)
      with tempfile.TemporaryDirectory() as directory:
        found.append(seqjax.fit(config, directory).evaluate("test"))
      print(f"{name}, seed {seed}: {found[-1]}", flush=True)
    accuracies = [100 * one["accuracy"] for one in found]
    deviation = statistics.stdev(accuracies) if len(found) > 1 else 0.0
    print(
      f"{name}: accuracy {statistics.mean(accuracies):.2f} ± {deviation:.2f} %,"
      f" nearest neighbour {100 * found[0]['nearest_neighbour']:.1f} %,"
      f" majority {100 * found[0]['majority']:.1f} %,"
      f" {(time.monotonic() - begin) / len(found):.0f} s a run",
      flush=True,
    )


if __name__ == "__main__":
  app.run(main)
