"""What the contract gives a task."""

import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.errors import InputError
from seqjax.tasks import base


def test_a_module_must_hold_one_task():
  from tests.experiments import load

  config = load("char_lm")
  config.task = "seqjax.data.text"
  with pytest.raises(InputError, match="a module with 0 subclasses"):
    base.find(config)


def test_means_are_sums_over_counts():
  means = base.Means()
  assert means.add({"loss": (6.0, 2.0)}) == {"loss": 3.0}
  means.add({"loss": (4.0, 8.0)})
  assert means.means() == {"loss": 1.0}


def test_a_count_below_one_is_what_it_is():
  """Fractional weights too give means."""
  means = base.Means()
  metrics = {"loss": (jnp.float32(0.6), jnp.float32(0.2))}
  assert means.add(metrics)["loss"] == pytest.approx(3.0)
  assert means.means()["loss"] == pytest.approx(3.0)
  assert base.Means().add({"loss": (np.float32(0), 0)}) == {"loss": 0.0}
