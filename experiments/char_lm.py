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
  gpt              the same plays, a Transformer of 3.2M parameters: 1.486
                   nats/char in 48 minutes on 2 CPU cores.
  small_lstm       the same plays, 0.81M parameters, 8 minutes each; and
  small_gru, small_min_gru, small_transformer

  python -m seqjax.launch --config=experiments/char_lm.py --workdir=runs/char_lm

Your own text: --config.data.path=FILE (UTF-8).

A Transformer in place of the recurrence: --config.model.layer=transformer, or
"transformer(heads=8)". The fields of `settings.windows` follow that word: an
LSTM's carry crosses windows, a Transformer's start empty, and each character
that is measured comes after half a window or more. To compare at like context
give the LSTM --config.carry_over=False --config.eval_window=128
--config.eval_context=64.
"""

from ml_collections import config_dict

from seqjax import config as settings

# Steps: what 16 minutes of a CPU core, 8 of two, are enough for.
SMALL = {
  "lstm": {"cell": "lstm", "hidden_size": 410, "steps": 2_200},
  "gru": {"cell": "gru", "hidden_size": 476, "steps": 2_600},
  "min_gru": {
    "cell": "min_gru",
    "hidden_size": 424,
    "num_layers": 3,
    "steps": 2_000,
  },
  "transformer": {
    "layer": "transformer",
    "hidden_size": 128,
    "embed_size": 128,
    "num_layers": 4,
    "dropout": 0.0,
    "steps": 2_100,
  },
}
VARIANTS = (
  "pydoc",
  "stdlib",
  "tinyshakespeare",
  "gpt",
  *(f"small_{family}" for family in SMALL),
)


def get_config(variant="pydoc"):
  config = config_dict.ConfigDict()
  config.task = "language_model"
  config.seed = 0
  config.steps = 1_000
  config.batch_size = 64  # parallel streams through the text
  config.window = 128  # steps between cuts of the gradient

  config.data = config_dict.ConfigDict()
  plays = variant not in ("pydoc", "stdlib")
  config.data.name = "tinyshakespeare" if plays else variant
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
  config.update(settings.windows(config, eval_window=256))
  config.probes = settings.probes()
  config.ngram = 0  # order of a Kneser-Ney model told of beside; 0: none

  config.showcase = config_dict.ConfigDict()
  config.showcase.prompt = ""
  config.showcase.num_tokens = 600
  config.showcase.temperature = 0.8
  config.showcase.top_p = 1.0
  config.showcase.prompts = ("",)[:0]  # to complete, up to ___

  if variant == "stdlib":
    config.steps = 2_000
    config.model.hidden_size = 512
  if plays:
    config.data.validation = 0.1
    config.data.test = 0.0
    config.batch_size = 32
    config.optimizer.warmup_steps = 100
    config.log_every = 50
    config.eval_every = 400
    config.checkpoint_every = 400
  if variant == "tinyshakespeare":
    config.steps = 3_200
    config.model.hidden_size = 512
    config.model.num_layers = 2
    config.model.embed_size = 128
    config.model.dropout = 0.4
    config.optimizer.learning_rate = 2e-3
  elif variant == "gpt":
    config.steps = 2_300
    config.batch_size = 16
    config.window = 256
    config.model.layer = "transformer"
    config.model.num_layers = 4
    config.model.embed_size = 256
    config.model.dropout = 0.1
    config.optimizer.learning_rate = 1.5e-3
    config.eval_every = config.checkpoint_every = 460
  elif plays:
    family = dict(SMALL[variant.removeprefix("small_")])
    config.steps = family.pop("steps")
    config.model.dropout = 0.1
    config.model.update(family)
    config.optimizer.learning_rate = 3e-3
  return config
