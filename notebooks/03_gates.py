# %% [markdown]
# # 3. Remedies: identity, skips and gates
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](03_gates.ipynb)
#
# What keeps a gradient alive over many steps: ReLU, the identity, skip
# connections and gates, each measured. Then an LSTM's gates are watched while
# they read, and two networks are asked for a language far from its country.
# Fifteen minutes.

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
import re

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import seqjax
from seqjax import gradients
from seqjax.data import long_memory, text

# A GPU would round float32 products to TF32; here Jacobians are compared.
jax.config.update("jax_default_matmul_precision", "float32")
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
SIZE = 64

# %% [markdown]
# ## What has to be mended
#
# A loss at the last step reaches the state $k$ steps back through $k$ factors
# (chapter 2):
#
# $$\frac{\partial L}{\partial h_{T-k}} = \frac{\partial L}{\partial h_T}
# \prod_{t=T-k+1}^{T} \frac{\partial h_t}{\partial h_{t-1}}, \qquad
# \frac{\partial h_t}{\partial h_{t-1}} =
# \mathrm{diag}(\sigma'(a_t))\, W_{hh}$$
#
# `curve` measures the norm over the *lag* $k$ for any cell, as it is
# initialised. The *horizon* is the first lag at which less than 1 % is left.

# %%
inputs = jax.random.normal(jax.random.key(1), (8, 200, SIZE))
direction = jax.random.normal(jax.random.key(2), (SIZE,)) / SIZE**0.5


KEY = jax.random.key(0)


@jax.jit(static_argnums=0)
def norms(cell, params, inputs):
  loss = lambda outputs: outputs @ direction  # one for each step
  return gradients.hidden_gradient_norms(cell, params, inputs, loss)


def curve(cell, params):
  found = gradients.together(norms(cell, params, inputs))  # [batch, time]
  mean = gradients.geometric_mean(gradients.by_lag(found))
  return mean / mean[0]


elman = seqjax.Elman(SIZE)
tanh = curve(elman, elman.init(KEY, SIZE))
print(f"after 50 steps {tanh[50]:.0e} is left, horizon", end=" ")
print(gradients.memory_horizon(tanh), "steps")
assert tanh[50] < 1e-6
assert gradients.memory_horizon(tanh) < 20

# %% [markdown]
# ## ReLU and the identity
#
# Each factor has two parts. The slope of tanh is below one, that of ReLU is
# one wherever a unit is on; so take ReLU. And a matrix that changes nothing is
# the identity; so begin with $W_{hh} = I$. Le, Jaitly and Hinton (2015) take
# both: the *IRNN*. Its state stays as it is until an input moves it:
#
# $$h_t = \max(0,\ W_{xh} x_t + h_{t-1})$$

# %%
grid = {}
for activation in ("tanh", "relu"):
  cell = seqjax.Elman(SIZE, activation=activation)
  for kernel in ("orthogonal", "identity"):
    start = seqjax.Elman(SIZE, recurrent_init=kernel)
    grid[f"{activation}, {kernel}"] = curve(cell, start.init(KEY, SIZE))
for name, shares in grid.items():
  print(f"{name:17} horizon {gradients.memory_horizon(shares):3}")
horizons = {name: gradients.memory_horizon(s) for name, s in grid.items()}
irnn = grid["relu, identity"]
assert horizons.pop("relu, identity") == 200  # it never falls so low
assert max(horizons.values()) < 20

# %% [markdown]
# Neither helps alone. With an orthogonal matrix a ReLU unit is off half of the
# time and passes nothing; with tanh the identity is squashed at every step.
# Together they keep most of the gradient over all 200 steps.

# %%
figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
styles = (GREY, "-"), (GREY, "--"), (ORANGE, "--"), (BLUE, "-")
for (color, dashes), shares in zip(styles, grid.values(), strict=True):
  axes.plot(shares[:60], dashes, color=color, lw=2)
axes.text(40, 0.2, "ReLU and identity", color=BLUE, fontsize=12)
axes.text(37, 2e-5, "ReLU, orthogonal", color=ORANGE, fontsize=12)
axes.text(37.8, 1.8e-10, "tanh, orthogonal", color=GREY, fontsize=10)
axes.text(27, 3e-9, "tanh, identity", color=GREY, fontsize=12, ha="right")
axes.set(yscale="log", ylim=(1e-10, 3), xlim=(0, 59))
axes.set(xlabel="lag k [steps back]", ylabel="share of the gradient left")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Skip connections
#
# A *skip* adds the input of a layer to its output, $y_t = x_t +
# \mathrm{layer}(x_t)$ (He et al. 2016). Whatever the layer does, the
# derivative contains the identity. `Residual` does it to any cell. The path
# that it opens leads down through the *layers*. Back through time it changes
# nothing: there the factors are those of the cell inside.


