"""ABC notation, read to notes; what is expected is written out by hand."""

from fractions import Fraction

import hypothesis
import pytest
from hypothesis import strategies as st

from seqjax.data import abc_notation
from seqjax.data.abc_notation import HEADER, MUSIC, REPEAT

HEAD = "X:1\nT:A\nM:{metre}\nL:{unit}\nK:{key}\n"


def tune(music, metre="4/4", unit="1/4", key="C"):
  return HEAD.format(metre=metre, unit=unit, key=key) + music


def read(music, **header):
  found = abc_notation.read(tune(music, **header))
  assert [str(problem) for problem in found.problems] == []
  return found


def pitches(music, **header):
  return [note.pitch for note in read(music, **header).score.notes]


def lengths(music, **header):
  """In quarter notes, which are the unit."""
  return [note.length for note in read(music, **header).score.notes]


def problems(music, **header):
  return abc_notation.read(tune(music, **header)).problems


F = Fraction


def test_pitches_and_times():
  found = read("C, C c c' | B,2 z A/", unit="1/8")
  assert [(n.start, n.length, n.pitch) for n in found.score.notes] == [
    (0, F(1, 2), 48),
    (F(1, 2), F(1, 2), 60),
    (1, F(1, 2), 72),
    (F(3, 2), F(1, 2), 84),
    (2, 1, 59),
    (F(7, 2), F(1, 4), 69),
  ]
  assert found.score.tempi == ((0, 120.0),)
  loud = [note.velocity > 80 for note in found.score.notes]
  assert loud == [True, False, False, False, True, False]


def test_lengths():
  assert lengths("A A2 A/ A// A/2 A3/2 A/4 A3//") == [
    1, 2, F(1, 2), F(1, 4), F(1, 2), F(3, 2), F(1, 4), F(3, 4),
  ]  # fmt: skip


@pytest.mark.parametrize(
  ("music", "expected"),
  [
    ("^F F | F", [66, 66, 65]),  # to the end of the bar
    ("^F f F", [66, 77, 66]),  # of its octave alone
    ("^F =F F", [66, 65, 65]),
    ("__B ^^B _B B", [69, 73, 70, 70]),
    ("^F F :| F", [66, 66] * 2 + [65]),
    ("^F | F- | F", [66, 65]),
    ("^F- | F F", [66, 65]),  # a tie carries the sign, the bar does not
    ("^F-F | F", [66, 65]),
    ("^F [K:G] F | F", [66, 66, 66]),
    ("^F {=F} F", [66, 66]),
  ],
)
def test_signs(music, expected):
  assert pitches(music) == expected


def test_signs_and_keys():
  assert pitches("F C B", key="D") == [66, 61, 71]
  assert pitches("=F F f | F", key="D") == [65, 65, 78, 66]
  assert pitches("B E A [K:D] F | B\nK:Am\nF", key="Eb") == [
    70, 63, 68, 66, 71, 65,
  ]  # fmt: skip
  assert pitches("C", key="C octave=-1") == [48]
  assert pitches("C [K:treble+8] C", key="C clef=bass-8") == [48, 72]


def test_ties():
  assert lengths("A2-|A A-A A-B") == [3, 2, 1, 1]
  found = read("[CE]-[CG] | [C-E]C").score.notes
  assert [(n.start, n.length, n.pitch) for n in found] == [
    (0, 2, 60),
    (0, 1, 64),
    (1, 1, 67),
    (2, 2, 60),
    (2, 1, 64),
  ]
  assert lengths("A-zA") == [1, 1]


def test_broken_rhythms():
  half, more = F(1, 2), F(3, 2)
  assert lengths("A>B A<B A>>B A > B") == [
    more, half, half, more, F(7, 4), F(1, 4), more, half,
  ]  # fmt: skip
  assert lengths('A>"D"{c}B A2>B2') == [more, half, 3, 1]
  found = read("A>z z<B [CE]>[DF]").score
  assert [(n.start, n.length) for n in found.notes] == [
    (0, more), (2 + half, more), (4, more), (4, more), (5 + half, half),
    (5 + half, half),
  ]  # fmt: skip


