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
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = config_dict.ConfigDict()
  config.optimizer.name = "adamw"
  config.optimizer.learning_rate = 3e-3
  config.optimizer.warmup_steps = 50
  config.optimizer.decay = "cosine"
  config.optimizer.decay_steps = config.get_oneway_ref("steps")
  config.optimizer.final_fraction = 0.1
  config.optimizer.b1 = 0.9
  config.optimizer.b2 = 0.99
  config.optimizer.weight_decay = 0.0
  config.optimizer.momentum = 0.9
  config.optimizer.clip_norm = 1.0

  config.log_every = 50
  config.eval_every = 500
  config.eval_batch_size = 256
  config.eval_batches = 4
  config.checkpoint_every = 500
  config.keep_checkpoints = 2

  config.probes = config_dict.ConfigDict()
  config.probes.gradients_every = 0
  return config