# %%
def by_depth(layer, count=6):
  cell = seqjax.Stack((layer,) * count)
  found = norms(cell, cell.init(KEY, SIZE), inputs[:, :20])
  shares = np.array([part.h[:, -1].mean() for part in found])  # at lag 0
  return shares[::-1] / shares[-1]  # from the top down


skip = seqjax.Residual(elman)
without, with_skips = by_depth(elman), by_depth(skip)
print(f"of the top's gradient the bottom gets {without[-1]:.2f},", end=" ")
print(f"with skips {with_skips[-1]:.2f}")
assert without[-1] < 0.4
assert with_skips[-1] > 1
over_time = curve(skip, skip.init(KEY, SIZE))
np.testing.assert_allclose(over_time[:30], tanh[:30], rtol=1e-3)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.plot(without, "o-", color=GREY)
left.plot(with_skips, "o-", color=BLUE)
left.text(2.8, 2, "with skips", color=BLUE, fontsize=12, ha="right")
left.text(2.5, 0.35, "without", color=GREY, fontsize=12, ha="right")
left.set(yscale="log", xlabel="layers down", ylabel="share of the gradient")
left.set(
  xticks=range(6), yticks=(0.25, 0.5, 1, 2), yticklabels=(0.25, 0.5, 1, 2)
)
left.minorticks_off()
right.plot(tanh[:30], color=GREY, lw=4)
right.plot(over_time[:30], "--", color=BLUE, lw=2)
right.text(16, 1e-2, "with and without", fontsize=12)
right.set(yscale="log", xlabel="steps back", yticks=(1e-6, 1e-3, 1))
for axis in (left, right):
  axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# A skip over *time* is another thing: $h_t = h_{t-1} + \dots$. The IRNN has
# one, and so has the cell of the next section.
#
# ## Gates: the straight path
#
# An LSTM (Hochreiter and Schmidhuber 1997) keeps a second state $c_t$, the
# *cell*, and renews it by a sum. What is kept, what is added and what is shown
# is decided by gates, numbers between 0 and 1 for each unit:
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t)$$
#
# From $c_{t-1}$ to $c_t$ there is a path without a matrix and without a
# squashing function: with $h_{t-1}$ held, $\partial c_t / \partial c_{t-1} =
# \mathrm{diag}(f_t)$. `step_jacobians` has the derivative of the whole state
# $(h, c)$ by automatic differentiation; its last block has to be the gate.

# %%
lstm = seqjax.LSTM(32)
params = lstm.init(jax.random.key(0), SIZE)
sequence = inputs[0, :60]


def watch(carry, x):
  gates = gradients.gate_values(lstm, params, carry, x)
  carry, _ = lstm.step(params, carry, x)
  return carry, gates["f"]


_, forget = jax.lax.scan(watch, lstm.initial_carry(params), sequence)
jacobians = gradients.step_jacobians(lstm, params, sequence)  # [time, 64, 64]
np.testing.assert_allclose(
  jacobians[:, 32:, 32:], jax.vmap(jnp.diag)(forget), atol=1e-6
)

# %% [markdown]
# Over $k$ steps the straight path is the product of the gates, entry by entry:
# $\prod f_t$. If all other ways are shut, which is so while the gates do not
# see $h$ ($W_h = 0$), it is the whole derivative.

# %%
shut = params._replace(recurrent_kernel=jnp.zeros((32, 128)))
_, forget = jax.lax.scan(
  lambda carry, x: (
    lstm.step(shut, carry, x)[0],
    gradients.gate_values(lstm, shut, carry, x)["f"],
  ),
  lstm.initial_carry(shut),
  sequence,
)
last_c = lambda carry: (
  seqjax.unroll(lstm, shut, sequence, initial_carry=carry)[0].c
)
whole = jax.jacobian(last_c)(lstm.initial_carry(shut)).c  # dc_T / dc_0
product = jnp.prod(forget, axis=0)
np.testing.assert_allclose(whole, jnp.diag(product), rtol=1e-4, atol=1e-12)
assert np.median(product) > 1e-12  # not zero, and yet little: f is near 0.7

