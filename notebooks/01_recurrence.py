# %% [markdown]
# # 1. Recurrence from scratch
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](01_recurrence.ipynb)
#
# One small function, applied again and again, reads a sequence of any length.
# Here it reads the first letters of "hello": by hand, as a loop, as
# `jax.lax.scan`, and with `seqjax.unroll`, each time with the same numbers.
# Ten minutes; NumPy is enough to follow.

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
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import seqjax

# A GPU would round float32 products to TF32; here digits are compared.
jax.config.update("jax_default_matmul_precision", "float32")

# %% [markdown]
# ## By hand
#
# The vocabulary is h, e, l, o; a letter is a vector with a single one. A
# recurrent network has a *state* $h_t$, a short summary of all it has read, and
# renews it with every letter:
#
# $$h_t = \tanh(W_{xh}\,x_t + W_{hh}\,h_{t-1} + b)$$
#
# The weights below are those of a worked example that many courses use: three
# hidden units, $W_{hh} = 0.427\,I$, and the same bias for each unit. The first
# state is zero, so after "h" it is just the first column of $W_{xh}$ and the
# bias, squashed.

# %%
W_xh = np.array(
  [
    [0.287027, 0.84606, 0.572392, 0.486813],
    [0.902874, 0.871522, 0.691079, 0.18998],
    [0.537524, 0.09224, 0.558159, 0.491528],
  ]
)
W_hh, b = 0.427043 * np.eye(3), np.full(3, 0.567001)
x_h, x_e, x_l, x_o = np.eye(4)

after_h = np.tanh(W_xh @ x_h + W_hh @ np.zeros(3) + b)
after_he = np.tanh(W_xh @ x_e + W_hh @ after_h + b)
print("after h: ", after_h.round(4))
print("after he:", after_he.round(4))
np.testing.assert_allclose(after_he, [0.936534, 0.949104, 0.762341], atol=1e-6)

# %% [markdown]
# An output layer turns a state into four scores, the softmax into
# probabilities for the next letter: $p_t = \mathrm{softmax}(W_{hy}\,h_t)$. This
# network is not trained. After "he" it expects another "h" with probability
# 0.42, where "l" would be right; chapter 2 is about how such weights learn.

# %%
W_hy = np.array(
  [
    [0.37168, 0.974829459, 0.830034886],
    [0.39141, 0.282585823, 0.659835709],
    [0.64985, 0.09821557, 0.334287084],
    [0.91266, 0.32581642, 0.144630018],
  ]
)
scores = W_hy @ after_he
p = np.exp(scores) / np.exp(scores).sum()
print(dict(zip("helo", p.round(3).tolist(), strict=True)))
np.testing.assert_allclose(p, [0.4197, 0.1947, 0.1624, 0.2231], atol=1e-4)

# %% [markdown]
# ## As a loop: the weights are shared
#
# The two lines above differ in nothing but the letter and the state before it.
# So a sequence of any length is one line in a loop. There are $3 \cdot 4 + 3
# \cdot 3 + 3 = 24$ numbers, however long the text is: the same weights serve at
# every step.

# %%
hello = np.stack([x_h, x_e, x_l, x_l, x_o])  # [time, features]

h, states = np.zeros(3), []
for x in hello:
  h = np.tanh(W_xh @ x + W_hh @ h + b)
  states.append(h)
states = np.stack(states)  # [time, hidden_size]

np.testing.assert_allclose(states[:2], [after_h, after_he])
# Both l are the same input; the state tells them apart.
assert np.abs(states[2] - states[3]).max() > 0.005

# %% [markdown]
# Drawn with time to the right, the loop becomes a deep network, one layer a
# letter: the *unrolled graph*. All arrows of a colour are one and the same
# matrix. A box is the state after a letter, its numbers are the three units.

# %%
figure, axes = plt.subplots(figsize=(9, 3.2))
box = {"boxstyle": "round,pad=0.5", "fc": "#F2F2F2", "ec": "black"}
arrow = {"arrowstyle": "-|>", "lw": 2, "mutation_scale": 18}
for t, letter in enumerate("hello"):
  axes.text(t, 0, letter, ha="center", va="center", fontsize=20)
  unit = "\n".join(f"{value:.3f}" for value in states[t])
  axes.text(t, 1.5, unit, ha="center", va="center", fontsize=13, bbox=box)
  blue, orange = arrow | {"color": "#0072B2"}, arrow | {"color": "#D55E00"}
  axes.annotate("", (t, 0.9), (t, 0.2), arrowprops=blue)
  axes.annotate("", (t - 0.3, 1.5), (t - 0.7, 1.5), arrowprops=orange)
