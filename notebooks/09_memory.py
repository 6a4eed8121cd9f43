# %% [markdown]
# # 9. How far do they remember
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](09_memory.ipynb)
#
# Before training, the gradient's horizon says how far back a cell can be told
# of its mistakes; training says how far back it learns to look. Here both are
# measured for two cells, and laid beside a longer run with nine. Ten minutes;
# chapter 2 has the gradient norms.

# %% cellView="form"
# @title Installs seqjax where it is missing
import importlib.metadata
import importlib.util
import subprocess
import sys

SOURCE = ""


def pip_arguments(source: str, versions: dict[str, str]) -> list[str]:
  kept = [f"{name}=={version}" for name, version in versions.items()]
  return ["install", "--quiet", f"seqjax[train,text] @ {source}", *kept]


def refusal(versions: dict[str, str], said: str) -> str:
  kept = ", ".join(f"{name} {version}" for name, version in versions.items())
  why = [line for line in said.splitlines() if line.startswith("ERROR")]
  return f"seqjax cannot be installed beside {kept or 'what is here'}: " + (
    why[0] if why else "pip failed"
  )


if importlib.util.find_spec("seqjax") is None:
  names = filter(importlib.util.find_spec, ("jax", "jaxlib", "flax", "numpy"))
  versions = {name: importlib.metadata.version(name) for name in names}
  if not SOURCE:
    sys.exit("seqjax is missing: pip install '.[train,text]' in its checkout")
  command = [sys.executable, "-m", "pip", *pip_arguments(SOURCE, versions)]
  done = subprocess.run(command, capture_output=True, text=True)
  if done.returncode:
    sys.exit(refusal(versions, done.stderr))

# %%
import json
import math
import pathlib
import tempfile

import jax
import matplotlib.pyplot as plt
import numpy as np

from seqjax.data import long_memory
from seqjax.experiments.memory_distance import get_config
from seqjax.show.memory import horizon_and_learned
from seqjax.studies import memory_distance

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"

# %% [markdown]
# ## A question that only memory answers
#
# "I grew up in France ... I speak fluent ___": ten countries, ten languages,
# and between them words that tell nothing. The *distance* is the number of
# steps from the country to the last word. One who remembers nothing can only
# guess among ten, at a loss of $\ln 10 = 2.303$ nats; one who remembers gets to
# zero. So the loss says whether a network remembers, and the distance how far.

# %%
draw = jax.jit(long_memory.recall, static_argnums=(1, 2))
examples = jax.device_get(draw(jax.random.key(0), 64, 16))
told = [[long_memory.WORDS[i] for i in row] for row in examples.inputs]
asked = [long_memory.WORDS[row[-1]] for row in examples.targets]
for sentence, answer in list(zip(told, asked, strict=True))[1:4]:
  print(" ".join(sentence), f"___: {answer}\n")

countries = [sentence[-17] for sentence in told]  # 16 steps before the last
assert [long_memory.LANGUAGES[country] for country in countries] == asked
assert len(np.unique(asked)) == 10
assert abs(long_memory.BASELINES["recall"](16) - math.log(10)) < 1e-12

# %% [markdown]
# ## Prediction and learning
#
# The *horizon* is the first lag at which less than one percent of the gradient
# is left:
#
# $$\min\,\left\{k : \left|\frac{\partial L_T}{\partial s_{T-k}}\right| <
# 0.01 \left|\frac{\partial L_T}{\partial s_T}\right|\right\}$$
#
# The study measures it on new cells, then trains each of them from three seeds,
# at growing distances until it fails. A distance counts as learned if for most
# seeds the loss falls to a tenth of the guess.

# %%
config = get_config()
config.distances, config.steps, config.batch_size = (4, 32), 300, 16
config.model.hidden_size, config.learning_rate = 32, 1e-2
with config.unlocked():
  for name in set(config.cells) - {"elman_tanh", "gru"}:
    del config.cells[name]

with tempfile.TemporaryDirectory() as folder:
  rows = memory_distance.run(config, pathlib.Path(folder))
  lines = (pathlib.Path(folder) / "metrics.jsonl").read_text().splitlines()
points = [json.loads(line) for line in lines]

# %%
figure, axis = plt.subplots(figsize=(9, 2.6), layout="constrained")
horizon_and_learned(
  axis, rows, distances=config.distances, share=0.01, name="recall"
)
axis.set(ylim=(1.6, -0.6), xlim=(1, 40))
axis.spines[["top", "right"]].set_visible(False)
plt.show()

assert rows["Elman tanh, Glorot"][1] == 4
assert rows["GRU"][1] == 32
assert rows["Elman tanh, Glorot"][0] > 32 > 2 * rows["GRU"][0]

# %% [markdown]
# The prediction fails both ways. Through the Elman network the gradient of the
# whole sentence arrives, and it learns the short distance alone. From the GRU's
# last word hardly anything gets back beyond a dozen steps, and it learns 32.

