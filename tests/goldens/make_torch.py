"""Writes torch.npz: what PyTorch computes, for convert and cell tests.

Run with PyTorch installed, outside of the project's environment:

  python tests/goldens/make_torch.py

Random weights and biases (none zero), 1 to 3 layers, one or two directions,
packed rows of ragged length; outputs, final states and all gradients of a loss
in which every output and every final state has a weight of its own.
"""

import pathlib

import numpy as np
import torch

B, T, D, H = 3, 6, 4, 5
LENGTHS = [6, 2, 4]


def build(kind: str, layers: int, both: bool) -> torch.nn.Module:
  options = {
    "num_layers": layers,
    "bidirectional": both,
    "batch_first": True,
  }
  if kind == "lstm":
    return torch.nn.LSTM(D, H, **options)
  if kind == "lstm_proj":
    return torch.nn.LSTM(D, H, proj_size=3, **options)
  if kind == "gru":
    return torch.nn.GRU(D, H, **options)
  return torch.nn.RNN(D, H, nonlinearity=kind.split("_")[1], **options)


def weights_of_loss(rng, *arrays):
  return [torch.tensor(rng.normal(size=a.shape), dtype=a.dtype) for a in arrays]


def main():
  arrays = {"lengths": np.array(LENGTHS, np.int32)}
  # In the order in which they came: the place is the seed.
  kinds = ("elman_tanh", "elman_relu", "lstm", "gru", "lstm_proj")
  for seed, (kind, layers, both) in enumerate(
    (k, n, b) for k in kinds for n in (1, 2, 3) for b in (False, True)
  ):
    rng = np.random.default_rng(seed)
    module = build(kind, layers, both)
    for parameter in module.parameters():
      values = rng.normal(0, 0.4, tuple(parameter.shape))
      parameter.data = torch.tensor(values, dtype=torch.float32)
    x = torch.tensor(rng.normal(size=(B, T, D)), dtype=torch.float32)
    x.requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(
      x, LENGTHS, batch_first=True, enforce_sorted=False
    )
    packed_outputs, state = module(packed)
    outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(
      packed_outputs, batch_first=True, total_length=T
    )
    states = state if isinstance(state, tuple) else (state,)
    weights = weights_of_loss(rng, outputs, *states)
    pairs = zip(weights, (outputs, *states), strict=True)
    sum((w * a).sum() for w, a in pairs).backward()
    name = f"{kind}/{layers}/{'both' if both else 'one'}"
    case = {"inputs": x, "outputs": outputs, "inputs.grad": x.grad}
    for index, (s, w) in enumerate(zip(states, weights[1:], strict=True)):
      case[f"state{index}"] = s
      case[f"loss.state{index}"] = w
    case["loss.outputs"] = weights[0]
    for parameter_name, parameter in module.named_parameters():
      case[f"params/{parameter_name}"] = parameter
      case[f"grads/{parameter_name}"] = parameter.grad
    for key, value in case.items():
      arrays[f"{name}/{key}"] = value.detach().numpy()
  path = pathlib.Path(__file__).with_name("torch.npz")
  np.savez_compressed(path, **arrays)
  print(path, path.stat().st_size, "bytes, torch", torch.__version__)


if __name__ == "__main__":
  main()
