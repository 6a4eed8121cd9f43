"""Gradient norms over lag and over sequence length, cell by cell.

  python -m seqjax.launch --config=experiments/gradient_norms.py \
      --workdir=runs/gradients

Writes report.html, PNG and SVG figures, gradients.npz and metrics.jsonl into
the run directory. Cells are freshly initialised, inputs standard normal. One
minute on 2 CPU cores.

Variants: cells (default); grid, the Elman cell with every activation and
initialisation; families, three cells beside causal Transformers.

A Transformer beside them: --config=experiments/gradient_norms.py:families.

A cell of your own: a copy of this file with another entry in `config.cells`;
or by a flag: --config.cells.gru.cell="lstm(forget_bias=3.0)".
"""

from ml_collections import config_dict

VARIANTS = ("cells", "grid", "families")


def get_config(variant="cells"):
  config = config_dict.ConfigDict()
  config.study = "gradient_norms"
  config.seed = 0
  config.num_seeds = 5
  config.batch_size = 8
  config.input_size = 16
  config.lengths = (8, 16, 32, 64, 128, 256, 512, 1024)
  config.clip_norm = 1.0
  config.horizon = 0.01  # the share of the gradient that counts as gone

  config.model = config_dict.ConfigDict()
  config.model.hidden_size = 64
  config.model.compute_dtype = "float32"

  # Label and cell; a cell is a name or a call with its options.
  entry = lambda label, cell: config_dict.ConfigDict(
    {"label": label, "cell": cell}
  )
  config.model.dropout = 0.0
  config.cells = config_dict.ConfigDict()
  # Label, kind of layer, and how many.
  config.layers = config_dict.ConfigDict()
  if variant == "families":
    config.cells.elman = entry("Elman tanh, orthogonal", "elman")
    config.cells.lstm = entry("LSTM, forget bias 1", "lstm")
    config.cells.min_gru = entry("MinGRU", "min_gru")
    for window in (1024, 64):
      options = f"heads=4, window={window}"
      config.layers[f"transformer_{window}"] = config_dict.ConfigDict(
        {
          "label": f"Transformer, 4 blocks, window {window}",
          "layer": f"transformer({options})",
          "num_layers": 4,
        }
      )
    return config
  if variant == "grid":
    for activation in ("tanh", "relu", "sigmoid"):
      for init in ("glorot_uniform", "orthogonal", "identity"):
        config.cells[f"{activation}_{init}"] = entry(
          f"{activation}, {init}",
          f"elman(activation='{activation}', recurrent_init='{init}')",
        )
    return config
  config.cells.elman_tanh = entry(
    "Elman tanh, Glorot", "elman(recurrent_init='glorot_uniform')"
  )
  config.cells.elman_relu_identity = entry(
    "Elman ReLU, identity",
    "elman(activation='relu', recurrent_init='identity')",
  )
  config.cells.elman_orthogonal = entry("Elman tanh, orthogonal", "elman")
  config.cells.lstm_forget_0 = entry(
    "LSTM, forget bias 0", "lstm(forget_bias=0.0)"
  )
  config.cells.lstm_forget_1 = entry("LSTM, forget bias 1", "lstm")
  config.cells.gru = entry("GRU", "gru")
  config.cells.layer_norm_lstm = entry("LayerNorm LSTM", "layer_norm_lstm")
  config.cells.min_gru = entry("MinGRU", "min_gru")
  config.cells.lru = entry("LRU", "lru")
  return config
