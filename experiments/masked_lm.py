"""Pretraining by masked words (BERT): experiments/masked_lm.py:VARIANT.

  reviews (default)  the generated reviews of sentiment.py, without labels.
  pydoc              Python's own reference text, a line a sentence.
  sst2               settings for the sentences of several files, written as
                     those of the Stanford Sentiment Treebank.

  python -m seqjax.launch --config=experiments/masked_lm.py --workdir=runs/mlm
  echo "the film was [MASK] , not bad at all" | \
      python -m seqjax.launch --mode=fill --workdir=runs/mlm
  python -m seqjax.launch --config=sentiment:reviews_transformer \
      --config.init_from=runs/mlm --workdir=runs/sentiment

Your own text: --config.data.path=FILE, a sentence a line, words parted by
blanks; --config.data.clean parts them. Several files, their columns, and what
is to be left out: see seqjax/data/sentences.py. The accuracy at masked places
stands beside that of a count model of both neighbours.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("reviews", "pydoc", "sst2")


def get_config(variant="reviews"):
  config = config_dict.ConfigDict()
  config.task = "masked_lm"
  config.seed = 0
  config.steps = 1_000
  config.batch_size = 64
  config.num_buckets = 4  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.path = config_dict.placeholder(str)  # FILE[:COLUMN],...
  config.data.name = "reviews"  # without a path; or pydoc, stdlib, ...
  config.data.examples = 4_000  # generated
  config.data.clean = False  # whether signs are parted or dropped
  config.data.exclude = ""  # FILE[:COLUMN],...: sentences left out
  config.data.max_length = 64  # words; the rest is another sentence
  config.data.validation = 0.05  # share at the end of each file
  config.data.test = 0.05
  config.data.min_count = 1  # rarer words are unknown
  config.data.lower = True

  config.masking = config_dict.ConfigDict()
  config.masking.rate = 0.15  # share of the words that are chosen
  config.masking.mask = 0.8  # of these: read as [MASK]
  config.masking.random = 0.1  # as another word; the rest as they are

  config.model = config_dict.ConfigDict()
  config.model.layer = "transformer_encoder(heads=4)"  # or bidirectional, rnn
  config.model.cell = "lstm"
  config.model.hidden_size = 64
  config.model.num_layers = 2
  config.model.embed_size = 64
  config.model.dropout = 0.1
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(settings.training())
  config.eval_batch_size = 64
  config.probes = settings.probes()

  if variant == "pydoc":
    config.data.name = "pydoc"
    config.data.clean = True
    config.data.min_count = 2
  elif variant == "sst2":
    config.data.clean = True
    config.data.min_count = 2
    config.data.validation = config.data.test = 0.02
    config.batch_size = 128
    config.num_buckets = 8
    config.steps = 4_600
    config.model.hidden_size = config.model.embed_size = 128
    config.model.num_layers = 3
    config.optimizer.learning_rate = 2e-3
    config.optimizer.warmup_steps = 200
    config.eval_every = config.checkpoint_every = 500
  return config
