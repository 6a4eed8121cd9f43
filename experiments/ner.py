"""Who, where, when? Names in sentences: experiments/ner.py:VARIANT.

  templates (default)  generated sentences with people, organisations, times.
  wnut17               settings for WNUT-17, a folder with its three files.

  python -m seqjax.launch --config=experiments/ner.py --workdir=runs/ner
  echo "Jim bought 300 shares of Acme Corp. in 2006 ." | \
      python -m seqjax.launch --mode=tag --workdir=runs/ner

Your own: --config.data.path=FILE in CoNLL columns, see seqjax/data/conll.py, or
a folder with the three files that `config.data` names.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("templates", "wnut17")


def get_config(variant="templates"):
  config = config_dict.ConfigDict()
  config.task = "aligned"
  config.seed = 0
  config.steps = 200
  config.batch_size = 32
  config.num_buckets = 3  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "conll"
  config.data.path = config_dict.placeholder(str)  # FILE or FOLDER
  config.data.train_file = "train.conll"  # in a folder
  config.data.validation_file = "dev.conll"
  config.data.test_file = "test.conll"
  config.data.examples = 2_000  # generated, without a path
  config.data.validation = 0.1  # share, of one file
  config.data.test = 0.1
  config.data.min_count = 1  # rarer words are unknown

  config.model = config_dict.ConfigDict()
  config.model.layer = "bidirectional"
  config.model.cell = "lstm"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.embed_size = 64
  config.model.shape_embed_size = 16
  config.model.char_embed_size = 16
  config.model.char_hidden_size = 16
  config.model.neighbours = 0  # on each side, of a convolution; 0 is none
  config.model.filters = 0
  config.model.read_out = "crf"  # or softmax
  config.model.decode = "path"  # the likeliest path; or steps
  config.model.dropout = 0.2
  config.model.word_dropout = 0.1  # share of words read as unknown
  config.model.outside_penalty = 0.0  # on "O" when decoding: for more recall
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"),
    learning_rate=5e-3,
    warmup_steps=20,
    clip_norm=5.0,
  )

  config.update(
    settings.training(eval_every=100, best_metric="f1", best_mode="max")
  )
  config.eval_batch_size = 64
  config.probes = settings.probes()

  if variant == "wnut17":
    config.data.train_file = "wnut17train.conll"
    config.data.validation_file = "emerging.dev.conll"
    config.data.test_file = "emerging.test.annotated"
    config.steps = 1_600
    config.model.hidden_size = 100
    config.model.embed_size = 100
    config.model.char_embed_size = 50
    config.model.char_hidden_size = 50
    config.model.dropout = 0.5
    config.model.word_dropout = 0.5
    config.model.outside_penalty = 2.0
    config.optimizer.learning_rate = 2e-3
    config.eval_every = config.checkpoint_every = 200
  return config
