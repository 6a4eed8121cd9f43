"""PyTorch: `nn.LSTM`, `nn.GRU`, `nn.RNN`, eager: its own kernels, or cuDNN's.

On a GPU where there is one; the GPT beside it likewise.
"""

import time

import numpy as np
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "elman": torch.nn.RNN}


class Network(torch.nn.Module):
  def __init__(self, case):
    super().__init__()
    size = case["hidden_size"]
    self.embed = torch.nn.Embedding(case["vocab"], size)
    self.rnn = CELLS[case["cell"]](
      size, size, case["num_layers"], batch_first=True
    )
    self.head = torch.nn.Linear(size, case["vocab"])

  def forward(self, tokens, carry=None):
    x, carry = self.rnn(self.embed(tokens), carry)
    return self.head(x), carry


class Runner:
  """See `runner.JaxRunner`."""

  network: type[torch.nn.Module] = Network

  def __init__(self, case):
    torch.manual_seed(0)
    self._case = case
    wide = case["dtype"] == "float64"
    self._network = self.network(case).to(
      DEVICE, torch.float64 if wide else torch.float32
    )
    self._autocast = torch.autocast(
      DEVICE, torch.bfloat16, enabled=case["dtype"] == "bfloat16"
    )
    rng = np.random.default_rng(0)
    shape = 3, case["batch"], case["time"] + 1
    tokens = rng.integers(0, case["vocab"], shape, np.int32)
    self._tokens = torch.from_numpy(tokens.astype(np.int64)).to(DEVICE)
    self._start = [p.detach().clone() for p in self._network.parameters()]
    self._reset()

  def _reset(self):
    with torch.no_grad():
      for p, start in zip(self._network.parameters(), self._start, strict=True):
        p.copy_(start)
    self._adam = torch.optim.Adam(self._network.parameters(), lr=2e-3)

  def leaves(self):
    return [p.cpu().numpy() for p in self._start]

  def set_leaves(self, leaves):
    self._start = [
      torch.from_numpy(new).to(DEVICE, old.dtype)
      for new, old in zip(leaves, self._start, strict=True)
    ]
    self._reset()

  def compile(self, kind):
    self._kind, self._carry = kind, None
    begin = time.perf_counter()
    self.time(1)  # nothing to compile, but the first call allocates
    seconds = time.perf_counter() - begin
    self._reset()
    return {
      "compile_s": seconds,
      "temp_bytes": None,
      "parameters": sum(p.numel() for p in self._network.parameters()),
      "devices": 1,
    }

  def losses(self):
    self._reset()
    values = [self._train(tokens).item() for tokens in self._tokens]
    self._reset()
    return values

  def _train(self, tokens):
    with self._autocast:
      logits, _ = self._network(tokens[:, :-1])
    loss = torch.nn.functional.cross_entropy(
      logits.flatten(0, 1).to(self._start[0].dtype), tokens[:, 1:].flatten()
    )
    self._adam.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
    self._adam.step()
    return loss.detach()

  def time(self, steps):
    begin = time.perf_counter()
    tokens = self._tokens[0]
    if self._kind == "train":
      for _ in range(steps):
        self._train(tokens)
    else:
      with torch.inference_mode(), self._autocast:
        for _ in range(steps):
          if self._kind == "forward":
            self._network(tokens[:, :-1])
          else:
            _, self._carry = self._network(tokens[:, :1], self._carry)
    if DEVICE == "cuda":
      torch.cuda.synchronize()
    return (time.perf_counter() - begin) / steps
