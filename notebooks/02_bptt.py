# %% [markdown]
# # 2. Back-propagation through time
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](02_bptt.ipynb)
#
# A recurrent network learns from a gradient that travels back through all its
# steps: here it is taken by hand, taken apart, cut short and clipped. It fades
# or grows on the way, at a rate that depends on the cell; at the end that rate
# is measured for a list of cells, one written on the spot among them. Fifteen
# minutes; chapter 1 has the forward pass.

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
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import seqjax
from seqjax import gradients
from seqjax.cells import ElmanCarry, ElmanParams
from seqjax.gradients import sweep
from seqjax.show import gradients as show

# A GPU would round float32 products to TF32; here digits are compared.
jax.config.update("jax_default_matmul_precision", "float32")
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"

# %% [markdown]
# ## By hand
#
# A network reads six inputs, and only its last state is judged:
# $L = \frac12 |h_6|^2$. The kernel $W_h$ was used six times, so its gradient
# is a sum of six terms (Werbos 1990). With $\delta_t = \partial L / \partial
# h_t$, going back from $\delta_6 = h_6$:
#
# $$\frac{\partial L}{\partial W_h} = \sum_t h_{t-1}^\top a_t, \qquad
# a_t = \delta_t \odot (1 - h_t^2), \qquad \delta_{t-1} = a_t W_h^\top$$
#
# $1 - h^2$ is the slope of the tanh. The last equation is the way back to the
# state before; the whole of this chapter is about what it does to $\delta$.

# %%
cell = seqjax.Elman(3)
params = cell.init(jax.random.key(0), input_size=2)
inputs = jax.random.normal(jax.random.key(1), (6, 2))  # [time, features]
W_x, W_h, b = (np.asarray(p, np.float64) for p in params)

h = [np.zeros(3)]
for x in np.asarray(inputs, np.float64):
  h.append(np.tanh(x @ W_x + h[-1] @ W_h + b))

delta, terms = h[-1], []
for t in range(6, 0, -1):
  a = delta * (1 - h[t] ** 2)  # back through the tanh
  terms.insert(0, np.outer(h[t - 1], a))  # what step t says about W_h
  delta = W_h @ a  # back to the state before
by_hand = sum(terms)

# %% [markdown]
# Automatic differentiation finds the same sum, and `bptt_terms` the same six
# terms: it gives each step a copy of the parameters of its own.


# %%
def loss(params):
  carry, _ = seqjax.unroll(cell, params, inputs[None])
  return 0.5 * (carry.h**2).sum()


of_step = lambda outputs: 0.5 * (outputs**2).sum(-1)
copies = gradients.bptt_terms(cell, params, inputs, of_step)

full = jax.grad(loss)(params).recurrent_kernel
np.testing.assert_allclose(by_hand, full, atol=1e-6)
np.testing.assert_allclose(terms, copies.recurrent_kernel, atol=1e-6)

# %%
figure, axes = plt.subplots(1, 7, figsize=(9, 1.9), layout="constrained")
largest = np.abs(terms).max()
tiles = [*terms, by_hand]
names = [f"step {t}" for t in range(1, 7)] + ["sum"]
for axis, tile, name in zip(axes, tiles, names, strict=True):
  shown = axis.imshow(tile, cmap="PuOr", vmin=-largest, vmax=largest)
  axis.set_title(name, fontweight="bold" if name == "sum" else None)
  axis.set(xticks=[], yticks=[])
figure.colorbar(shown, ax=axes, shrink=0.8)
plt.show()

late, early = (np.linalg.norm(sum(part)) for part in (terms[3:], terms[:3]))
assert late > 10 * early

# %% [markdown]
# The first tile is empty, for the state before step 1 is zero. Steps 2 and 3
# hardly show; the gradient on the right is nearly all from the last three.

