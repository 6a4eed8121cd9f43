"""What all JAX peers share: loss, optimizer, compilation, timing."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec


class Model(NamedTuple):
  """Pure functions of explicit parameters."""

  init: Callable  # key -> params
  apply: Callable  # params, tokens [batch, time] -> logits
  carry: Callable | None = None  # params, batch size -> carry
  step: Callable | None = None  # params, carry, tokens [batch] -> carry, logits


class JaxRunner:
  """Measures one model in one case."""

  def __init__(self, case: dict, model: Model, devices: int = 1):
    self._case, self._model = case, model
    mesh = jax.make_mesh(
      (devices,),
      ("data",),
      (jax.sharding.AxisType.Auto,),
      devices=jax.devices()[:devices],
    )
    self._whole = NamedSharding(mesh, PartitionSpec())
    self._rows = NamedSharding(mesh, PartitionSpec("data"))
    self._wide = case["dtype"] == "float64"
    params = jax.jit(model.init)(jax.random.key(0))
    self._params = jax.device_put(params, self._whole)
    rng = np.random.default_rng(0)
    shape = 3, case["batch"], case["time"] + 1
    self._tokens = [
      jax.device_put(batch, self._rows)
      for batch in rng.integers(0, case["vocab"], shape, np.int32)
    ]
    self._optimizer = optax.chain(
      optax.clip_by_global_norm(1.0), optax.adam(2e-3)
    )

  def leaves(self) -> list[np.ndarray]:
    """The parameters before any step, in their own order."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(self._params)]

  def set_leaves(self, leaves: list[np.ndarray]) -> None:
    """Takes parameters over from a run in another dtype."""
    own, treedef = jax.tree.flatten(self._params)
    cast = [
      jax.device_put(jnp.asarray(new, old.dtype), self._whole)
      for new, old in zip(leaves, own, strict=True)
    ]
    self._params = treedef.unflatten(cast)

  def compile(self, kind: str) -> dict[str, Any]:
    """Compiles "train", "forward" or "stream"; seconds and temporaries."""
    function, args = getattr(self, f"_{kind}")()
    begin = time.perf_counter()
    jitted = jax.jit(function, donate_argnums=0 if kind == "train" else ())
    with jax.set_mesh(self._whole.mesh):
      self._compiled = jitted.lower(*args).compile()
    seconds = time.perf_counter() - begin
    self._kind, self._state = kind, args[0]
    analysis: Any = self._compiled.memory_analysis()
    return {
      "compile_s": seconds,
      "temp_bytes": analysis.temp_size_in_bytes,
      "parameters": sum(leaf.size for leaf in jax.tree.leaves(self._params)),
      "devices": self._whole.mesh.size,
    }

  def losses(self) -> list[float]:
    """Training losses of the first three steps."""
    state, values = self._first_state(), []
    for tokens in self._tokens:
      state, loss = self._compiled(state, tokens)
      values.append(float(loss))
    self._state = self._first_state()
    return values

  def time(self, steps: int) -> float:
    """Seconds a step, the device kept busy from step to step."""
    state = self._state
    begin = time.perf_counter()
    match self._kind:
      case "train":
        for _ in range(steps):
          state, _ = self._compiled(state, self._tokens[0])
        self._state = state
        jax.block_until_ready(state)
      case "forward":
        for _ in range(steps):
          jax.block_until_ready(self._compiled(state, self._tokens[0][:, :-1]))
      case "stream":
        params, carry = state
        tokens = self._tokens[0][:, 0]
        for _ in range(steps):
          carry, logits = self._compiled((params, carry), tokens)
          jax.block_until_ready(logits)
    return (time.perf_counter() - begin) / steps

  def _first_state(self):
    """Before any training step; a copy, for a step donates its state."""
    params = jax.tree.map(jnp.copy, self._params)
    return params, jax.device_put(self._optimizer.init(params), self._whole)

  def _train(self):
    def loss_fn(params, tokens):
      logits = self._model.apply(params, tokens[:, :-1])
      losses = optax.softmax_cross_entropy_with_integer_labels(
        logits.astype("float64" if self._wide else "float32"), tokens[:, 1:]
      )
      return losses.mean()

    def step(state, tokens):
      params, opt_state = state
      loss, grads = jax.value_and_grad(loss_fn)(params, tokens)
      updates, opt_state = self._optimizer.update(grads, opt_state, params)
      return (optax.apply_updates(params, updates), opt_state), loss

    return step, (self._first_state(), self._tokens[0])

  def _forward(self):
    return self._model.apply, (self._params, self._tokens[0][:, :-1])

  def _stream(self):
    step, carry = self._model.step, self._model.carry
    if step is None or carry is None:
      raise NotImplementedError("no streaming here")

    def one(state, tokens):
      return step(*state, tokens)

    first = carry(self._params, self._case["batch"])
    return one, ((self._params, first), self._tokens[0][:, 0])