# %% [markdown]
# ## The forget bias
#
# So all depends on $f_t = \sigma(\dots + b_f)$. With $b_f = 0$ a gate begins at
# 1/2 and the path halves with every step. Gers, Schmidhuber and Cummins (2000)
# and Jozefowicz, Zaremba and Sutskever (2015) begin with a positive bias: the
# cell remembers before it has learnt to. `LSTM` has $b_f = 1$ unless told
# otherwise.

# %%
lstm, gru = seqjax.LSTM(SIZE), seqjax.GRU(SIZE)
biases = {}
for b in (0.0, 1.0, 3.0):
  start = seqjax.LSTM(SIZE, forget_bias=b).init(KEY, SIZE)
  biases[b] = curve(lstm, start)
open_gru = curve(gru, gru.init(KEY, SIZE))
for b, shares in biases.items():
  gate = 1 / (1 + np.exp(-b))
  print(f"b_f = {b:g}: f is {gate:.2f} where nothing else speaks,", end=" ")
  print(f"horizon {gradients.memory_horizon(shares)} steps")
horizons = [gradients.memory_horizon(shares) for shares in biases.values()]
assert horizons[0] < 15 < horizons[1] < 40
assert horizons[2] > 100
assert gradients.memory_horizon(open_gru) < 20

# %%
figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
for color, (b, shares) in zip(
  (ORANGE, GREEN, BLUE), biases.items(), strict=True
):
  axes.plot(shares[:100], color=color, lw=2)
  straight = (1 / (1 + np.exp(-b))) ** np.arange(100)
  axes.plot(straight, ":", color=color, lw=1.5)
axes.plot(open_gru[:100], "--", color=GREY, lw=1.5)
axes.set(yscale="log", ylim=(1e-8, 2), xlim=(0, 99))
axes.text(70, 0.3, "LSTM, $b_f = 3$", color=BLUE, fontsize=12)
axes.text(62, 3e-5, "$b_f = 1$", color=GREEN, fontsize=12)
axes.text(28.5, 3e-8, "$b_f = 0$", color=ORANGE, fontsize=12)
axes.text(43, 4e-8, "GRU", color=GREY, fontsize=12)
axes.text(97, 1.3e-3, r"$\sigma(3)^k$", color=BLUE, fontsize=12, ha="right")
axes.set(xlabel="lag k [steps back]", ylabel="share of the gradient left")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Dotted is $\sigma(b_f)^k$, the straight path alone. The rest goes through $h$.
# A GRU (Cho et al. 2014) has the same path, $h_t = z_t \odot h_{t-1} + (1 -
# z_t) \odot n_t$, and its gate begins at 1/2.
#
# ### Exercise: which bias for which distance
#
# Define `bias_for(k)`, the forget bias with which the straight path has 1 %
# left after `k` steps: $\sigma(b_f)^k = 0.01$.
#
# <details><summary>Solution</summary>
#
# ```python
# def bias_for(k):
#   f = 0.01 ** (1 / k)
#   return np.log(f / (1 - f))
# # About log(k / 4.6): ten times the distance is a bias larger by 2.3.
# ```
#
# </details>

# %% tags=["exercise"]
bias_for = None  # yours

# %% tags=["check"]
if bias_for is not None:
  for k in (5, 50, 500):
    f = 1 / (1 + np.exp(-float(bias_for(k))))
    np.testing.assert_allclose(f**k, 0.01, rtol=1e-6)

# %% [markdown]
# ### Exercise: a GRU that remembers
#
# Define `slow(params)`: the parameters of a `GRU(64)` with the bias of its
# update gate at 5. The gates stand in the order r, z, n in
# `params.bias`. What becomes of the horizon?
#
# <details><summary>Solution</summary>
#
# ```python
# def slow(params):
#   return params._replace(bias=params.bias.at[64:128].set(5.0))
# # z is 0.993: of the gradient half is left after 100 steps.
# ```
#
# </details>

# %% tags=["exercise"]
slow = None  # yours

# %% tags=["check"]
if slow is not None:
  shares = curve(gru, slow(gru.init(KEY, SIZE)))
  assert gradients.memory_horizon(shares) > 150

# %% [markdown]
# ## Gates that read
#
# What do gates do once they have learnt? A small LSTM learns to guess the next
# letter of Python's reference text, of which letters and blanks are kept.
# `train` is all that training takes; it serves twice in this chapter.


# %%
def train(loss, params, batches):
  optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(4e-3))

  def step(state, batch):
    params, moments = state
    grads = jax.grad(loss)(params, batch)
    updates, moments = optimizer.update(grads, moments, params)
    return (optax.apply_updates(params, updates), moments), None

  state, _ = jax.lax.scan(step, (params, optimizer.init(params)), batches)
  return state[0]