def test_tuplets():
  assert lengths("(3ABc d") == [F(2, 3)] * 3 + [1]
  assert lengths("(2AB (4ABcd", metre="6/8") == [F(3, 2)] * 2 + [F(3, 4)] * 4
  assert lengths("(5ABcde", metre="6/8") == [F(3, 5)] * 5
  assert (
    lengths("(5ABcde (7ABcdefg", metre="C|") == [F(2, 5)] * 5 + [F(2, 7)] * 7
  )
  assert lengths("(3:2:2 A2B c (3::2 A B c (3:4 ABc") == [
    F(4, 3), F(2, 3), 1, F(2, 3), F(2, 3), 1, F(4, 3), F(4, 3), F(4, 3),
  ]  # fmt: skip
  assert lengths("(3z[CE]A (3A>Bc") == [
    F(2, 3), F(2, 3), F(2, 3), 1, F(1, 3), F(2, 3),
  ]  # fmt: skip


def test_chords():
  found = read("[CEG]2 [C2E2]/ [ceg]").score.notes
  assert [(n.start, n.length, n.pitch) for n in found] == [
    (0, 2, 60), (0, 2, 64), (0, 2, 67), (2, 1, 60), (2, 1, 64), (3, 1, 72),
    (3, 1, 76), (3, 1, 79),
  ]  # fmt: skip


def test_rests_and_blanks():
  found = read("A z2 x B y c | Z2 | X | d")
  assert [n.start for n in found.score.notes] == [0, 4, 5, 18]
  assert [bar.length for bar in found.bars] == [
    F(6, 4), 1, 1, F(1, 4),
  ]  # fmt: skip


@pytest.mark.parametrize(
  ("music", "expected"),
  [
    ("|: A :| B", "AAB"),
    ("A :| B", "AAB"),
    ("A | B :| c :| d", "ABABccd"),
    ("A || B :|", "ABB"),
    ("A |] B :|", "ABB"),
    ("A [| B :|", "ABB"),
    ("|: A || B :|", "ABAB"),
    ("|: A :: B :|", "AABB"),
    ("A :|: B :|", "AABB"),
    ("A :||: B :|", "AABB"),
    ("|:: A ::|", "AAA"),
    ("|: A |1 B :|2 c || d", "ABAcd"),
    ("|: A [1 B :| [2 c |] d", "ABAcd"),
    ("A |1 B :|\n|2 c |: d :|", "ABAcdd"),
    ("|: A |1,3 B :|2 c :|", "ABAcAB"),
    ("|: A |1-2 B :|3 c |]", "ABABAc"),
    ("A |1 B :|2 c :|", "ABAc"),
    ("|A|\n|B|", "AB"),
  ],
)
def test_repeats(music, expected):
  letters = {69: "A", 71: "B", 72: "c", 74: "d"}
  assert "".join(letters[pitch] for pitch in pitches(music)) == expected
  written = read(music).written
  assert [letters[note.pitch] for note in written] == [
    sign for sign in music if sign.isalpha()
  ]


@pytest.mark.parametrize(
  ("music", "what"),
  [
    ("|: A |: B :|", "|: is never closed"),
    ("|: A | B |]", "|: is never closed"),
    (":| A", "nothing to repeat"),
    ("|: A :| :| B", "nothing to repeat"),
    ("|: A |1 B :| c", "only one ending"),
    ("|: A |1 B |2 c |]", "no :| between"),
    ("|: A |2 B :|3 c |]", "ending 2, expected 1"),
    ("|: A |1 B :|3 c |]", "ending 3, expected 2"),
    ("|: A |1,3 B :|4 c |]", "ending 2 is missing"),
  ],
)
def test_wrong_repeats(music, what):
  found = problems(music)
  assert {problem.kind for problem in found} == {REPEAT}
  assert any(what in problem.what for problem in found)


def test_ties_into_repeats():
  # The tie leads back to the start the first time, on to c the second.
  assert lengths("c | A c- :| c") == [1, 1, 2, 1, 2]


def test_much_is_not_made_of_little():
  found = abc_notation.read(tune("A" * 50 + ":" * 500 + "|"))
  assert len(found.score.notes) == 50 * 9
  found = abc_notation.read(tune("|:A|1-9B:|" * 20))
  assert len(found.score.notes) <= 20 * 18
  assert abc_notation.read(tune("A9999999 (99A")).score.end < 100
  assert len(abc_notation.read("#" * 10_000).problems) == 1000


