"""What tunes are worth."""

import pytest

from seqjax.data import tune_scores
from seqjax.data.tune_scores import Judgement

HEAD = "X:1\nT:A\nM:4/4\nL:1/4\nK:D\n"


def test_good():
  good = HEAD + "A|ABcd|efga|1 A3:|2 A3|]"
  assert tune_scores.judge(good) == Judgement(True, True, True, True)
  assert tune_scores.shares([good]) == {
    "header": 1.0, "legal": 1.0, "bars": 1.0, "repeats": 1.0, "all": 1.0,
  }  # fmt: skip


@pytest.mark.parametrize(
  "head",
  [
    HEAD.replace("X:1\n", ""),
    HEAD.replace("T:A\n", ""),
    HEAD.replace("M:4/4\n", ""),
    HEAD.replace("T:A", "T:"),
    HEAD.replace("X:1", "X:"),
    HEAD.replace("M:4/4", "M:4/5"),
    HEAD.replace("M:4/4", "M:4/4\nM:4/4"),
    HEAD.replace("K:D", "K:"),
    HEAD.replace("K:D", "K:Dfoo"),
    HEAD.replace("X:1\nT:A\n", "T:A\nX:1\n"),
    HEAD.replace("K:D\n", ""),
    HEAD.replace("L:1/4", "L:1/3"),
    "",
  ],
)
def test_headers(head):
  assert not tune_scores.judge(head + "ABcd|efga|ABcd|").header
  assert not tune_scores.judge(head).header


def test_second_titles():
  assert tune_scores.judge(HEAD.replace("T:A", "T:A\nT:B") + "A|").header


@pytest.mark.parametrize(
  ("music", "expected"),
  [
    ("A|ABcd|efga#|A|]", (True, False, True, True)),
    ("A|ABc|efga|A|]", (True, True, False, True)),
    ("A|ABcde|efga|A|]", (True, True, False, True)),
    # Bars that are not inside may have any length.
    ("A|ABcd|ef:|ga|ABcd|A|]", (True, True, True, True)),
    ("", (True, True, False, True)),
    ("|:A|ABcd|:A|efga|A:|", (True, True, True, False)),
    ("A|1 A:|B|ABcd|", (True, True, True, False)),
    ("A|[M:3/4]ABc|[M:2/4]AB|A|", (True, True, False, True)),
    ("A|[M:3/4]ABc|\nM:2/4\nAB|AB|", (True, True, True, True)),
  ],
)
def test_music(music, expected):
  assert tune_scores.judge(HEAD + music) == Judgement(*expected)


def test_shares():
  texts = [HEAD + "A|ABcd|", HEAD + "A|AB#cd|", HEAD + "A|ABc|", "?"]
  found = tune_scores.shares(texts)
  assert found == {
    "header": 0.75, "legal": 0.5, "bars": 0.5, "repeats": 1.0, "all": 0.25,
  }  # fmt: skip
  assert set(tune_scores.shares([]).values()) == {0.0}


def test_copied():
  known = HEAD + "ABcd efga ABcd|"  # 12 notes
  assert tune_scores.copied([known], [known]) == 1.0
  # Two windows of 8 out of two; one of three; none for another length.
  assert tune_scores.copied([HEAD + "B|c d e|f g a A|B"], [known]) == 1.0
  assert tune_scores.copied([HEAD + "ABcdefgaBB"], [known]) == pytest.approx(
    1 / 3
  )
  assert tune_scores.copied([HEAD + "ABcdefga2"], [known]) == 0.0
  assert (
    tune_scores.copied([HEAD.replace("K:D", "K:C") + "ABcdefga"], [known]) == 0
  )
  # The mean over tunes; of fewer than 8 notes, of no say.
  some = [HEAD + "ABcdefga", HEAD + "aaaaaaaaaaaa", HEAD + "ABc"]
  assert tune_scores.copied(some, [known]) == 0.5
  assert tune_scores.copied([], [known]) == 0.0
  assert tune_scores.copied([known], []) == 0.0


def test_shared_among():
  one, other = HEAD + "ABcdefgaB", HEAD + "ABcdefgaA"
  assert tune_scores.shared_among([one, other]) == 0.5
  # What a tune repeats by itself is not shared.
  assert tune_scores.shared_among([HEAD + "A" * 20, one]) == 0.0
  assert tune_scores.shared_among([]) == 0.0
