"""How many CPU devices, and memory that stays."""

import subprocess
import sys

import pytest
from ml_collections import ConfigDict

from seqjax import config as settings
from seqjax.train import runtime


@pytest.mark.parametrize(
  ("batch_size", "cores", "expected"),
  [
    (64, 1, 1),
    (64, 2, 2),
    (63, 2, 1),
    (63, 3, 3),
    (64, 64, 4),  # at least 16 rows each
    (16, 8, 1),
    (1, 8, 1),
    (96, 5, 4),
  ],
)
def test_devices(batch_size, cores, expected):
  assert runtime.cpu_devices(batch_size, cores) == expected


@pytest.mark.parametrize(
  ("model", "expected"),
  [
    ({"layer": "rnn"}, True),
    ({"layer": "transformer(heads=2)"}, False),
    ({"layer": " Transformer_Encoder()"}, False),
    ({"layer": "transformer_encoder", "decoder": "conditional"}, True),
    ({"layer": "transformer_encoder", "decoder": "transformer()"}, False),
    ({}, True),
    (None, True),
  ],
)
def test_only_a_loop_is_split(model, expected):
  """A Transformer, on one device, has products that share the cores."""
  config = ConfigDict({} if model is None else {"model": model})
  assert settings.recurrent(config) == expected
  devices = runtime.cpu_devices(64, 2, recurrent=settings.recurrent(config))
  assert devices == (2 if expected else 1)


def test_devices_of_this_process():
  assert 1 <= runtime.cpu_devices(1024) <= 64


PROGRAM = """
import resource, sys
from seqjax.train import runtime
if {keep}:
  assert runtime.keep_memory()
def faults():
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
  bytearray(64 * 2**20)
begin = faults()
for _ in range(3):
  bytearray(64 * 2**20)
print(faults() - begin)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of the GNU C library")
def test_freed_memory_is_not_paid_for_again():
  counts = [
    int(
      subprocess.run(
        [sys.executable, "-c", PROGRAM.format(keep=keep)],
        capture_output=True,
        text=True,
        check=True,
      ).stdout
    )
    for keep in (False, True)
  ]
  assert counts[0] > 10_000  # 3 times 64 MiB in pages of 4 KiB
  assert counts[1] < 100
