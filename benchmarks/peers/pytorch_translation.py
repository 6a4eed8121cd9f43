"""PyTorch: `nn.GRU` reads, `nn.GRUCell`s with attention write, eager.

What needs no state is done for all steps at once: the keys, the embeddings, and
everything from the decoder's states to the loss. Tried and slower on two cores:
a packed bidirectional `nn.GRU` (by 5 %), Adam without `fused` (by 4 %).
"""

import time

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers import translation_batches

START = 2


class Network(nn.Module):
  def __init__(self, case):
    super().__init__()
    size, embed_size = case["hidden_size"], case["embed_size"]
    self.rates = case["dropout"]
    self.embed = nn.Embedding(case["vocab"], embed_size, padding_idx=0)
    nn.init.normal_(self.embed.weight, std=embed_size**-0.5)
    self.forwards = nn.GRU(embed_size, size, batch_first=True)
    self.backwards = nn.GRU(embed_size, size, batch_first=True)
    self.bridge = nn.Linear(2 * size, size)
    self.first = nn.GRUCell(embed_size, size)
    self.second = nn.GRUCell(2 * size, size)
    self.keys = nn.Linear(2 * size, size)
    self.query = nn.Linear(size, size, bias=False)
    self.vector = nn.Linear(size, 1, bias=False)
    self.bottleneck = nn.Linear(size + 2 * size + embed_size, embed_size)
    self.bias = nn.Parameter(torch.zeros(case["vocab"]))

  def forward(self, batch):
    """The logits `[batch, target, vocab]`."""
    sources, lengths, targets, _ = batch
    memory = self.read(self.drop(self.embed(sources), 0), lengths)
    memory = self.drop(memory, 1)
    valid = (sources != 0)[:, :, None]
    mean = (memory * valid).sum(1) / lengths[:, None]
    keys = self.keys(memory)
    absent = torch.zeros(valid.shape).masked_fill(~valid, -torch.inf)
    state = torch.tanh(self.bridge(mean))
    before = F.pad(targets[:, :-1], (1, 0), value=START)
    inputs = self.drop(self.embed(before), 0)
    states, contexts = [], []
    for x in inputs.unbind(1):
      state = self.first(x, state)
      query = self.query(state)[:, None]
      scores = self.vector(torch.tanh(query + keys)) + absent
      weights = torch.softmax(scores, 1).transpose(1, 2)
      context = torch.bmm(weights, memory)[:, 0]
      state = self.second(context, state)
      states.append(state)
      contexts.append(context)
    outputs = torch.stack(states, 1), torch.stack(contexts, 1), inputs
    outputs = torch.tanh(self.bottleneck(torch.cat(outputs, -1)))
    return F.linear(self.drop(outputs, 2), self.embed.weight, self.bias)

  def read(self, inputs, lengths):
    """What both directions say, `[batch, source, 2 * hidden_size]`."""
    positions = torch.arange(inputs.shape[1])
    mirrored = lengths[:, None] - 1 - positions
    mirrored = torch.where(mirrored < 0, positions, mirrored)[:, :, None]
    turn = lambda x: x.gather(1, mirrored.expand_as(x))
    outputs, _ = self.forwards(inputs)
    turned, _ = self.backwards(turn(inputs))
    return torch.cat([outputs, turn(turned)], -1)

  def drop(self, x, which):
    """One mask for all steps of a row."""
    mask = torch.ones(x.shape[0], 1, x.shape[2])
    return x * F.dropout(mask, self.rates[which])


class Runner:
  """See `runner.JaxRunner`; a step is a pass over all batches."""

  def __init__(self, case):
    torch.manual_seed(0)
    self._network = Network(case)
    self._smoothing = case["label_smoothing"]
    self._adam = torch.optim.Adam(
      self._network.parameters(), lr=5e-4, fused=True
    )
    self._batches = [
      [torch.from_numpy(array).long() for array in _shortest(batch)]
      for batch in translation_batches.batches(case)
    ]

  def compile(self, kind):
    del kind  # it trains
    begin = time.perf_counter()
    self.time(1)  # nothing to compile, but the first call allocates
    return {
      "compile_s": time.perf_counter() - begin,
      "temp_bytes": None,
      "parameters": sum(p.numel() for p in self._network.parameters()),
      "devices": 1,
    }

  def leaves(self):
    raise NotImplementedError("dropout is drawn by each library's own rule")

  def _train(self, batch):
    loss = F.cross_entropy(
      self._network(batch).flatten(0, 1),
      batch[2].flatten(),
      ignore_index=0,
      label_smoothing=self._smoothing,
    )
    self._adam.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
    self._adam.step()
    return loss.detach()

  def time(self, steps):
    begin = time.perf_counter()
    for _ in range(steps):
      for batch in self._batches:
        self._train(batch)
    return (time.perf_counter() - begin) / steps


def _shortest(batch):
  """Padded to the longest of the batch: nothing is compiled for a shape."""
  sources, source_lengths, targets, target_lengths = batch
  return (
    sources[:, : source_lengths.max()],
    source_lengths,
    targets[:, : target_lengths.max()],
    target_lengths,
  )
