"""How a training process uses its CPU; called before JAX touches a device."""

import ctypes
import os

# Fewer rows than this a device, and the products become too small.
MIN_ROWS = 16

# Of <malloc.h>.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def cpu_devices(batch_size: int, cores: int | None = None) -> int:
  """Into how many devices to split the CPU for batches of this size.

  XLA's CPU compiler runs the pointwise part of a loop on one core, so a
  recurrent network is trained faster on several devices that share the batch
  (docs/performance.md).

  Args:
    batch_size: rows.
    cores: default those that this process may use.

  Returns:
    The largest number up to `cores` that divides the batch and leaves at least
    16 rows for each.
  """
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
