# %% [markdown]
# # 8. All at once
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](08_parallel.ipynb)
#
# A recurrence reads one step after the other, and yet its states can be found
# in parallel: by a tree for linear recurrences, by Newton's method for all
# others. The numbers agree, the count of sequential steps falls from $T$ to
# about $2 \log_2 T$ or to a few iterations. Fifteen minutes.

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
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import seqjax
from seqjax import gradients, recurrence

# A GPU would round float32 products to TF32; here methods are compared.
jax.config.update("jax_default_matmul_precision", "float32")
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"

# %% [markdown]
# ## Two steps are one step
#
# Chapter 7 computed all steps at once by giving the recurrence up. Here it is
# kept. In a *linear* recurrence a state is scaled and shifted, entry by entry:
#
# $$s_t = a_t\, s_{t-1} + b_t$$
#
# A step is the pair $(a_t, b_t)$. Two steps in a row are again such a pair:
# $a_2 (a_1 s + b_1) + b_2 = (a_2 a_1)\, s + (a_2 b_1 + b_2)$. Putting steps
# together is *associative*: which neighbours are joined first does not matter,
# so many can be joined at the same time.


# %%
def join(first, second):
  a1, b1 = first
  a2, b2 = second
  return a2 * a1, a2 * b1 + b2


rng = np.random.default_rng(0)
x, y, z = rng.uniform(-1, 1, (3, 2))  # three steps (a, b)
np.testing.assert_allclose(join(join(x, y), z), join(x, join(y, z)))

# %% [markdown]
# ## The tree
#
# Join neighbours to pairs and solve the recurrence of the pairs, which is half
# as long, in the same way. That gives every second state; those between are one
# step away from their neighbour. Each level costs two *rounds*, one on the way
# in, one on the way out, and all of a round happens at once (Blelloch 1990).


# %%
def prefix(a, b):
  """All states from s = 0, for 2^k steps, and the number of rounds."""
  if len(b) == 1:
    return b, -1  # nothing stands between on the innermost way out
  odd, rounds = prefix(*join((a[::2], b[::2]), (a[1::2], b[1::2])))
  even = np.append(b[:1], a[2::2] * odd[:-1] + b[2::2])
  return np.stack([even, odd], axis=1).ravel(), rounds + 2


a, b = rng.uniform(0.5, 1, 1024), rng.normal(size=1024)
state, states = 0.0, []
for t in range(1024):  # the loop: 1,024 rounds
  state = a[t] * state + b[t]
  states.append(state)
found, rounds = prefix(a, b)
np.testing.assert_allclose(found, states)
print(f"{len(b)} steps: {rounds} rounds")
assert rounds == 2 * np.log2(len(b)) - 1 == 19

# %% [markdown]
# Sixteen steps, drawn. Left the loop: one arrow a round. Right the tree: blue
# joins steps to longer ones, orange finds the states between.

# %%
T, levels = 16, 4
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.plot(range(T), range(T), "o-", color=GREY)
right.plot(range(T), [0] * T, "o", color=GREY)
right.vlines(range(T), 0, 7, color="#E5E5E5", zorder=0)
for level in range(levels):
  half = 2**level
  for t in range(2 * half - 1, T, 2 * half):
    right.plot([t - half, t, t], [level, level + 1, level], color=BLUE)
    right.plot(t, level + 1, "o", color=BLUE)
  for t in range(3 * half - 1, T, 2 * half):
    done = 7 - level
    right.plot([t - half, t], [done - 1, done], color=ORANGE)
    right.plot(t, done, "o", color=ORANGE)
for axis, title in (left, "loop: 15 rounds"), (right, "tree: 7 rounds"):
  axis.set(title=title, xlabel="step t", xticks=range(0, T, 5), ylabel="round")
  axis.set(yticks=(0, 4, 7, 15), ylim=(15.5, -0.5))
  axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## The same numbers: `method="associative"`
#
# `MinGRU` (Feng et al. 2024) is a GRU whose gates do not look at the state, so
# that it is linear in it: $a_t = 1 - z_t$. The `LRU` (Orvieto et al. 2023) has
# a constant, complex $a$. `unroll` runs both as a loop or as a tree. Values and
# gradients agree:

# %%
inputs = jax.random.normal(jax.random.key(0), (8, 1024, 16))


