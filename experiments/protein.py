"""Helix, sheet or coil for each amino acid: experiments/protein.py:VARIANT.

  hidden (default)  sequences of a known hidden Markov model; what is the best
                    that can be had is printed beside.
  uci               settings for UCI's file (Qian and Sejnowski 1988), chosen by
                    folds of its training proteins.
  uci_attention     the same by self-attention in place of the recurrence.

  python -m seqjax.launch --config=experiments/protein.py --workdir=runs/protein
  echo MKVLAAGIVGLLLAQ | \
      python -m seqjax.launch --mode=tag --workdir=runs/protein

Your own: --config.data.path=FILE, UCI's format or a header, letters and states
on three lines, see seqjax/data/protein.py.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("hidden", "uci", "uci_attention")


def get_config(variant="hidden"):
  config = config_dict.ConfigDict()
  config.task = "aligned"
  config.seed = 0
  config.steps = 400
  config.batch_size = 32
  config.num_buckets = 2  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "protein"
  config.data.path = config_dict.placeholder(str)  # FILE
  config.data.alphabet = "protein"  # dna, rna
  config.data.examples = 2_000  # drawn, without a path
  config.data.validation = 0.1  # share of a file
  config.data.test = 0.1
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0

  config.model = config_dict.ConfigDict()
  config.model.layer = "bidirectional"  # or transformer_encoder(heads=2)
  config.model.cell = "gru"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.neighbours = 0  # on each side, of a convolution; 0 is none
  config.model.filters = 0  # of the convolution
  config.model.read_out = "crf"  # or softmax
  config.model.decode = "steps"  # the likeliest steps; or path
  config.model.dropout = 0.1
  config.model.word_dropout = 0.0  # share of letters read as any
  config.model.outside_penalty = 0.0  # on the commonest state when decoding
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=5e-3, clip_norm=100.0
  )

  config.update(
    settings.training(eval_every=100, best_metric="q3", best_mode="max")
  )
  config.eval_batch_size = 64
  config.probes = settings.probes()

  if variant in ("uci", "uci_attention"):
    config.data.validation = 0.0  # few enough: all of them are to learn from
    config.steps = 350
    config.batch_size = 16
    config.num_buckets = 3
    config.model.neighbours = 3
    config.model.filters = 64
    config.model.dropout = 0.5
    config.model.word_dropout = 0.1
    config.optimizer.learning_rate = 3e-3
    config.optimizer.weight_decay = 0.1
    config.optimizer.decay = "constant"
    config.optimizer.ema_decay = 0.97
    config.eval_every = config.checkpoint_every = 350
  if variant == "uci_attention":
    config.model.layer = "transformer_encoder(heads=2, feed_forward=128)"
    config.model.neighbours = 6
    config.model.dropout = 0.3
    config.steps = config.eval_every = config.checkpoint_every = 200
  return config
