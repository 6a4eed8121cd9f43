"""One page, one file, whatever is written on it."""

import base64
import html.parser
import re

import pytest

from seqjax.show import attention, page, plot


class Reader(html.parser.HTMLParser):
  """Tags with their attributes, and the text between them."""

  def __init__(self, written):
    super().__init__()
    self.tags, self.text = [], []
    self.feed(written)

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))

  def handle_data(self, data):
    self.text.append(data)


@pytest.fixture
def picture(tmp_path):
  figure, _ = plot.figure(2, 1)
  plot.save(figure, tmp_path / "picture.png")
  return tmp_path / "picture.png"


def test_all_that_is_given_is_text(label, picture, tmp_path):
  path = tmp_path / "page.html"
  page.write(
    path,
    label,
    [
      page.paragraph(label),
      page.table([label, "b"], [[label, label]]),
      page.picture(picture, label),
      page.marked([label, label], [0.5, 1.0], label),
    ],
  )
  found = Reader(path.read_text("utf-8"))
  tags = [tag for tag, _ in found.tags]
  assert "b" not in tags
  expected = {"html", "meta", "title", "style", "h1", "p", "img", "mark"}
  assert set(tags) == expected | {"table", "tr", "th", "td"}
  if label.isprintable() and label:
    # Title, heading, paragraph, three cells, two marks; the text behind them.
    assert found.text.count(label) == 8
    assert found.text.count(f" {label}") == 1
    (alt,) = (a["alt"] for tag, a in found.tags if tag == "img")
    assert alt == label


def test_the_page_is_one_file_without_scripts_and_links(picture, tmp_path):
  path = tmp_path / "page.html"
  page.write(path, "A page", [page.picture(picture, 'of "nothing"')])
  written = path.read_text("utf-8")
  assert "http" not in written
  assert "<script" not in written
  assert "href" not in written
  (content,) = re.findall(r'src="data:image/png;base64,([^"]+)"', written)
  assert base64.b64decode(content) == picture.read_bytes()
  assert "color-scheme: light dark" in written


def test_words_are_as_dark_as_they_weigh():
  part = page.marked(["a", "b", "c"], [0.0, 1.0, 2.0])
  shades = [float(s) for s in re.findall(r"rgba\(213,94,0,([\d.]+)\)", part)]
  assert shades == [0.0, 0.27, 0.53]
  # One that stands out is as dark as it gets; equal ones are all faint.
  for weights, expected in (
    ([0.0, 0.0, 3.0], [0, 0, 0.8]),
    ([1.0] * 3, [0.27] * 3),
  ):
    part = page.marked(["a", "b", "c"], weights)
    shades = re.findall(r"rgba\(213,94,0,([\d.]+)\)", part)
    assert [float(shade) for shade in shades] == expected
  page.marked([], [])
  page.marked(["a"], [0.0])
  with pytest.raises(ValueError, match="zip"):
    page.marked(["a"], [0.5, 0.5])


def test_attention_tells_what_is_so_beside_what_is_said(tmp_path):
  path = tmp_path / "attention.html"
  attention.write(
    path,
    [["<b>", "film"], ["&"]],
    [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]],
    ["good", "$_$"],
    [0.9, 0.6],
    ["bad", "$_$"],
  )
  found = Reader(path.read_text("utf-8"))
  words = " ".join("".join(found.text).split())
  assert "<b> film → good 90%, is bad" in words
  assert "& → $_$ 60%, is $_$" in words
  assert [tag for tag, _ in found.tags].count("mark") == 3
