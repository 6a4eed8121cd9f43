"""Corpora: embedded, the user's file, downloaded."""

import contextlib
import functools
import gc
import hashlib
import http.server
import pathlib
import threading
import warnings

import pytest

from seqjax.data import download, text
from seqjax.errors import InputError

SHARED = pathlib.Path(__file__).parents[3] / "shared" / "data"


def test_pydoc_is_half_a_million_characters():
  corpus = text.load("pydoc")
  assert 300_000 < len(corpus.text) < 1_000_000
  assert "lambda" in corpus.text
  assert corpus == text.load("pydoc")


def test_stdlib_is_code_without_tests_and_packages():
  corpus = text.load("stdlib")
  assert len(corpus.text) > 3_000_000
  assert "def dataclass(" in corpus.text
  assert "import pip" not in corpus.text.split("site-packages")[0][:1000]


def test_own_file(tmp_path):
  path = tmp_path / "a.txt"
  path.write_bytes("\ufeffGrüße\r\nzwei".encode())
  corpus = text.load("ignored", str(path))
  assert corpus.text == "Grüße\nzwei"
  assert corpus.sha256 == hashlib.sha256("Grüße\nzwei".encode()).hexdigest()


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (b"abc\xffdef", "byte 0xff at offset 3 is not valid UTF-8"),
    ("ä".encode()[:1], "byte 0xc3 at offset 0"),
    (b"", "the file is empty"),
    (b" \n\n", "the file is empty"),
    (None, "cannot be read"),
  ],
)
def test_bad_file(tmp_path, content, message):
  path = tmp_path / "bad.txt"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(InputError, match=message) as error:
    text.load("", str(path))
  assert str(path) in str(error.value)


def test_a_folder_is_no_file(tmp_path):
  with pytest.raises(InputError, match="cannot be read"):
    text.load("", str(tmp_path))


def test_unknown_name():
  with pytest.raises(InputError, match="expected one of pydoc, stdlib, tiny"):
    text.load("pydok")


@contextlib.contextmanager
def server(directory):
  """Serves `directory` on the loopback address; yields the base URL."""

  class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
      del format, args

  handler = functools.partial(Quiet, directory=str(directory))
  with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
      yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
      httpd.shutdown()
      thread.join()


@pytest.fixture
def served(tmp_path, monkeypatch):
  """A tiny "tinyshakespeare" on a local server, and an empty cache."""
  folder = tmp_path / "served"
  folder.mkdir()
  content = b"To be, or not to be\n"
  (folder / "input.txt").write_bytes(content)
  cache = tmp_path / "cache"
  monkeypatch.delenv("SEQJAX_DATA_DIR", raising=False)
  monkeypatch.setattr(download.pooch, "os_cache", lambda _: str(cache))
  with server(folder) as url:

    def publish(digest=None):
      digest = digest or hashlib.sha256(content).hexdigest()
      monkeypatch.setitem(
        download.DATASETS,
        "tinyshakespeare",
        download.Dataset("input.txt", f"{url}/input.txt", digest),
      )

    yield publish, cache, folder
  with warnings.catch_warnings():
    # pooch leaves its connection to the garbage collector; do that here, where
    # the warning can be told from one of ours.
    warnings.simplefilter("ignore", ResourceWarning)
    gc.collect()


def test_download_once(served):
  publish, cache, folder = served
  publish()
  assert text.load("tinyshakespeare").text == "To be, or not to be\n"
  (folder / "input.txt").unlink()  # the second time comes from the cache
  assert text.load("tinyshakespeare").text == "To be, or not to be\n"
  assert [p.name for p in cache.rglob("*") if p.is_file()] == ["input.txt"]


def test_wrong_hash_is_refused_and_leaves_nothing(served):
  publish, cache, _ = served
  publish("0" * 64)
  with pytest.raises(InputError, match="could not be downloaded.*hash"):
    text.load("tinyshakespeare")
  assert not [p for p in cache.rglob("*") if p.is_file()]


def test_missing_on_the_server_is_one_line(served):
  publish, _, folder = served
  publish()
  (folder / "input.txt").unlink()
  with pytest.raises(InputError, match="404.*SEQJAX_DATA_DIR") as error:
    text.load("tinyshakespeare")
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("layout", ["input.txt", "tinyshakespeare/input.txt"])
def test_data_dir_is_looked_at_first(served, tmp_path, monkeypatch, layout):
  publish, cache, folder = served
  publish()
  path = tmp_path / "own" / layout
  path.parent.mkdir(parents=True)
  path.write_bytes((folder / "input.txt").read_bytes())
  (folder / "input.txt").unlink()
  monkeypatch.setenv("SEQJAX_DATA_DIR", str(tmp_path / "own"))
  assert text.load("tinyshakespeare").text == "To be, or not to be\n"
  assert not cache.exists()


def test_data_dir_with_another_file_is_refused(served, tmp_path, monkeypatch):
  publish, _, _ = served
  publish()
  (tmp_path / "input.txt").write_text("something else")
  monkeypatch.setenv("SEQJAX_DATA_DIR", str(tmp_path))
  with pytest.raises(InputError, match="SHA-256 is .*, expected"):
    text.load("tinyshakespeare")


@pytest.mark.skipif(
  not (SHARED / "tinyshakespeare").is_dir(), reason="the file is not here"
)
def test_the_real_tinyshakespeare(monkeypatch):
  monkeypatch.setenv("SEQJAX_DATA_DIR", str(SHARED))
  corpus = text.load("tinyshakespeare")
  assert len(corpus.text) == 1_115_394
  assert len(set(corpus.text)) == 65
