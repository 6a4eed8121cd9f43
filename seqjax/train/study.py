"""A study in a run directory: it measures or trains many models itself."""

import pathlib

from seqjax import config as settings
from seqjax import studies
from seqjax.config import Config
from seqjax.studies import base
from seqjax.train import workdir


def run(config: Config, directory: pathlib.Path) -> None:
  """Runs the study that `config.study` names.

  Raises:
    InputError: the config or the directory is not fit.
  """
  with workdir.locked(directory), settings.missing_fields():
    study = settings.find_module(
      "config.study", config.study, studies.__name__, ["check", "run"]
    )
    config = base.resolve(config)
    study.check(config)
    if workdir.begun(directory):
      workdir.check_config(directory, config, may_change=())
    workdir.save_config(directory, config)
    study.run(config, directory)
