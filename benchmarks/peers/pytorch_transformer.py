"""PyTorch: `nn.TransformerEncoder` as a GPT, eager; a cached loop generates.

A mask of future steps and `is_causal` together choose the fused causal kernel;
AdamW is the fused one. The cached loop is written out, for the library's layers
keep no cache: keys and values lie in arrays made once, and each step looks at
those that are filled.
"""

import time

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.peers import pytorch


class Network(nn.Module):
  def __init__(self, case):
    super().__init__()
    size, steps = case["hidden_size"], case["time"]
    self.heads = case["heads"]
    self.embed = nn.Embedding(case["vocab"], size)
    self.positions = nn.Embedding(steps, size)
    layer = nn.TransformerEncoderLayer(
      size,
      self.heads,
      4 * size,
      dropout=0.0,
      activation="gelu",
      batch_first=True,
      norm_first=True,
    )
    self.blocks = nn.TransformerEncoder(
      layer, case["num_layers"], nn.LayerNorm(size), enable_nested_tensor=False
    )
    self.head = nn.Linear(size, case["vocab"])
    future = nn.Transformer.generate_square_subsequent_mask(steps)
    self.register_buffer("future", future, persistent=False)

  def forward(self, tokens, carry=None):
    steps = tokens.shape[1]
    x = self.embed(tokens) + self.positions.weight[:steps]
    future = self.future[:steps, :steps]
    return self.head(self.blocks(x, mask=future, is_causal=True)), carry

  def step(self, cache, position, tokens):
    """Logits `[batch, vocab]` of one token a row; writes to the cache.

    Args:
      cache: keys and values `[layers, 2, batch, heads, time, d]`.
      position: of the tokens.
      tokens: `[batch]`.
    """
    x = self.embed(tokens) + self.positions.weight[position]
    for block, own in zip(self.blocks.layers, cache, strict=True):
      attention = block.self_attn
      parts = F.linear(
        block.norm1(x), attention.in_proj_weight, attention.in_proj_bias
      ).view(len(x), 3, self.heads, 1, -1)
      own[:, :, :, position] = parts[:, 1:, :, 0].transpose(0, 1)
      keys, values = own[:, :, :, : position + 1]
      context = F.scaled_dot_product_attention(parts[:, 0], keys, values)
      x = x + attention.out_proj(context.reshape(x.shape))
      x = x + block.linear2(F.gelu(block.linear1(block.norm2(x))))
    return self.head(self.blocks.norm(x))

  def generate(self, tokens, length):
    """`[batch, length]`, drawn after `tokens` `[batch]`."""
    block = self.blocks.layers[0]
    size = block.linear1.in_features
    shape = 2, len(tokens), self.heads, length + 1, size // self.heads
    cache = torch.empty(len(self.blocks.layers), *shape, device=tokens.device)
    written = []
    for position in range(length):
      probabilities = self.step(cache, position, tokens).softmax(-1)
      tokens = torch.multinomial(probabilities, 1)[:, 0]
      written.append(tokens)
    return torch.stack(written, 1)


class Runner(pytorch.Runner):
  """See `ours_transformer.Runner`."""

  network = Network

  def _reset(self):
    super()._reset()
    self._adam = torch.optim.AdamW(
      self._network.parameters(),
      lr=1e-3,
      betas=(0.9, 0.95),
      weight_decay=0.1,
      fused=True,
    )

  def time(self, steps):
    if self._kind != "generate":
      return super().time(steps)
    begin, length = time.perf_counter(), self._case["time"] - 1
    with torch.inference_mode(), self._autocast:
      for _ in range(steps):
        self._network.generate(self._tokens[0][:, 0], length)
    return (time.perf_counter() - begin) / steps
