"""Problems that only memory solves: experiments/long_memory.py:NAME.

  adding (default)  the sum of two marked numbers; 1/6 without memory.
  copy              ten symbols, told again after a silence;
                    10 ln 8 / (distance + 20) nats without memory.
  recall            "I grew up in France ... I speak fluent ___";
                    ln 10 nats without memory.

  python -m seqjax.launch --config=experiments/long_memory.py:recall \
      --config.data.distance=100 --config.model.cell=gru --workdir=runs/recall

How far each cell gets, beside its gradient: experiments/memory_distance.py.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("adding", "copy", "recall")


def get_config(variant="adding"):
  config = config_dict.ConfigDict()
  config.task = "long_memory"
  config.seed = 0
  config.steps = 1_500
  config.batch_size = 64

  config.data = config_dict.ConfigDict()
  config.data.name = variant
  config.data.distance = 50  # steps between what is told and what is asked

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"
  config.model.cell = "lstm"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.dropout = 0.0
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"),
    learning_rate=3e-3,
    final_fraction=0.1,
    weight_decay=0.0,
  )

  config.update(settings.training(log_every=50, eval_every=500))
  config.eval_batch_size = 256
  config.eval_batches = 4
  config.probes = settings.probes()
  return config
