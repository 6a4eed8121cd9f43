"""Folk tunes: a language model of ABC notation, whose tunes are played."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from seqjax import config as settings
from seqjax import files
from seqjax.data import abc_notation, text, tune_scores
from seqjax.data import tunes as tune_files
from seqjax.data.examples import Splits
from seqjax.tasks import played
from seqjax.tasks.language_model import LanguageModeling

# Between tunes: of the texts that are learnt from, and what ends a new one.
BETWEEN = "\n\n"
_TOLD = 5  # problems of a tune that are told


class Music(LanguageModeling):
  """Tunes, character by character; a blank line parts them."""

  modes = "compose", *LanguageModeling.modes

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.one_of(config, ["characters"], "data.tokenizer")
    settings.at_least(config, 0, "showcase.judged")

  @functools.cached_property
  def _tunes(self) -> Splits:
    return tune_files.load(self.config.data, self.config.seed)

  def _load(self) -> text.Corpus:
    every = [tune for part in self._tunes for tune in part]
    name = self.config.data.path or "tunes of the grammar"
    return text.Corpus.of(name, BETWEEN.join(every))

  @functools.cached_property
  def parts(self) -> Splits:
    """The characters of each part, tune after tune."""
    self._corpus  # noqa: B018, it is refused if it has changed
    joined = ("".join(t + BETWEEN for t in part) for part in self._tunes)
    return Splits(*(self._tokenizer.split(part) for part in joined))

  @property
  def _before(self) -> str:
    return self.saved["before"] if self.saved else self._tunes.train[-1]

  def state(self):
    return {**super().state(), "before": self._before}

  def train_batches(self):
    played.check_installed()  # now, not after training
    return super().train_batches()

  def compose_mode(
    self,
    params,
    *,
    output: str = "tune",
    prompt: str = "",
    temperature: float = 0.8,
    top_p: float = 1.0,
    num_tokens: int = 1_500,
    seed: int = 0,
  ) -> str:
    """Writes a tune: tune.abc, tune.mid, tune.wav and its picture, tune.png.

    Args:
      params: the model's parameters.
      output: FOLDER of the files; it is made.
      prompt: what the tune begins with, a header say: "X:1", lines of fields,
        down to "K:"; default "X:".
      temperature: below 1 is safer, above 1 wilder, 0 always takes the
        likeliest.
      top_p: choose among the likeliest that together reach this probability.
      num_tokens: characters at most.
      seed: the same seed gives the same tune.
    """
    with played.folder_of(output) as folder:
      (tune,) = self.compose(
        params,
        prompt=prompt,
        temperature=temperature,
        top_p=top_p,
        num_tokens=num_tokens,
        seed=seed,
      )
      return write(tune, folder)

  def compose(
    self,
    params,
    *,
    prompt: str = "",
    temperature: float = 0.8,
    top_p: float = 1.0,
    num_tokens: int = 1_500,
    seed: int = 0,
    num_samples: int = 1,
  ) -> list[str]:
    """Tunes in ABC notation, each up to its end; see `compose_mode`.

    The model reads a tune of the training part first: with nothing before it, a
    tune begins as none did in training.
    """
    before = self._before + BETWEEN
    written = self.generate(
      params,
      prompt=before + (prompt.lstrip("\n") or "X:"),
      temperature=temperature,
      top_p=top_p,
      num_tokens=num_tokens,
      seed=seed,
      num_samples=num_samples,
    )
    ends = (tune.removeprefix(before).partition(BETWEEN) for tune in written)
    return [tune.rstrip("\n") for tune, _, _ in ends]

  def thorough_scores(self, params, split):
    """Of tunes written at temperature .8, and of the part's own, what is right.

    The shares of `tune_scores.shares`, and of windows of eight notes those that
    are in a tune of the training part. "own_copied" is how much a training tune
    shares with the others.
    """
    tunes, train = getattr(self._tunes, split), self._tunes.train
    if not (self.config.showcase.judged and tunes):
      return {}
    sources = {"composed": self._judged(params), "own": tunes}
    found = {
      f"{source}_{name}": share
      for source, texts in sources.items()
      for name, share in tune_scores.shares(texts).items()
    }
    found["composed_copied"] = tune_scores.copied(sources["composed"], train)
    found["own_copied"] = self._shared
    return found

  def _judged(self, params) -> list[str]:
    show = self.config.showcase
    return self.compose(
      params,
      temperature=show.temperature,
      top_p=show.top_p,
      num_tokens=show.num_tokens,
      seed=self.config.seed,
      num_samples=show.judged,
    )

  @functools.cached_property
  def _shared(self) -> float:
    return tune_scores.shared_among(self._tunes.train)

  def showcase(self, params, directory):
    """A tune, heard and seen."""
    show = self.config.showcase
    (tune,) = self.compose(
      params,
      prompt=show.prompt,
      temperature=show.temperature,
      top_p=show.top_p,
      num_tokens=show.num_tokens,
      seed=self.config.seed,
    )
    return write(tune, directory)


def write(tune: str, folder: pathlib.Path) -> str:
  """A tune as tune.abc, .mid, .wav and .png; the tune, where, and its faults.

  Args:
    tune: in ABC notation.
    folder: of the files; of what does not sound there is the first one alone.
  """
  path = folder / "tune.abc"
  files.write(path, tune + "\n")
  read, judged = abc_notation.read(tune), tune_scores.judge(tune)
  told = f"no note in it: {path}"
  if read.score.notes:
    titles = [value for letter, value in read.header if letter == "T"]
    # The first note of a bar is the louder one.
    loudest = max(note.velocity for note in read.score.notes)
    bars = {n.start for n in read.score.notes if n.velocity == loudest}
    told = f"{path}; " + played.write(
      read.score,
      folder,
      "tune",
      title=titles[0] if titles else "",
      bars=sorted(map(float, bars)),
    )
  return f"{tune}\n\n{told}\n{_verdict(judged, read.problems)}"


# What is said of a tune that is not so.
_FAULTS = {
  "header": "its header is not complete",
  "legal": "not all signs are legal",
  "bars": "a bar is not of the metre's length",
  "repeats": "its repeats cannot be played",
}


def _verdict(judged: tune_scores.Judgement, problems: Sequence[Any]) -> str:
  faults = [said for name, said in _FAULTS.items() if not getattr(judged, name)]
  if not faults:
    return "The tune is well formed."
  lines = [f"The tune is not well formed: {'; '.join(faults)}."]
  lines += [f"  {problem}" for problem in problems[:_TOLD]]
  if len(problems) > _TOLD:
    lines.append(f"  and {len(problems) - _TOLD} more")
  return "\n".join(lines)