def make(cell, method):
  def run(params, inputs):
    loss = lambda p: (
      seqjax.unroll(cell, p, inputs, method=method)[1] ** 2
    ).mean()
    return jax.value_and_grad(loss)(params)

  return jax.jit(run)


def seconds(run, *arguments):
  """The shortest of five runs of what is compiled already."""
  took = []
  for _ in range(5):
    begin = time.perf_counter()
    jax.block_until_ready(run(*arguments))
    took.append(time.perf_counter() - begin)
  return min(took)


# %%
for cell in (seqjax.MinGRU(64), seqjax.LRU(64, 16)):
  params = cell.init(jax.random.key(1), 16)
  results = []
  for method in ("scan", "associative"):
    run = make(cell, method)
    results.append(run(params, inputs))
    took = 1000 * seconds(run, params, inputs)
    print(f"{type(cell).__name__:6} {method:12} {took:6.1f} ms")
  for x, y in zip(*map(jax.tree.leaves, results), strict=True):
    np.testing.assert_allclose(y, x, atol=1e-4 * float(jnp.abs(x).max()))

# %% [markdown]
# How long is the chain of operations that wait for each other? JAX shows its
# programs. The loop's contains a `scan` of 1,024 steps. The tree's has no loop:
# each of its operations is done once, and with every doubling of the length
# come two additions, one on the way in and one on the way out.


# %%
def program(method, length):
  cell = seqjax.MinGRU(32)
  run = lambda p, x: seqjax.unroll(cell, p, x, method=method)
  params = cell.init(jax.random.key(1), 16)
  return str(jax.make_jaxpr(run)(params, jnp.zeros((1, length, 16))))


loop, tree = program("scan", 1024), program("associative", 1024)
assert "length=1024" in loop
assert "scan" not in tree
assert "while" not in tree
joins = [program("associative", 2**k).count(" add ") for k in (6, 8, 10)]
print("additions in the tree for 64, 256, 1,024 steps:", joins)
assert np.diff(joins).tolist() == [2 * 2, 2 * 2]

# %% [markdown]
# Fewer rounds are not less work: the tree does about twice the arithmetic of
# the loop. It pays where there are more arithmetic units than the batch keeps
# busy. On a few CPU cores there are none to spare, and for states of a usual
# width the loop wins or draws: `docs/performance.md` has 275 ms for the loop,
# 286 ms for the tree (MinGRU of 256 units, batch 8, 4,096 steps, two cores).
# With a state as small as here either may be ahead, for a step of the loop has
# a price of its own. No GPU was measured so far, so no figure of one stands
# here. There `method="auto"` takes the tree from 64 steps on.
#
# ### Exercise: a reset inside the tree
#
# A step that forgets all before it fits into the same pair. Define
# `with_resets(a, b, resets)`, `(a, b)` changed so that the state before each
# flagged step counts as zero.
#
# <details><summary>Solution</summary>
#
# ```python
# def with_resets(a, b, resets):
#   return np.where(resets, 0.0, a), b
# # (0, b) joined with anything before it is (0, b) again.
# ```
#
# </details>

# %% tags=["exercise"]
with_resets = None  # yours

# %% tags=["check"]
if with_resets is not None:
  resets = np.arange(1024) % 256 == 0
  found, _ = prefix(*with_resets(a, b, resets))
  parts = [
    prefix(a[t : t + 256], b[t : t + 256])[0] for t in range(0, 1024, 256)
  ]
  np.testing.assert_allclose(found, np.concatenate(parts))

# %% [markdown]
# ## Newton: all states at once
#
# A GRU or an LSTM is not linear in its state. But its states solve the system
# $s_t - f_t(s_{t-1}) = 0$, all $t$ at once, and Newton's method solves a system
# by linear ones. Around a guess $g$ the step is its tangent, which is a linear
# recurrence, that is, a tree (Lim et al. 2024):
#
# $$s_t = J_t\, s_{t-1} + \big(f_t(g_{t-1}) - J_t\, g_{t-1}\big), \qquad J_t =
# f_t'(g_{t-1})$$

# %%
cell = seqjax.GRU(16)
params = cell.init(jax.random.key(1), 16)
sequence = inputs[0, :256]
start = cell.initial_carry(params)
step = lambda h, x: cell.step(params, start._replace(h=h), x)[0].h


