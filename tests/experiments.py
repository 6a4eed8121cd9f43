"""Experiments made small, for tests."""

import pathlib
import runpy

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "experiments"

# Fields that exist in some experiments only are left out in the others.
SMALL = {
  "steps": 2,
  "batch_size": 8,
  "window": 8,
  "log_every": 1,
  "eval_every": 2,
  "checkpoint_every": 2,
  "eval_batch_size": 16,
  "eval_batches": 1,
  "num_buckets": 1,
  "data.examples": 100,
  "model.hidden_size": 8,
  "model.embed_size": 8,
  "showcase.num_tokens": 10,
}
OF_ONE = {
  "forecast": {"data.examples": 1_200},
  # Fewer pictures to draw.
  "ball": {"data.observed": 4, "data.horizon": 5},
  # Three recurrences in every program: small ones.
  "ner": {"model.cell": "elman"},
  "protein": {"model.cell": "elman"},
  "long_memory": {"data.distance": 8},
  "masked_lm": {"model.num_layers": 1},
  "music": {"showcase.judged": 3},
  "digits": {"model.cell": "elman"},
  "speech": {"model.cell": "elman", "model.filters": 8},
  "chorales": {"model.cell": "elman", "model.note_size": 8},
  "caption": {
    "data.image_size": 48,
    "data.held_out": 10,
    "model.channels": (4,),
    "model.strides": (4, 2),
    "model.region_size": 8,
    "model.cell": "elman",
    "model.attention": "additive(size=4)",
    "decode.max_length": 8,
  },
  "translate": {"model.cell": "elman", "model.attention": "additive(size=4)"},
  "detect": {
    "data.image_size": 32,
    "data.validation_examples": 20,
    "data.test_examples": 12,
    "model.channels": (4,),
    "model.strides": (4, 2),
    "model.region_size": 8,
    "model.heads": 2,
    "model.feed_forward": 8,
    "model.num_layers": 1,
    "model.decoder_layers": 2,
    "model.num_queries": 6,
    "showcase.images": 4,
  },
}


def names() -> list[str]:
  """All files of `experiments/`."""
  return sorted(path.stem for path in FOLDER.glob("*.py"))


def variants(name: str) -> tuple[str, ...]:
  """What `NAME.py` has."""
  return runpy.run_path(str(FOLDER / f"{name}.py"))["VARIANTS"]


def load(name: str):
  """The config of `NAME[:VARIANT]` as it is."""
  name, _, variant = name.partition(":")
  module = runpy.run_path(str(FOLDER / f"{name}.py"))
  return module["get_config"](*([variant] if variant else []))


def small(name: str, **changes):
  """The config of `NAME[:VARIANT]`, made small, then with other changes."""
  config = load(name)
  known = set(_leaves(config))
  fitting = {**SMALL, **OF_ONE.get(name.partition(":")[0], {})}
  if not config.model.get("embed_size"):  # one-hot stays one-hot
    fitting.pop("model.embed_size")
  for field, value in fitting.items():
    if field in known:
      config.update_from_flattened_dict({field: value})
  config.update_from_flattened_dict(changes)
  return config


def _leaves(config, prefix=""):
  for key, value in config.items():
    if hasattr(value, "items"):
      yield from _leaves(value, f"{prefix}{key}.")
    else:
      yield f"{prefix}{key}"
