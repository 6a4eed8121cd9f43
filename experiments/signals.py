"""Signals with a label: experiments/signals.py:VARIANT.

  order (default)  generated: which of two events in noise came first.
  vowels           settings for JapaneseVowels, nine speakers by 12 columns.
  motions          for BasicMotions, four activities by six sensor axes.
  gunpoint         for GunPoint, one column of 150 steps, 50 to learn from.
  power            for ItalyPowerDemand, winter or summer by a day's demand.

  python -m seqjax.launch --config=experiments/signals.py --workdir=runs/order
  python -m seqjax.launch --config=experiments/signals.py:vowels \
      --config.data.path=JapaneseVowels_TRAIN.ts --workdir=runs/vowels

Formats: see seqjax/data/signals.py. The sets of the archive bring their test
part; --config.data.validation=0.3 sets aside some of the training part.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("order", "vowels", "motions", "gunpoint", "power")


def get_config(variant="order"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 300
  config.batch_size = 64
  config.num_buckets = 4  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "signals"
  config.data.path = config_dict.placeholder(str)  # FILE or FOLDER
  config.data.examples = 2_000  # generated, without a path
  config.data.validation = 0.1  # share of all, or of X_TRAIN, by class
  config.data.test = 0.2
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0
  config.data.columns = ("",)[:0]  # of a CSV; default all others
  config.data.series = "series"  # columns of a table
  config.data.time = "time"
  config.data.label = "label"
  config.data.per_series = False  # each standardised by itself
  config.data.missing = "refuse"  # or mark

  config.model = config_dict.ConfigDict()
  config.model.layer = "bidirectional"  # or rnn
  config.model.cell = "gru"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.embed_size = 0
  config.model.pool = "attention"  # last, mean, attention
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"
  config.model.input_noise = 0.05  # deviation, on what the first layer reads
  config.model.input_dropout = 0.0
  config.model.dropout = 0.3
  config.model.word_dropout = 0.0
  config.model.label_smoothing = 0.05

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=5e-3, final_fraction=0.0
  )

  config.update(
    settings.training(eval_every=100, best_metric="accuracy", best_mode="max")
  )
  config.eval_batch_size = 128
  config.probes = settings.probes()

  if variant == "order":
    return config
  config.data.validation = 0.0  # all of the little there is trains
  config.batch_size = 16
  if variant == "vowels":
    config.steps, config.optimizer.warmup_steps = 900, 300
    config.model.input_noise, config.model.dropout = 0.3, 0.5
  elif variant == "motions":
    config.steps, config.optimizer.warmup_steps = 300, 100
  elif variant == "gunpoint":
    config.steps, config.optimizer.warmup_steps = 600, 200
  elif variant == "power":
    config.steps, config.optimizer.warmup_steps = 400, 120
    config.model.input_noise, config.model.dropout = 0.2, 0.5
  config.eval_every = config.checkpoint_every = config.steps
  return config
