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


def get_config(variant="pydoc"):
  config = config_dict.ConfigDict()
  config.task = "char_lm"
  config.seed = 0
  config.steps = 1_000
  config.batch_size = 64  # parallel streams through the text
  config.window = 128  # steps between cuts of the gradient

  config.data = config_dict.ConfigDict()
  config.data.name = variant
  config.data.path = config_dict.placeholder(str)  # your own file, UTF-8
  config.data.validation = 0.05  # share, contiguous, before the test part
  config.data.test = 0.05  # share, contiguous, at the end

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"  # or feed_forward
  # A name or a call: gru, lstm(forget_bias=2.0), zoneout(lstm, h=0.1), ...; a
  # typo lists all names, or all options of a cell.
  config.model.cell = "lstm"
  config.model.hidden_size = 256
  config.model.num_layers = 1
  config.model.embed_size = 64  # 0 is one-hot
  config.model.tie_embeddings = False  # embed_size must be hidden_size then
  config.model.dropout = 0.0
  config.model.compute_dtype = "float32"  # or bfloat16: of matrix products
  config.model.method = "auto"  # how the recurrence is run, see seqjax.unroll
  config.model.gradient = "bptt"  # or truncated(k1=16, k2=32)

  config.optimizer = config_dict.ConfigDict()
  config.optimizer.name = "adamw"  # or sgd
  config.optimizer.learning_rate = 4e-3
  config.optimizer.warmup_steps = 50
  config.optimizer.decay = "cosine"  # constant, linear, cosine
  config.optimizer.decay_steps = config.get_oneway_ref("steps")
  config.optimizer.final_fraction = 0.01
  config.optimizer.b1 = 0.9  # adamw
  config.optimizer.b2 = 0.99  # adamw
  config.optimizer.weight_decay = 0.01  # adamw, matrices only
  config.optimizer.momentum = 0.9  # sgd
  config.optimizer.clip_norm = 1.0  # global norm; 0 is off

  config.log_every = 20
  config.eval_every = 250
  config.eval_batch_size = 16  # parallel streams
  config.eval_window = 256
  config.checkpoint_every = 250
  config.keep_checkpoints = 2

  config.probes = config_dict.ConfigDict()
  config.probes.gradients_every = 0  # steps; 0 is off; see docs/gradients.md

  config.showcase = config_dict.ConfigDict()
  config.showcase.prompt = ""
  config.showcase.num_chars = 600
  config.showcase.temperature = 0.8
  config.showcase.top_p = 1.0

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
