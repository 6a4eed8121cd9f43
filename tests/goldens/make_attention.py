"""Writes attention.npz: what PyTorch's multi-head attention computes.

Run with PyTorch installed, outside of the project's environment:

  python tests/goldens/make_attention.py

Random weights and biases (none zero), two heads, sources of ragged length;
outputs, the weights of every head and all gradients of a loss in which every
output and every mean weight of the heads has a weight of its own. In float64.
"""

import pathlib

import numpy as np
import torch

B, T, S, E, HEADS = 3, 4, 5, 8, 2
LENGTHS = [5, 2, 3]
# Features of keys and of values; with one number both are the same memory.
CASES = {"same": (E,), "memory": (6,), "apart": (5, 6)}


def main():
  arrays = {"lengths": np.array(LENGTHS, np.int32)}
  absent = torch.arange(S) >= torch.tensor(LENGTHS)[:, None]
  for seed, (name, sizes) in enumerate(CASES.items()):
    rng = np.random.default_rng(seed)
    draw = lambda shape, rng=rng: torch.tensor(rng.normal(size=tuple(shape)))
    module = torch.nn.MultiheadAttention(
      E, HEADS, kdim=sizes[0], vdim=sizes[-1], batch_first=True
    ).to(torch.float64)
    for parameter in module.parameters():
      parameter.data = 0.5 * draw(parameter.shape)
    inputs = {"queries": draw((B, T, E)), "keys": draw((B, S, sizes[0]))}
    if len(sizes) > 1:
      inputs["values"] = draw((B, S, sizes[1]))
    for array in inputs.values():
      array.requires_grad_()
    outputs, weights = module(
      inputs["queries"],
      inputs["keys"],
      inputs.get("values", inputs["keys"]),
      key_padding_mask=absent,
      average_attn_weights=False,
    )
    told = {"outputs": outputs, "weights": weights.mean(1)}
    losses = {f"loss.{key}": draw(a.shape) for key, a in told.items()}
    sum((losses[f"loss.{key}"] * a).sum() for key, a in told.items()).backward()
    case = {"outputs": outputs, "weights": weights}
    case |= losses | inputs
    case |= {f"{key}.grad": array.grad for key, array in inputs.items()}
    for parameter_name, parameter in module.named_parameters():
      case[f"params/{parameter_name}"] = parameter
      case[f"grads/{parameter_name}"] = parameter.grad
    for key, value in case.items():
      arrays[f"{name}/{key}"] = value.detach().numpy()
  path = pathlib.Path(__file__).with_name("attention.npz")
  np.savez_compressed(path, **arrays)
  print(path, path.stat().st_size, "bytes, torch", torch.__version__)


if __name__ == "__main__":
  main()
