"""Word language model: experiments/next_word.py:VARIANT.

  pydoc (default)  Python's own reference text, no network.
  tinyshakespeare  the plays, word by word, downloaded once.
  ptb              settings for a file in the Penn Treebank's format: words
                   parted by blanks, `<unk>`, a sentence a line.

  python -m seqjax.launch --config=experiments/next_word.py --workdir=runs/word
  python -m seqjax.launch --mode=complete --workdir=runs/word \
      --prompt="the value of the ___"

Your own text: --config.data.path=FILE (UTF-8). The perplexity stands beside
that of a Kneser-Ney trigram with the same vocabulary.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("pydoc", "tinyshakespeare", "ptb")


def get_config(variant="pydoc"):
  config = config_dict.ConfigDict()
  config.task = "language_model"
  config.seed = 0
  config.steps = 1_000
  config.batch_size = 32  # parallel streams through the text
  config.window = 48  # steps between cuts of the gradient

  config.data = config_dict.ConfigDict()
  config.data.name = "pydoc"
  config.data.path = config_dict.placeholder(str)  # your own file, UTF-8
  config.data.validation = 0.05
  config.data.test = 0.05
  config.data.tokenizer = "words"  # or blanks, see data/tokens.py
  config.data.lower = True
  config.data.min_count = 2  # rarer words are unknown
  config.data.max_size = 10_000  # words at most; 0 is all

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"
  config.model.cell = "lstm"
  config.model.hidden_size = 256
  config.model.num_layers = 1
  config.model.embed_size = 256
  config.model.tie_embeddings = True  # embed_size must be hidden_size then
  config.model.dropout = 0.6
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3, weight_decay=0.1
  )

  config.update(settings.training())
  config.eval_batch_size = 8
  config.update(settings.windows(config, eval_window=128))
  config.probes = settings.probes()
  config.ngram = 3  # order of a Kneser-Ney model told of beside; 0: none

  config.showcase = config_dict.ConfigDict()
  config.showcase.prompt = ""
  config.showcase.num_tokens = 100
  config.showcase.temperature = 0.8
  config.showcase.top_p = 1.0
  config.showcase.prompts = (
    "the value of the ___",
    "if the argument is a ___",
    "This morning I took my cat for a ___",
  )

  if variant == "tinyshakespeare":
    config.data.name = "tinyshakespeare"
    config.data.validation = 0.1
    config.data.test = 0.0
    config.steps = 1_600
    config.model.dropout = 0.5
    config.eval_every = config.checkpoint_every = 400
    config.showcase.prompts = (
      "my lord , I will ___",
      "to be or not to ___",
      "This morning I took my cat for a ___",
    )
  elif variant == "ptb":
    config.data.tokenizer = "blanks"
    config.steps = 2_000
    config.eval_every = config.checkpoint_every = 500
  return config
