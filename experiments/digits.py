"""A word that is heard: experiments/digits.py:VARIANT.

  words (default)  ten invented words in several voices.
  fsdd             settings for the Free Spoken Digit Dataset, its own split:
                   clips 0 to 4 of each digit and speaker are the test part.

  python -m seqjax.launch --config=experiments/digits.py --workdir=runs/words
  python -m seqjax.launch --config=experiments/digits.py:fsdd \
      --config.data.path=recordings.tar.gz --workdir=runs/digits
  python -m seqjax.launch --mode=predict --workdir=runs/digits --input=WAV

A speaker that training never hears: --config.data.held_out=theo; all in turn:
--config.data.num_folds=6 --config.data.fold=0 and so on. Your own: a folder of
WAV files and --config.data.pattern, see seqjax/data/sounds.py.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("words", "fsdd")


def get_config(variant="words"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 150
  config.batch_size = 64
  config.num_buckets = 3  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "sounds"
  config.data.path = config_dict.placeholder(str)  # FILE, FOLDER or ARCHIVE
  config.data.examples = 1_500  # generated, without a path
  config.data.validation = 0.1  # shares, by label
  config.data.test = 0.2
  config.data.num_folds = 0  # > 0: speaker number `fold` is the test
  config.data.fold = 0
  config.data.held_out = ""  # a speaker who is the test part
  config.data.test_clips = ""  # numbers of clips that are, "0-4"
  config.data.validation_clips = ""
  # Of a file's name: what is said, by whom, which of several.
  config.data.pattern = r"(?P<label>\d)_(?P<speaker>\w+)_(?P<clip>\d+)"
  config.data.rate = 8_000  # samples a second; others are resampled
  config.data.level = 0.0  # decibels that each is brought to, -20; 0: none
  config.data.features = config_dict.ConfigDict()
  config.data.features.window = 0.025  # seconds
  config.data.features.hop = 0.010
  config.data.features.mels = 40
  config.data.features.scale = "slaney"  # or htk
  config.data.features.floor = 1e-5  # of the energy
  config.data.features.deltas = 0  # 1, 2: slopes over time, too
  config.data.features.normalise = "utterance"  # running, none
  config.data.speed = 0.0  # 0.1: 0.9 to 1.1 times as fast, in training
  config.data.shift = 0.0  # seconds
  config.data.noise = 0.0  # deviation, in those of the clip
  config.data.time_masks = 0  # how many, and frames of each at most
  config.data.time_mask = 5
  config.data.frequency_masks = 0
  config.data.frequency_mask = 8

  config.model = config_dict.ConfigDict()
  config.model.layer = "bidirectional"  # or rnn, transformer_encoder
  config.model.cell = "gru"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.embed_size = 0
  config.model.pool = "attention"  # last, mean
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"
  config.model.input_noise = 0.1  # deviation, on what the first layer reads
  config.model.input_dropout = 0.0
  config.model.dropout = 0.2
  config.model.word_dropout = 0.0
  config.model.label_smoothing = 0.05

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(
    settings.training(eval_every=50, best_metric="accuracy", best_mode="max")
  )
  config.eval_batch_size = 128
  config.probes = settings.probes()

  if variant == "fsdd":
    config.steps = 1_100
    config.num_buckets = 6
    config.data.test_clips = "0-4"
    config.data.validation = 0.0  # all the others train
    config.data.level = -20.0
    config.data.features.floor = 1e-6
    config.data.speed = 0.1
    config.data.noise = 0.01
    config.data.time_masks = config.data.frequency_masks = 1
    config.model.hidden_size = 128
    config.model.num_layers = 2
    config.model.dropout = 0.4
    config.optimizer.learning_rate = 4e-3
    config.optimizer.ema_decay = 0.99
    config.eval_every = config.checkpoint_every = 1_100
  return config