axes.text(0.06, 0.5, "$W_{xh}$", color="#0072B2", fontsize=15)
axes.text(-0.5, 1.7, "$W_{hh}$", color="#D55E00", fontsize=15, ha="center")
axes.text(-0.75, 1.5, "0", ha="right", va="center", fontsize=15)
axes.set(xlim=(-1, 4.5), ylim=(-0.3, 2.3))
axes.axis("off")
plt.show()

# %% [markdown]
# ### Exercise: a network that does not remember
#
# With $W_{hh} = 0$ there is no arrow to the right. Define `forgetful`, the five
# states of "hello" that this network computes, `[5, 3]`. Which of its rows are
# equal, and why?
#
# <details><summary>Solution</summary>
#
# ```python
# forgetful = np.tanh(hello @ W_xh.T + b)
# # Rows 2 and 3, the two l: without a state an input is all there is to know.
# ```
#
# </details>

# %% tags=["exercise"]
forgetful = None  # yours

# %% tags=["check"]
if forgetful is not None:
  np.testing.assert_allclose(forgetful[0], states[0])  # nothing came before
  np.testing.assert_array_equal(forgetful[2], forgetful[3])
  np.testing.assert_allclose(forgetful[1], [0.8881, 0.8934, 0.5779], atol=1e-4)

# %% [markdown]
# ## As `lax.scan`
#
# Python's loop would be traced and compiled step by step, in JAX that is a
# program as long as the text. `jax.lax.scan` compiles *one* step and runs it
# over the first axis of its inputs. What goes round is called the *carry*:
#
# $$(\mathrm{carry}_t,\ \mathrm{output}_t) =
# f(\mathrm{carry}_{t-1},\ \mathrm{input}_t)$$
#
# In a simple recurrent network carry and output are both the state.


# %%
def step(h, x):
  h = jnp.tanh(W_xh @ x + W_hh @ h + b)
  return h, h


last, scanned = jax.lax.scan(step, jnp.zeros(3), hello)
np.testing.assert_allclose(scanned, states, atol=1e-6)
np.testing.assert_allclose(last, states[-1], atol=1e-6)

# %% [markdown]
# That the program does not grow can be counted. The loop, traced for a text
# of 5 and of 50 letters, is ten times as long; the scan stays as it is.


# %%
def loop(h, inputs):
  for x in inputs:
    h, _ = step(h, x)
  return h


def lines(function, length):
  inputs = jnp.zeros((length, 4))
  return len(str(jax.make_jaxpr(function)(jnp.zeros(3), inputs)).splitlines())


scan = lambda h, inputs: jax.lax.scan(step, h, inputs)
for length in (5, 50):
  print(f"{length} letters: loop {lines(loop, length)} lines,", end=" ")
  print(f"scan {lines(scan, length)} lines")
assert lines(loop, 50) > 8 * lines(loop, 5)
assert lines(scan, 50) == lines(scan, 5)

# %% [markdown]
# ## As a cell and `unroll`
#
# In seqjax the step is a *cell*: a small object that holds sizes and no arrays.
# Its parameters are a NamedTuple, kernels stored as `[in, out]`. `unroll` runs
# any cell over a batch `[batch, time, features]`; where rows differ in length
# it is told so, and what lies past a row's end has no effect.

# %%
cell = seqjax.Elman(hidden_size=3)
params = cell.init(jax.random.key(0), input_size=4)
params = params._replace(
  input_kernel=jnp.array(W_xh.T),
  recurrent_kernel=jnp.array(W_hh),
  bias=jnp.array(b),
)
inputs = jnp.array(np.stack([hello, hello]))
lengths = jnp.array([5, 2])  # "hello" and "he"

carry, outputs = seqjax.unroll(cell, params, inputs, lengths=lengths)
np.testing.assert_allclose(outputs[0], states, atol=1e-6)
np.testing.assert_allclose(carry.h[1], after_he, atol=1e-6)
assert (outputs[1, 2:] == 0).all()

# %% [markdown]
# The same cell reads letter by letter, as a stream comes in: `cell.step` is
# what `unroll` applies at each step.

# %%
carry = cell.initial_carry(params)
for letter, x in zip("hello", inputs[0], strict=True):
  carry, output = cell.step(params, carry, x)
  print(letter, np.asarray(output).round(3))
np.testing.assert_allclose(output, states[-1], atol=1e-6)

