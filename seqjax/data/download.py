"""Named data sets: a local folder first, then a verified download."""

import hashlib
import os
import pathlib
from typing import NamedTuple

from seqjax.errors import InputError, extra


class Dataset(NamedTuple):
  """One file of a public data set."""

  filename: str
  url: str
  sha256: str


DATASETS = {
  # The concatenated plays as used by karpathy/char-rnn; public domain.
  "tinyshakespeare": Dataset(
    "input.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/"
    "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
  ),
}


def fetch(name: str) -> pathlib.Path:
  """The local path of data set `name`, downloaded if need be.

  Looked for in this order: `$SEQJAX_DATA_DIR/<name>/<file>`,
  `$SEQJAX_DATA_DIR/<file>`, the user's cache folder, the network. Whatever is
  found must have the SHA-256 that is on record; a download that has not is
  deleted.

  Args:
    name: a key of `DATASETS`.

  Raises:
    InputError: the file cannot be had, or is not the one on record.
  """
  dataset = DATASETS[name]
  local_dir = os.environ.get("SEQJAX_DATA_DIR")
  if local_dir:
    root = pathlib.Path(local_dir)
    for path in (root / name / dataset.filename, root / dataset.filename):
      if path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != dataset.sha256:
          raise InputError(
            f"{path}: SHA-256 is {digest}, expected {dataset.sha256} for"
            f" {name!r}; replace the file or unset SEQJAX_DATA_DIR"
          )
        return path
  with extra():
    import pooch
  pooch.get_logger().setLevel("WARNING")
  cache = pathlib.Path(pooch.os_cache("seqjax")) / name
  try:
    found = pooch.retrieve(
      dataset.url, dataset.sha256, fname=dataset.filename, path=cache
    )
  except Exception as error:  # of requests, urllib3, OSError or pooch's own
    reason = str(error).splitlines()[0] if str(error) else repr(error)
    raise InputError(
      f"data set {name!r} could not be downloaded from {dataset.url}"
      f" ({reason}); put {dataset.filename} into a folder and name it with"
      f" SEQJAX_DATA_DIR, or use --config.data.path=FILE"
    ) from error
  return pathlib.Path(found)
