"""Writes transformer.npz: what PyTorch's Transformer layers compute.

Run with PyTorch installed, outside of the project's environment:

  python tests/goldens/make_transformer.py

Random weights, biases and norms (none zero or one), two heads, rows of ragged
length, and for decoders a memory of another length with rows of its own
lengths; outputs and all gradients of a loss in which every output of a valid
step has a weight of its own. In float64, no dropout.

The layout, under names with a slash:

  lengths, memory_lengths             valid steps of the rows
  inputs, memory, loss                [B, T, D], [B, S, D], [B, T, D]
  KIND/params/NAME                    state dict of attention, encoder, decoder
                                      or stack; the same in all cases of a kind
  KIND/CASE/outputs                   zero where a row has ended
  KIND/CASE/inputs.grad, memory.grad
  KIND/CASE/grads/NAME

CASE is NORM/ACTIVATION/SEES: norm "pre" or "post", activation "relu", "gelu" or
"gelu_tanh", and who is seen, "causal" or "both" (sides). Attention on its own
has SEES alone. A stack is two encoder layers, and with "pre" a norm behind.
"""

import pathlib

import numpy as np
import torch

B, T, S, D, HEADS, INNER = 3, 5, 4, 8, 2, 6
LENGTHS, MEMORY_LENGTHS = [5, 2, 4], [3, 4, 1]
ACTIVATIONS = {
  "relu": "relu",
  "gelu": "gelu",
  "gelu_tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
}
CASES = {
  "attention": ["causal", "both"],
  "encoder": [
    f"{norm}/{rest}"
    for norm in ("pre", "post")
    for rest in ("relu/both", "relu/causal", "gelu/causal", "gelu_tanh/causal")
  ],
  "decoder": ["pre/gelu/causal", "post/relu/causal"],
  "stack": ["pre/gelu/causal", "post/relu/both"],
}


def build(kind: str, norm: str, activation: str) -> torch.nn.Module:
  if kind == "attention":
    return torch.nn.MultiheadAttention(D, HEADS, batch_first=True)
  name = "DecoderLayer" if kind == "decoder" else "EncoderLayer"
  layer = getattr(torch.nn, f"Transformer{name}")(
    D,
    HEADS,
    INNER,
    dropout=0.0,
    activation=ACTIVATIONS[activation],
    batch_first=True,
    norm_first=norm == "pre",
  )
  if kind != "stack":
    return layer
  last = torch.nn.LayerNorm(D) if norm == "pre" else None
  return torch.nn.TransformerEncoder(
    layer, 2, norm=last, enable_nested_tensor=False
  )


def run(kind: str, module, x, memory, sees: str) -> torch.Tensor:
  """The outputs; in PyTorch's masks True is hidden."""
  absent = torch.arange(T) >= torch.tensor(LENGTHS)[:, None]
  future = torch.ones(T, T, dtype=torch.bool).triu(1)
  future = future if sees == "causal" else None
  if kind == "attention":
    return module(x, x, x, key_padding_mask=absent, attn_mask=future)[0]
  if kind == "decoder":
    return module(
      x,
      memory,
      tgt_mask=future,
      tgt_key_padding_mask=absent,
      memory_key_padding_mask=torch.arange(S)
      >= torch.tensor(MEMORY_LENGTHS)[:, None],
    )
  masks = {"mask" if kind == "stack" else "src_mask": future}
  return module(x, **masks, src_key_padding_mask=absent)


def main():
  rng = np.random.default_rng(0)
  draw = lambda *shape: torch.tensor(rng.normal(size=shape))
  valid = torch.arange(T) < torch.tensor(LENGTHS)[:, None]
  x, memory = draw(B, T, D), draw(B, S, D)
  loss = draw(B, T, D) * valid[..., None]
  arrays = {
    "lengths": np.array(LENGTHS, np.int32),
    "memory_lengths": np.array(MEMORY_LENGTHS, np.int32),
    **{"inputs": x, "memory": memory, "loss": loss},
  }
  for kind, cases in CASES.items():
    state = build(kind, "pre", "relu").state_dict()
    state = {k: 0.5 * draw(*v.shape) for k, v in state.items()}
    arrays |= {f"{kind}/params/{k}": v for k, v in state.items()}
    for name in cases:
      *options, sees = name.split("/")
      module = build(kind, *options or ("", "")).to(torch.float64)
      module.load_state_dict(
        {key: state[key] for key in module.state_dict()}, strict=True
      )
      inputs, source = (a.clone().requires_grad_() for a in (x, memory))
      outputs = run(kind, module, inputs, source, sees)
      (loss * outputs).sum().backward()
      case = {"outputs": outputs * valid[..., None], "inputs.grad": inputs.grad}
      if kind == "decoder":
        case["memory.grad"] = source.grad
      for key, parameter in module.named_parameters():
        case[f"grads/{key}"] = parameter.grad
      arrays |= {f"{kind}/{name}/{key}": a for key, a in case.items()}
  path = pathlib.Path(__file__).with_name("transformer.npz")
  arrays = {
    key: a.detach().numpy() if torch.is_tensor(a) else a
    for key, a in arrays.items()
  }
  np.savez_compressed(path, **arrays)
  print(path, path.stat().st_size, "bytes, torch", torch.__version__)


if __name__ == "__main__":
  main()
