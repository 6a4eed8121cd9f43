"""How a process uses its machine, and how it is told to stop."""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import platform
import signal
import threading
import warnings
from collections.abc import Iterator

import jax
from jaxlib.version import __version__ as jaxlib_version

# Fewer rows than this a device, and the products become too small.
MIN_ROWS = 16

# Of <malloc.h>.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def cpu_devices(
  batch_size: int, cores: int | None = None, *, recurrent: bool = True
) -> int:
  """Into how many devices to split the CPU for batches of this size.

  XLA's CPU compiler runs the pointwise part of a loop on one core, so a
  recurrent network is trained faster on several devices that share the batch.
  A Transformer has no loop: on one device, whose products share the cores, it
  is trained as fast (docs/performance.md).

  Args:
    batch_size: rows.
    cores: default those that this process may use.
    recurrent: whether what is trained has a loop over time.

  Returns:
    The largest number up to `cores` that divides the batch and leaves at least
    16 rows for each; 1 without a loop.
  """
  if not recurrent:
    return 1
  if cores is None:
    known = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
  most = max(1, min(cores, batch_size // MIN_ROWS))
  return next(n for n in range(most, 0, -1) if batch_size % n == 0)


def keep_memory() -> bool:
  """Keeps freed memory for the next step; whether that could be set.

  XLA's CPU runtime gives its temporaries back after every step. The GNU C
  library hands large blocks on to the system, and the next step pays for every
  page again: up to a quarter of its time (docs/performance.md). Other C
  libraries are left as they are.
  """
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (AttributeError, OSError, TypeError):
    return False
  settings = (_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_ARENA_MAX, 1)
  return all([mallopt(name, value) for name, value in settings])


def keep_programs() -> None:
  """Keeps compiled programs for the next process, in the user's cache folder.

  `JAX_COMPILATION_CACHE_DIR` is another folder for them; empty, there is none.
  What is kept is native code, so it lies under the versions that made it and
  the processor that it was made for, where nobody else can write. Without such
  a folder everything is compiled again.
  """
  if "JAX_COMPILATION_CACHE_DIR" in os.environ:
    return
  try:
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
      cache = pathlib.Path.home() / ".cache"
    versions = f"jax-{jax.__version__}-{jaxlib_version}"
    folder = cache / "seqjax" / "programs" / f"{versions}-{_processor()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    ours = found.st_uid == os.getuid() and not found.st_mode & 0o022
    if not (ours and os.access(folder, os.W_OK)):
      return
  except (OSError, RuntimeError):  # no such folder, no home
    return
  jax.config.update("jax_compilation_cache_dir", str(folder))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
  # A file cut short, a full disk: that program is compiled as ever.
  warnings.filterwarnings("ignore", "Error .* persistent compilation cache")


def _processor() -> str:
  """Its family, and a hash of its name and of what it can do."""
  telling = "model name", "flags", "Features", "CPU implementer", "CPU part"
  try:
    first, *_ = pathlib.Path("/proc/cpuinfo").read_text().split("\n\n")
    lines = [line for line in first.splitlines() if line.startswith(telling)]
  except OSError:  # not Linux
    lines = [platform.processor(), platform.platform()]
  digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
  return f"{platform.machine()}-{digest[:16]}"


class Stop:
  """Which signal came, if one did."""

  signal: int | None = None


@contextlib.contextmanager
def interrupts() -> Iterator[Stop]:
  """Notes SIGINT and SIGTERM; the second of a kind acts at once.

  Signals go to the main thread; training in another one is not asked to stop.
  """
  stop, before = Stop(), {}
  if threading.current_thread() is not threading.main_thread():
    yield stop
    return

  def note(number, frame):
    del frame
    stop.signal = number
    signal.signal(number, before[number])

  for number in (signal.SIGINT, signal.SIGTERM):
    before[number] = signal.signal(number, note)
  try:
    yield stop
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