def draw_params(cell, key, symbols):
  """Parameters of a cell that reads symbols, and of a layer that names one."""
  draw = jax.nn.initializers.glorot_uniform()
  head = draw(jax.random.fold_in(key, 1), (cell.output_size, symbols))
  return cell.init(key, symbols), head


# %%
corpus = re.sub("[^a-z]+", " ", text.load("pydoc").text.lower())
ALPHABET = "abcdefghijklmnopqrstuvwxyz "
ids = jnp.array([ALPHABET.index(letter) for letter in corpus])
lstm = seqjax.LSTM(48)


def guess_next(params, windows):
  letters = jax.nn.one_hot(windows[:, :-1], 27)
  _, outputs = seqjax.unroll(lstm, params[0], letters)
  return optax.softmax_cross_entropy_with_integer_labels(
    outputs @ params[1], windows[:, 1:]
  ).mean()


first = jax.random.randint(KEY, (450, 32, 1), 0, len(ids) // 2)
windows = ids[first + jnp.arange(65)]  # [step, batch, letter]
untrained = draw_params(lstm, jax.random.key(2), 27)
reader = jax.jit(train, static_argnums=0)(guess_next, untrained, windows)
before, after = (float(guess_next(p, windows[0])) for p in (untrained, reader))
print(f"loss {before:.2f} before, {after:.2f} after, in nats a letter")
assert after < 2.2 < 3 < before

# %% [markdown]
# Now it reads 4,000 letters that it was not trained on, and the gates are
# written down. In the order of the equations: the old cell is multiplied by
# $f_t$ (*forget*), $i_t \odot g_t$ is added (*store*), which gives $c_t$
# (*update*), and $h_t$ is shown (*output*).


# %%
def read(carry, x):
  gates = gradients.gate_values(lstm, reader[0], carry, x)
  new, _ = lstm.step(reader[0], carry, x)
  stored = new.c - gates["f"] * carry.c  # i * g
  return new, (gates, stored, new)


passage = ids[-4000:]
_, (gates, stored, states) = jax.lax.scan(
  read, lstm.initial_carry(reader[0]), jax.nn.one_hot(passage, 27)
)
assert (jnp.abs(stored) <= gates["i"] + 1e-5).all()  # |g| < 1
np.testing.assert_allclose(states.h, gates["o"] * jnp.tanh(states.c), atol=1e-5)

# %% [markdown]
# A word ends with a blank. Is there a unit that takes it as a sign to forget?
# The one whose forget gate falls most at blanks is picked in the first half of
# the passage and tried in the second.

# %%
blank = np.asarray(passage) == ALPHABET.index(" ")
forget = np.asarray(gates["f"])
first, second = np.arange(4000) < 2000, np.arange(4000) >= 2000
fall = forget[first & ~blank].mean(0) - forget[first & blank].mean(0)
order = fall.argsort()[::-1]
unit = order[0]
inside = forget[second & ~blank, unit].mean()
at_blank = forget[second & blank, unit].mean()
print(f"unit {unit}: f is {inside:.2f} in words, {at_blank:.2f} at blanks")
assert at_blank < 0.6 * inside
assert fall.min() < 0  # others do not

# %%
where = slice(2600, 2656)
shown = {
  "forget  $f_t$\n12 units": (forget[:, order[:12]], "Greys", 0, 1),
  "store  $i_t g_t$": (stored[:, [unit]], "PuOr", -1, 1),
  "update  $c_t$": (states.c[:, [unit]], "PuOr", -2, 2),
  "output  $h_t$": (states.h[:, [unit]], "PuOr", -1, 1),
}
figure, axes = plt.subplots(
  4, figsize=(10, 4.5), layout="constrained", height_ratios=(5, 1, 1, 1)
)
for axis, (name, (values, colors, *limits)) in zip(
  axes, shown.items(), strict=True
):
  axis.imshow(values[where].T, colors, aspect="auto", clim=limits)
  axis.set(yticks=[], xticks=[])
  axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=11)
letters = [(ALPHABET[:-1] + "␣")[letter] for letter in passage[where]]
axes[-1].set_xticks(range(len(letters)), letters, family="monospace")
plt.show()

