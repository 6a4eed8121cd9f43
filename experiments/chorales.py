"""Polyphony frame by frame: which of 88 keys sound next, in four-part music.

  progressions (default)  made-up four-part progressions of chords.
  jsb                     J. S. Bach's chorales in quarter notes (Boulanger-
                          Lewandowski et al. 2012), pitches independent given
                          the past: 8.31 nats a frame on the test part, 0.10M
                          parameters, a minute on a CPU core.
  jsb_notes               the same, note after note within a frame: 4.85, 0.19M
                          parameters, 4 minutes.
  nottingham              folk tunes with chords, in the same paper's form.

  python -m seqjax.launch --config=experiments/chorales.py --workdir=runs/four
  python -m seqjax.launch --mode=compose --workdir=runs/four --output=FOLDER
  python -m seqjax.launch --config=experiments/chorales.py:jsb \
      --config.data.path=jsb-chorales-quarter.json --workdir=runs/jsb
  python -m seqjax.launch --config=experiments/chorales.py:jsb_notes \
      --config.data.path=jsb-chorales-quarter.json --workdir=runs/jsb_notes
  python -m seqjax.launch --config=experiments/chorales.py:nottingham \
      --config.data.path=Nottingham.mat --workdir=runs/nottingham

Your own: --config.data.path=FILE.json, FILE.mat or a FOLDER of MIDI files, see
data/polyphony.py. `compose` writes chorale.mid, .wav and .png, and goes on from
--prompt=FILE.mid.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("progressions", "jsb", "jsb_notes", "nottingham")


def get_config(variant="progressions"):
  config = config_dict.ConfigDict()
  config.task = "polyphony"
  config.seed = 0
  config.steps = 300
  config.batch_size = 16
  config.num_buckets = 2  # padded lengths of batches
  config.max_frames = 160  # of what training reads in one go

  config.data = config_dict.ConfigDict()
  config.data.path = config_dict.placeholder(str)  # FILE or FOLDER
  config.data.step = "1"  # quarter notes of a frame; of MIDI files, and played
  config.data.transpose = 0  # semitones up or down in training, at most
  config.data.examples = 200  # made up, without a path
  config.data.validation = 0.1  # share, of MIDI files and of what is made up
  config.data.test = 0.1

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"  # or transformer
  config.model.cell = "gru"
  config.model.hidden_size = 128
  config.model.num_layers = 1
  config.model.output = "notes"  # or pitches, each by itself
  config.model.note_size = 64  # of the GRU that names the notes of a frame
  # Semitones around a pitch that what all pitches share looks at; 0: nothing.
  config.model.around = 12
  config.model.around_size = 32
  config.model.input_dropout = 0.2  # on the frames that are read
  config.model.dropout = 0.2
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=4e-3
  )

  config.update(settings.training(eval_every=100))
  config.eval_batch_size = 32
  config.probes = settings.probes()

  config.showcase = config_dict.ConfigDict()
  config.showcase.num_frames = 64
  config.showcase.temperature = 0.8
  config.showcase.tempo = 72.0  # quarter notes a minute

  if variant in ("jsb", "jsb_notes"):
    # No data.transpose: in as many steps they were learnt less well. Keys tell.
    config.steps = 900
    config.num_buckets = 3
    config.model.output = "notes" if variant == "jsb_notes" else "pitches"
    config.model.note_size = 96
    config.model.around = 24
    config.model.around_size = 32 if variant == "jsb_notes" else 48
    config.model.dropout = 0.5
    config.optimizer.ema_decay = 0.99
    config.log_every = 100
    config.eval_every = config.checkpoint_every = 150
  elif variant == "nottingham":
    config.steps = 3_000
    config.num_buckets = 3
    config.max_frames = 200
    config.data.step = "1/2"
    config.model.output = "pitches"
    config.model.hidden_size = 400
    config.model.around = 24
    config.model.input_dropout = 0.1
    config.optimizer.ema_decay = 0.99
    config.log_every = 100
    config.eval_every = config.checkpoint_every = 500
    config.showcase.tempo = 120.0
  return config
