"""Forecasts of series, many steps ahead: experiments/forecast.py:VARIANT.

  seasonal (default)  a generated hourly series with a known noise floor.
  quantiles           the same, with an interval that holds 80 % of what comes.
  etth1               settings for ETTh1.csv: 96 hours from 720, 7 columns.
  temperatures        daily minimum temperatures, 7 days from 56.
  airline             monthly passengers, 12 months from 36.
  djia                Dow Jones, close of 5 days from 20.

  python -m seqjax.launch --config=experiments/forecast.py --workdir=runs/next
  python -m seqjax.launch --mode=forecast --workdir=runs/next

Your own series: --config.data.path=FILE.csv with a date column; lookback,
horizon, season and the parts are fields of config.data. Intervals, of any of
them: --config.model.quantiles="(.1,.5,.9)"; --widen of the mode widens them by
what the validation part shows.
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = (
  "seasonal",
  "quantiles",
  "etth1",
  "temperatures",
  "airline",
  "djia",
)


def get_config(variant="seasonal"):
  config = config_dict.ConfigDict()
  config.task = "forecasting"
  config.seed = 0
  config.steps = 400
  config.batch_size = 64
  config.loss = "mse"  # or mae: what training minimises, without quantiles

  config.data = config_dict.ConfigDict()
  config.data.path = config_dict.placeholder(str)  # FILE.csv
  config.data.columns = ("",)[:0]  # default all but the date
  config.data.examples = 4_000  # generated hours, without a path
  config.data.train = 0.0  # rows, or a share below 1; 0 is the rest
  config.data.validation = 0.1
  config.data.test = 0.2
  config.data.lookback = 168  # steps that are seen
  config.data.horizon = 24  # steps that are forecast
  config.data.season = 168  # steps, for the seasonal baseline

  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"
  config.model.cell = "gru"
  config.model.hidden_size = 64
  config.model.num_layers = 1
  config.model.segment = 12  # steps that are read at once
  config.model.subtract_last = True  # levels relative to the last value
  config.model.dropout = 0.1
  config.model.quantiles = (0.5,)[:0]  # of each value, by the pinball loss
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=3e-3
  )

  config.update(settings.training())
  config.eval_batch_size = 128
  config.probes = settings.probes()

  if variant == "quantiles":
    config.model.quantiles = (0.1, 0.5, 0.9)
    config.model.subtract_last = False  # no drift: the last value is noise, too
    # Dropout widens intervals, an overfit narrows them: little of both.
    config.model.dropout = 0.02
    config.optimizer.weight_decay = 0.3
    config.steps = 1_000
  elif variant == "etth1":
    config.data.train = 8_640.0
    config.data.validation = config.data.test = 2_880.0
    config.data.lookback, config.data.horizon = 720, 96
    config.data.season = 24
    config.model.hidden_size = 128
    config.model.segment = 48
    config.model.dropout = 0.5
    config.loss = "mae"
    config.steps = 900
    config.optimizer.learning_rate = 1e-3
    config.eval_every = config.checkpoint_every = 300
  elif variant == "temperatures":
    config.data.validation, config.data.test = 365.0, 730.0
    config.data.lookback, config.data.horizon = 56, 7
    config.data.season = 7
    config.model.segment = 7
    config.steps = 300
    config.model.subtract_last = False
  elif variant == "airline":
    config.data.validation, config.data.test = 0.0, 24.0
    config.data.lookback, config.data.horizon = 36, 12
    config.data.season = 12
    config.model.segment = 12
    config.model.hidden_size = 32
    config.steps = 300
  elif variant == "djia":
    config.data.columns = ("Close",)
    config.data.validation, config.data.test = 0.1, 0.2
    config.data.lookback, config.data.horizon = 20, 5
    config.data.season = 5
    config.model.segment = 5
    config.model.hidden_size = 4  # hardly more than a random walk is there
    config.model.dropout = 0.0
    config.optimizer.weight_decay = 3.0
    config.steps = 600
  return config