@jax.jit
def improve(guess):
  before = jnp.concatenate([start.h[None], guess[:-1]])
  new = jax.vmap(step)(before, sequence)
  jacobian = jax.vmap(jax.jacfwd(step))(before, sequence)
  offset = new - jnp.einsum("tij,tj->ti", jacobian, before)
  return recurrence.linear_scan(jacobian, offset, start.h)


# %%
_, exact = seqjax.unroll(cell, params, sequence, method="scan")
guesses = [jnp.zeros_like(exact)]
for _ in range(4):
  guesses.append(improve(guesses[-1]))
errors = np.stack([np.abs(guess - exact).max(-1) for guess in guesses])
for count, error in enumerate(errors.max(-1)):
  print(f"after {count} iterations: largest error {error:.0e}")
assert errors[4].max() < 1e-4
assert errors[3].max() < 1e-2 * errors[1].max()
for count, error in enumerate(errors):  # the first states are right
  assert error[:count].max(initial=0) < 1e-5

# %% [markdown]
# Four iterations in place of 256 steps. The picture shows the distance from
# the right trajectory, over time. It falls everywhere at once, and faster each
# time: the number of right digits about doubles, until float32 has no more.
# After $k$ iterations the first $k$ states are right in any case, so $T$ of
# them are enough.

# %%
figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
shades = plt.colormaps["viridis"](np.linspace(0, 0.85, 5))
for count, (error, shade) in enumerate(zip(errors, shades, strict=True)):
  smooth = np.maximum(error, 1e-8).reshape(-1, 2).max(1)
  axes.plot(np.arange(0, 256, 2), smooth, color=shade, lw=1.2)
  axes.text(258, smooth[-8:].mean(), f"{count}", color=shade, va="center")
axes.text(258, 4, "iterations", ha="center")
axes.set(yscale="log", ylim=(1e-8, 3), xlim=(0, 268))
axes.set(xlabel="step t", ylabel="error of the state")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# `method="newton"` does this for any cell, with a bound on the iterations and a
# check of the result. `newton_report` says how it went.

# %%
report = recurrence.newton_report(cell, params, sequence)
print(f"{report.iterations} iterations, residual {report.residual:.0e}")
assert report.converged
assert 2 <= report.iterations <= 8
_, found = seqjax.unroll(cell, params, sequence, method="newton")
np.testing.assert_allclose(found, exact, atol=1e-5)
for method in ("scan", "newton"):
  run = lambda x, method=method: seqjax.unroll(cell, params, x, method=method)
  print(f"GRU {method:6} {1000 * seconds(run, sequence):6.1f} ms")

# %% [markdown]
# On a CPU the loop wins by far: an iteration differentiates every step and
# multiplies matrices of the size of the state, $T$ of them. Newton is for long
# sequences, small states and a device with cores to spare.
#
# ### Exercise: Newton on a linear cell
#
# Predict `iterations`, the number that Newton needs for a `LinearRNN`, whose
# step is its own tangent.
#
# <details><summary>Solution</summary>
#
# ```python
# iterations = 1
# # The linear system is the system itself: one solution, no guess needed.
# ```
#
# </details>

# %% tags=["exercise"]
iterations = None  # yours

# %% tags=["check"]
if iterations is not None:
  linear = seqjax.LinearRNN(8)
  linear_params = linear.init(jax.random.key(1), 16)
  count = recurrence.newton_report(linear, linear_params, sequence).iterations
  assert iterations == count

# %% [markdown]
# ## Where Newton fails: chaos
#
# An error in one state is carried on by the product of the Jacobians. If the
# product shrinks, the error is forgotten; if it grows, the far end needs all
# before it to be right. The rate is the largest *Lyapunov exponent*: the
# logarithm of what a step does to a small difference, on average; positive is
# chaos (Gonzalez et al. 2024). The gain of the recurrent weights drives a
# simple network from one side to the other:

# %%
elman = seqjax.Elman(16, recurrent_init="normal")
params = elman.init(jax.random.key(3), 16)
T, gains = 128, jnp.linspace(0.4, 3.0, 14)


@jax.jit
def probe(gain):
  louder = params._replace(recurrent_kernel=gain * params.recurrent_kernel)
  run = elman, louder, sequence[:T]
  method = recurrence.Newton(max_iterations=T)
  report = recurrence.newton_report(*run, method=method)
  return gradients.lyapunov_exponents(*run, count=1)[0], report