# %% [markdown]
# ## A product of Jacobians
#
# All the way back, $\delta$ meets one matrix after the other:
#
# $$\delta_{T-k} = \delta_T\, J_T J_{T-1} \cdots J_{T-k+1}, \qquad
# J_t = \frac{\partial h_t}{\partial h_{t-1}}$$
#
# For a tanh network $J_t = \mathrm{diag}(1 - h_t^2)\, W_h^\top$. Below, $W_h$
# is orthogonal: it turns a vector and leaves its length alone. What shrinks the
# product is the slope of the tanh, nothing else.

# %%
wide = seqjax.Elman(32)  # its recurrent kernel is orthogonal
weights = wide.init(jax.random.key(2), input_size=8)
noise = jax.random.normal(jax.random.key(3), (50, 8))

jacobians = gradients.step_jacobians(wide, weights, noise)  # [time, 32, 32]
products = gradients.products(jacobians)  # entry k: over the last k steps
stretch = gradients.singular_values(products)  # [lag, 32], largest first

norms = gradients.hidden_gradient_norms(wide, weights, noise[None], of_step)
over_lag = gradients.by_lag(norms.h)[0]
_, states = seqjax.unroll(wide, weights, noise[None])
by_product = jnp.linalg.norm(states[0, -1] @ products, axis=-1)
np.testing.assert_allclose(by_product[:50], over_lag, rtol=1e-3)

# %% [markdown]
# The singular values of a product say by how much it stretches at most and at
# least. The gradient has to lie between them. After 30 steps less than a
# thousandth of it is left. The directions also part, by many orders of
# magnitude: of 32 numbers that could be remembered, a few are left.

# %%
left = over_lag / over_lag[0]
figure, axis = plt.subplots(figsize=(9, 3.5), layout="constrained")
axis.semilogy(stretch[:41, ::3], color=GREY, lw=0.8)
axis.semilogy(stretch[:41, 0], color=BLUE, lw=2)
axis.semilogy(left[:41], color=ORANGE, lw=2, ls="--")
axis.text(40.5, stretch[40, 0], "largest\nsingular value", color=BLUE)
axis.text(40.5, left[40], "gradient", color=ORANGE, va="top")
axis.text(1, 1e-10, "other\nsingular values", color=GREY)
axis.set(xlabel="lag k [steps back from the loss]", xlim=(0, 48))
axis.set(ylabel="factor over k steps", ylim=(1e-12, 3))
axis.spines[["top", "right"]].set_visible(False)
plt.show()

assert (left <= stretch[:50, 0] * 1.001).all()
assert left[30] < 1e-3
assert stretch[40, 0] > 100 * stretch[40, 15]

# %% [markdown]
# ## Powers of a matrix
#
# If $J$ were the same at every step, the product would be a power, and
# $J^k q = \lambda^k q$ for an eigenvector $q$. Three eigenvalues, three fates:
# $0.9^{50} = 0.005$, $1^{50} = 1$, $1.1^{50} = 117$. There is no fourth one: a
# gradient over many steps vanishes or explodes, unless the factor is 1
# (Bengio, Simard and Frasconi 1994).

# %%
eigenvalues = jnp.array([0.9, 1.0, 1.1])
Q, _ = jnp.linalg.qr(jax.random.normal(jax.random.key(4), (3, 3)))
J = Q @ jnp.diag(eigenvalues) @ Q.T
powers = gradients.products(jnp.broadcast_to(J, (50, 3, 3)))  # [51, 3, 3]

along = jnp.linalg.norm(powers @ Q, axis=1)  # [51, 3], one column each
expected = eigenvalues ** jnp.arange(51)[:, None]
np.testing.assert_allclose(along, expected, rtol=1e-3)
mixed = jnp.linalg.norm(powers @ (Q @ jnp.array([0.9998, 0, 0.02])), axis=1)
assert mixed[:30].min() < 0.25
assert mixed[50] > 2

# %%
figure, axis = plt.subplots(figsize=(9, 3.5), layout="constrained")
for column, color in zip(along.T, (BLUE, GREEN, ORANGE), strict=True):
  axis.semilogy(column, color=color, lw=2)
