"""The table of cells x methods: a new cell or method is one line here.

`tests/recurrence/unroll_test.py` runs the whole of it, the README prints it.
"""

import seqjax
from seqjax import GRU, LSTM
from seqjax.recurrence import Associative, Checkpointed, Fused, Newton, Scan

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
}

METHODS = {
  "scan": Scan(),
  "fused": Fused(),
  "fused, project first": Fused(project_first=True),
  "checkpointed": Checkpointed(segment=2),
  "checkpointed, fused": Checkpointed(segment=2, inner=Fused()),
  "associative": Associative(),
  "newton": Newton(),
  "newton, diagonal": Newton(jacobian="diagonal"),
}

# The cells that a method runs, where it does not run all.
LINEAR = {
  "LinearRNN",
  "MinGRU",
  "MinLSTM",
  "LRU",
  "Stack, linear",
  "LearnedCarry, linear",
}
UNFACTORED = LINEAR | {
  "GRU, original",
  "MGU",
  "Autoregressive",
  "RecurrentDropout, per step",
  "Zoneout",
}
RUNS = {
  "fused": set(CELLS) - UNFACTORED,
  "fused, project first": set(CELLS) - UNFACTORED,
  "checkpointed, fused": set(CELLS) - UNFACTORED,
  "associative": LINEAR,
}

# Options of a method, and its backward direction, are tried on these alone: no
# cell knows of them, and each case takes a second to compile.
THOROUGH = {"LSTM", "GRU", "Stack", "LRU"}


def cases() -> list[tuple[str, str, bool]]:
  """All (cell, method, reverse) that the conformance test goes through."""
  return [
    (cell, method, reverse)
    for cell in CELLS
    for method in METHODS
    for reverse in (False, True)
    if cell in THOROUGH
    or ("," not in method and (not reverse or method == "scan"))
  ]


def runs(method: str, cell: str) -> bool:
  """Whether the method runs the cell or refuses it."""
  return cell in RUNS.get(method, CELLS)


README_METHODS = [
  "scan",
  "fused",
  "checkpointed",
  "associative",
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
  for name in CELLS:
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
