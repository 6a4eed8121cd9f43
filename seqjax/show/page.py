"""One HTML page in one file: no scripts, no links, pictures inside.

`write` takes what the other functions here return, in order; these escape
whatever they are given.
"""

import base64
import html
import pathlib
from collections.abc import Iterable, Sequence
from typing import NewType

Part = NewType("Part", str)  # HTML that is safe to write

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 sans-serif; max-width: 60em; margin: 2em auto;
  padding: 0 1em; overflow-wrap: break-word; }
h1 { line-height: 1.25; }
img { max-width: 100%; height: auto; background: #fff; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { padding: .3em .8em; text-align: left; vertical-align: top;
  border-bottom: 1px solid #8886; }
mark { background: none; color: inherit; padding: .1em .15em;
  border-radius: .2em; }
"""


def write(path: pathlib.Path, title: str, parts: Iterable[Part]) -> None:
  """Writes the page.

  Args:
    path: the file.
    title: of the window and above the page.
    parts: what is on it, made by the functions here.
  """
  head = html.escape(title)
  body = "\n".join(parts)
  path.write_text(
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width">\n'
    f"<title>{head}</title>\n<style>{_STYLE}</style>\n"
    f"<h1>{head}</h1>\n{body}\n</html>\n",
    "utf-8",
  )


def paragraph(text: str) -> Part:
  """A paragraph of plain text."""
  return Part(f"<p>{html.escape(text)}</p>")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Part:
  """A table; each row has a cell for each of the header's."""
  lines = [_row("th", header), *(_row("td", row) for row in rows)]
  return Part("<table>\n" + "\n".join(lines) + "\n</table>")


def _row(tag: str, cells: Sequence[str]) -> str:
  inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
  return f"<tr>{inner}</tr>"


def picture(path: pathlib.Path, alt: str) -> Part:
  """A PNG, put into the page; `alt` says in words what is on it."""
  content = base64.b64encode(path.read_bytes()).decode()
  return Part(
    f'<p><img alt="{html.escape(alt)}"'
    f' src="data:image/png;base64,{content}"></p>'
  )


def marked(
  words: Sequence[str], weights: Sequence[float], after: str = ""
) -> Part:
  """Words on backgrounds as dark as they weigh.

  Args:
    words: `[words]`.
    weights: `[words]`, none below 0; the largest has the darkest ground, if
      it is three times the mean or more.
    after: plain text behind them.
  """
  # Weights that hardly differ must not look as if one stood out.
  mean = sum(weights) / max(len(words), 1)
  largest = max(1e-9, 3 * mean, *weights)
  # At most 0.8: the letters can still be read, on white and on black.
  spans = " ".join(
    f'<mark style="background:rgba(213,94,0,{0.8 * weight / largest:.2f})">'
    f"{html.escape(word)}</mark>"
    for word, weight in zip(words, weights, strict=True)
  )
  return Part(f"<p>{spans} {html.escape(after)}</p>")
