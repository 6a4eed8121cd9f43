"""Where will the ball go next? experiments/ball.py:VARIANT.

  positions (default)  10 positions of a simulated ball are seen, 20 foretold.
  images               the same from images of 16 x 16.

  python -m seqjax.launch --config=experiments/ball.py --workdir=runs/ball
  python -m seqjax.launch --mode=roll_out --workdir=runs/ball

Your own: --config.data.path=FILE.csv with columns trajectory, x, y.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("positions", "images")


def get_config(variant="positions"):
  config = config_dict.ConfigDict()
  config.task = "trajectories"
  config.seed = 0
  config.steps = 3_000
  config.batch_size = 128

  config.data = config_dict.ConfigDict()
  config.data.path = config_dict.placeholder(str)  # FILE.csv
  config.data.input = variant
  config.data.observed = 10  # steps that are seen
  config.data.horizon = 20  # steps that are foretold
  config.data.image_size = 16  # pixels, images only
  config.data.validation = 0.1  # share of the trajectories of a file
  config.data.test = 0.1

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"
  config.model.cell = "gru"
  config.model.hidden_size = 128
  config.model.num_layers = 1
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"),
    learning_rate=3e-3,
    warmup_steps=100,
    weight_decay=0.0,
  )

  config.update(settings.training(log_every=100, eval_every=1_000))
  config.eval_batch_size = 256
  config.eval_batches = 4  # of simulated balls
  config.probes = settings.probes()
  return config