# %% [markdown]
# ### Exercise: reading backwards
#
# `unroll` has an argument that reads each row from its own end; outputs stay
# where their inputs are. Define `backwards`, the outputs for the two rows
# above, read backwards. What does the second row start with?
#
# <details><summary>Solution</summary>
#
# ```python
# _, backwards = seqjax.unroll(
#   cell, params, inputs, lengths=lengths, reverse=True
# )
# # With "e", its last letter: padding is never read.
# ```
#
# </details>

# %% tags=["exercise"]
backwards = None  # yours

# %% tags=["check"]
if backwards is not None:
  _, olleh = seqjax.unroll(cell, params, inputs[:, ::-1])
  np.testing.assert_allclose(backwards[0], olleh[0, ::-1], atol=1e-6)
  np.testing.assert_allclose(
    backwards[1, 1], np.tanh(W_xh @ x_e + b), atol=1e-6
  )
  assert (backwards[1, 2:] == 0).all()

# %% [markdown]
# ## The same layer in PyTorch and in Keras
#
# The equations leave open how kernels are stored, how many biases there are
# and in which order the gates stand. Below are the numbers of a
# `torch.nn.RNN(2, 3)` (PyTorch 2.13) and of a `keras.layers.GRU(3)` (Keras
# 3.15), written down from there, with what each computes for the same four
# steps. `seqjax.convert` takes them as they are; neither framework is needed.

# %%
x = jnp.array([[-0.4, -0.1], [1.0, 0.4], [-1.0, 0.0], [-0.4, 0.1]])[None]
pytorch = {
  "weight_ih_l0": [[-1.0, 0.1], [0.1, 0.9], [0.2, 0.3]],
  "weight_hh_l0": [[-0.9, 1.4, -1.1], [0.7, -0.2, -0.5], [-0.4, -0.4, 0.2]],
  "bias_ih_l0": [-0.1, 0.9, -1.1],
  "bias_hh_l0": [0.0, -0.5, 0.5],
}
pytorch = {name: np.array(value) for name, value in pytorch.items()}
computed = [
  [0.282135, 0.263625, -0.610677],
  [-0.266509, 0.864303, -0.551434],
  [0.994606, 0.212989, -0.817557],
  [0.545780, 0.907365, -0.860832],
]
params = seqjax.convert.torch.from_torch(cell, pytorch)
_, outputs = seqjax.unroll(cell, params, x)
np.testing.assert_allclose(outputs[0], computed, atol=2e-6)

# %% [markdown]
# A gated layer, from Keras: its update gate comes first, ours second, and a
# second bias stands inside the reach of the reset gate. (What the gates do is
# the matter of chapter 3.)

# %%
keras = [
  [
    [0.3, 0.0, -0.1, -0.1, 0.6, 0.5, 0.2, 0.5, -0.3],
    [0.3, -0.8, 0.8, 0.1, 0.1, 0.4, 0.0, -0.2, 0.7],
  ],
  [
    [0.1, -0.5, 0.3, -1.0, 1.0, -0.1, 0.0, 1.4, 1.3],
    [0.1, 0.4, 0.7, 1.0, -0.1, 0.1, 0.7, 0.2, 0.5],
    [0.4, -0.7, -0.5, -1.6, -0.2, 0.8, -0.7, 0.7, 0.6],
  ],
  [
    [0.0, 0.0, 0.0, -0.5, -0.2, 0.0, 0.4, 0.5, -0.4],
    [0.5, -0.5, -0.1, 0.2, 0.0, -0.1, 0.2, -0.3, -0.4],
  ],
]
gru = seqjax.GRU(3)
params = seqjax.convert.keras.from_keras(gru, [np.array(w) for w in keras])
_, outputs = seqjax.unroll(gru, params, x)
np.testing.assert_allclose(
  outputs[0, -1], [0.478492, 0.300839, -0.226492], atol=2e-6
)

# %% [markdown]
# ### Exercise: two biases
#
# PyTorch's layer has two biases, `cell` has one. Define `bias`, the one that
# gives the same outputs. Why does PyTorch's second bias bring nothing new here?
#
# <details><summary>Solution</summary>
#
# ```python
# bias = pytorch["bias_ih_l0"] + pytorch["bias_hh_l0"]
# # They are only ever added: (x W_x + b_x) + (h W_h + b_h).
# ```
#
# </details>

# %% tags=["exercise"]
bias = None  # yours

# %% tags=["check"]
if bias is not None:
  params = seqjax.convert.torch.from_torch(cell, pytorch)
  _, outputs = seqjax.unroll(cell, params._replace(bias=jnp.asarray(bias)), x)
  np.testing.assert_allclose(outputs[0], computed, atol=2e-6)
