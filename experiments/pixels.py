"""An image read as a sequence: experiments/pixels.py:VARIANT.

  glyphs (default)  drawn digits of 12 x 12, row by row.
  rows              settings for MNIST, 28 steps of 28.
  pixels            784 steps of 1.
  permuted          784 steps of 1 in a fixed random order.
  vit               settings for MNIST by a Vision Transformer, 16 patches.
  cifar10           likewise for CIFAR-10, 64 patches of 4 x 4 in colours.
  cifar10_hybrid    the same behind convolutions.

  python -m seqjax.launch --config=experiments/pixels.py --workdir=runs/pixels
  python -m seqjax.launch --config=experiments/pixels.py:rows \
      --config.data.path=FOLDER --workdir=runs/mnist
  python -m seqjax.launch --config=experiments/pixels.py:cifar10 \
      --config.data.path=cifar10.tar.xz --workdir=runs/cifar10

FOLDER holds MNIST's four IDX files, gzipped or not; or pictures in folders that
are classes, CLASS/PICTURE or train/CLASS/PICTURE and test/CLASS/PICTURE, also
as an archive of them.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = (
  "glyphs",
  "rows",
  "pixels",
  "permuted",
  "vit",
  "cifar10",
  "cifar10_hybrid",
)


def get_config(variant="glyphs"):
  config = config_dict.ConfigDict()
  config.task = "classification"
  config.seed = 0
  config.steps = 400
  config.batch_size = 64
  config.num_buckets = 1  # padded lengths of batches

  config.data = config_dict.ConfigDict()
  config.data.format = "images"
  config.data.path = config_dict.placeholder(str)  # FOLDER or ARCHIVE
  config.data.examples = 4_000  # generated, without a path
  config.data.validation = 0.1  # share of all, by class
  config.data.test = 0.1
  config.data.num_folds = 0  # > 0: fold `fold` is the test, no validation
  config.data.fold = 0
  config.data.image_size = 0  # pixels of a side; 0 is as pictures are
  config.data.order = "rows"  # pixels, permuted, patches
  config.data.patch = 4  # pixels of a patch's side
  config.data.shift = 0  # pixels that an image is moved by in training
  config.data.flip = False  # whether it is mirrored there now and then
  config.data.erase = 0  # pixels of the side of a square greyed there

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"  # bidirectional, transformer_encoder
  config.model.cell = "lstm"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.embed_size = 0
  config.model.pool = "last"  # mean, attention, class_token
  config.model.channels = ()  # of convolutions in front of patches
  config.model.strides = ()  # of each; their product is a patch's side
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"
  config.model.input_noise = 0.0
  config.model.input_dropout = 0.1  # on what the first layer reads
  config.model.dropout = 0.1
  config.model.word_dropout = 0.0  # share of symbols read as unknown
  config.model.label_smoothing = 0.0

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(settings.training(best_metric="accuracy", best_mode="max"))
  config.eval_batch_size = 128
  config.probes = settings.probes()

  if variant in ("rows", "pixels", "permuted"):
    config.data.order = variant
    config.data.validation = 0.05  # of the training images
    config.steps = 8_000
    config.batch_size = 128
    config.model.hidden_size = 128
    config.log_every = 100
    config.eval_every = config.checkpoint_every = 1_000
  if variant == "rows":
    config.model.layer = "bidirectional"
    config.model.num_layers = 2
    config.model.dropout = config.model.input_dropout = 0.25
  if variant in ("vit", "cifar10", "cifar10_hybrid"):
    config.data.order = "patches"
    config.data.validation = 0.05
    config.batch_size = 128
    config.model.layer = "transformer_encoder(heads=4,positions='learned')"
    config.model.pool = "class_token"
    config.model.hidden_size = 128
    config.model.num_layers = 4
    config.model.dropout = 0.1
    config.model.input_dropout = 0.0
    config.model.label_smoothing = 0.1
    config.optimizer.learning_rate = 1e-3
    config.optimizer.weight_decay = 0.05
    config.log_every = 100
    config.eval_every = config.checkpoint_every = 1_000
  if variant == "vit":
    config.steps = 8_000
    config.data.patch = 7
    config.data.shift = 2
  elif variant in ("cifar10", "cifar10_hybrid"):
    config.steps = 8_000
    config.data.shift = 4
    config.data.flip = True
  if variant == "cifar10_hybrid":
    config.model.channels = (32, 64, 128)
    config.model.strides = (1, 2, 2)
  return config
