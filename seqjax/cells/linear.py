"""Recurrences that are linear in the state, so that time runs in parallel.

Each has s_t = a_t * s_(t-1) + b_t, entry by entry, with a_t and b_t functions
of the input alone: see `linear_cell.LinearCell` and method "associative". What
they lose is that no gate sees the state; nonlinearity is left to the layers
between.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seqjax.cells import base, checks, initializers
from seqjax.cells.linear_cell import LinearCell


class LinearCarry(NamedTuple):
  h: jax.Array  # [*batch, hidden_size]


class _RealLinearCell[Params](LinearCell[Params, LinearCarry]):
  """The state is the carry's h, and it is the output."""

  hidden_size: int

  @property
  def output_size(self) -> int:
    return self.hidden_size

  def initial_carry(self, params: Any, batch_shape=()) -> LinearCarry:
    shape = (*batch_shape, self.hidden_size)
    return LinearCarry(jnp.zeros(shape, params.bias.dtype))

  def to_state(self, carry: LinearCarry) -> jax.Array:
    return carry.h

  def to_carry(self, state: jax.Array) -> LinearCarry:
    return LinearCarry(state)

  def readout(self, params, state, inputs) -> jax.Array:
    del params, inputs
    return state


class LinearRNNParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, hidden_size]
  decay: jax.Array  # [hidden_size]
  bias: jax.Array  # [hidden_size]


@dataclasses.dataclass(frozen=True)
class LinearRNN(_RealLinearCell[LinearRNNParams]):
  """The plain diagonal linear recurrence; the output is the new state.

    h_t = a * h_(t-1) + x_t W + b

  One real number a per unit, trained as it is (nothing keeps |a| below 1). The
  gradient over k steps is exactly a^k: the simplest cell that vanishes or
  explodes. Mozer 1989, "A focused backpropagation algorithm for temporal
  pattern recognition", section 3.

  Initialisation: W Glorot uniform, b zero, a uniform in [`min_decay`,
  `max_decay`]. PyTorch has no counterpart.

  Attributes:
    hidden_size: H.
    min_decay: lower end of the initial a.
    max_decay: upper end of the initial a.
    input_init: initialiser of W, see `initializers`.
    compute_dtype: dtype of the matrix product; None is the parameters'.

  Raises:
    ValueError: a size is not positive, a name is unknown, the ends are swapped.
  """

  hidden_size: int
  min_decay: float = 0.9
  max_decay: float = 0.999
  input_init: str = "glorot_uniform"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    initializers.check("input_init", self.input_init)
    if self.min_decay > self.max_decay:
      raise ValueError(
        f"min_decay is {self.min_decay}, expected at most max_decay,"
        f" {self.max_decay}"
      )

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> LinearRNNParams:
    base.check_size("input_size", input_size)
    key_x, key_a = jax.random.split(key)
    h = self.hidden_size
    return LinearRNNParams(
      initializers.packed_kernel(
        self.input_init, key_x, input_size, h, 1, dtype
      ),
      jax.random.uniform(key_a, (h,), dtype, self.min_decay, self.max_decay),
      jnp.zeros((h,), dtype),
    )

  def coefficients(self, params: LinearRNNParams, inputs: jax.Array):
    b = base.affine(
      inputs, params.input_kernel, params.bias, self.compute_dtype
    )
    return jnp.broadcast_to(base.align(params.decay, b), b.shape), b


CANDIDATES = {
  # Positive and without a bound above; slope 1 for x >= 0, so that gradients
  # pass (Feng et al. 2024, appendix B.3, there called g).
  "positive": lambda x: jnp.where(x >= 0, x + 0.5, jax.nn.sigmoid(x)),
  "linear": lambda x: x,
}


class MinGRUParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 2 * hidden_size]
  bias: jax.Array  # [2 * hidden_size]


