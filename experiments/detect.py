"""Which objects are in an image, and where: experiments/detect.py:VARIANT.

  scenes (default)  a small DETR (Carion et al. 2020) on made-up scenes of
                    shapes: 10 queries guess all objects at once, each from a
                    place in the image where something seems to be; half an
                    hour on one CPU core.
  plain             queries without such places, as in the paper, which need
                    many times as long.

  python -m seqjax.launch --config=experiments/detect.py --workdir=runs/boxes
  python -m seqjax.launch --mode=detect --workdir=runs/boxes --input=IMAGE

Your own: --config.data.images=FOLDER with --config.data.boxes=FILE.json in
COCO's format, see seqjax/data/coco.py.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("scenes", "plain")


def get_config(variant="scenes"):
  config = config_dict.ConfigDict()
  config.task = "detection"
  config.seed = 0
  config.steps = 8_000
  config.batch_size = 16
  config.auxiliary_weight = 1.0  # of the guesses after all blocks but the last

  config.data = config_dict.ConfigDict()
  config.data.images = ""  # FOLDER of images
  config.data.boxes = ""  # and FILE.json
  config.data.validation = 0.1  # shares of them
  config.data.test = 0.1
  config.data.image_size = 96  # pixels of a side
  config.data.examples = 1_000_000  # scenes, made when asked for
  config.data.validation_examples = 500
  config.data.test_examples = 2_000

  config.model = config_dict.ConfigDict()
  config.model.channels = (32, 48, 96)  # of convolutions below the regions
  config.model.strides = (4, 1, 2, 1)  # of these and the last
  config.model.region_size = 96  # features of a region
  config.model.hidden_size = 96
  config.model.heads = 4
  config.model.feed_forward = 192
  config.model.num_layers = 2  # of the encoder
  config.model.decoder_layers = 3
  config.model.num_queries = 10
  config.model.anchored = variant != "plain"  # queries begin somewhere
  config.model.dropout = 0.0
  config.model.compute_dtype = "float32"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"),
    learning_rate=1e-3,
    warmup_steps=200,
    weight_decay=0.01,
    ema_decay=0.998,
  )

  config.update(
    settings.training(
      log_every=100, eval_every=1_000, best_metric="ap75", best_mode="max"
    )
  )
  config.eval_batch_size = 100
  config.probes = settings.probes()

  config.showcase = config_dict.ConfigDict()
  config.showcase.images = 12  # 0: nothing
  return config