# %% [markdown]
# Above, white is forgotten and black is kept; below, purple is positive and
# orange negative. The first row is the unit of the other three panels: at a
# blank its gate closes, what it held of the last word is dropped, and the next
# word is stored from nothing. The rows below do so less and less; some units
# keep at a blank even more than within a word.
#
# ## "France ... I speak fluent ___"
#
# The example of many lectures: "I grew up in France ... I speak fluent", and
# the next word is known only to who remembers the country. `long_memory.recall`
# draws such sentences; here each is cut to a distance of its own, the same
# sentence with fewer words between.

# %%
WORDS = len(long_memory.WORDS)


def sentences(key, distances):
  far, rows = max(distances), np.array(distances)[:, None]
  words, targets, _ = long_memory.recall(key, len(distances), far)
  t = jnp.arange(far + 5)
  kept = jnp.where(t < rows + 2, t, jnp.minimum(t + far - rows, far + 4))
  words = jnp.take_along_axis(words, kept, axis=1)
  return words, jnp.array(rows[:, 0] + 5), targets[:, -1]


examples = sentences(jax.random.key(3), (4, 10))
for words, length, answer in zip(*examples, strict=True):
  said = " ".join(long_memory.WORDS[word] for word in words[:length])
  print(f"{said} ... {long_memory.WORDS[answer]}")
assert examples[1].tolist() == [9, 15]  # words read before the answer


# %% [markdown]
# A simple network and an LSTM with $b_f = 3$ learn from distances of 4, 6 and 8
# steps, five of each from other seeds, and are asked at distances up to 64.


# %%
def accuracy(cell, seeds):
  def scores(params, words, lengths):
    inputs = jax.nn.one_hot(words, WORDS)
    carry, _ = seqjax.unroll(cell, params[0], inputs, lengths=lengths)
    return carry.h @ params[1]

  def loss(params, batch):
    *told, answers = batch
    return optax.softmax_cross_entropy_with_integer_labels(
      scores(params, *told), answers
    ).mean()

  def one(params):
    params = train(loss, params, taught)
    *told, answers = asked
    return (scores(params, *told).argmax(-1) == answers).reshape(64, -1).mean(0)

  params = jax.vmap(lambda key: draw_params(cell, key, WORDS))(seeds)
  return np.asarray(jax.jit(jax.vmap(one))(params))


# %%
ASKED = 4, 6, 8, 12, 16, 20, 24, 32, 40, 64
draw = jax.jit(sentences, static_argnums=1)
taught = draw(jax.random.key(1), (4, 6, 8) * 16 * 300)
taught = jax.tree.map(lambda x: x.reshape(300, 48, *x.shape[1:]), taught)
asked = draw(jax.random.key(2), ASKED * 64)

seeds = jax.random.split(KEY, 5)
found = [
  accuracy(cell, seeds)
  for cell in (seqjax.Elman(48), seqjax.LSTM(48, forget_bias=3.0))
]
elman, lstm = (rows.mean(0) for rows in found)
for name, mean in (("Elman", elman), ("LSTM", lstm)):
  print(
    f"{name:6}", *(f"{d}: {m:.0%} " for d, m in zip(ASKED, mean, strict=True))
  )
assert lstm[:9].min() > 0.85  # to 40 steps, five times as far as trained
assert elman[:3].mean() > 0.6  # where it was trained
assert elman[8] < elman[:3].mean() - 0.15

# %%
figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
for color, rows in zip((ORANGE, BLUE), found, strict=True):
  axes.plot(ASKED, rows.T, color=color, lw=0.8, alpha=0.5)
  axes.plot(ASKED, rows.mean(0), color=color, lw=3)
axes.axhline(0.1, color=GREY, ls=":")
axes.axvspan(4, 8, color="#DDDDDD", lw=0)
axes.text(5.6, 0.3, "trained\nhere", ha="center", fontsize=11)
axes.text(50, 0.13, "chance: ten languages", ha="right", color=GREY)
axes.text(45, 1.03, "LSTM", color=BLUE, fontsize=13)
axes.text(36, elman[8] - 0.15, "Elman", color=ORANGE, fontsize=13)
axes.set_xscale("log", base=2)
axes.set_xticks(ASKED, ASKED)
axes.minorticks_off()
axes.set(xlabel="steps from the country to its language", ylim=(0, 1.12))
axes.set(ylabel="answered right", yticks=(0, 0.5, 1))
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Each thin line is one seed. The LSTM answers five times as far as it was
# trained. The simple network, where it has learnt the short distances (with
# some seeds it does not), loses what it was told with every word between, for
# each writes over its state; the LSTM has a gate that says no. Chapter 9 asks
# the harder question, how far a network can *learn* to remember.
