"""The laboratory's prediction against learning, cell by cell.

  python -m seqjax.launch --config=experiments/memory_distance.py \
      --workdir=runs/memory

"I grew up in France ... I speak fluent ___" at growing distances: each cell is
trained until it fails, and the longest distance it learned is drawn beside the
horizon of its gradient before training. A stopped run goes on.

Variants: recall (default), adding, copy; see experiments/long_memory.py.
"""

from ml_collections import config_dict

VARIANTS = ("recall", "adding", "copy")


def get_config(variant="recall"):
  config = config_dict.ConfigDict()
  config.study = "memory_distance"
  config.seed = 0
  config.num_seeds = 3  # trained together
  config.steps = 800
  config.batch_size = 32
  config.eval_batch_size = 64
  config.learning_rate = 3e-3  # Adam
  config.clip_norm = 1.0
  config.distances = (4, 8, 16, 32, 64, 128, 256)
  config.learned = 0.1  # loss, as a share of the loss without memory
  config.horizon = 0.01  # the share of the gradient that counts as gone

  config.data = config_dict.ConfigDict()
  config.data.name = variant
  config.data.distance = 0  # set from `distances`

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.dropout = 0.0
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  # Label and cell; a cell is a name or a call with its options.
  entry = lambda label, cell: config_dict.ConfigDict(
    {"label": label, "cell": cell}
  )
  config.cells = config_dict.ConfigDict()
  config.cells.elman_tanh = entry(
    "Elman tanh, Glorot", "elman(recurrent_init='glorot_uniform')"
  )
  config.cells.elman_orthogonal = entry("Elman tanh, orthogonal", "elman")
  config.cells.elman_relu_identity = entry(
    "Elman ReLU, identity",
    "elman(activation='relu', recurrent_init='identity')",
  )
  config.cells.lstm_forget_0 = entry(
    "LSTM, forget bias 0", "lstm(forget_bias=0.0)"
  )
  config.cells.lstm_forget_1 = entry("LSTM, forget bias 1", "lstm")
  config.cells.lstm_forget_5 = entry(
    "LSTM, forget bias 5", "lstm(forget_bias=5.0)"
  )
  config.cells.gru = entry("GRU", "gru")
  config.cells.min_gru = entry("MinGRU", "min_gru")
  config.cells.lru = entry("LRU", "lru")
  return config