@dataclasses.dataclass(frozen=True)
class MinGRU(_RealLinearCell[MinGRUParams]):
  """A GRU whose gate and candidate see the input only; the output is h_t.

    z_t = sigmoid(x_t W_z + b_z)
    n_t = g(x_t W_n + b_n)
    h_t = (1 - z_t) * h_(t-1) + z_t * n_t

  Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, "Were RNNs all we needed?",
  section 3.1. Packed in the order z, n. Here z_t is the share of the *new*
  state, as in that paper and against `GRU`.

  g is the identity ("linear") or the positive function of appendix B.3, with
  which the paper moves the recurrence into log space. Our parallel evaluation
  multiplies decays in (0, 1) and never divides by them, so it has no need of
  logarithms to be stable; 1 - z_t is taken as sigmoid of the negative
  pre-activation, exact however close z_t is to 1.

  Initialisation: W Glorot uniform, gate by gate; b zero. PyTorch has no
  counterpart.

  Attributes:
    hidden_size: H.
    candidate: g, "positive" or "linear".
    input_init: initialiser of each W gate, see `initializers`.
    compute_dtype: dtype of the matrix product; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  candidate: str = "positive"
  input_init: str = "glorot_uniform"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    base.check_choice("candidate", self.candidate, CANDIDATES)
    initializers.check("input_init", self.input_init)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> MinGRUParams:
    base.check_size("input_size", input_size)
    h = self.hidden_size
    return MinGRUParams(
      initializers.packed_kernel(self.input_init, key, input_size, h, 2, dtype),
      jnp.zeros((2 * h,), dtype),
    )

  @property
  def contracting(self) -> bool:
    return True

  def coefficients(self, params: MinGRUParams, inputs: jax.Array):
    z, n = jnp.split(
      base.affine(inputs, params.input_kernel, params.bias, self.compute_dtype),
      2,
      axis=-1,
    )
    candidate = CANDIDATES[self.candidate](n)
    return jax.nn.sigmoid(-z), jax.nn.sigmoid(z) * candidate


class MinLSTMParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 3 * hidden_size]
  bias: jax.Array  # [3 * hidden_size]


@dataclasses.dataclass(frozen=True)
class MinLSTM(_RealLinearCell[MinLSTMParams]):
  """An LSTM whose gates see the input only; the output is h_t.

    f_t = sigmoid(x_t W_f + b_f)
    i_t = sigmoid(x_t W_i + b_i)
    n_t = g(x_t W_n + b_n)
    h_t = f_t / (f_t + i_t) * h_(t-1) + i_t / (f_t + i_t) * n_t

  Feng et al. 2024 (see `MinGRU`), section 3.2. Packed in the order f, i, n.
  The shares are computed from log f_t - log i_t (appendix B): f / (f + i) is
  0 / 0 in float32 when both gates are shut, the difference of logarithms is
  not.

  Initialisation: W Glorot uniform, gate by gate; b zero except b_f =
  `forget_bias`. PyTorch has no counterpart.

  Attributes:
    hidden_size: H.
    forget_bias: initial value of b_f.
    candidate: g, "positive" or "linear".
    input_init: initialiser of each W gate, see `initializers`.
    compute_dtype: dtype of the matrix product; None is the parameters'.

  Raises:
    ValueError: a size is not positive or a name is unknown.
  """

  hidden_size: int
  forget_bias: float = 1.0
  candidate: str = "positive"
  input_init: str = "glorot_uniform"
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    base.check_choice("candidate", self.candidate, CANDIDATES)
    initializers.check("input_init", self.input_init)

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> MinLSTMParams:
    base.check_size("input_size", input_size)
    h = self.hidden_size
    return MinLSTMParams(
      initializers.packed_kernel(self.input_init, key, input_size, h, 3, dtype),
      jnp.zeros((3 * h,), dtype).at[:h].set(self.forget_bias),
    )

  @property
  def contracting(self) -> bool:
    return True

  def coefficients(self, params: MinLSTMParams, inputs: jax.Array):
    f, i, n = jnp.split(
      base.affine(inputs, params.input_kernel, params.bias, self.compute_dtype),
      3,
      axis=-1,
    )
    share = jax.nn.log_sigmoid(f) - jax.nn.log_sigmoid(i)
    candidate = CANDIDATES[self.candidate](n)
    return jax.nn.sigmoid(share), jax.nn.sigmoid(-share) * candidate


class LRUParams(NamedTuple):
  input_kernel: jax.Array  # [input_size, 2 * hidden_size]: real, imaginary
  output_kernel: jax.Array  # [2 * hidden_size, output_size]: real, imaginary
  skip_kernel: jax.Array  # [input_size, output_size]
  log_nu: jax.Array  # [hidden_size]
  log_theta: jax.Array  # [hidden_size]
  log_gamma: jax.Array  # [hidden_size]


class LRUCarry(NamedTuple):
  real: jax.Array  # [*batch, hidden_size]
  imaginary: jax.Array  # [*batch, hidden_size]


@dataclasses.dataclass(frozen=True)
class LRU(LinearCell[LRUParams, LRUCarry]):
  """The linear recurrent unit: a complex diagonal recurrence.

    lambda = exp(-exp(nu) + i exp(theta))           (so |lambda| < 1, always)
    s_t = lambda * s_(t-1) + exp(gamma) * (x_t B)   (complex, H entries)
    y_t = Re(s_t C) + x_t D

  Orvieto et al. 2023, "Resurrecting recurrent neural networks for long
  sequences", equations 6 to 8. The output is y_t; it is linear in the inputs, a
  nonlinear layer belongs on top. In the output kernel the rows of the imaginary
  part hold -Im(C).

  Initialisation (section 3 of the paper): lambda uniform on the ring between
  the radii `min_radius` and `max_radius`, phase in [0, `max_phase`];
  exp(gamma) = sqrt(1 - |lambda|^2), which keeps the state's variance near the
  input's; both parts of B of variance 1 / (2 input_size), of C 1 / H, D of
  1 / input_size (a vector in the paper, a matrix here: sizes may differ).
  PyTorch has no counterpart.

  Attributes:
    hidden_size: H, complex entries of the state.
    output_size: features of the output.
    min_radius: inner radius of the ring.
    max_radius: outer radius, below 1.
    max_phase: largest phase in radians; small favours long-range dependencies.
    compute_dtype: dtype of the matrix products; None is the parameters'.

  Raises:
    ValueError: a size is not positive; not 0 <= min_radius < max_radius < 1.
  """

  hidden_size: int
  output_size: int
  min_radius: float = 0.9
  max_radius: float = 0.999
  max_phase: float = 6.283185307179586
  compute_dtype: str | None = None

  def __post_init__(self):
    base.check_size("hidden_size", self.hidden_size)
    checks.check_compute_dtype(self.compute_dtype)
    base.check_size("output_size", self.output_size)
    if not 0 <= self.min_radius < self.max_radius < 1:
      raise ValueError(
        f"min_radius is {self.min_radius} and max_radius {self.max_radius},"
        " expected 0 <= min_radius < max_radius < 1"
      )

  def init(
    self, key: jax.Array, input_size: int, dtype: Any = jnp.float32
  ) -> LRUParams:
    base.check_size("input_size", input_size)
    radius, phase, key_b, key_c, key_d = jax.random.split(key, 5)
    h = self.hidden_size
    wide = base.wide(dtype)  # near 1 a radius of 16 bits is 1
    square = jax.random.uniform(
      radius,
      (h,),
      wide,
      minval=max(self.min_radius**2, 1e-6),  # log(0) is no radius
      maxval=self.max_radius**2,
    )
    angle = self.max_phase * jax.random.uniform(phase, (h,), wide, minval=1e-7)
    normal = lambda key, shape: jax.random.normal(key, shape, wide)
    params = LRUParams(
      normal(key_b, (input_size, 2 * h)) / math.sqrt(2 * input_size),
      normal(key_c, (2 * h, self.output_size)) / math.sqrt(h),
      normal(key_d, (input_size, self.output_size)) / math.sqrt(input_size),
      jnp.log(-0.5 * jnp.log(square)),
      jnp.log(angle),
      0.5 * jnp.log1p(-square),
    )
    return jax.tree.map(lambda p: p.astype(dtype), params)

  def initial_carry(self, params: LRUParams, batch_shape=()) -> LRUCarry:
    shape = (*batch_shape, self.hidden_size)
    dtype = params.log_nu.dtype
    return LRUCarry(jnp.zeros(shape, dtype), jnp.zeros(shape, dtype))

  def to_state(self, carry: LRUCarry) -> jax.Array:
    real, imaginary = (x.astype(base.wide(x.dtype)) for x in carry)
    return jax.lax.complex(real, imaginary)

  def to_carry(self, state: jax.Array) -> LRUCarry:
    return LRUCarry(state.real, state.imag)

  @property
  def contracting(self) -> bool:
    return True

  def coefficients(self, params: LRUParams, inputs: jax.Array):
    drive = base.matmul(inputs, params.input_kernel, self.compute_dtype)
    # XLA has no complex number of 16-bit parts.
    wide = lambda x: x.astype(base.wide(x.dtype))
    real, imaginary = jnp.split(wide(drive), 2, axis=-1)
    gamma = base.align(jnp.exp(wide(params.log_gamma)), real)
    b = jax.lax.complex(gamma * real, gamma * imaginary)
    decay = jnp.exp(-jnp.exp(wide(params.log_nu)))
    angle = jnp.exp(wide(params.log_theta))
    a = jax.lax.complex(decay * jnp.cos(angle), decay * jnp.sin(angle))
    return jnp.broadcast_to(base.align(a, b), b.shape), b

  def readout(self, params: LRUParams, state, inputs) -> jax.Array:
    parts = jnp.concatenate([state.real, state.imag], axis=-1)
    return base.matmul(
      parts, params.output_kernel, self.compute_dtype
    ) + base.matmul(inputs, params.skip_kernel, self.compute_dtype)
