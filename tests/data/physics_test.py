import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import physics
from seqjax.errors import InputError


def test_read(write):
  found = physics.read(write("trajectory,x,y\na,0,1\na,2,3\nb,4,5\n"))
  assert [path.tolist() for path in found] == [[[0, 1], [2, 3]], [[4, 5]]]


def test_load_cuts_windows(write):
  """Trajectory i is at x = i, y = step: windows tell what they are of."""
  lengths = [3, 4, 5, 2, 6, 3, 3, 3, 3, 3]
  rows = [f"{i},{i},{t}" for i, n in enumerate(lengths) for t in range(n)]
  data = config_dict.ConfigDict({"observed": 2, "horizon": 1})
  data.path = str(write("trajectory,x,y\n" + "\n".join(rows) + "\n"))
  data.validation, data.test = 0.2, 0.2
  found = physics.load(data, 1)
  seen = []
  for part in found:
    assert part.shape[1:] == (3, 2)
    np.testing.assert_array_equal(np.diff(part[..., 1]), 1)
    np.testing.assert_array_equal(np.diff(part[..., 0]), 0)
    seen.append(set(part[:, 0, 0].astype(int)))
  # Each whole trajectory in one part; all windows of those long enough.
  assert sorted(i for part in seen for i in part) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
  assert sum(map(len, found)) == sum(max(n - 2, 0) for n in lengths)
  data.horizon = 9
  with pytest.raises(InputError, match="has 11 steps, config.data.observed"):
    physics.load(data, 1)


def test_box():
  windows = np.array([[[1.0, 5.0], [3.0, 5.0]], [[2.0, 5.0], [5.0, 5.0]]])
  box = physics.Box.fit(windows)
  assert box.state == {"corner": [1.0, 5.0], "size": [4.0, 1.0]}
  scaled = box.scale(windows)
  np.testing.assert_allclose(scaled[..., 0], [[0, 0.5], [0.25, 1]])
  np.testing.assert_allclose(box.restore(scaled), windows)
  again = physics.Box(**json.loads(json.dumps(box.state)))
  np.testing.assert_array_equal(again.scale(windows), scaled)
  np.testing.assert_array_equal(physics.Box().scale(windows), windows)
  np.testing.assert_array_equal(physics.Box().restore(windows), windows)


def test_balls_stay_in_the_box_and_keep_their_energy():
  steps = 400
  found = physics.simulate(np.random.default_rng(0), 20, steps).astype(float)
  low, high = physics.RADIUS - 1e-6, 1 - physics.RADIUS + 1e-6
  assert ((found >= low) & (found <= high)).all()
  moves = np.diff(found, axis=1)
  free = np.abs(np.diff(moves[..., 0], axis=1)) < 1e-6
  assert free.mean() > 0.8  # sideways nothing but walls
  fall = np.diff(moves[..., 1], axis=1)
  assert np.median(fall) == pytest.approx(-physics.GRAVITY, abs=1e-6)


def test_constant_velocity_flies_straight_on():
  past = np.array([[[0.1, 0.5], [0.2, 0.4]]])
  np.testing.assert_allclose(
    physics.constant_velocity(past, 2), [[[0.3, 0.3], [0.4, 0.2]]]
  )


def test_images_show_the_ball_where_it_is():
  image = physics.draw(np.array([0.25, 0.75]), 8).reshape(8, 8)
  total = image.sum()
  rows, columns = np.indices((8, 8))
  assert (columns * image).sum() / total == pytest.approx(1.5, abs=0.01)
  assert (rows * image).sum() / total == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("trajectory,x\na,1\n", "'y' is missing"),
    ("trajectory,x,y\na,1,?\n", r":2: y is '\?', expected a fin"),
  ],
)
def test_mistakes(write, content, message):
  with pytest.raises(InputError, match=message):
    physics.read(write(content))
