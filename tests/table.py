"""The table of cells x methods: a new cell or method is one line here.

`tests/recurrence/unroll_test.py` runs the whole of it, the README prints what
is in the package.
"""

import jax

import seqjax
from seqjax import GRU, LSTM
from seqjax.cells import (
  Additive,
  Attending,
  Bahdanau,
  Conditional,
  General,
  InputFeeding,
  LocationAware,
)
from seqjax.recurrence import (
  Associative,
  Checkpointed,
  Fused,
  Newton,
  Quadratic,
  Scan,
)
from tests.fast_weights import FastWeights

CELLS = {
  "Elman": seqjax.Elman(4),
  "IndRNN": seqjax.IndRNN(4),
  "LSTM": LSTM(4),
  "LSTM, peepholes": LSTM(4, peepholes=True),
  "LSTM, projection": LSTM(4, projection_size=3),
  "GRU": GRU(4),
  "GRU, original": GRU(4, reset_after=False),
  "MGU": seqjax.MGU(4),
  "LayerNormLSTM": seqjax.LayerNormLSTM(4),
  "LayerNormGRU": seqjax.LayerNormGRU(4),
  "OutputFeedback": seqjax.OutputFeedback(4, 2),
  "Autoregressive": seqjax.Autoregressive(LSTM(4), 2),
  "LinearRNN": seqjax.LinearRNN(4),
  "MinGRU": seqjax.MinGRU(4),
  "MinLSTM": seqjax.MinLSTM(4),
  "LRU": seqjax.LRU(4, 2),
  "LinearAttention": seqjax.LinearAttention(4, heads=2),
  "Stack": seqjax.Stack((LSTM(4), GRU(3))),
  "Stack, linear": seqjax.Stack((seqjax.MinGRU(4), seqjax.LRU(3, 2))),
  "Residual": seqjax.Residual(LSTM(3)),
  "LearnedCarry": seqjax.LearnedCarry(LSTM(4)),
  "LearnedCarry, linear": seqjax.LearnedCarry(seqjax.MinGRU(4)),
  "WeightDrop": seqjax.WeightDrop(LSTM(4), 0.3),
  "Dropout": seqjax.Dropout(GRU(4), 0.3, 0.4),
  "Dropout, per step": seqjax.Dropout(GRU(4), 0.3, 0.4, variational=False),
  "RecurrentDropout": seqjax.RecurrentDropout(LSTM(4), 0.3),
  "RecurrentDropout, per step": seqjax.RecurrentDropout(
    GRU(4), 0.3, variational=False
  ),
  "Zoneout": seqjax.Zoneout(LSTM(4), h=0.2, c=0.3),
  # Params with rows: a memory of 2 features.
  "Bahdanau": Bahdanau(LSTM(4), General(), 2),
  "Conditional": Conditional(GRU(3), GRU(3), Additive(3, coverage=True), 2),
  "InputFeeding": InputFeeding(GRU(3), LocationAware(3, 2, width=3), 2, 4),
  # It lives in the tests: a carry of matrices.
  "FastWeights": FastWeights(3),
}

# How a config says the cells of the package.
EXPRESSIONS = {
  "Elman": "elman(hidden_size=4)",
  "IndRNN": "indrnn(hidden_size=4)",
  "LSTM": "lstm(hidden_size=4)",
  "LSTM, peepholes": "lstm(hidden_size=4, peepholes=True)",
  "LSTM, projection": "lstm(hidden_size=4, projection_size=3)",
  "GRU": "gru(hidden_size=4)",
  "GRU, original": "gru(hidden_size=4, reset_after=False)",
  "MGU": "mgu(hidden_size=4)",
  "LayerNormLSTM": "layer_norm_lstm(hidden_size=4)",
  "LayerNormGRU": "layer_norm_gru(hidden_size=4)",
  "OutputFeedback": "output_feedback(hidden_size=4, output_size=2)",
  "Autoregressive": "autoregressive(lstm(hidden_size=4), output_size=2)",
  "LinearRNN": "linear_rnn(hidden_size=4)",
  "MinGRU": "min_gru(hidden_size=4)",
  "MinLSTM": "min_lstm(hidden_size=4)",
  "LRU": "lru(hidden_size=4, output_size=2)",
  "LinearAttention": "linear_attention(hidden_size=4, heads=2)",
  "Stack": "stack(lstm(hidden_size=4), gru(hidden_size=3))",
  "Stack, linear": (
    "stack(min_gru(hidden_size=4), lru(hidden_size=3, output_size=2))"
  ),
  "Residual": "residual(lstm(hidden_size=3))",
  "LearnedCarry": "learned_carry(lstm(hidden_size=4))",
  "LearnedCarry, linear": "learned_carry(min_gru(hidden_size=4))",
  "WeightDrop": "weight_drop(lstm(hidden_size=4), rate=0.3)",
  "Dropout": "dropout(gru(hidden_size=4), inputs=0.3, outputs=0.4)",
  "Dropout, per step": (
    "dropout(gru(hidden_size=4), inputs=0.3, outputs=0.4, variational=False)"
  ),
  "RecurrentDropout": "recurrent_dropout(lstm(hidden_size=4), rate=0.3)",
  "RecurrentDropout, per step": (
    "recurrent_dropout(gru(hidden_size=4), rate=0.3, variational=False)"
  ),
  "Zoneout": "zoneout(lstm(hidden_size=4), h=0.2, c=0.3)",
}