for value, color, name in zip(
  (*along[-1], mixed[-1]),
  (BLUE, GREEN, ORANGE, "black"),
  ("0.9", "1", "1.1", "a mixture"),
  strict=True,
):
  axis.text(50.6, value, name, color=color, va="center", fontsize=12)
axis.semilogy(mixed, color="black", lw=1.5, ls=":")
axis.set(xlabel="power k", ylabel=r"$|J^k q|$", xlim=(0, 56))
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# The dotted line lies along the eigenvalue 0.9, but for 2 % along 1.1. It falls
# for 20 steps; then that small part takes over. Whether a product explodes is
# not seen in its first factors.
#
# ### Exercise: how long is the way
#
# Define `steps_left(factor, share)`: after how many steps less than `share` of
# a gradient is left, if each step multiplies it by `factor` below 1. How many
# steps for one percent at 0.9, at 0.99, at 0.999?
#
# <details><summary>Solution</summary>
#
# ```python
# def steps_left(factor, share):
#   return int(np.ceil(np.log(share) / np.log(factor)))
#
# # 44, 459, 4603: a factor ten times nearer to 1, a way ten times as long.
# ```
#
# </details>

# %% tags=["exercise"]
steps_left = None  # yours

# %% tags=["check"]
if steps_left is not None:
  for factor in (0.5, 0.9, 0.99):
    curve = factor ** np.arange(1000)
    assert steps_left(factor, 0.01) == gradients.memory_horizon(curve, 0.01)
  assert steps_left(0.9, 0.5) == 7

# %% [markdown]
# ## Exploding, and clipping the norm
#
# One unit without inputs, $h_t = \sigma(w\,h_{t-1} + b)$ from $h_0 = \frac12$,
# shall be 0.7 after 20 steps. Its two parameters are a map, and the loss on the
# map has a cliff (Pascanu, Mikolov and Bengio 2013): on one side the state
# climbs, on the other it falls, and at the edge the gradient is ten thousand
# times what it is elsewhere. A step of descent that meets it leaves the map.
#
# Clipping by the global norm keeps the direction and bounds the length:
#
# $$g \leftarrow g \cdot \min\left(1, \frac{c}{|g|}\right)$$

# %%
unit = seqjax.Elman(1, activation="sigmoid")


def cliff(point):
  w, b = point
  params = ElmanParams(jnp.zeros((1, 1)), w.reshape(1, 1), b.reshape(1))
  start = ElmanCarry(jnp.full((1, 1), 0.5))
  nothing = jnp.zeros((1, 20, 1))
  carry, _ = seqjax.unroll(unit, params, nothing, initial_carry=start)
  return (carry.h[0, 0] - 0.7) ** 2


slope = jax.value_and_grad(cliff)
W, B = np.meshgrid(np.linspace(3.5, 7, 200), np.linspace(-4, -1, 200))
points = jnp.stack([W.ravel(), B.ravel()], axis=1)
heights, steep = jax.jit(jax.vmap(slope))(points)
steep = jnp.linalg.norm(steep, axis=1)
print(f"|gradient|: median {jnp.median(steep):.2g}, largest {steep.max():.2g}")
assert steep.max() > 10_000 * jnp.median(steep)

# %% [markdown]
# Forty starts above the cliff, 300 steps of gradient descent from each, once
# as it is and once with the norm clipped to 0.3.


# %%
def descend(transform, start):
  def step(state, _):
    point, memory = state
    height, grads = slope(point)
    updates, memory = transform.update(grads, memory)
    return (optax.apply_updates(point, updates), memory), (point, height)

  state = start, transform.init(start)
  return jax.lax.scan(step, state, length=300)[1]


w = jnp.linspace(5.0, 6.5, 40)
starts = jnp.stack([w, 0.5 - w / 2], axis=1)
sgd = optax.sgd(0.5)
clipped = optax.chain(optax.clip_by_global_norm(0.3), sgd)
run = lambda how: jax.jit(jax.vmap(lambda s: descend(how, s)))(starts)
(wild, wild_loss), (calm, calm_loss) = run(sgd), run(clipped)

