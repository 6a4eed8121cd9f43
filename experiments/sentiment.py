"""Sentiment of a text: experiments/sentiment.py:VARIANT.

  reviews (default)  generated; the label depends on the order of the words:
                     "good, not bad at all" and "bad, not good at all".
  sst2               settings for the Stanford Sentiment Treebank: a folder
                     with train.tsv, dev.tsv, test.tsv.
  reviews_transformer, sst2_transformer
                     the same with the encoders of masked_lm.py:reviews and
                     :sst2, whose runs can be begun from:
                     --config.init_from=RUN takes embeddings and layers, words
                     by their names, and knows the words of that run, too.

  python -m seqjax.launch --config=experiments/sentiment.py \
      --workdir=runs/sentiment
  echo "the film was bad , not good at all" | \
      python -m seqjax.launch --mode=predict --workdir=runs/sentiment

Your own texts: --config.data.path=FILE, `text<TAB>label` a line.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = "reviews", "sst2", "reviews_transformer", "sst2_transformer"


def get_config(variant="reviews"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 400
  config.batch_size = 64
  config.num_buckets = 4  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "tsv"
  config.data.path = config_dict.placeholder(str)  # FILE or FOLDER
  config.data.examples = 4_000  # generated, without a path
  config.data.validation = 0.1  # share of all, by class
  config.data.test = 0.1
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0
  config.data.min_count = 1  # rarer words are unknown
  config.data.lower = True

  config.model = config_dict.ConfigDict()
  config.model.layer = "bidirectional"  # or rnn
  config.model.cell = "lstm"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.embed_size = 64  # 0 is one-hot
  config.model.pool = "attention"  # last, mean, attention
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"
  config.model.input_noise = 0.0
  config.model.input_dropout = 0.2  # on what the first layer reads
  config.model.dropout = 0.2
  config.model.word_dropout = 0.02  # share of words read as unknown
  config.model.label_smoothing = 0.0

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(settings.training(best_metric="accuracy", best_mode="max"))
  config.eval_batch_size = 128
  config.probes = settings.probes()

  if variant == "sst2":
    config.steps = 1_100
    config.data.min_count = 2
    config.model.hidden_size = 128
    config.model.embed_size = 200
    config.model.pool = "mean"
    config.model.dropout = config.model.input_dropout = 0.6
    config.model.word_dropout = 0.4
    config.optimizer.learning_rate = 1e-3
    config.optimizer.weight_decay = 0.1
    config.eval_every = 110
  elif variant == "reviews_transformer":
    config.model.layer = "transformer_encoder(heads=4)"
    config.model.num_layers = 2
    config.model.pool = "mean"
    config.optimizer.learning_rate = 1e-3
  elif variant == "sst2_transformer":
    config.data.min_count = 2
    config.model.layer = "transformer_encoder(heads=4)"
    config.model.hidden_size = config.model.embed_size = 128
    config.model.num_layers = 3
    config.model.pool = "mean"
    config.steps = 330
    config.model.word_dropout = 0.2
    config.optimizer.learning_rate = 2e-3
    config.optimizer.weight_decay = 0.1
    config.eval_every = 55
  return config