def test_bars():
  found = read("A2 | ABcd | A3 || ABcd | ABcd :| A | B |")
  assert [(float(bar.length), bar.inner) for bar in found.bars] == [
    (0.5, False), (1, True), (0.75, False), (1, False), (1, False),
    (0.25, False), (0.25, True),
  ]  # fmt: skip
  found = read("A|A3 [M:3/4]|ABc|\nM:2/4\nAB|A[M:C]B|").bars
  assert [bar.inner for bar in found] == [False, False, True, True, False]
  assert [bar.metre and bar.metre.length for bar in found if bar.inner] == [
    F(3, 4),
    F(1, 2),
  ]
  assert [bar.line for bar in found] == [6, 6, 6, 8, 8]
  assert read("A|B|", metre="none").bars[1].metre is None


def test_line_ends():
  music = "AB|cd|!\nef|gA:|!"
  assert pitches(music) == pitches("AB|cd|\nef|gA:|")
  text = tune(music)
  for end in "\r\n", "\r":
    assert abc_notation.read(text.replace("\n", end)) == abc_notation.read(text)
  assert abc_notation.read("\ufeff\n" + text).score == read(music).score
  assert pitches("A !trill!B | +fermata+c !d") == [69, 71, 72, 74]
  assert pitches("A\\\nB \\ % more\nc") == [69, 71, 72]


def test_what_is_read_over():
  plain = pitches("A B | c d |")
  for music in (
    '"Am"A ~.B | {g^f}c (d) |',
    "A% B c\n%%staves 1\n% A\nB | c d |",
    "w: la la\nA B |\nW:B\nr:c\ns: d\nN:e\nc d |\nw: C|D",
    "A [r:remark] B | [I:x] c`d | $",
    "A {/g}B|H(cTd).-|",
    "U: k = !plus!\nkA B|c[U:W=!f!]Wd|",
    "A B|\nw: la\n+: la\nc d|",
  ):
    assert pitches(music) == plain, music


def test_lengths_by_the_metre():
  text = "X:1\nT:A\nM:{}\nK:C\nA"
  for metre, expected in {
    "2/4": F(1, 4), "3/4": F(1, 2), "6/8": F(1, 2), "C": F(1, 2),
    "5/8": F(1, 4), "none": F(1, 2), "9/16": F(1, 4),
  }.items():  # fmt: skip
    found = abc_notation.read(text.format(metre))
    assert found.score.notes[0].length == expected, metre
  assert lengths("A [L:1/8] A\nL:1/16\nA") == [1, F(1, 2), F(1, 4)]


def test_tempi():
  text = "X:1\nT:A\nQ:{}\nL:1/8\nM:6/8\nK:C\nA8 [Q:1/4=60] A8:|"
  tempi = abc_notation.read(text.format("3/8=80")).score.tempi
  assert tempi == ((0, 120.0), (4, 60.0), (12, 60.0))
  # An old one counts units, which are told after it.
  assert abc_notation.read(text.format("C=120")).score.tempi[0] == (0, 60.0)


def test_voices():
  text = (
    "X:1\nT:A\nM:2/4\nL:1/4\nV:1\nV:2 clef=bass-8\nK:C\n"
    "[V:1] ^F F | F2 :|\n[V:2] F2 | F [K:G] F :|\n"
  )
  found = abc_notation.read(text)
  assert not found.problems
  assert [
    (note.start, note.pitch, note.voice) for note in found.score.notes
  ] == [
    (0, 53, 1), (0, 66, 0), (1, 66, 0), (2, 53, 1), (2, 65, 0), (3, 54, 1),
    (4, 53, 1), (4, 66, 0), (5, 66, 0), (6, 53, 1), (6, 65, 0), (7, 54, 1),
  ]  # fmt: skip
  # As lines of their own, bar after bar, the same.
  lines = "V:1\n^F F |\nV:2\nF2 |\nV:1\nF2 :|\nV:2\nF [K:G] F :|\n"  # fmt: skip
  head = text[: text.index("[V:1]")]
  assert abc_notation.read(head + lines).score == found.score


def test_header():
  found = read("A")
  assert found.header == [
    ("X", "1"), ("T", "A"), ("M", "4/4"), ("L", "1/4"), ("K", "C"),
  ]  # fmt: skip
  assert abc_notation.read("X: 1 % one\nK:\tDm\n").header == [
    ("X", "1"),
    ("K", "Dm"),
  ]


