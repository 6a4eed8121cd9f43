"""What a person looks at: pictures, pages and lines, from arrays and words.

Knows no task, no model and no run directory.
"""

from seqjax.errors import extra

with extra():  # here, for every file of the room
  import matplotlib as matplotlib
