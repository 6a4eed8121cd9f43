"""Character language model.

Variants (`--config=experiments/char_lm.py:VARIANT`):

  pydoc (default)  Python's own reference text, in every CPython, no network;
                   2 minutes on 2 CPU cores: 1.45 nats/char.
  stdlib           the installed Python sources: writes code; no network.
  tinyshakespeare  1.1 MB of plays (karpathy/char-rnn), downloaded once;
                   last 10 % is validation; 23 minutes on 2 CPU cores:
                   1.436 nats/char with 3.45M parameters.
                   Public reference: 1.4697 nats/char, a 10.7M-parameter
                   Transformer (karpathy/nanoGPT, README).

  python -m seqjax.launch --config=experiments/char_lm.py --workdir=runs/char_lm

Your own text: --config.data.path=FILE (UTF-8).
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("pydoc", "stdlib", "tinyshakespeare")


def get_config(variant="pydoc"):
  config = config_dict.ConfigDict()
  config.task = "language_model"
  config.seed = 0
  config.steps = 1_000
  config.batch_size = 64  # parallel streams through the text
  config.window = 128  # steps between cuts of the gradient

  config.data = config_dict.ConfigDict()
  config.data.name = variant
  config.data.path = config_dict.placeholder(str)  # your own file, UTF-8
  config.data.validation = 0.05  # share, contiguous, before the test part
  config.data.test = 0.05  # share, contiguous, at the end
  config.data.tokenizer = "characters"  # words, blanks: see data/tokens.py
  config.data.lower = False
  config.data.min_count = 1  # rarer symbols are unknown
  config.data.max_size = 0  # symbols at most; 0 is all

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"
  # A name or a call: "lstm(peepholes=True)", "zoneout(gru, h=0.1)"; a typo
  # lists them all.
  config.model.cell = "lstm"
  config.model.hidden_size = 256
  config.model.num_layers = 1
  config.model.embed_size = 64  # 0 is one-hot
  config.model.tie_embeddings = False  # embed_size must be hidden_size then
  config.model.dropout = 0.0
  config.model.compute_dtype = "float32"  # or bfloat16: of matrix products
  # How the recurrence is run, see seqjax.unroll: "checkpointed(segment=64)".
  config.model.method = "auto"
  # "truncated(k1=16, k2=64)": how far it goes back inside of a window.
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=4e-3
  )

  config.update(settings.training(eval_every=250))
  config.eval_batch_size = 16  # parallel streams
  config.eval_window = 256
  config.probes = settings.probes()
  config.trigram = False  # whether to tell a Kneser-Ney trigram's perplexity

  config.showcase = config_dict.ConfigDict()
  config.showcase.prompt = ""
  config.showcase.num_tokens = 600
  config.showcase.temperature = 0.8
  config.showcase.top_p = 1.0
  config.showcase.prompts = ("",)[:0]  # to complete, up to ___

  if variant == "stdlib":
    config.steps = 2_000
    config.model.hidden_size = 512
  elif variant == "tinyshakespeare":
    config.data.validation = 0.1
    config.data.test = 0.0
    config.steps = 3_200
    config.batch_size = 32
    config.model.hidden_size = 512
    config.model.num_layers = 2
    config.model.embed_size = 128
    config.model.dropout = 0.4
    config.optimizer.learning_rate = 2e-3
    config.optimizer.warmup_steps = 100
    config.log_every = 50
    config.eval_every = 400
    config.checkpoint_every = 400
  return config
