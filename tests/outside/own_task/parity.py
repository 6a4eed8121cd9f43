"""The user's own experiment."""

from ml_collections import config_dict

from seqjax import config as settings


def get_config():
  config = config_dict.ConfigDict()
  config.task = "mine.parity"
  config.seed = 0
  config.steps = 4
  config.batch_size = 8
  config.length = 8
  config.model = config_dict.ConfigDict()
  config.model.layer = "rnn"
  config.model.cell = "gru"
  config.model.hidden_size = 8
  config.model.num_layers = 1
  config.model.dropout = 0.0
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"
  config.optimizer = settings.optimizer(100, learning_rate=1e-2)
  config.update(settings.training(log_every=1, eval_every=4))
  config.probes = settings.probes()
  return config
