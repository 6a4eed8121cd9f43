import numpy as np
import pytest
from PIL import Image

from seqjax.data import pictures
from seqjax.errors import InputError

# Red, green, blue and grey, each a quarter of a square of 8.
QUARTERS = np.array(
  [[(200, 0, 0), (0, 200, 0)], [(0, 0, 200), (90, 90, 90)]], np.uint8
)
SQUARE = QUARTERS.repeat(4, 0).repeat(4, 1)
INNER = np.ix_([0, 1, 2, 5, 6, 7], [0, 1, 2, 5, 6, 7])
GREY = np.arange(0, 256, 4).astype(np.uint8).reshape(8, 8)


def save(path, pixels, mode=None, **options):
  image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  if mode:
    image = image.convert(mode)
  image.save(path, **options)
  return path


@pytest.mark.parametrize(
  "name", ["x.png", "x.PNG", "x.bmp", "x.gif", "x.webp", "x.jpg", "x.jpeg"]
)
def test_formats(tmp_path, name):
  options = {"lossless": True} if name.endswith("webp") else {"quality": 100}
  path = save(tmp_path / name, SQUARE, **options)
  found = pictures.read(path, 8)
  assert found.shape == (8, 8, 3)
  assert found.dtype == np.uint8
  away = np.abs(found.astype(int) - SQUARE)
  if "jp" in name:  # it halves colours: look off the edges alone
    assert away[INNER].max() <= 6
  else:
    assert away.max() == 0
  np.testing.assert_array_equal(found, pictures.read(str(path), 8))
  assert pictures.read(path, 5).shape == (5, 5, 3)
  assert pictures.read(path, 50).shape == (50, 50, 3)


def rgb(grey):
  return np.repeat(grey[..., None], 3, -1)


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.bmp"])
def test_grey(tmp_path, name):
  path = save(tmp_path / name, GREY, quality=100)
  found = pictures.read(path, 8).astype(int)
  assert np.abs(found - rgb(GREY)).max() <= (2 if name == "x.jpg" else 0)


def test_black_and_white(tmp_path):
  path = save(tmp_path / "x.png", GREY > 100)
  expected = np.where(GREY > 100, 255, 0)
  np.testing.assert_array_equal(pictures.read(path, 8), rgb(expected))


@pytest.mark.parametrize("name", ["x.png", "x.tiff"])
def test_16_bits_of_grey(tmp_path, name):
  deep = GREY.astype(np.uint16) * 257 + 100
  path = save(tmp_path / name, deep)
  np.testing.assert_array_equal(pictures.read(path, 8), rgb(GREY))


def test_32_bits_of_grey(tmp_path):
  path = save(tmp_path / "x.tiff", GREY.astype(np.int32) * 257)
  np.testing.assert_array_equal(pictures.read(path, 8), rgb(GREY))


# Of each pixel how opaque it is, clear to the left.
ALPHA = np.tile(np.array([0, 51, 255, 255], np.uint8).repeat(2), (8, 1))


def on_white(pixels):
  share = ALPHA[..., None] / 255
  return np.rint(pixels * share + 255 * (1 - share)).astype(int)


def test_alpha_lies_on_white(tmp_path):
  path = save(tmp_path / "x.png", np.dstack([SQUARE, ALPHA]))
  found = pictures.read(path, 8).astype(int)
  assert np.abs(found - on_white(SQUARE)).max() <= 1
  assert (found[:, :2] == 255).all()


def test_grey_with_alpha(tmp_path):
  image = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA)])
  path = save(tmp_path / "x.png", image)
  with Image.open(path) as opened:
    assert opened.mode == "LA"
  found = pictures.read(path, 8).astype(int)
  assert np.abs(found - on_white(rgb(GREY))).max() <= 1


@pytest.mark.parametrize("name", ["x.png", "x.gif"])
@pytest.mark.parametrize("clear", [0, 3])
def test_palette_with_a_clear_colour(tmp_path, name, clear):
  image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), "P")
  image.putpalette(QUARTERS.ravel().tolist())
  path = save(tmp_path / name, image, transparency=clear)
  with Image.open(path) as opened:
    assert opened.mode == "P"
  expected = QUARTERS.reshape(4, 3).copy()
  expected[clear] = 255
  found = pictures.read(path, 2)
  np.testing.assert_array_equal(found, expected.reshape(2, 2, 3))


def test_palette_with_alpha(tmp_path):
  image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8), "P")
  image.putpalette(QUARTERS.ravel().tolist())
  path = save(tmp_path / "x.png", image, transparency=b"\x00\xff\x33\xff")
  found = pictures.read(path, 2)
  np.testing.assert_array_equal(found[0], [(255, 255, 255), (0, 200, 0)])
  np.testing.assert_allclose(found[1, 0], (204, 204, 244), atol=1)


def test_one_clear_colour_of_rgb_or_grey(tmp_path):
  path = save(tmp_path / "x.png", SQUARE, transparency=(0, 200, 0))
  expected = SQUARE.copy()
  expected[:4, 4:] = 255
  np.testing.assert_array_equal(pictures.read(path, 8), expected)
  path = save(tmp_path / "y.png", GREY, transparency=4)
  expected = rgb(GREY)
  expected[0, 1] = 255
  np.testing.assert_array_equal(pictures.read(path, 8), expected)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
