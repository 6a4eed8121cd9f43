"""Roles, text of users, fonts, scales."""

import io

import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from seqjax.show import plot


@pytest.mark.parametrize(
  ("label", "seen"),
  [
    ("$_$", "$_$"),
    (r"\$5", r"\$5"),
    ("a\nb\t c", "a b c"),
    ("", "(empty)"),
    (" \n", "(empty)"),
    ("x" * 26 + "y" * 54, "x" * 26 + "…" + "y" * 13),
    ("中", r"\u4e2d"),
    ("a\x00b", "a b"),
    ("日本" * 20, None),
  ],
)
def test_text_is_seen_as_it_is(label, seen, monkeypatch):
  # As where no font for Chinese is installed.
  usual = font_manager.findfont(font_manager.FontProperties())
  fonts = [f for f in font_manager.fontManager.ttflist if f.fname == usual]
  monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
  plot._family.cache_clear()
  figure, (axis,) = plot.figure(3, 2)
  axis.set_ylabel(plot.text(label))
  figure.savefig(io.BytesIO(), format="png")
  plot._family.cache_clear()
  # What matplotlib does with a text that holds no formula.
  drawn = axis.yaxis.label._preprocess_math(axis.get_ylabel())
  assert not drawn[1]
  if seen is not None:
    assert drawn[0] == seen
  assert len(drawn[0]) <= 40


def test_two_dollars_are_the_same_pixels_as_without_formulas():
  """Against matplotlib itself, told to parse nothing."""
  pictures = []
  for text, options in (
    (plot.text("$a_b$ $"), {}),
    ("$a_b$ $", {"parse_math": False}),
  ):
    figure, (axis,) = plot.figure(3, 2)
    axis.set_title(text, **options)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    with Image.open(buffer) as picture:
      pictures.append(np.asarray(picture))
  np.testing.assert_array_equal(*pictures)


def test_every_label_has_its_place_in_a_legend(label, tmp_path):
  figure, (axis,) = plot.figure(3, 2)
  for index in range(3):
    axis.plot([0, 1], [0, index], label=plot.text(label), **plot.style(index))
  plot.legend_above(figure, axis)
  plot.save(figure, tmp_path / "a.png")
  assert len(figure.legends[0].get_texts()) == 3


def test_a_letter_that_another_font_has_is_drawn_with_it(tmp_path):
  """Matplotlib's own STIX has letters that DejaVu Sans lacks."""
  usual = font_manager.findfont(font_manager.FontProperties())
  other = font_manager.findfont("STIXGeneral")
  letter = next(
    chr(code)
    for code in sorted(plot._characters(other) - plot._characters(usual))
    if chr(code).isprintable()
  )
  assert plot.text(letter) == letter
  figure, (axis,) = plot.figure(3, 2)
  axis.set_title(plot.text(letter))
  plot.save(figure, tmp_path / "a.png", svg=True)
  assert axis.title.get_fontfamily()[-1] == plot._family(letter)
  assert (tmp_path / "a.svg").exists()


def test_a_role_has_one_look_and_roles_of_one_picture_differ():
  assert plot.ROLES["forecast"] == plot.ROLES["model"]
  for together in (
    ("past", "truth", "forecast", "baseline", "threshold"),
    ("training", "validation", "threshold"),
  ):
    looks = [plot.ROLES[role] for role in together]
    assert len({look["color"] for look in looks}) == len(together)
    # In grey, too: all but past and truth, which follow each other.
    lines = {str(look["linestyle"]) for look in looks}
    assert len(lines) >= len(together) - 1


def test_styles_repeat_late():
  seen = {str(sorted(plot.style(i).items(), key=str)) for i in range(9)}
  assert len(seen) == 9


@pytest.mark.parametrize(
  ("values", "expected"),
  [
    ([1, 2, 5], "linear"),
    ([1, 2, 10], "log"),
    ([0, 0.001, 3, np.nan, np.inf], "log"),
    ([1, 999], "log"),
    ([1e-16, 1], "log"),
    ([1e-9, 1], "log"),
    ([0, 0], "linear"),
    ([], "linear"),
  ],
)
def test_scale(values, expected, tmp_path):
  figure, (axis,) = plot.figure(3, 2)
  axis.plot(values)
  plot.scale(axis, values)
  assert axis.get_yscale() == expected
  plot.save(figure, tmp_path / "a.png")
  low, high = axis.get_ylim()
  written = [t for t in axis.get_yticks() if low <= t <= high]
  assert 2 <= len(written) <= 12


def test_whole_steps():
  figure, (axis,) = plot.figure(3, 2)
  axis.plot([10], [1])
  plot.whole_steps(axis)
  figure.draw_without_rendering()
  assert [t for t in axis.get_xticks() if 9.5 < t < 10.5] == [10]