# %%
low, high = jnp.array([3.5, -4.0]), jnp.array([7.0, -1.0])
away = lambda path: ((path < low) | (path > high)).any((1, 2))
print(f"left the map: {away(wild).sum()} of 40, clipped {away(calm).sum()}")
print(f"median loss: {jnp.median(wild_loss[:, -1]):.4f}, ", end="")
print(f"clipped {jnp.median(calm_loss[:, -1]):.4f}")
assert away(wild).sum() >= 15
assert away(calm).sum() == 0
assert jnp.median(calm_loss[:, -1]) < 0.05 * jnp.median(wild_loss[:, -1])

# %%
figure, axes = plt.subplots(
  1, 2, figsize=(9, 3.6), sharey=True, layout="constrained"
)
first = int(jnp.argmax(away(wild)))
grid = np.log10(np.asarray(heights).reshape(W.shape) + 1e-4)
for axis, paths, name in zip(
  axes, (wild, calm), ("as it is", "clipped to 0.3"), strict=True
):
  shown = axis.contourf(W, B, grid, 24, cmap="cividis")
  path = np.asarray(paths[first])
  axis.plot(*path.T, "o-", color="white", ms=2.5, lw=0.9)
  axis.plot(*path[0], "o", color="white", ms=8)
  axis.set(xlim=(3.5, 7), ylim=(-4, -1), xlabel="w", title=name)
axes[0].set_ylabel("b")
figure.colorbar(shown, label="log10 of the loss", ticks=[-4, -3, -2, -1])
plt.show()

# %% [markdown]
# Both walk down to the edge. The first is thrown back by the slope there and at
# last off the map; the second is pushed back a little and
# follows the edge to the valley. Clipping does nothing against vanishing: no
# factor would bring back what is not there.
#
# ### Exercise: clip it yourself
#
# Define `clip(grads, norm)` for a tree of arrays, as `optax` does it: *one*
# factor for all leaves, from the norm of all of them together. Why not one
# factor for each leaf?
#
# <details><summary>Solution</summary>
#
# ```python
# def clip(grads, norm):
#   total = jnp.sqrt(sum((g**2).sum() for g in jax.tree.leaves(grads)))
#   factor = jnp.minimum(1.0, norm / total)
#   return jax.tree.map(lambda g: factor * g, grads)
#
# # Leaves that are scaled differently point elsewhere: no longer downhill
# # by the steepest way.
# ```
#
# </details>

# %% tags=["exercise"]
clip = None  # yours

# %% tags=["check"]
if clip is not None:
  grads = jax.grad(loss)(params)
  for norm in (0.1, 100.0):
    expected, _ = optax.clip_by_global_norm(norm).update(grads, ())
    for own, theirs in zip(clip(grads, norm), expected, strict=True):
      np.testing.assert_allclose(own, theirs, rtol=1e-5)

# %% [markdown]
# ## Cut short: truncated back-propagation
#
# Where every step has a loss, the full gradient is a sum over pairs: the loss
# of step $t$, the use of the weights at step $k \le t$. For long sequences one
# keeps the near pairs. BPTT($k_1$, $k_2$) takes the losses in blocks of $k_1$
# steps, and goes back $k_2$ steps from the end of each block (Williams and Peng
# 1990). `truncated_unroll` gives the numbers of `unroll` and that gradient.

# %%
small = seqjax.Elman(8)
theta = small.init(jax.random.key(5), input_size=4)
x = jax.random.normal(jax.random.key(6), (16, 4))
pairs = jax.jit(  # [loss t, use k, 8, 8]
  jax.vmap(lambda t: gradients.bptt_terms(small, theta, x, of_step, at=t))
)(jnp.arange(16)).recurrent_kernel


def truncated(k1, k2):
  def loss(theta):
    _, y = seqjax.truncated_unroll(small, theta, x[None], k1=k1, k2=k2)
    return of_step(y).sum()

  return jax.grad(loss)(theta).recurrent_kernel


