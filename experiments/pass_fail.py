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

from seqjax import config as settings

VARIANTS = ("students", "uci")


def get_config(variant="students"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 500
  config.batch_size = 64
  config.num_buckets = 1  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "table"
  config.data.path = config_dict.placeholder(str)  # FILE.csv
  config.data.examples = 4_000  # generated, without a path
  config.data.validation = 0.1  # share of all, by class
  config.data.test = 0.1
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0
  config.data.grades = True  # whether G1 and G2 are known

  config.model = config_dict.ConfigDict()
  config.model.layer = "feed_forward"  # a row is a sequence of one step
  config.model.hidden_size = 16
  config.model.num_layers = 1  # 0 is logistic regression
  config.model.embed_size = 0
  config.model.pool = "last"
  config.model.compute_dtype = "float32"
  config.model.input_noise = 0.0
  config.model.input_dropout = 0.0
  config.model.dropout = 0.1
  config.model.word_dropout = 0.0
  config.model.label_smoothing = 0.0

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(
    settings.training(eval_every=250, best_metric="accuracy", best_mode="max")
  )
  config.eval_batch_size = 128
  config.probes = settings.probes()

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