# %% [markdown]
# ## The horizon moves
#
# What was measured before training is where a cell starts. The record has the
# horizon after training too, for each of the seeds. The sentence has 37 steps.

# %%
far = {p["cell"]: p for p in points if p["distance"] == 32}
figure, axis = plt.subplots(figsize=(9, 2.6), layout="constrained")
for y, (name, point) in enumerate(far.items()):
  for loss, after, shift in zip(
    point["losses"], point["horizons"], (-0.2, 0, 0.2), strict=True
  ):
    learned = loss < 0.1 * point["baseline"]
    color = ORANGE if learned else GREY
    line = {"arrowstyle": "-|>", "color": color, "lw": 2, "mutation_scale": 14}
    axis.annotate("", (after, y + shift), (rows[name][0], y), arrowprops=line)
  axis.plot(rows[name][0], y, "o", color=BLUE, ms=9)
axis.set(yticks=range(len(far)), ylim=(1.5, -0.6), xlim=(0, 40))
axis.set_yticklabels(far)
axis.set_title("before (blue), after: learned (orange), not (grey)", size=11)
axis.set_xlabel("horizon [steps], distance 32")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

for point in far.values():
  for loss, after in zip(point["losses"], point["horizons"], strict=True):
    assert (loss < 0.1 * point["baseline"]) == (after > 30), (loss, after)

# %% [markdown]
# Where the distance was learned, the horizon has come to cover it: the little
# gradient that arrived was enough to begin with, and as the gates learn to
# keep, more arrives. Where it was not learned, the horizon is short *now*,
# wherever it began: the Elman network was trained on what it could see nearby,
# which says nothing of the country, and its long gradient was lost on the way.
#
# ### Exercise: a gate held open
#
# A forget gate held at $f = \sigma(b)$ multiplies the gradient by $f$ at each
# step. Define `bias_for(steps)`, the forget bias with which exactly one percent
# is left after `steps`. What would a distance of 256 want?
#
# <details><summary>Solution</summary>
#
# ```python
# def bias_for(steps):
#   gate = 0.01 ** (1 / steps)
#   return math.log(gate / (1 - gate))
#
# # 4.0 for 256 steps; the usual bias of 1 is enough for 14 by this rule.
# ```
#
# </details>

# %% tags=["exercise"]
bias_for = None  # yours

# %% tags=["check"]
if bias_for is not None:
  for steps in (8, 64, 256):
    gate = 1 / (1 + math.exp(-bias_for(steps)))
    assert abs(gate**steps - 0.01) < 1e-6
  assert 3.9 < bias_for(256) < 4.1

# %% [markdown]
# ## Nine cells
#
# `experiments/memory_distance.py` is the same study with 64 units, 800 steps
# and distances up to 256: nine minutes on two cores. Its results, as they stand
# in `docs/gradients.md` (21 November 2026), are written down here; 257 is "over
# 256".

# %%
nine = {
  "Elman tanh, orthogonal": (60, 16),
  "Elman ReLU, identity": (257, 64),
  "Elman tanh, Glorot": (79, 32),
  "GRU": (13, 256),
  "LRU": (257, 256),
  "LSTM, forget bias 0": (11, 8),
  "LSTM, forget bias 1": (84, 16),
  "LSTM, forget bias 5": (257, 128),
  "MinGRU": (7, 16),
}
distances = (4, 8, 16, 32, 64, 128, 256)
figure, axis = plt.subplots(figsize=(9, 5), layout="constrained")
horizon_and_learned(axis, nine, distances=distances, share=0.01, name="recall")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

bounded = [name for name, (horizon, far) in nine.items() if far <= horizon]
assert len(bounded) == 7
assert max(nine[name][0] / nine[name][1] for name in bounded) < 6

# %% [markdown]
# For seven of nine the horizon is an upper bound, up to five times above what
# is learned: one percent is little to learn by. That the gradient arrives is
# therefore needed, not sufficient. Two cells, whose gates training can open,
# get beyond where they began. A larger forget bias moves both marks to the
# right, a linear recurrence made for it (LRU) has them at the end from the
# start.
#
# ### Exercise: who got further
#
# Define `beyond`, the set of those cells of `nine` that learned a distance
# longer than their horizon. What do they have in common?
#
# <details><summary>Solution</summary>
#
# ```python
# beyond = {name for name, (horizon, far) in nine.items() if far > horizon}
# # GRU and MinGRU: one gate decides between keeping and renewing. Where it
# # opens, the old state goes on unchanged and what is new stays out.
# ```
#
# </details>

# %% tags=["exercise"]
beyond = None  # yours

# %% tags=["check"]
if beyond is not None:
  assert beyond == set(nine) - set(bounded)
  assert len(beyond) == 2