@pytest.mark.parametrize(
  ("text", "line", "what"),
  [
    ("X:1\nT:A\n", 3, "no key"),
    ("X:1\nT:A\nABc|\n", 3, "music before a key"),
    ("X:1\nM:4\nK:C\nA", 2, "the metre '4'"),
    ("X:1\nL:1/9\nK:C\nA", 2, "the length '1/9'"),
    ("X:1\nQ:fast\nK:C\nA", 2, "the tempo 'fast'"),
    ("X:1\nK:Qm\nA", 2, "the key 'Qm'"),
    ("X:1\nE:x\nK:C\nA", 2, "the field E:"),
    ("X:1\nU:x\nK:C\nA", 2, "the symbol 'x'"),
    ("", 1, "no key"),
  ],
)
def test_wrong_headers(text, line, what):
  first, *_ = abc_notation.read(text).problems
  assert (first.line, first.kind) == (line, HEADER)
  assert what in first.what


@pytest.mark.parametrize(
  ("music", "column", "what"),
  [
    ("A # B", 3, "'#' is not known"),
    ("A k B", 3, "'k' is not known"),
    ("A ^ B", 3, "'^' is not known"),
    ("AB:", 3, "':' is not known"),
    ('A "Am', 3, "'\"' is not known"),
    ("A {g", 3, "'{' is not known"),
    ("A ]", 3, "']' is not known"),
    ("A {g?}B", 3, "the grace notes {g?}"),
    ("A !foo!B", 3, "the decoration foo"),
    ("A0", 1, "the length '0'"),
    ("A/0 B", 1, "the length '/0'"),
    ("A [C?E]", 5, "'?' in a chord"),
    ("A []", 3, "the chord [] without a note"),
    ("A > | B", 5, "a broken rhythm without a second note"),
    ("> B", 1, "> that is not between two notes"),
    ("A ><B", 4, "< that is not between two notes"),
    ("(1AB", 1, "the tuplet (1"),
    ("(3AB|c", 5, "a tuplet lacks 1 note(s)"),
    ("(3A(3Bcd", 4, "a tuplet in a tuplet"),
    ("- A", 1, "a tie - without a note"),
    ("z- A", 2, "a tie - without a note"),
    ("C,,,,,,", 1, "C,,,,,, is out of range"),
    ("A|||B", 2, "the bar line ||| is not known"),
    ("A|0B", 2, "the ending 0"),
    ("A & B", 3, "an overlay"),
    ("Z:x", 1, "the field Z: within music"),
    ("A [M:4] B", 3, "the metre '4'"),
    ("A\n\nB", 1, "a blank line ends the tune"),
    ("A\nX:2\nT:B", 1, "a second tune begins"),
  ],
)
def test_wrong_music(music, column, what):
  found = problems(music)
  assert {problem.kind for problem in found} == {MUSIC}
  assert what in found[0].what
  assert found[0].column == column
  assert "\n" not in str(found[0])


def test_what_is_wrong_is_passed_over():
  found = abc_notation.read(tune("A # B | (3cd | k e"))
  assert [note.pitch for note in found.score.notes] == [69, 71, 72, 74, 76]
  assert len(found.problems) == 3


JUNK = st.text(
  "ABCabcdz0123456789/<>|:[](){}-^_=,'\"!+&%\\\n KLMQVX.~#ü", max_size=80
)


@hypothesis.given(st.one_of(JUNK, st.text(max_size=60)))
@hypothesis.settings(max_examples=200)
def test_junk_never_raises(text):
  for one in text, tune(text):
    found = abc_notation.read(one)
    ends = [note.start + note.length for note in found.score.notes]
    assert all(note.length > 0 for note in found.score.notes)
    assert found.score.end == max(ends, default=0)
    assert len(found.score.notes) <= 9 * len(one)


@pytest.mark.parametrize(
  "sign",
  [
    "[",
    "{",
    '"',
    "(3",
    "!",
    "+",
    "[K:",
    ":",
    "|",
    "{A/",
    "A-",
    "1",
    "^",
    "\\ ",
  ],
)
def test_long_lines_take_no_long_time(sign):
  # Quadratic in this length would be much longer.
  abc_notation.read(tune(sign * 10_000))