t, k = np.mgrid[:16, :16]
kept = lambda k1, k2: k > (t // k1 + 1) * k1 - 1 - k2
for k1, k2 in ((4, 4), (2, 8)):
  sums = pairs[kept(k1, k2)].sum(0)  # pairs with k > t are zero anyway
  np.testing.assert_allclose(truncated(k1, k2), sums, atol=1e-5)

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
sizes = np.log10(np.linalg.norm(pairs, axis=(2, 3)) + 1e-9)
for axis, (k1, k2) in zip(axes, ((16, 16), (4, 4), (2, 8)), strict=True):
  seen = np.where((k <= t) & kept(k1, k2), sizes, np.nan)
  axis.imshow(np.where(k <= t, 0.0, np.nan), cmap="Greys", vmin=-1, vmax=5)
  shown = axis.imshow(seen, cmap="viridis", vmin=-3, vmax=0.5)
  axis.set(xlabel="use k", title=f"$k_1$ = {k1}, $k_2$ = {k2}")
  axis.set(xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
axes[0].set(ylabel="loss t", title="full: $k_1 = k_2 = 16$")
figure.colorbar(shown, ax=axes, shrink=0.8, label="log10 of a pair's norm")
plt.show()

# %% [markdown]
# Each small square is a pair, grey ones are dropped (the first column is zero,
# as the first tile was). With $k_1 = k_2$ the
# sequence falls into windows: the first loss of a window has nothing behind it.
# With $k_2 > k_1$ every loss sees at least $k_2 - k_1 + 1$ steps. What is
# dropped is small where gradients vanish; it is also all that could have taught
# the network to look further back.

# %%
every = pairs.sum((0, 1))
missing = lambda k2: jnp.linalg.norm(truncated(2, k2) - every)
errors = {k2: missing(k2) / jnp.linalg.norm(every) for k2 in (2, 8, 16)}
for k2, error in errors.items():
  print(f"k1 = 2, k2 = {k2:2}: {error:.1%} of the gradient is missing")
assert errors[2] > 0.1
assert errors[8] < 0.2 * errors[2]
assert errors[16] < 1e-5

# %% [markdown]
# ## A list of cells, your own among them
#
# A cell of your own is a class with three methods, pure functions of its
# parameters. This one moves a little at each step (Jaeger et al. 2007 call it a
# leaky integrator):
#
# $$h_t = (1 - r)\,h_{t-1} + r \tanh(x_t W_x + h_{t-1} W_h)$$
#
# Its Jacobian is $(1 - r) I$ and something small: near 1 by construction.


# %%
class LeakyParams(NamedTuple):
  input_kernel: jax.Array
  recurrent_kernel: jax.Array


@dataclasses.dataclass(frozen=True)
class Leaky(seqjax.Cell):
  output_size: int
  rate: float = 0.1

  def init(self, key, input_size, dtype=jnp.float32):
    draw, size = jax.nn.initializers.orthogonal(), self.output_size
    key_x, key_h = jax.random.split(key)
    return LeakyParams(
      draw(key_x, (input_size, size), dtype), draw(key_h, (size, size), dtype)
    )

  def initial_carry(self, params, batch_shape=()):
    return ElmanCarry(jnp.zeros((*batch_shape, self.output_size)))

  def step(self, params, carry, inputs, *, key=None):
    W_x, W_h = params
    new = jnp.tanh(inputs @ W_x + carry.h @ W_h)
    h = (1 - self.rate) * carry.h + self.rate * new
    return ElmanCarry(h), h


# %% [markdown]
# `sweep.measure` draws parameters and inputs for three seeds and measures, for
# any cell, how much of the gradient of the last output arrives $k$ steps back,
# and how long the gradient of the parameters is for growing sequences.

# %%
cells = {
  "Elman tanh": seqjax.Elman(32),
  "Elman ReLU, identity": seqjax.Elman(
    32, activation="relu", recurrent_init="identity"
  ),
  "GRU": seqjax.GRU(32),
  "LSTM": seqjax.LSTM(32),
  "Leaky, my own": Leaky(32),
}
setting = {"seed": 0, "num_seeds": 3, "input_size": 8, "batch_size": 4}
setting |= {"lengths": (8, 32, 128, 256), "clip_norm": 10.0}
measured = {n: sweep.measure(cell, **setting) for n, cell in cells.items()}

rate, horizon = {}, {}
for name, found in measured.items():
  rate[name] = gradients.verdict(found.lag_norms).rate
  horizon[name] = gradients.memory_horizon(found.lag_norms)
  print(f"{name:21} x {rate[name]:.3f} a step, 1 % left: {horizon[name]} steps")

# %%
mean = gradients.geometric_mean
figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
show.over_lag(axis, {n: mean(m.lag_norms) for n, m in measured.items()})
axis.set(xscale="linear", xlim=(0, 256), ylim=(1e-8, 10))
plt.show()

assert horizon["GRU"] < horizon["LSTM"] < horizon["Leaky, my own"]
assert horizon["Elman tanh"] < horizon["LSTM"]
assert horizon["Elman ReLU, identity"] > 150
assert 0.9 < rate["Leaky, my own"] < 1

# %% [markdown]
# On these axes a factor per step is a straight line. The tanh network loses
# more than a quarter at each step. The gates of a GRU as it is initialised
# stand half open, the forget gate of an LSTM (its bias is 1) nearly three
# quarters. The identity with ReLU keeps nearly all; its curve ends where a
# sequence is met in which every unit has been at zero once, and nothing comes
# through. The cell of fifteen lines beats the gated ones *before training*;
# chapter 9 asks what that is worth.

# %%
curves = {
  name: (m.lengths[0], mean(m.total), mean(m.clipped))
  for name, m in ((n, found.over_length) for n, found in measured.items())
}
figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
show.over_length(axis, curves, clip_norm=10.0)
plt.show()

growth = {n: before[-1] / before[0] for n, (_, before, _) in curves.items()}
assert growth["Elman ReLU, identity"] > 50
assert all(growth[n] < 3 for n in ("Elman tanh", "GRU", "LSTM"))

# %% [markdown]
# The same thing seen from the parameters. Where the gradient vanishes, a longer
# sequence adds little: the sum is its last terms, the curve is flat, and one
# cannot tell from it that the far past has no say. Where nothing vanishes all
# terms count, and the norm grows with the length; the thin line is what
# clipping makes of it.
#
# ### Exercise: change the cell
#
# Let each unit have a rate of its own, from 1 (forgets at once) to 0.002
# (hardly moves). Define the class `Scales`, made from `Leaky`, so that more
# than 1 % of the gradient is left after 255 steps though the state still moves.
#
# <details><summary>Solution</summary>
#
# ```python
# class Scales(Leaky):
#   def step(self, params, carry, inputs, *, key=None):
#     W_x, W_h = params
#     rate = jnp.geomspace(1.0, 0.002, self.output_size)
#     new = jnp.tanh(inputs @ W_x + carry.h @ W_h)
#     h = (1 - rate) * carry.h + rate * new
#     return ElmanCarry(h), h
#
# # The fast units see what is new, the slow ones keep what was: a gate, which
# # the next chapter is about, lets the network choose the rate at each step.
# ```
#
# </details>

# %% tags=["exercise"]
Scales = None  # yours

# %% tags=["check"]
if Scales is not None:
  cell = Scales(32)
  weights = cell.init(jax.random.key(0), 8)
  x = jax.random.normal(jax.random.key(1), (4, 256, 8))
  norms = gradients.hidden_gradient_norms(
    cell, weights, x, lambda outputs: outputs.mean(-1)
  )
  assert gradients.memory_horizon(gradients.by_lag(norms.h)) == 256
  _, outputs = seqjax.unroll(cell, weights, x)
  assert jnp.abs(outputs[:, 1:] - outputs[:, :-1]).max() > 0.5
