r"""Speech written down without marks of where each word is: CTC.

  invented (default)  strings of two to five invented words, in several voices.
  yesno               settings for the 60 recordings of "yes" and "no".
  digits              strings of three to seven spoken digits, joined of clips.
  causal              the same, by layers that hear no more than has been said.

  python -m seqjax.launch --config=experiments/speech.py --workdir=runs/speech
  python -m seqjax.launch --mode=transcribe --workdir=runs/speech \
      --input=FILE.wav --times
  python -m seqjax.launch --config=experiments/speech.py:yesno \
      --config.data.path=waves_yesno.tar.gz --workdir=runs/yesno
  python -m seqjax.launch --config=experiments/speech.py:causal \
      --config.data.path=recordings.tar.gz --workdir=runs/causal
  python -m seqjax.launch --mode=listen --workdir=runs/causal --input=FILE.wav
  arecord -f S16_LE -r 8000 -t raw | python -m seqjax.launch --mode=listen \
      --workdir=runs/causal

Your own: --config.data.kind=folder --config.data.path=FOLDER, WAV files and one
file of what is said in them, NAME<TAB>text a line; of letters with
--config.data.tokenizer=characters. See data/utterances.py.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("invented", "yesno", "digits", "causal")


def get_config(variant="invented"):
  config = config_dict.ConfigDict()
  config.task = "speech"
  config.seed = 0
  config.steps = 500
  config.batch_size = 32
  config.num_buckets = 3  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.kind = "invented"  # strings, names, folder
  config.data.path = config_dict.placeholder(str)  # FILE, FOLDER or ARCHIVE
  config.data.transcripts = ""  # of a folder: the file of what is said
  config.data.rate = 8_000  # samples a second; others are resampled
  config.data.examples = 800  # strings that are made up or joined
  config.data.validation = 0.1  # a share, or from 1 on a number
  config.data.test = 0.15
  config.data.validation_examples = 0  # strings joined of those clips
  config.data.test_examples = 0
  config.data.pattern = r"(?P<label>\d)_(?P<speaker>\w+)_(?P<clip>\d+)"
  config.data.held_out = ""  # a speaker: all of theirs are the test part
  config.data.test_clips = "0-4"  # or these clips of every speaker
  config.data.validation_clips = ""
  config.data.words = ""  # what labels are written as: "1=yes 0=no"
  config.data.tokenizer = "words"  # or characters
  config.data.lower = False
  config.data.speed = 0.0  # augmentation: 0.1 is a tenth slower to faster
  config.data.shift = 0.0  # seconds
  config.data.noise = 0.0  # deviation, by that of the clip
  config.data.time_masks = 0
  config.data.time_mask = 10  # frames of one, at most
  config.data.frequency_masks = 0
  config.data.frequency_mask = 6  # features of one, at most

  config.data.features = config_dict.ConfigDict()
  config.data.features.window = 0.025  # seconds
  config.data.features.hop = 0.010
  config.data.features.mels = 40
  config.data.features.scale = "slaney"  # or htk
  config.data.features.floor = 1e-7  # of energies
  config.data.features.deltas = 0
  config.data.features.delta_ahead = True
  config.data.features.normalise = "utterance"  # running, none

  config.model = config_dict.ConfigDict()
  config.model.stack = 8  # frames of a step, 0.08 s
  config.model.neighbours = 1  # steps on each side that a step sees; 0: none
  config.model.filters = 96  # features that are made of them
  config.model.layer = "bidirectional"  # or rnn, which can listen
  config.model.cell = "lstm"
  config.model.hidden_size = 96
  config.model.num_layers = 1
  config.model.dropout = 0.2
  config.model.input_dropout = 0.0
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=4e-3
  )

  config.update(settings.training(eval_every=100, best_metric="wer"))
  config.eval_batch_size = 64
  config.probes = settings.probes()

  config.decode = config_dict.ConfigDict()
  config.decode.beam = 8  # beginnings of texts that are followed
  config.decode.ngram = 0  # order of n-grams of the training texts; 0: none
  config.decode.lm_weight = 0.0  # of their log-probability
  config.decode.lm_weights = (0.0, 0.1, 0.25, 0.5, 1.0)  # tried in validation

  config.showcase = config_dict.ConfigDict()
  config.showcase.utterances = 3  # pictures of so many

  if variant == "yesno":
    # 31 recordings: layers with a memory would learn them by heart.
    config.data.kind = "names"
    config.data.words = "1=yes 0=no"
    config.data.validation = 0
    config.data.test = 29
    config.data.speed, config.data.shift, config.data.noise = 0.1, 0.3, 0.1
    config.model.stack = 12
    config.model.neighbours, config.model.filters = 1, 64
    config.model.layer = "feed_forward"
    config.model.hidden_size = 64
    config.optimizer.learning_rate = 5e-3
    config.optimizer.ema_decay = 0.99
    config.steps = 600
    config.batch_size, config.num_buckets = 8, 1
  elif variant in ("digits", "causal"):
    config.data.kind = "strings"
    config.data.examples = 6_000
    config.data.validation_clips = "5-7"
    config.data.validation_examples = 200
    config.data.test_examples = 1_000
    config.data.time_masks, config.data.frequency_masks = 2, 2
    config.model.cell = "gru"
    config.model.hidden_size = 128
    config.model.filters = 128
    config.model.dropout = 0.3
    config.steps = 600
    config.eval_every = config.checkpoint_every = 200
  if variant == "causal":
    config.model.layer = "rnn"
    config.model.neighbours = 0
    config.model.cell = "lstm"
    config.model.hidden_size, config.model.num_layers = 192, 2
    config.steps = 1_500
    config.eval_every = config.checkpoint_every = 300
    config.data.features.normalise = "running"
  return config
