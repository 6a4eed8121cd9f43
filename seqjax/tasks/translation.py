"""From one language to another: an encoder, a decoder, beam search."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import config as settings
from seqjax.data import batching, bleu, formats, pair_batches
from seqjax.data.examples import check_several, held_out
from seqjax.data.pair_batches import Batch
from seqjax.errors import InputError
from seqjax.models import layers
from seqjax.models.encoder_decoder import EncoderDecoder
from seqjax.tasks import translation_shown, writing
from seqjax.tasks.translation_shown import Found


class Translation(writing.Writing):
  """Pairs of sentences of a format, see `data.formats`, by `EncoderDecoder`.

  Training is by teacher forcing, with label smoothing if asked for; what is
  measured in validation is written by the model alone, greedily. Modes and
  `--mode=evaluate` search with a beam.
  """

  unit = "tokens"
  loss_unit = "nats/token"
  modes = ("translate",)
  holds = formats.HOLDS_PAIRS

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "decode.max_extra")
    self._make_encoder = layers.create(config.model)
    options = config.decode
    settings.at_least(config, 0, "showcase.pairs", "showcase.examples")
    for name in ("min_ratio", "max_ratio"):
      if not options[name] >= 0:
        raise InputError(
          f"config.decode.{name} is {options[name]}, expected >= 0"
        )
    if options.replace_unknown and not self._attends:
      raise InputError(
        "config.decode.replace_unknown is True, expected False with"
        " config.model.attention = 'none': nothing says which word to take"
      )

  @property
  def _tokens(self):
    return self.encoder.target

  def vocabularies(self):
    target = dict.fromkeys(
      ("target_embed", "head", "bias"), self.encoder.target.state
    )
    return {"source_embed": self.encoder.source.state, **target}

  def build(self, key):
    model, encoder = self.config.model, self.encoder
    if model.share_embeddings and encoder.source is not encoder.target:
      raise InputError(
        "config.model.share_embeddings is True, expected False with"
        " config.data.joint = False: the two sides have vocabularies of their"
        " own"
      )
    return EncoderDecoder(
      self._make_encoder,
      self._make_decoder,
      len(encoder.source),
      len(encoder.target),
      embed_size=model.embed_size,
      share_embeddings=model.share_embeddings,
      tie_embeddings=model.tie_embeddings,
      bridge=model.bridge,
      deep_output=model.deep_output,
      reverse=model.reverse_source,
      embed_dropout=model.embed_dropout,
      dropout=model.output_dropout,
      compute_dtype=model.compute_dtype,
      key=key,
    )

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    """All parts at once: a mistake in one is found before training."""
    return {
      name: self._loader(
        [(pair.source, pair.target) for pair in part], name == "train"
      )
      for name, part in self.splits._asdict().items()
    }

  def _loader(
    self, pairs: Sequence[tuple[str, str]], training: bool = False
  ) -> batching.Loader:
    config, n = self.config, self.config.num_buckets
    if not training:
      return pair_batches.loader(pairs, self.encoder, config.batch_size, n)
    return pair_batches.training_loader(
      pairs,
      self.encoder,
      config.batch_size,
      max_length=config.data.max_length,
      vary=config.data.subword_dropout > 0,
      num_buckets=n,
      by_tokens=config.batch_by_tokens,
      seed=config.seed,
    )

  @functools.cached_property
  def items_per_step(self):
    """Target tokens, on average."""
    loader = self._loaders["train"]
    return float(loader.lengths[:, 1].sum() / loader.steps_per_epoch)

  def train_batches(self):
    batches = self._loaders["train"].train()
    # Evaluation needs libraries: said now, not after a while.
    bleu.scores(["a"], ["a"], self.config.data.target)
    return batches

  def evaluation_batches(self, split):
    return self._loaders[split].once(self.config.eval_batch_size)

  def _inputs(self, batch: Batch):
    return batch.source, batch.source_lengths

  def _targets(self, batch: Batch):
    return batch.target, batch.target_lengths

  def _lengths(self, source, lengths):
    options = self.config.decode
    longest = lambda n: n * options.max_ratio + options.max_extra
    return {
      "max_lengths": longest(lengths).astype(jnp.int32),
      "min_lengths": (options.min_ratio * lengths).astype(jnp.int32),
      "size": int(longest(source.shape[1])),
    }

  @property
  def _writes_unknown(self):
    return self.config.decode.replace_unknown

  def _references(self, split: str) -> list[str]:
    return [pair.target for pair in getattr(self.splits, split)]

  def scores(self, outputs, split):
    """BLEU, chrF and how many are exact, of what was written greedily."""
    if not outputs:
      return {}
    return bleu.scores(
      self._texts(outputs), self._references(split), self.config.data.target
    )

  def thorough_scores(self, params, split):
    """The same of what is found with the beam of `config.decode`."""
    pairs = getattr(self.splits, split)
    texts = self.translate(params, [pair.source for pair in pairs])
    found = bleu.scores(texts, self._references(split), self.config.data.target)
    return {f"beam_{name}": value for name, value in found.items()}

  def report(self, params, outputs, split):
    """What the scores of sacrebleu are of, for who compares."""
    signatures = bleu.signatures(self.config.data.target)
    return "\n".join(f"{split} {n}: {s}" for n, s in signatures.items())

  def translate(
    self,
    params,
    sentences: Sequence[str],
    *,
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
  ) -> list[Any]:
    """The translation of each sentence, or its `n_best`, the best first.

    Args:
      params: the model's parameters.
      sentences: a list of texts; an empty one stays empty.
      beam: hypotheses that are followed; 1 is greedy, 0 what the config says.
      alpha: exponent of the length by which log-probabilities are divided; the
        larger, the longer; below 0 what the config says.
      n_best: how many translations of each, at most `beam`.

    Returns:
      Texts, or with `n_best` above 1 lists of texts.

    Raises:
      InputError: an option is out of range; a text alone, expected a list.
    """
    found = self.search(
      params, sentences, beam=beam, alpha=alpha, n_best=n_best
    )
    if n_best == 1:
      return [one[0].text if one else "" for one in found]
    return [[each.text for each in one] for one in found]

  def search(
    self,
    params,
    sentences: Sequence[str],
    *,
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
    looks: bool = False,
  ) -> list[list[Found]]:
    """As `translate`, with scores; `looks` adds where the model looked."""
    check_several("sentences", sentences)
    beam, alpha = self._options(beam, alpha, n_best)
    copies = self.config.decode.replace_unknown
    places = [i for i, text in enumerate(sentences) if text.strip()]
    given = [(sentences[place], "") for place in places]
    sources = [text for text, _ in given] if copies else []
    results: list[list[Found]] = [[] for _ in sentences]
    looks = self._attends and (looks or copies)
    for batch in self._loader(given).few_shapes(self.config.eval_batch_size):
      found = self._searched(
        params,
        *self._inputs(batch),
        beam=beam,
        n_best=n_best,
        alpha=np.float32(alpha),
        looks=looks,
      )
      for index, several in translation_shown.read(
        batch, jax.device_get(found), self.encoder, sources
      ):
        results[places[index]] = several
    return results

  def translate_mode(
    self,
    params,
    *,
    input: str = "-",
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
    alignment: str = "",
  ) -> str:
    """A line for each line, in order; an empty line stays an empty line.

    With more than one for each: number of the line, score and text, parted by
    tabs.

    Args:
      params: the model's parameters.
      input: a file with a sentence a line; "-" is standard input.
      beam: hypotheses that are followed; 1 is greedy, 0 what the config says.
      alpha: exponent of the length by which log-probabilities are divided;
        below 0 what the config says.
      n_best: how many translations of each, at most the beam.
      alignment: a picture to write, FILE.png, of where the model looked; of the
        first sentences.
    """
    if alignment:
      translation_shown.check_picture(alignment, self._attends)
    sentences = self.encoder.read(input)
    found = self.search(
      params,
      sentences,
      beam=beam,
      alpha=alpha,
      n_best=n_best,
      looks=bool(alignment),
    )
    if alignment:
      translation_shown.draw([one[0] for one in found if one], alignment)
    if n_best == 1:
      return "\n".join(one[0].text if one else "" for one in found)
    return "\n".join(
      f"{number}\t{each.score:.4f}\t{each.text}"
      for number, one in enumerate(found, 1)
      for each in one
    )

  def showcase(self, params, directory: pathlib.Path) -> str:
    """The best and the worst translations, and where the model looked."""
    if not self.config.showcase.pairs:
      return ""
    name, show = held_out(self.splits), self.config.showcase
    pairs = list(getattr(self.splits, name))[: show.pairs]
    sources = [pair.source for pair in pairs]
    found = self.search(params, sources, looks=self._attends)
    title = f"Of the first {len(pairs)} pairs of the {name} part, by chrF"
    return translation_shown.show(pairs, found, show.examples, title, directory)
