import pytest


@pytest.fixture
def write(tmp_path):
  """Writes a file below the test's folder; its path."""

  def write(content, name="file"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, bytes):
      path.write_bytes(content)
    else:
      path.write_text(content, "utf-8", newline="")
    return path

  return write
