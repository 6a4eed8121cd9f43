"""A format is found by its name, ours or the user's."""

import sys
import textwrap

import pytest

from seqjax.data import formats
from seqjax.errors import InputError

OURS = "dna", "images", "names", "signals", "sounds", "table", "tsv"


@pytest.fixture
def package(tmp_path, monkeypatch):
  """Writes modules of a package `mine` on the import path."""
  folder = tmp_path / "mine"
  folder.mkdir()
  (folder / "__init__.py").touch()
  monkeypatch.syspath_prepend(str(tmp_path))

  def write(name, content):
    (folder / f"{name}.py").write_text(textwrap.dedent(content))

  yield write
  for name in [n for n in sys.modules if n.partition(".")[0] == "mine"]:
    del sys.modules[name]


@pytest.mark.parametrize("name", OURS)
def test_ours(name):
  module = formats.find(name)
  assert module.__name__ == f"seqjax.data.{name}"
  for entry in "fit", "encode", "read":
    assert callable(getattr(module.Encoder, entry))


@pytest.mark.parametrize("name", ["conll", "protein"])
def test_ours_with_a_tag_for_every_token(name):
  module = formats.find(name, formats.HOLDS_TAGS)
  assert module.__name__ == f"seqjax.data.{name}"
  for entry in "fit", "encode", "read", "tag_ids":
    assert callable(getattr(module.Encoder, entry))
  with pytest.raises(InputError, match="expected one of conll, protein, or"):
    formats.find("dna", formats.HOLDS_TAGS)


def test_ours_in_two_languages():
  module = formats.find("pairs", formats.HOLDS_PAIRS)
  assert module.__name__ == "seqjax.data.pairs"
  for entry in "fit", "encode_source", "encode_target", "decode", "read":
    assert callable(getattr(module.Encoder, entry))
  with pytest.raises(
    InputError, match="'dna', .*has no Pair, .*one of pairs, "
  ):
    formats.find("dna", formats.HOLDS_PAIRS)


def test_your_own(package):
  package("good", "class Encoder: pass\ndef load(): pass\ndef show(): pass\n")
  assert formats.find("mine.good").__name__ == "mine.good"
  package("part", "class Encoder: pass\ndef load(): pass\n")
  with pytest.raises(InputError, match="'mine.part', which has no show, exp"):
    formats.find("mine.part")


@pytest.mark.parametrize(
  "name",
  [
    "excel",
    "batching",
    "conll",
    "pairs",
    "mine.none",
    "no.such",
    "a b",
    "",
    ".",
  ],
)
def test_no_format(package, name):
  del package
  with pytest.raises(InputError) as error:
    formats.find(name)
  message = str(error.value)
  assert message.startswith(f"config.data.format is {name!r}")
  assert f"expected one of {', '.join(OURS)}, or package.module" in message
  assert "\n" not in message


def test_what_fails_inside_of_a_module_is_told(package):
  package("bad", "import nothing_of_that_name")
  with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
    formats.find("mine.bad")
