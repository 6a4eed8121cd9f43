"""Captions of images, Show, Attend and Tell: experiments/caption.py:VARIANT.

  scenes (default)  made-up scenes of coloured shapes, looked at by a small
                    convolutional network that is trained along; ten minutes on
                    2 CPU cores.
  flickr8k          settings for Flickr8k as grids of regions. Public reference:
                    BLEU-4 19.5 (soft attention, Xu et al. 2015).
  flickr8k_transformer  the same by a Transformer's decoder, for as many minutes
                    of a core.

  python -m seqjax.launch --config=experiments/caption.py --workdir=runs/c
  python -m seqjax.launch --mode=caption --workdir=runs/c --input=IMAGE

Your own: --config.data.images=FOLDER or --config.data.grids=FILE.npz, with
--config.data.captions=FILE, see seqjax/data/captions.py. The mean of all
regions in place of attention: --config.model.pool=mean. A Transformer's decoder
anywhere: --config.model.decoder='transformer(heads=4)'
--config.model.bridge=none
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("scenes", "flickr8k", "flickr8k_transformer")


def get_config(variant="scenes"):
  config = config_dict.ConfigDict()
  config.task = "captioning"
  config.seed = 0
  config.steps = 4_000
  config.batch_size = 64
  config.num_buckets = 4  # padded lengths of batches
  config.label_smoothing = 0.0
  config.scheduled_sampling = 0.0  # share of inputs that the model itself wrote

  config.data = config_dict.ConfigDict()
  config.data.format = "captions"
  config.data.grids = ""  # FILE.npz or FOLDER, regions of another network
  config.data.images = ""  # or FOLDER of images
  config.data.captions = ""  # FILE
  config.data.train_names = ""  # FILES of image names; or shares
  config.data.validation_names = ""
  config.data.test_names = ""
  config.data.validation = 0.05
  config.data.test = 0.05
  config.data.image_size = 64  # pixels of a side
  config.data.examples = 30_000  # scenes, without images of one's own
  config.data.held_out = 500  # more of them that show what training never does
  config.data.min_count = 1  # rarer words are unknown
  config.data.max_length = 0  # longer captions are not trained on; 0: all are

  config.model = config_dict.ConfigDict()
  config.model.channels = (64, 128)  # of convolutions below the regions
  config.model.strides = (4, 2, 1)  # of these and the last
  config.model.region_size = 128  # features of a region
  config.model.pool = "none"  # mean: one region, the mean of all
  config.model.cell = "gru"
  config.model.hidden_size = 192
  config.model.num_layers = 1
  # additive(coverage=True), dot, general, location_aware, multi_head, none; a
  # Transformer does not read it, nor the cell
  config.model.attention = "additive"
  # bahdanau, input_feeding, luong, transformer(heads=4, norm='post')
  config.model.decoder = "conditional"
  config.model.embed_size = 64
  config.model.bridge = "learned"  # or none: whether it starts from the mean
  config.model.tie_embeddings = True
  config.model.deep_output = True  # a layer before the read-out
  config.model.embed_dropout = 0.0
  config.model.dropout = 0.0  # between layers, and inside of a Transformer's
  # Of what is attended to and what is read out, by one mask a sequence.
  config.model.output_dropout = config.model.get_oneway_ref("dropout")
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.decode = config_dict.ConfigDict()
  config.decode.beam = 3
  config.decode.alpha = 1.0  # score: log-probability / length^alpha
  config.decode.alignment_layer = -1  # where it looked: of those that attend
  config.decode.min_length = 2  # words with the stop
  config.decode.max_length = 30

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"),
    learning_rate=2e-3,
    weight_decay=0.0,
    ema_decay=0.998,
  )

  config.update(
    settings.training(eval_every=500, best_metric="bleu_4", best_mode="max")
  )
  config.eval_batch_size = 128
  config.probes = settings.probes()

  config.showcase = config_dict.ConfigDict()
  config.showcase.images = 6  # 0: nothing
  config.showcase.photos = ""  # FOLDER of the images that grids are of

  if variant in ("flickr8k", "flickr8k_transformer"):
    config.data.min_count = 5
    config.data.max_length = 40
    config.steps = 4_000
    config.batch_size = 100
    config.label_smoothing = 0.1
    config.model.region_size = 128
    config.model.hidden_size = 384
    config.model.attention = "additive(size=128)"
    config.model.embed_size = 256
    config.model.embed_dropout = 0.3
    config.model.dropout = 0.5
    config.decode.alpha = 0.5  # by the validation part
    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.warmup_steps = 200
    config.optimizer.ema_decay = 0.999
    config.log_every = 50
    config.eval_every = config.checkpoint_every = 1_000
  if variant == "flickr8k_transformer":
    config.steps = 2_900  # as long as the other takes for 4,000
    config.model.decoder = "transformer(heads=4, feed_forward=512)"
    config.model.hidden_size = 256
    config.model.num_layers = 2
    config.model.bridge = "none"
    config.model.deep_output = False
    config.model.embed_dropout = 0.2
    config.model.dropout = 0.1
    config.model.output_dropout = 0.2
    config.optimizer.learning_rate = 2e-3
    config.optimizer.warmup_steps = 300
    config.optimizer.b2 = 0.98
    config.eval_every = config.checkpoint_every = 500
  return config
