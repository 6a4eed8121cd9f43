"""Calibration, against loops and grids."""

import numpy as np
import pytest

from seqjax.tasks import calibration


def softmax(logits):
  shares = np.exp(logits - logits.max(-1, keepdims=True))
  return shares / shares.sum(-1, keepdims=True)


def draw(temperature, count=4_000, classes=4):
  """What a model says whose logits are `temperature` times too large."""
  rng = np.random.default_rng(0)
  logits = 2 * rng.normal(size=(count, classes))
  labels = [rng.choice(classes, p=p) for p in softmax(logits)]
  return temperature * logits, np.array(labels)


def test_the_expected_error_is_that_of_a_loop():
  logits, labels = draw(2.0, count=300)
  rows = softmax(logits)
  expected = 0.0
  for k in range(calibration.BINS):
    low, high = k / calibration.BINS, (k + 1) / calibration.BINS
    inside = [
      (row.max(), row.argmax() == label)
      for row, label in zip(rows, labels, strict=True)
      if low < row.max() <= high
    ]
    if inside:
      said, right = np.mean(inside, axis=0)
      expected += len(inside) / len(rows) * abs(said - right)
  found = calibration.reliability(rows, labels)
  assert found.error == pytest.approx(expected)
  assert found.count.sum() == 300
  assert (found.count > 0).all()


def test_certain_and_right_or_wrong():
  for label, error in ((1, 0.0), (0, 1.0)):
    assert calibration.reliability([[0.0, 1.0]], [label]).error == error


def test_a_temperature_divides_logits():
  logits, _ = draw(1.0, count=20)
  for temperature in (0.5, 1.0, 3.0):
    found = calibration.temper(softmax(logits), temperature)
    np.testing.assert_allclose(found, softmax(logits / temperature), rtol=1e-6)
  found = calibration.temper([[1.0, 0.0]], 2.0)
  assert np.isfinite(found).all()


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_is_found(temperature):
  logits, labels = draw(temperature)
  rows = softmax(logits)
  found = calibration.fit_temperature(rows, labels)
  assert found == pytest.approx(temperature, rel=0.1)

  def nats(t):
    tempered = softmax(logits / t)
    return -np.log(tempered[np.arange(len(labels)), labels]).mean()

  assert nats(found) <= min(nats(found * 0.99), nats(found * 1.01))
  before = calibration.reliability(rows, labels).error
  after = calibration.reliability(calibration.temper(rows, found), labels).error
  assert after < 0.03
  assert after < before or temperature == 1.0


def test_a_part_without_mistakes_has_a_bound():
  rows = np.array([[0.9, 0.1], [0.2, 0.8]])
  assert calibration.fit_temperature(rows, [0, 1]) == pytest.approx(0.05)
  assert calibration.fit_temperature(rows, [1, 0]) == pytest.approx(20)
