"""What users call their classes, columns and cells."""

import matplotlib.figure
import pytest

LABELS = (
  "$_$",
  r"\$5 and $",
  "<b>&",
  "two\nlines\tand more",
  "",
  "x" * 40 + "y" * 40,
  "中文字",
  "_hidden",
  "{a} %s \x00",
)


@pytest.fixture(params=LABELS, ids=[ascii(label)[:12] for label in LABELS])
def label(request):
  return request.param


@pytest.fixture
def figures(monkeypatch):
  """The figures that were written, in order, to look at their artists."""
  found = []
  save = matplotlib.figure.Figure.savefig

  def keep(self, *args, **kwargs):
    found.append(self)
    return save(self, *args, **kwargs)

  monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
  return found


@pytest.fixture
def words(figures):
  """All text of the last figure, as it is seen: without escapes."""

  def read():
    from matplotlib.text import Text

    texts = figures[-1].findobj(Text)
    return "\n".join(t.get_text().replace(r"\$", "$") for t in texts)

  return read
