"""Jacobians of the state: single steps, their products, Lyapunov exponents."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from numpy.typing import NDArray

from seqjax.cells import base


def flat_step[Params, Carry](
  cell: base.Cell[Params, Carry], params: Params, carry: Carry
) -> tuple[Callable[[jax.Array, jax.Array], jax.Array], jax.Array]:
  """`(f, state)`: the step as a function of the flat state and one input.

  The state is all leaves of the carry in one vector `[N]`, in their order.
  """
  state, unravel = ravel_pytree(carry)

  def f(state, x):
    new, _ = cell.step(params, unravel(state), x)
    return ravel_pytree(new)[0].astype(state.dtype)

  return f, state


def step_jacobians[Params, Carry](
  cell: base.Cell[Params, Carry],
  params: Params,
  inputs: jax.Array,
  carry: Carry | None = None,
) -> jax.Array:
  """ds_t/ds_(t-1) at every step of one sequence.

  Args:
    cell: what to run; for an LSTM the state s is (h, c), for a `Stack` that of
      all layers.
    params: its parameters.
    inputs: `[time, features]`; `jax.vmap` for a batch.
    carry: what the sequence starts from; default the cell's own.

  Returns:
    `[time, N, N]`, row the new state, column the old one.
  """
  carry = cell.initial_carry(params) if carry is None else carry
  f, state = flat_step(cell, params, carry)

  def body(state, x):
    return f(state, x), jax.jacfwd(f)(state, x)

  return lax.scan(body, state, inputs)[1]


def products(jacobians: jax.Array) -> jax.Array:
  """ds_T/ds_(T-k) for every lag k: products of the last k step Jacobians.

    ds_T/ds_(T-k) = J_T J_(T-1) ... J_(T-k+1)

  Args:
    jacobians: `[time, N, N]`.

  Returns:
    `[time + 1, N, N]`, entry k for lag k; entry 0 is the identity.
  """
  identity = jnp.eye(jacobians.shape[-1], dtype=jacobians.dtype)

  def body(product, jacobian):
    product = product @ jacobian
    return product, product

  _, rest = lax.scan(body, identity, jacobians, reverse=True)
  return jnp.concatenate([identity[None], rest[::-1]])


def singular_values(matrices: jax.Array) -> jax.Array:
  """Singular values `[..., N]`, largest first: exact, for small states."""
  return jnp.linalg.svd(matrices, compute_uv=False)


def product_singular_values[Params, Carry](
  cell: base.Cell[Params, Carry],
  params: Params,
  inputs: jax.Array,
  *,
  key: jax.Array,
  count: int = 1,
  carry: Carry | None = None,
  iterations: int = 30,
) -> jax.Array:
  """The largest singular values of ds_T/ds_0 without the matrix.

  For large states: Lanczos bidiagonalisation (Golub and Kahan 1965; Golub and
  Van Loan, "Matrix computations", section 10.4), one JVP and one VJP of the
  whole run an iteration. The right vectors are kept orthogonal to all before,
  twice over, which is enough for both sides (Simon and Zha 2000).

  Args:
    cell: what to run.
    params: its parameters.
    inputs: `[time, features]`.
    key: draws the first vector.
    count: how many, from the largest.
    carry: what the sequence starts from; default the cell's own.
    iterations: how many; the largest values are right first, as many
      iterations as the state has entries give all. Memory is one state each.

  Returns:
    `[count]`, largest first; the first is the spectral norm.

  Raises:
    ValueError: `count` is less than 1 or more than there are iterations or
      entries of the state.
  """
  carry = cell.initial_carry(params) if carry is None else carry
  f, state = flat_step(cell, params, carry)
  iterations = min(iterations, state.size)
  if not 1 <= count <= iterations:
    raise ValueError(
      f"count is {count}, expected 1 to {iterations}, the smaller of iterations"
      " and the state's size"
    )
  last = lambda state: lax.scan(lambda s, x: (f(s, x), None), state, inputs)[0]
  _, jvp = jax.linearize(last, state)
  vjp = jax.linear_transpose(jvp, state)

  def unit(v, largest):
    """`(v / |v|, |v|)`, zeros where only rounding is left: all is found."""
    norm = jnp.linalg.norm(v)
    some = norm > state.size * jnp.finfo(v.dtype).eps * largest
    return (
      jnp.where(some, v / jnp.where(some, norm, 1), 0),
      jnp.where(some, norm, 0),
    )

  def body(loop, index):
    v, u, beta, rights, largest = loop
    rights = rights.at[index].set(v)
    u, alpha = unit(jvp(v) - beta * u, largest)
    w = vjp(u)[0]
    for _ in range(2):
      w = w - rights.T @ (rights @ w)
    largest = jnp.maximum(largest, alpha)
    w, beta = unit(w, largest)
    return (w, u, beta, rights, largest), (alpha, beta)

  zero = jnp.zeros((), state.dtype)
  v, _ = unit(jax.random.normal(key, state.shape, state.dtype), zero)
  rights = jnp.zeros((iterations, state.size), state.dtype)
  start = v, jnp.zeros_like(v), zero, rights, zero
  _, (alphas, betas) = lax.scan(body, start, jnp.arange(iterations))
  bidiagonal = jnp.diag(alphas) + jnp.diag(betas[:-1], 1)
  return jnp.linalg.svd(bidiagonal, compute_uv=False)[:count]


def lyapunov_exponents[Params, Carry](
  cell: base.Cell[Params, Carry],
  params: Params,
  inputs: jax.Array,
  *,
  carry: Carry | None = None,
  count: int | None = None,
  skip: int = 0,
) -> jax.Array:
  """Finite-time Lyapunov exponents along one trajectory, per step.

    lambda_i = 1 / T sum over t of log R_ii(t),  Q_t R_t = J_t Q_(t-1)

  Benettin et al. 1980, by QR; for recurrent networks Engelken, Wolf, Abbott
  2023, "Lyapunov spectra of chaotic recurrent neural networks", and Vogt et al.
  2022. A positive largest one is chaos and exploding gradients; all below zero
  is forgetting at the rate of the largest.

  Args:
    cell: what to run.
    params: its parameters.
    inputs: `[time, features]`.
    carry: what the sequence starts from; default the cell's own.
    count: how many, from the largest; default all N.
    skip: steps at the start that are run but not counted.

  Returns:
    `[count]` in 1/step, largest first up to the error of a finite time.
  """
  carry = cell.initial_carry(params) if carry is None else carry
  f, state = flat_step(cell, params, carry)
  size = state.shape[0]
  count = size if count is None else count
  if not 0 < count <= size:
    raise ValueError(
      f"count is {count}, expected 1 to {size}, the state's size"
    )
  # Any frame will do but one along the axes: units may not see each other.
  frame = jax.random.normal(jax.random.key(0), (size, count), state.dtype)
  q, _ = jnp.linalg.qr(frame)

  def body(loop, x):
    state, q = loop
    columns = jax.vmap(
      lambda v: jax.jvp(lambda s: f(s, x), (state,), (v,))[1], 1, 1
    )(q)
    q, r = jnp.linalg.qr(columns)
    return (f(state, x), q), jnp.log(jnp.abs(jnp.diagonal(r)))

  _, logs = lax.scan(body, (state, q), inputs)
  return logs[skip:].mean(axis=0)


def spectral_radius(
  recurrent_kernel: jax.Array, gates: int = 1
) -> NDArray[Any]:
  """The largest modulus of the eigenvalues of each gate's recurrent kernel.

  Args:
    recurrent_kernel: `[hidden_size, gates * hidden_size]`.
    gates: how many gates lie side by side.

  Returns:
    `[gates]`, computed on the host.
  """
  parts = np.split(np.asarray(recurrent_kernel), gates, axis=-1)
  return np.array([np.abs(np.linalg.eigvals(part)).max() for part in parts])
