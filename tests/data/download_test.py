"""Data sets by name: a folder first, then the network, never another file."""

import contextlib
import functools
import gc
import hashlib
import http.server
import threading
import warnings

import pooch
import pytest

from seqjax.data import download, text
from seqjax.errors import InputError


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
  monkeypatch.setattr(pooch, "os_cache", lambda _: str(cache))
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
