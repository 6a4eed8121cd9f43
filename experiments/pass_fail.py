""""Will I pass this class?" One vector in, one probability out.

  students (default)  generated, with a known rule: 81 % can be reached.
  uci                 settings for UCI's student-mat.csv and student-por.csv,
                      10-fold, without the earlier grades G1 and G2.

  python -m seqjax.launch --config=experiments/pass_fail.py --workdir=runs/pass
  python -m seqjax.launch --config=experiments/pass_fail.py:uci \
      --config.data.path=student-por.csv --mode=cross_validate \
      --workdir=runs/por

Your own students: a CSV with a column G3, the final grade; 10 is a pass.
"""

from ml_collections import config_dict


def get_config(variant="students"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 500
  config.batch_size = 64
  config.num_buckets = 1  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "students"
  config.data.path = config_dict.placeholder(str)  # FILE.csv
  config.data.examples = 4_000  # generated, without a path
  config.data.validation = 0.1  # share of all, by class
  config.data.test = 0.1
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0
  config.data.grades = True  # whether G1 and G2 are known

  config.model = config_dict.ConfigDict()
  config.model.layer = "feed_forward"
  config.model.hidden_size = 16
  config.model.num_layers = 1  # 0 is logistic regression
  config.model.embed_size = 0
  config.model.pool = "last"  # a row is a sequence of one step
  config.model.compute_dtype = "float32"
  config.model.dropout = 0.1
  config.model.input_dropout = 0.0
  config.model.label_smoothing = 0.0

  config.optimizer = config_dict.ConfigDict()
  config.optimizer.name = "adamw"
  config.optimizer.learning_rate = 3e-3
  config.optimizer.warmup_steps = 50
  config.optimizer.decay = "cosine"
  config.optimizer.decay_steps = config.get_oneway_ref("steps")
  config.optimizer.final_fraction = 0.01
  config.optimizer.b1 = 0.9
  config.optimizer.b2 = 0.99
  config.optimizer.weight_decay = 0.01
  config.optimizer.momentum = 0.9
  config.optimizer.clip_norm = 1.0

  config.log_every = 20
  config.eval_every = 250
  config.eval_batch_size = 128
  config.checkpoint_every = 250
  config.keep_checkpoints = 2

  config.probes = config_dict.ConfigDict()
  config.probes.gradients_every = 0  # steps; 0 is off; see docs/gradients.md

  if variant == "uci":
    config.data.grades = False
    config.data.num_folds = 10
    config.steps = 200
    config.model.hidden_size = 64
    config.model.dropout = 0.7
    config.optimizer.learning_rate = 1e-2
    config.optimizer.weight_decay = 0.3
    config.eval_every = config.checkpoint_every = 200
  return config