def complete(cell, params, batch_shape=()):
  """`params` with what belongs to rows, where the cell needs it."""
  if not isinstance(cell, Attending):
    return params
  key, source = jax.random.key(11), 3
  dtype = jax.tree.leaves(params)[0].dtype
  return cell.attend(
    params,
    jax.random.normal(key, (*batch_shape, source, cell.memory_size), dtype),
    jax.random.randint(key, batch_shape, 0, source + 1),
  )


METHODS = {
  "scan": Scan(),
  "fused": Fused(),
  "fused, project first": Fused(project_first=True),
  "checkpointed": Checkpointed(segment=2),
  "checkpointed, fused": Checkpointed(segment=2, inner=Fused()),
  "associative": Associative(),
  "quadratic": Quadratic(chunk=2),
  "quadratic, whole": Quadratic(chunk=0),
  "newton": Newton(),
  "newton, diagonal": Newton(jacobian="diagonal"),
}

# The cells that a method runs, where it does not run all.
LINEAR = {
  "LinearRNN",
  "MinGRU",
  "MinLSTM",
  "LRU",
  "LinearAttention",
  "Stack, linear",
  "LearnedCarry, linear",
}
UNFACTORED = LINEAR | {
  "GRU, original",
  "MGU",
  "Autoregressive",
  "RecurrentDropout, per step",
  "Zoneout",
  "Bahdanau",
  "Conditional",
  "InputFeeding",
}
RUNS = {
  "fused": set(CELLS) - UNFACTORED,
  "fused, project first": set(CELLS) - UNFACTORED,
  "checkpointed, fused": set(CELLS) - UNFACTORED,
  "associative": LINEAR,
  "quadratic": {"LinearAttention"},
  "quadratic, whole": {"LinearAttention"},
}

# Options of a method, and its backward direction, are tried on these alone: no
# cell knows of them, and each case takes a second to compile.
THOROUGH = {"LSTM", "GRU", "Stack", "LRU"}
# Their gradients are compared with float64 loops in tests/cells, too.
SLOW = {"Conditional", "InputFeeding"}


def cases() -> list[tuple[str, str, bool]]:
  """All (cell, method, reverse) that the conformance test goes through."""
  return [
    (cell, method, reverse)
    for cell in CELLS
    for method in METHODS
    for reverse in (False, True)
    if cell in THOROUGH
    or ("," not in method and (not reverse or method == "scan"))
    # `attending_test.py` has these, on one device and on two.
    if not (cell == "Bahdanau" and method in ("newton", "checkpointed"))
    # Seconds each; no cell knows of it.
    if not (cell in SLOW and reverse)
  ]


def runs(method: str, cell: str) -> bool:
  """Whether the method runs the cell or refuses it."""
  return cell in RUNS.get(method, CELLS)


def first_cell(method: str) -> str:
  """A cell that the method runs."""
  known = "LSTM", "LRU", "LinearAttention"
  return next(cell for cell in known if runs(method, cell))


README_METHODS = [
  "scan",
  "fused",
  "checkpointed",
  "associative",
  "quadratic",
  "newton",
  "cudnn",
  "pallas",
]
README_NAMES = {
  "Elman": "`Elman` (tanh, ReLU, sigmoid)",
  "IndRNN": "`IndRNN`",
  "LSTM": "`LSTM`",
  "LSTM, peepholes": "`LSTM(peepholes=True)`",
  "LSTM, projection": "`LSTM(projection_size=...)`",
  "GRU": "`GRU` (as in PyTorch, cuDNN, Keras)",
  "GRU, original": "`GRU(reset_after=False)`",
  "OutputFeedback": "`OutputFeedback` (Jordan)",
  "Stack": "`Stack` of these, here `LSTM`, `GRU`",
  "Stack, linear": "`Stack` of these, here `MinGRU`, `LRU`",
  "LearnedCarry": "`LearnedCarry`, here of `LSTM`",
  "LearnedCarry, linear": "`LearnedCarry`, here of `MinGRU`",
  "Dropout, per step": "`Dropout(variational=False)`",
  "RecurrentDropout, per step": "`RecurrentDropout(variational=False)`",
}


def markdown() -> str:
  """The table as the README has it; printed by `python -m tests.table`."""
  on_gpu = {"cudnn": {"LSTM"}, "pallas": {"LSTM", "GRU", "Elman"}}
  rows = [
    "| cell | " + " | ".join(f"`{m}`" for m in README_METHODS) + " |",
    "|---" * (1 + len(README_METHODS)) + "|",
  ]
  for name in EXPRESSIONS:
    ticks = [
      ("GPU" if name in on_gpu[method] else "–")
      if method in on_gpu
      else ("✓" if runs(method, name) else "–")
      for method in README_METHODS
    ]
    rows.append(
      f"| {README_NAMES.get(name, f'`{name}`')} | " + " | ".join(ticks) + " |"
    )
  return "\n".join(rows) + "\n"


if __name__ == "__main__":
  print(markdown(), end="")
