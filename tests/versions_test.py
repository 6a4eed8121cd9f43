"""The versions that are supported, told the same in every place."""

import pathlib
import re
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
README = " ".join((ROOT / "README.md").read_text("utf-8").split())
CONSTRAINTS = sorted(path.name for path in ROOT.glob("constraints*.txt"))
PIN = re.compile(r"([A-Za-z0-9._-]+)==([0-9.]+)")
BOUNDS = re.compile(
  r"([A-Za-z0-9_-]+)(?:\[\w+\])?>=([0-9.]+)(?:,<([0-9.]+))?", re.ASCII
)


def key(name: str) -> str:
  """Under which a package index has it."""
  return re.sub(r"[-_.]+", "-", name).lower()


def version(text: str) -> tuple[int, ...]:
  """Comparable; 2.1 and 2.1.0 are the same."""
  return tuple(int(n) for n in re.sub(r"(\.0)+$", "", text).split("."))


def pins(name: str) -> dict[str, tuple[int, ...]]:
  lines = (ROOT / name).read_text("utf-8").splitlines()
  found = [PIN.fullmatch(line) for line in lines if not line.startswith("#")]
  return {key(one[1]): version(one[2]) for one in found if one}


def requirements() -> list[tuple[str, str, str | None]]:
  """Name, lower and upper bound; of the extras, too."""
  extras = PROJECT["optional-dependencies"].values()
  lines = sum(extras, PROJECT["dependencies"])
  found = [BOUNDS.fullmatch(one) for one in lines if one[:7] != "seqjax["]
  assert all(found), lines
  return [(key(one[1]), one[2], one[3]) for one in found if one]


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_is_a_name_and_a_version(name):
  """Above all no address of an index, and no option of an installer."""
  lines = (ROOT / name).read_text("utf-8").splitlines()
  bad = [one for one in lines if one[:1] != "#" and not PIN.fullmatch(one)]
  assert not bad
  comments = " ".join(one for one in lines if one[:1] == "#")
  assert "://" not in comments


def test_the_oldest_set_is_the_lower_bounds():
  oldest = pins("constraints-oldest.txt")
  for name, lower, _ in requirements():
    assert oldest.get(name) == version(lower), name
  assert oldest["jaxlib"] == oldest["jax"]


def test_the_newest_set_is_within_the_bounds():
  newest = pins("constraints.txt")
  for name, lower, upper in requirements():
    assert newest[name] >= version(lower), name
    assert upper is None or newest[name] < version(upper), name


def test_a_package_has_one_lower_bound():
  lower = {}
  for name, one, _ in requirements():
    assert lower.setdefault(name, one) == one, name


def test_the_readme_names_the_versions_of_jax():
  bounds = {name: both for name, *both in requirements()}
  lower, upper = bounds["jax"]
  *_, minor = version(upper)
  assert f"JAX {lower} to 0.{minor - 1}" in README
  assert PROJECT["requires-python"] == ">=3.12"
  assert "Python >= 3.12" in README
