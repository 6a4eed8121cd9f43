import json

import numpy as np
import pytest
from ml_collections import config_dict

from seqjax.data import names
from seqjax.data.examples import Example
from seqjax.errors import InputError


def test_doubles_are_dropped(write, tmp_path):
  write("Ada\nEva\nAda\n  Eva \n", "names/x.txt")
  write("Ada\n", "names/y.txt")
  found = names.read_folder(tmp_path / "names")
  assert [(e.inputs, e.label) for e in found] == [
    ("Ada", "x"),
    ("Eva", "x"),
    ("Ada", "y"),
  ]


def test_load(write, tmp_path):
  write("".join(f"A{i}\n" for i in range(10)), "names/x.txt")
  write("".join(f"B{i}\n" for i in range(10)), "names/y.txt")
  data = config_dict.ConfigDict(
    {"path": None, "examples": 60, "validation": 0.1, "test": 0.1}
  )
  data.num_folds = data.fold = 0
  assert [len(part) for part in names.load(data, 0)] == [48, 6, 6]
  data.path = str(tmp_path / "names")
  assert [len(part) for part in names.load(data, 0)] == [16, 2, 2]
  data.path = str(tmp_path / "nothing")
  with pytest.raises(InputError, match="path is .*nothing, which does not ex"):
    names.load(data, 0)


def test_encoder(write):
  encoder = names.Encoder.fit([Example("Eva", "x"), Example("ab", "y")], 0, 0)
  assert encoder.state == {"symbols": ["E", "a", "b", "v"]}
  assert (encoder.vocab_size, encoder.input_size) == (5, 0)
  again = names.Encoder(**json.loads(json.dumps(encoder.state)))
  for one in encoder, again:
    assert one.encode("bEz").tolist() == [3, 1, one.unknown]
  found = encoder.read(str(write("Eva\n\n ab \n")))
  assert found == ["Eva", "", "ab"]
  empty = encoder.encode("")
  assert (empty.shape, empty.dtype) == ((0,), np.int32)
  assert names.show("Eva") == "Eva"


def test_no_files(tmp_path):
  with pytest.raises(InputError, match="expected a folder of CLASS.txt"):
    names.read_folder(tmp_path)
