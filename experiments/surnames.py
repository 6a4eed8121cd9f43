"""Which language is a surname from? experiments/surnames.py:VARIANT.

  generated (default)  four languages made of syllables.
  names                settings for the 18 languages of the PyTorch tutorial's
                       `data/names`, a folder of CLASS.txt files.

  python -m seqjax.launch --config=experiments/surnames.py --workdir=runs/names
  echo "Kowalczyk" | \
      python -m seqjax.launch --mode=predict --workdir=runs/names

Your own names: --config.data.path=FOLDER with a CLASS.txt for each class, a
name a line.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("generated", "names")


def get_config(variant="generated"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 400
  config.batch_size = 64
  config.num_buckets = 4  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "names"
  config.data.path = config_dict.placeholder(str)  # FOLDER of CLASS.txt
  config.data.examples = 4_000  # generated, without a path
  config.data.validation = 0.1  # share of all, by class
  config.data.test = 0.1
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0

  config.model = config_dict.ConfigDict()
  config.model.layer = "bidirectional"  # or rnn
  config.model.cell = "gru"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.embed_size = 32  # 0 is one-hot
  config.model.pool = "last"  # last, mean, attention
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"
  config.model.input_noise = 0.0
  config.model.input_dropout = 0.2  # on what the first layer reads
  config.model.dropout = 0.2
  config.model.word_dropout = 0.0  # share of symbols read as unknown
  config.model.label_smoothing = 0.0

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(settings.training(best_metric="accuracy", best_mode="max"))
  config.eval_batch_size = 128
  config.probes = settings.probes()

  if variant == "names":
    config.steps = 3_000
    config.model.hidden_size = 128
    config.model.embed_size = 64
    config.model.dropout = config.model.input_dropout = 0.3
    config.eval_every = config.checkpoint_every = 500
  return config
