r"""Folk tunes in ABC notation, written character by character.

  grammar (default)  tunes made up by a grammar of metres, keys and cadences.
  irish              settings for irish.abc, 800 Irish dance tunes (MIT's
                     introduction to deep learning).

  python -m seqjax.launch --config=experiments/music.py --workdir=runs/music
  python -m seqjax.launch --mode=compose --workdir=runs/music --output=FOLDER
  python -m seqjax.launch --config=experiments/music.py:irish \
      --config.data.path=irish.abc --workdir=runs/irish

Your own: --config.data.path=FILE.abc, a FOLDER or an ARCHIVE of such files;
see data/tunes.py. `compose` writes tune.abc, .mid, .wav and .png, and says
whether the tune is well formed; --prompt holds its beginning, a header say:
--prompt=$'X:1\nT:Home\nM:6/8\nL:1/8\nK:D\n'.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("grammar", "irish")


def get_config(variant="grammar"):
  config = config_dict.ConfigDict()
  config.task = "music"
  config.seed = 0
  config.steps = 600
  config.batch_size = 32  # parallel streams through the tunes
  config.window = 128  # steps between cuts of the gradient

  config.data = config_dict.ConfigDict()
  config.data.path = config_dict.placeholder(str)  # FILE, FOLDER or ARCHIVE
  config.data.examples = 1_000  # made up, without a path
  config.data.validation = 0.05  # share of the tunes, after a shuffle
  config.data.test = 0.05
  config.data.tokenizer = "characters"
  config.data.lower = False
  config.data.min_count = 1  # rarer symbols are unknown
  config.data.max_size = 0  # symbols at most; 0 is all

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"  # or transformer
  config.model.cell = "lstm"
  config.model.hidden_size = 192
  config.model.num_layers = 1
  config.model.embed_size = 48  # 0 is one-hot
  config.model.tie_embeddings = False  # embed_size must be hidden_size then
  config.model.dropout = 0.0
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=4e-3
  )

  config.update(settings.training())
  config.eval_batch_size = 16  # parallel streams
  config.update(settings.windows(config, eval_window=256))
  config.probes = settings.probes()
  config.ngram = 6  # order of a Kneser-Ney model told of beside; 0: none

  config.showcase = config_dict.ConfigDict()
  config.showcase.prompt = "X:"  # what the tune begins with
  config.showcase.num_tokens = 1_000  # at most
  config.showcase.temperature = 0.8
  config.showcase.top_p = 1.0
  config.showcase.prompts = ("",)[:0]  # to complete, up to ___
  config.showcase.judged = 200  # tunes that an evaluation writes and judges

  if variant == "irish":
    # 180,000 characters are few: much is hidden.
    config.steps = 4_200
    config.window = 64
    config.model.cell = "recurrent_dropout(lstm, rate=0.3)"
    config.model.hidden_size = 384
    config.model.embed_size = 64
    config.model.dropout = 0.5
    config.optimizer.weight_decay = 0.1
    config.optimizer.ema_decay = 0.995
    config.log_every = 50
    config.eval_every = config.checkpoint_every = 300
  return config