exponents, reports = jax.tree.map(np.asarray, jax.lax.map(probe, gains))
needed = np.where(reports.converged, reports.iterations, T)
print("exponents ", exponents.round(1).tolist())
print("iterations", needed.tolist())
assert exponents[0] < -0.5
assert exponents[-1] > -0.2
assert needed[0] <= 6
assert needed[-1] > 30

# %%
figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
done = reports.converged
axes.axvline(0, color=GREY, ls=":")
axes.scatter(exponents[done], needed[done], color=BLUE, s=60)
axes.scatter(exponents[~done], needed[~done], color=ORANGE, marker="x", s=70)
axes.text(-0.9, 7, "converged", color=BLUE, fontsize=12, ha="center")
axes.text(-0.08, 120, "gave up", color=ORANGE, ha="right", fontsize=12)
axes.text(0.01, 2.3, "chaos", color=GREY, fontsize=12)
axes.set_yscale("log", base=2)
axes.set(ylim=(2, 180), yticks=(2, 8, 32, 128), yticklabels=(2, 8, 32, 128))
axes.set(xlabel="largest Lyapunov exponent [1/step]", ylabel="iterations")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# A network that forgets is solved in a handful of iterations. The nearer to
# chaos, the more are needed, at last as many as there are steps, or the
# products overflow. Then the program takes the loop, so `"newton"` is
# never wrong, only slow. Two iterations are too few for the GRU from above:

# %%
gru = cell.init(jax.random.key(1), 16)
hasty = recurrence.Newton(max_iterations=2)
_, found = seqjax.unroll(cell, gru, sequence, method=hasty)
assert errors[2].max() > 1e-3
np.testing.assert_allclose(found, exact, atol=1e-5)

# %% [markdown]
# ## Long sequences: memory
#
# What ends a long backward pass is memory more often than time, for all states
# are kept. `method="checkpointed"` keeps one state in $\sqrt{T}$ and computes
# the others again (Chen et al. 2016). The compiler tells what a program needs,
# without running it. Here the last state makes the loss, as when a whole text
# gets one label:

# %%
lengths = 256, 1024, 4096


def megabytes(method, length):
  cell = seqjax.LSTM(32)
  params = cell.init(jax.random.key(0), 16)
  inputs = jax.ShapeDtypeStruct((length, 2, 16), jnp.float32)
  last = lambda p, x: seqjax.unroll(cell, p, x, time_major=True, method=method)
  loss = lambda p, x: last(p, x)[0].h.sum()
  compiled = jax.jit(jax.grad(loss)).lower(params, inputs).compile()
  return compiled.memory_analysis().temp_size_in_bytes / 2**20


needs = {
  method: np.array([megabytes(method, length) for length in lengths])
  for method in ("scan", "checkpointed")
}
for method, needed in needs.items():
  print(f"{method:12}", *(f"{n:8.2f} MiB" for n in needed))
growth = {method: needed[-1] / needed[0] for method, needed in needs.items()}
assert growth["scan"] > 10  # sixteen times the length
assert growth["checkpointed"] < 8  # the square root of sixteen is four
assert needs["checkpointed"][-1] < needs["scan"][-1] / 8

# %%
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
for color, (method, needed) in zip((GREY, BLUE), needs.items(), strict=True):
  axes.loglog(lengths, needed, "o-", color=color, lw=2)
  axes.text(4400, needed[-1], method, color=color, va="center", fontsize=12)
axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
axes.minorticks_off()
axes.set(xlim=(230, 8000), xlabel="steps", ylabel="temporaries [MiB]")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ### Exercise: how long a segment
#
# With segments of $m$ steps the backward pass holds $T/m$ states at their edges
# and $m$ inside the one it is at. Define `best_segment(T)` that makes the sum
# smallest.
#
# <details><summary>Solution</summary>
#
# ```python
# def best_segment(T):
#   return int(round(T**0.5))
# # The derivative of T/m + m is zero at m = sqrt(T).
# ```
#
# </details>

# %% tags=["exercise"]
best_segment = None  # yours

# %% tags=["check"]
if best_segment is not None:
  for T in (256, 1024, 65536):
    m = best_segment(T)
    assert T / m + m == min(T / n + n for n in range(1, T))
