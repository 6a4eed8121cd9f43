"""Weights of `torch.nn.TransformerEncoderLayer` and `TransformerDecoderLayer`.

PyTorch is not imported: a state dict here is a dict of names to NumPy arrays,
as in `convert.torch`. What is converted are the params of one layer,
`layer.params.get_value()`. A whole `torch.nn.TransformerEncoder` is converted
layer by layer, `prefix="layers.0."` and so on, and its last norm is that of an
`nn.LayerNorm`, `prefix="norm."`.

PyTorch keeps kernels transposed, and queries, keys and values in one matrix
for both kinds of attention; ours has the queries of a memory on their own, for
they have other inputs. Its layers have no positions: where `options.positions`
is "rotary" the weights fit and the outputs differ. `norm_first` is norm "pre",
`gelu` the exact one.
"""

from collections.abc import Iterable, Mapping

import jax.numpy as jnp
import numpy as np

from seqjax.nn import LayerNorm, TransformerBlock
from seqjax.nn.layer_norm import NormParams
from seqjax.nn.transformer import (
  AttentionParams,
  BlockParams,
  CrossParams,
  FeedForwardParams,
)


def from_torch(
  layer: TransformerBlock | LayerNorm,
  state: Mapping[str, np.ndarray],
  *,
  prefix: str = "",
) -> BlockParams | NormParams:
  """Parameters of one layer.

  Args:
    layer: of the sizes of PyTorch's; with a `memory_size` it is a
      `TransformerDecoderLayer`, without one a `TransformerEncoderLayer`.
    state: the state dict; biases may be absent (`bias=False`).
    prefix: of the names: "", "layers.0.", "decoder.layers.1.", "norm.".

  Returns:
    What `layer.params.get_value()` would, with the weights of `state`.

  Raises:
    ValueError: a weight is missing or has the wrong shape; the layer has no
      counterpart in PyTorch.
  """
  values = {}
  for name, shape in _shapes(layer):
    entry = prefix + name
    if entry in state:
      values[name] = jnp.asarray(state[entry])
    elif name.endswith("bias"):
      values[name] = jnp.zeros(shape)
    else:
      raise ValueError(
        f"{entry} is not in the state dict, which has {', '.join(state)}"
      )
    if values[name].shape != shape:
      raise ValueError(
        f"{entry} is {values[name].shape}, expected {shape} for"
        f" {type(layer).__name__} of size {layer.output_size}"
      )

  def pair(name: str):
    """The kernel, transposed, and the bias."""
    kernel, bias = (name + end for end in ("weight", "bias"))
    return values[kernel].T, values[bias]

  norm = lambda name: NormParams(*pair(name))
  if isinstance(layer, LayerNorm):
    return norm("")
  own = AttentionParams(
    *pair("self_attn.in_proj_"), *pair("self_attn.out_proj.")
  )
  feed = FeedForwardParams(*pair("linear1."), *pair("linear2."))
  if not layer.memory_size:
    return BlockParams(own, feed, (norm("norm1."), norm("norm2.")))
  (query, memory), (query_bias, memory_bias) = (
    jnp.split(x, [layer.output_size], axis=-1)
    for x in pair("multihead_attn.in_proj_")
  )
  cross = CrossParams(
    *(query, query_bias, memory, memory_bias),
    *pair("multihead_attn.out_proj."),
  )
  norms = tuple(norm(f"norm{place}.") for place in (1, 2, 3))
  return BlockParams(own, feed, norms, cross)


def to_torch(
  layer: TransformerBlock | LayerNorm,
  params: BlockParams | NormParams,
  *,
  prefix: str = "",
) -> dict[str, np.ndarray]:
  """The state dict entries of one layer, NumPy arrays.

  Args:
    layer: as for `from_torch`.
    params: its parameters.
    prefix: as for `from_torch`.

  Raises:
    ValueError: the layer has no counterpart in PyTorch.
  """
  shapes = _shapes(layer)
  if isinstance(params, NormParams):
    found = [*params]
  else:
    own, feed, norms, cross = params
    found = [*own]
    if cross is not None:
      kernels = cross.query_kernel, cross.memory_kernel
      biases = cross.query_bias, cross.memory_bias
      found += [np.concatenate(both, -1) for both in (kernels, biases)]
      found += [cross.output_kernel, cross.output_bias]
    found += [*feed, *(leaf for norm in norms for leaf in norm)]
  return {
    prefix + name: np.ascontiguousarray(np.asarray(value).T)
    for (name, _), value in zip(shapes, found, strict=True)
  }


def _shapes(
  layer: TransformerBlock | LayerNorm,
) -> Iterable[tuple[str, tuple[int, ...]]]:
  """PyTorch's names and shapes, in the order of its state dict."""
  size = layer.output_size
  if isinstance(layer, LayerNorm):
    return [("weight", (size,)), ("bias", (size,))]
  memory = layer.memory_size
  if memory not in (0, size):
    raise ValueError(
      f"memory_size is {memory}, expected {size}, the size, as PyTorch's"
      " decoder layers have it"
    )
  inner = layer.options.feed_forward or 4 * size
  parts = ["self_attn"] + ["multihead_attn"] * (memory > 0)
  kernels = {}
  for part in parts:
    kernels[f"{part}.in_proj_"] = (3 * size, size)
    kernels[f"{part}.out_proj."] = (size, size)
  kernels |= {"linear1.": (inner, size), "linear2.": (size, inner)}
  kernels |= {f"norm{place + 1}.": (size,) for place in range(1 + len(parts))}
  return [
    (name + end, shape if end == "weight" else shape[:1])
    for name, shape in kernels.items()
    for end in ("weight", "bias")
  ]
