import pytest

from seqjax.data import moses

CASES = [
  # options, language, text, expected
  ("", "en", "A “T-shirt” …", "A “T-shirt” …"),
  ("lower", "de", "Über ÄPFEL", "über äpfel"),
  ("normalize", "en", "A “T-shirt” …", 'A "T-shirt" ...'),
  ("normalize", "de", "„Ja“ – so", '"Ja" - so'),
  (
    "moses",
    "en",
    "It's 5,300 U.S. cats (no).",
    "It 's 5,300 U.S. cats ( no ) .",
  ),
  ("moses", "de", "Ein T-Shirt, z.B. rot.", "Ein T-Shirt , z.B. rot ."),
  # No escapes of XML.
  ("moses", "en", "a & <b> | [c]", "a & < b > | [ c ]"),
  # In the order of Multi30k's script.
  ("lower normalize moses", "en", "“A T-shirt.”", '" a t-shirt . "'),
  # A language without rules of its own.
  ("moses", "xx", "Ja, nein.", "Ja , nein ."),
  ("lower normalize moses", "en", "", ""),
]


@pytest.mark.parametrize(("options", "language", "text", "expected"), CASES)
def test_prepare(options, language, text, expected):
  chosen = dict.fromkeys(options.split(), True)
  assert moses.prepare(text, language, **chosen) == expected


@pytest.mark.parametrize(
  ("language", "text"),
  [
    ("en", "A man, who isn't old, wears a T-shirt (red) & jeans."),
    ("de", "Ein Mann, z.B. ein alter, trägt ein T-Shirt (rot)."),
    ("es", "¿Conque Dios os ha dicho: No comáis?"),
    ("en", ""),
  ],
)
def test_the_way_back(language, text):
  parted = moses.prepare(text, language, moses=True)
  assert parted != text or not text
  assert moses.restore(parted, language) == text
