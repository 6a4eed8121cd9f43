"""DNA, RNA or proteins by their letters: experiments/dna.py:VARIANT.

  motif (default)  generated sequences, half of them with a planted motif; with
                   --config.data.alphabet=rna or protein of those.
  promoters        E. coli promoter or not (UCI), 106 sequences, 10-fold.
  splice           splice junction EI, IE or neither (UCI), 10-fold.
  binding          transcription factor binds or not, two aligned files.
  promoters_attention, splice_attention
                   the same by self-attention in place of a recurrence. Its
                   settings were chosen on other folds than those reported.

  python -m seqjax.launch --config=experiments/dna.py --workdir=runs/dna
  python -m seqjax.launch --config=experiments/dna.py:promoters \
      --config.data.path=promoters.data --mode=cross_validate \
      --workdir=runs/promoters

Formats, FASTA among them: see seqjax/data/dna.py. Letters are one-hot; those
that stand for several are shares.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = (
  "motif",
  "promoters",
  "splice",
  "binding",
  "promoters_attention",
  "splice_attention",
)


def get_config(variant="motif"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 600
  config.batch_size = 64
  config.num_buckets = 1  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "dna"
  config.data.path = config_dict.placeholder(str)  # FILE or FOLDER
  config.data.alphabet = "dna"  # rna, protein
  config.data.examples = 2_000  # generated, without a path
  config.data.validation = 0.1  # share of all, by class
  config.data.test = 0.1
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0
  config.data.aligned = False  # whether a letter's place in the sequence tells

  config.model = config_dict.ConfigDict()
  # Or rnn, transformer_encoder(heads=4)
  config.model.layer = "bidirectional"
  config.model.cell = "gru"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.embed_size = 0
  config.model.pool = "attention"  # last, mean, attention
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"
  config.model.input_noise = 0.0
  config.model.input_dropout = 0.2  # on what the first layer reads
  config.model.dropout = 0.2
  config.model.word_dropout = 0.0  # share of symbols read as unknown
  config.model.label_smoothing = 0.0

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(settings.training(best_metric="accuracy", best_mode="max"))
  config.eval_batch_size = 128
  config.probes = settings.probes()

  if variant in ("promoters", "promoters_attention"):
    config.data.num_folds = 10
    config.data.aligned = True
    config.batch_size = 32
    config.steps = 300
    config.eval_every = config.checkpoint_every = 300
  elif variant in ("splice", "splice_attention"):
    config.data.num_folds = 10
    config.data.aligned = True
    config.steps = 900
    config.eval_every = config.checkpoint_every = 900
  elif variant == "binding":
    config.data.test = 0.25
  if variant == "promoters_attention":
    # An input says where its letter is: no other positions are needed. Of 95
    # sequences there is little to learn but by heart: much is hidden.
    config.model.layer = (
      "transformer_encoder(heads=4, feed_forward=64, positions='none',"
      " attention_dropout=0.3)"
    )
    config.model.hidden_size = 32
    config.model.input_dropout = 0.5
    config.model.dropout = 0.5
    config.steps = config.eval_every = config.checkpoint_every = 200
  elif variant == "splice_attention":
    config.model.layer = "transformer_encoder(heads=4, feed_forward=128)"
  return config