@pytest.mark.parametrize("name", ["x.jpg", "x.tiff"])
def test_other_colours(tmp_path, mode, name):
  path = save(tmp_path / name, SQUARE, mode, quality=100)
  found = pictures.read(path, 8).astype(int)
  assert np.abs(found - SQUARE)[INNER].max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, orientation):
  """The marks of EXIF: what is stored, turned or mirrored, is undone."""
  stored = {
    1: SQUARE,
    2: SQUARE[:, ::-1],
    3: SQUARE[::-1, ::-1],
    4: SQUARE[::-1],
    5: SQUARE.swapaxes(0, 1),
    6: np.rot90(SQUARE),
    7: SQUARE[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90(SQUARE, -1),
  }[orientation]
  exif = Image.Exif()
  exif[0x0112] = orientation
  path = save(tmp_path / "x.png", np.ascontiguousarray(stored), exif=exif)
  np.testing.assert_array_equal(pictures.read(path, 8), SQUARE)


def test_the_centre_is_cut(tmp_path):
  """What is left and right, or above and below, leaves no trace."""
  for size in (8, 3):
    wide = np.full((8, 20, 3), 255, np.uint8)
    wide[:, 6:14] = SQUARE
    expected = pictures.read(save(tmp_path / "s.png", SQUARE), size)
    path = save(tmp_path / "x.png", wide)
    np.testing.assert_array_equal(pictures.read(path, size), expected)
    high = np.full((21, 8, 3), 255, np.uint8)
    high[6:14] = SQUARE
    path = save(tmp_path / "y.png", high)
    np.testing.assert_array_equal(pictures.read(path, size), expected)


def test_scaling_takes_the_mean(tmp_path):
  """A chessboard gets grey, where every second pixel would be black."""
  board = np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255
  found = pictures.read(save(tmp_path / "x.png", board), 8)
  assert np.abs(found.astype(int) - 127).max() <= 2


def test_an_animation_is_its_first_picture(tmp_path):
  frames = [Image.fromarray(SQUARE), Image.fromarray(255 - SQUARE)]
  frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
  np.testing.assert_array_equal(pictures.read(tmp_path / "x.gif", 8), SQUARE)


def check(path, message):
  with pytest.raises(InputError, match=message) as caught:
    pictures.read(path, 8)
  assert str(caught.value).startswith(f"{path}: ")
  assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
  check(tmp_path, "this is a folder")
  check(tmp_path / "x.png", "no such file")
  for content in b"", b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff":
    (tmp_path / "x.png").write_bytes(content)
    check(tmp_path / "x.png", "no picture|cannot be read")


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.gif", "x.bmp", "x.webp"])
def test_damaged_files(tmp_path, name):
  """Cut off: always an error. A byte changed: an error or a picture."""
  noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
  path = save(tmp_path / name, noise)
  whole = path.read_bytes()
  for share in 0.1, 0.3, 0.6, 0.9:
    path.write_bytes(whole[: int(len(whole) * share)])
    check(path, "no picture|cannot be read")
  rng = np.random.default_rng(0)
  for place in [*range(60), *rng.integers(0, len(whole), 40)]:
    changed = bytearray(whole)
    changed[place] ^= 0x55
    path.write_bytes(changed)
    try:
      shape = pictures.read(path, 8).shape
    except InputError:
      continue
    assert shape == (8, 8, 3)


@pytest.mark.parametrize("pixels", [1_000, 1_500])
def test_too_many_pixels(tmp_path, monkeypatch, pixels):
  """Pillow warns of more than its limit and refuses twice as many."""
  path = save(tmp_path / "x.png", np.zeros((50, 40), np.uint8))
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels - 1)
  check(path, "more than (1,499|999) pixels, scale it down")
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000)
  assert pictures.read(path, 8).shape == (8, 8, 3)


def test_find(tmp_path):
  names = ["b.JPG", "a.png", "c.jpeg", "d.Gif", "e.webp", "f.bmp"]
  others = ["notes.txt", "g.npz", ".h.png", "jpg"]
  for name in names + others:
    (tmp_path / name).write_bytes(b"")
  (tmp_path / "folder.png").mkdir()
  found = pictures.find(tmp_path, "--input")
  assert list(found) == sorted(names)
  assert found["b.JPG"] == tmp_path / "b.JPG"
  assert pictures.find(str(tmp_path), "--input") == found
  with pytest.raises(InputError, match="folder.png, which holds no pictures"):
    pictures.find(tmp_path / "folder.png", "--input")
  with pytest.raises(
    InputError, match="--input is .*none, expected a folder of"
  ):
    pictures.find(tmp_path / "none", "--input")


def test_read_all(tmp_path):
  paths = [
    save(tmp_path / "a.png", SQUARE),
    save(tmp_path / "b.png", 255 - SQUARE),
  ]
  found = pictures.read_all(paths, 6)
  assert found.shape == (2, 6, 6, 3)
  assert found.dtype == np.uint8
  for image, path in zip(found, paths, strict=True):
    np.testing.assert_array_equal(image, pictures.read(path, 6))
  assert pictures.read_all([], 6).shape == (0, 6, 6, 3)


def test_a_wrong_size(tmp_path):
  path = save(tmp_path / "a.png", SQUARE)
  for call in (
    lambda: pictures.read(path, 0),
    lambda: pictures.read_all([path], 0),
  ):
    with pytest.raises(InputError, match="config.data.image_size is 0"):
      call()
