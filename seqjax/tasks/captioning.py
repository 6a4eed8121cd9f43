"""What an image shows, in a sentence: attention over regions, beam search."""

import functools
import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import config as settings
from seqjax import nn
from seqjax.data import batching, caption_scores, captions, formats
from seqjax.data.captions import Batch, Captioned
from seqjax.data.examples import Splits, held_out
from seqjax.decode import beam as beam_search
from seqjax.decode import greedy
from seqjax.decode.hypotheses import Hypotheses
from seqjax.errors import InputError
from seqjax.models import decoders
from seqjax.models.captioner import POOLS, Captioner
from seqjax.models.text_decoder import looked_at
from seqjax.nn.regions import ConvGrid, ProjectedGrid
from seqjax.recurrence import length_mask
from seqjax.tasks import base, captioning_shown


class Said(NamedTuple):
  """A caption, and where the model looked."""

  text: str
  score: float  # log-probability / length^alpha
  words: list[str]  # that were written, the stop too
  weights: np.ndarray | None  # [words, cells]; None without attention


class Captioning(base.Task):
  """Images with captions of a format, see `data.formats`, by `Captioner`.

  Training is by teacher forcing, a caption a row; what is measured in
  validation is written by the model alone, greedily, and compared with all
  captions of an image. Modes and `--mode=evaluate` search with a beam.
  """

  unit = "captions"
  loss_unit = "nats/word"
  modes = ("caption",)

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "eval_batch_size", "num_buckets")
    settings.at_least(config, 1, "model.embed_size", "decode.max_length")
    settings.at_least(config, 1, "model.region_size")
    settings.at_least(config, 0, "decode.min_length", "data.max_length")
    settings.at_least(config, 0, "showcase.images")
    settings.rate(config, "label_smoothing", "scheduled_sampling")
    settings.rate(config, "model.dropout", "model.embed_dropout")
    settings.one_of(config, POOLS, "model.pool")
    self._format = formats.find(config.data.format, formats.HOLDS_CAPTIONS)
    self._make_decoder = decoders.create(config.model)
    self._attends = (
      config.model.attention != decoders.NO_ATTENTION
      and config.model.pool == "none"
    )
    self._check(config.decode.beam, config.decode.alpha, 1, "config.decode.")

  def _check(self, beam: int, alpha: float, n_best: int, prefix: str) -> None:
    try:
      beam_search.check_options(beam, alpha, n_best)
    except ValueError as error:
      raise InputError(f"{prefix}{error}") from error

  @functools.cached_property
  def splits(self) -> Splits:
    """The images of each part."""
    return self._format.load(self.config.data, self.config.seed)

  @functools.cached_property
  def encoder(self) -> Any:
    """From images and texts to arrays, and back."""
    if self.saved:
      return self._format.Encoder(**self.saved)
    config = self.config
    return self._format.Encoder.fit(self.splits.train, config.data, config.seed)

  def state(self):
    return self.encoder.state

  def vocabularies(self):
    names = "target_embed", "head", "bias"
    return dict.fromkeys(names, self.encoder.tokens.state)

  def build(self, key):
    model, encoder = self.config.model, self.encoder
    how = {"compute_dtype": model.compute_dtype}
    if encoder.kind == captions.GRIDS:
      make_regions = lambda key: ProjectedGrid(
        encoder.shape[-1], model.region_size, key=key, **how
      )
    else:
      channels = (*model.channels, model.region_size)
      make_regions = lambda key: ConvGrid(
        channels, model.strides, key=key, **how
      )
    return Captioner(
      make_regions,
      self._make_decoder,
      len(encoder.tokens),
      embed_size=model.embed_size,
      pool=model.pool,
      tie_embeddings=model.tie_embeddings,
      embed_dropout=model.embed_dropout,
      dropout=model.dropout,
      key=key,
      **how,
    )

  def _loader(self, examples: Sequence[Captioned]) -> batching.Loader:
    return captions.loader(examples, self.encoder, self.config.eval_batch_size)

  @functools.cached_property
  def _loaders(self) -> dict[str, batching.Loader]:
    """All parts at once: a mistake in one is found before training."""
    config, parts = self.config, self.splits
    return {
      "train": captions.training_loader(
        parts.train,
        self.encoder,
        config.batch_size,
        max_length=config.data.max_length,
        num_buckets=config.num_buckets,
        seed=config.seed,
      ),
      "validation": self._loader(parts.validation),
      "test": self._loader(parts.test),
    }

  def train_batches(self):
    batches = self._loaders["train"].train()
    # Evaluation needs libraries: said now, not after a while.
    caption_scores.scores(["a"], [["a"]])
    return batches

  def evaluation_batches(self, split):
    return self._loaders[split].once()

  def loss(self, params, batch: Batch, carry, key):
    smoothing = self.config.label_smoothing
    return self._nats(params, batch, key, smoothing), {}, carry

  def _nats(self, params, batch: Batch, key=None, smoothing: float = 0.0):
    """Sum over the valid words of all captions, and how many there are."""
    rows, several, time = batch.target.shape
    target = batch.target.reshape(rows * several, time)
    lengths = batch.lengths.reshape(rows * several)
    start = jnp.full_like(target[:, :1], self.encoder.tokens.start)
    inputs = jnp.concatenate([start, target[:, :-1]], axis=1)
    keys = (None, None) if key is None else jax.random.split(key)
    encoded = self.apply(params, batch.inputs, key=keys[0], method="encode")
    if several > 1:
      encoded = jax.tree.map(lambda x: jnp.repeat(x, several, 0), encoded)
    sampling = self.config.scheduled_sampling if key is not None else 0.0
    _, logits = self.apply(
      params,
      encoded,
      inputs,
      lengths,
      key=keys[1],
      sampling=sampling,
      method="write",
    )
    nats = nn.cross_entropy(logits, target, smoothing)
    weights = jnp.repeat(batch.weights, several)
    valid = length_mask(lengths, time) & (weights > 0)[:, None]
    return jnp.where(valid, nats, 0.0).sum(), valid.sum().astype("float32")

  def evaluate(self, params, batch: Batch, carry):
    loss = self._nats(params, batch)
    found = self._search(params, batch.inputs, beam=0, n_best=1)
    tokens = found.tokens[:, 0], found.lengths[:, 0]
    return {"loss": loss}, carry, (*tokens, batch.indices, batch.weights)

  def _search(
    self,
    params,
    inputs,
    *,
    beam: int,
    n_best: int,
    alpha: Any = 1.0,
    looks: bool = False,
  ) -> Hypotheses:
    """By beam search, or greedily with a beam of 0."""
    options, tokens = self.config.decode, self.encoder.tokens
    encoded = self.apply(params, inputs, method="encode")

    def step(memory, carry, tokens):
      return self.apply(params, memory, carry, tokens, method="step")

    how = {
      "start": tokens.start,
      "stop": tokens.stop,
      "never": (tokens.padding, tokens.start, tokens.unknown),
      "max_lengths": jnp.full(len(inputs), options.max_length, jnp.int32),
      "min_lengths": options.min_length,
      "size": options.max_length,
      "record": looked_at if looks else None,
    }
    if not beam:
      return greedy.search(step, encoded.memory, encoded.carry, **how)
    return beam_search.search(
      step,
      encoded.memory,
      encoded.carry,
      beam=beam,
      n_best=n_best,
      alpha=alpha,
      **how,
    )

  @functools.cached_property
  def _searched(self):
    return jax.jit(self._search, static_argnames=("beam", "n_best", "looks"))

  def scores(self, outputs, split):
    """BLEU, CIDEr-D and how many are exact, of what was written greedily."""
    if not outputs:
      return {}
    texts = [self.encoder.decode(ids) for ids in batching.cut_in_order(outputs)]
    return self._worth(texts, split)

  def _worth(self, texts: Sequence[str], split: str) -> dict[str, float]:
    """Of what training has the like of; "held_out_exact" of what it has not."""
    pairs = list(zip(texts, getattr(self.splits, split), strict=True))
    seen = [pair for pair in pairs if not pair[1].held_out]
    never = [pair for pair in pairs if pair[1].held_out]
    of = lambda some: caption_scores.scores(
      [text for text, _ in some],
      [each.captions for _, each in some],
      self._training,
    )
    found = of(seen) if seen else {}
    if never:
      found["held_out_exact"] = of(never)["exact"]
    return found

  @functools.cached_property
  def _training(self) -> frozenset[str]:
    """All captions that are learned from."""
    return frozenset(c for each in self.splits.train for c in each.captions)

  def thorough_scores(self, params, split):
    """The same of what is found with the beam of `config.decode`.

    Of scenes, also where the model looked while it wrote of a thing.
    """
    examples = getattr(self.splits, split)
    found = self._said(params, examples, looks=self._attends)
    best = [one[0] for one in found]
    worth = self._worth([said.text for said in best], split)
    values = {f"beam_{name}": value for name, value in worth.items()}
    return values | captioning_shown.pointing(best, examples)

  def summarize(self, means):
    perplexity = math.exp(min(means["loss"], 700.0))
    return {"loss": means["loss"], "perplexity": perplexity, **means}

  def report(self, params, outputs, split):
    """What captions without a model are worth, for comparison."""
    if not outputs or not len(getattr(self.splits, split)):
      return ""
    table = captioning_shown.baselines(self.encoder, self.splits, split)
    return f"{table}\n{split} bleu: {caption_scores.signature()}"

  def caption(
    self,
    params,
    images: Sequence[Any],
    *,
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
  ) -> list[Any]:
    """The caption of each image, or its `n_best`, the best first.

    Args:
      params: the model's parameters.
      images: `Captioned`; or arrays as the model was trained on: uint8
        `[height, width, 3]`, or grids `[cells, features]`.
      beam: hypotheses that are followed; 1 is greedy, 0 what the config says.
      alpha: exponent of the length by which log-probabilities are divided; the
        larger, the longer; below 0 what the config says.
      n_best: how many captions of each, at most `beam`.

    Returns:
      Texts, or with `n_best` above 1 lists of texts.

    Raises:
      InputError: an option is out of range, or an image has another shape.
    """
    found = self.search(params, images, beam=beam, alpha=alpha, n_best=n_best)
    if n_best == 1:
      return [one[0].text for one in found]
    return [[said.text for said in one] for one in found]

  def search(
    self,
    params,
    images: Sequence[Any],
    *,
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
    looks: bool = False,
  ) -> list[list[Said]]:
    """As `caption`, with scores; `looks` adds where the model looked."""
    options = self.config.decode
    beam = options.beam if beam == 0 else beam
    alpha = options.alpha if alpha < 0 else alpha
    self._check(beam, alpha, n_best, "--")
    given = [
      each if isinstance(each, Captioned) else Captioned("", np.asarray(each))
      for each in images
    ]
    for number, each in enumerate(given):
      if each.inputs.shape[-1] != self.encoder.shape[
        -1
      ] or each.inputs.ndim != (len(self.encoder.shape)):
        raise InputError(
          f"image {number} has shape {each.inputs.shape}, expected one like"
          f" {self.encoder.shape}, as in training"
        )
    return self._said(
      params, given, beam=beam, alpha=alpha, n_best=n_best, looks=looks
    )

  def _said(
    self,
    params,
    examples: Sequence[Captioned],
    *,
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
    looks: bool = False,
  ) -> list[list[Said]]:
    options, tokens = self.config.decode, self.encoder.tokens
    results: list[list[Said]] = [[] for _ in examples]
    bare = [each._replace(captions=()) for each in examples]
    most = self.config.eval_batch_size
    for batch in self._loader(bare).few_shapes(most):
      found = self._searched(
        params,
        batch.inputs,
        beam=beam or options.beam,
        n_best=n_best,
        alpha=np.float32(options.alpha if alpha < 0 else alpha),
        looks=looks and self._attends,
      )
      found = jax.device_get(found)
      for row, index in enumerate(batch.indices):
        if not batch.weights[row]:
          continue
        for k in range(n_best):
          length = int(found.lengths[row, k])
          ids = found.tokens[row, k, :length]
          weights = None
          if found.records is not None:
            weights = found.records[row, k, :length]
          said = Said(
            self.encoder.decode(ids),
            float(found.scores[row, k]),
            tokens.symbols(ids),
            weights,
          )
          results[index].append(said)
    return results

  def caption_mode(
    self,
    params,
    *,
    input: str = "",
    beam: int = 0,
    alpha: float = -1.0,
    n_best: int = 1,
    photos: str = "",
    attention: str = "",
  ) -> str:
    """A line for each image: its name, a tab, its caption.

    With more than one for each: name, score and caption, parted by tabs.

    Args:
      params: the model's parameters.
      input: an image or a folder of them; for a model of ready-made regions a
        file .npz of those.
      beam: hypotheses that are followed; 1 is greedy, 0 what the config says.
      alpha: exponent of the length by which log-probabilities are divided;
        below 0 what the config says.
      n_best: how many captions of each, at most the beam.
      photos: of ready-made regions: a folder with the images that they are of;
        those alone are captioned.
      attention: a picture to write, FILE.png, of where the model looked while
        it wrote each word about the first image.
    """
    if not input:
      raise InputError("--input is empty, expected an image or a folder")
    if attention:
      captioning_shown.check_picture(attention, self._attends)
    examples = self.encoder.read(input)
    pictures = captioning_shown.photos(examples, self.encoder, photos)
    if photos:
      examples = [each for each in examples if each.name in pictures]
    found = self.search(
      params,
      examples,
      beam=beam,
      alpha=alpha,
      n_best=n_best,
      looks=bool(attention),
    )
    if attention:
      first = examples[0].name
      captioning_shown.draw(pictures.get(first), found[0][0], attention)
    if n_best == 1:
      return "\n".join(
        f"{each.name}\t{one[0].text}"
        for each, one in zip(examples, found, strict=True)
      )
    return "\n".join(
      f"{each.name}\t{said.score:.4f}\t{said.text}"
      for each, one in zip(examples, found, strict=True)
      for said in one
    )

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Captions of some images, and where the model looked."""
    count = self.config.showcase.images
    if not count:
      return ""
    name = held_out(self.splits)
    examples = list(getattr(self.splits, name))
    pictures = captioning_shown.photos(
      examples, self.encoder, self.config.showcase.photos
    )
    # Those that can be looked at come first.
    examples.sort(key=lambda each: each.name not in pictures)
    examples = examples[:count]
    found = self._said(params, examples, looks=self._attends)
    best = [one[0] for one in found]
    return captioning_shown.show(examples, best, pictures, name, directory)
