"""seqjax: `models.LanguageModel`."""

import jax

import seqjax
from benchmarks.peers.runner import Model
from seqjax import nn
from seqjax.models.language_model import LanguageModel

CELLS = {"lstm": seqjax.LSTM, "gru": seqjax.GRU, "elman": seqjax.Elman}


def model(case: dict) -> Model:
  dtype, size = case["dtype"], case["hidden_size"]
  compute_dtype = "bfloat16" if dtype == "bfloat16" else None
  cell = CELLS[case["cell"]](size, compute_dtype=compute_dtype)

  def make(input_size, key):
    layers = []
    for index in range(case["num_layers"]):
      layer = nn.RNN(
        cell,
        input_size if index == 0 else size,
        method=case.get("method", "auto"),
        key=jax.random.fold_in(key, index),
      )
      layers.append(layer)
    return nn.Sequential(layers, input_size)

  def build(key):
    return LanguageModel(
      case["vocab"],
      make,
      embed_size=size,
      dropout=0.0,
      compute_dtype=compute_dtype or dtype,
      key=key,
    )

  _, apply = nn.functionalize(build(jax.random.key(0)))
  return Model(
    lambda key: nn.functionalize(build(key))[0],
    lambda params, tokens: apply(params, tokens)[1],
    lambda params, batch: apply(params, batch, method="initial_carry"),
    lambda params, carry, tokens: apply(params, carry, tokens, method="step"),
  )
