"""What an image shows, in a sentence: attention over regions, beam search."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqjax import config as settings
from seqjax.data import batching, caption_scores, captions, formats
from seqjax.data.captions import Batch, Captioned
from seqjax.data.examples import check_several, held_out
from seqjax.decode import hypotheses
from seqjax.errors import InputError
from seqjax.models.captioner import POOLS, Captioner
from seqjax.models.text_decoder import looked_at
from seqjax.nn.regions import ConvGrid, ProjectedGrid
from seqjax.tasks import captioning_shown, writing


class Said(NamedTuple):
  """A caption, and where the model looked."""

  text: str
  score: float  # log-probability / length^alpha
  words: list[str]  # that were written, the stop too
  weights: np.ndarray | None  # [words, cells]; None without attention


class Captioning(writing.Writing):
  """Images with captions of a format, see `data.formats`, by `Captioner`.

  Training is by teacher forcing, a caption a row; what is measured in
  validation is written by the model alone, greedily, and compared with all
  captions of an image. Modes and `--mode=evaluate` search with a beam.
  """

  unit = "captions"
  loss_unit = "nats/word"
  modes = ("caption",)
  holds = formats.HOLDS_CAPTIONS

  def __init__(self, config, saved=None):
    super().__init__(config, saved)
    settings.at_least(config, 1, "decode.max_length", "data.image_size")
    settings.at_least(config, 1, "model.region_size")
    settings.at_least(config, 0, "data.max_length", "showcase.images")
    settings.at_least(config, 0, "decode.min_length")
    settings.one_of(config, POOLS, "model.pool")
    options, model = config.decode, config.model
    if options.min_length > options.max_length:
      raise InputError(
        f"config.decode.min_length is {options.min_length}, expected at most"
        f" config.decode.max_length = {options.max_length}"
      )
    if len(model.strides) != len(model.channels) + 1:
      raise InputError(
        f"config.model.strides is {tuple(model.strides)}, expected one more"
        f" than config.model.channels = {tuple(model.channels)}: the last is of"
        " the convolution that makes the regions"
      )
    self._attends = self._attends and model.pool == "none"

  @property
  def _tokens(self):
    return self.encoder.tokens

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
      bridge=model.bridge,
      deep_output=model.deep_output,
      embed_dropout=model.embed_dropout,
      dropout=model.output_dropout,
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
    # Evaluation and the showcase need libraries and files: said now, not after
    # a while.
    caption_scores.scores(["a"], [["a"]])
    self._photos(getattr(self.splits, held_out(self.splits)))
    return batches

  def _photos(self, examples):
    return captioning_shown.photos(
      examples,
      self.encoder,
      self.config.showcase.photos,
      "config.showcase.photos",
    )

  def evaluation_batches(self, split):
    return self._loaders[split].once()

  def _inputs(self, batch: Batch):
    return (batch.inputs,)

  def _targets(self, batch: Batch):
    time = batch.target.shape[-1]
    return batch.target.reshape(-1, time), batch.lengths.reshape(-1)

  def _lengths(self, inputs):
    options = self.config.decode
    return {
      "max_lengths": jnp.full(len(inputs), options.max_length, jnp.int32),
      "min_lengths": options.min_length,
      "size": options.max_length,
    }

  def scores(self, outputs, split):
    """BLEU, CIDEr-D and how many are exact, of what was written greedily."""
    if not outputs:
      return {}
    return self._worth(self._texts(outputs), split)

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
    found = self.search(params, examples, looks=self._attends)
    best = [one[0] for one in found]
    worth = self._worth([said.text for said in best], split)
    values = {f"beam_{name}": value for name, value in worth.items()}
    return values | captioning_shown.pointing(best, examples)

  def report(self, params, outputs, split):
    """What captions without a model are worth, for comparison."""
    if not outputs or not len(getattr(self.splits, split)):
      return ""
    references = [each.captions for each in getattr(self.splits, split)]
    table = captioning_shown.baselines(self.encoder, self.splits, split)
    return f"{table}\n{split} bleu: {caption_scores.signature(references)}"

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
    beam, alpha = self._options(beam, alpha, n_best)
    check_several("images", images)
    given = [
      each if isinstance(each, Captioned) else Captioned("", np.asarray(each))
      for each in images
    ]
    self.encoder.check([each.inputs for each in given])
    tokens, looks = self.encoder.tokens, looks and self._attends
    results: list[list[Said]] = [[] for _ in given]
    bare = [each._replace(captions=()) for each in given]
    most = self.config.eval_batch_size
    for batch in self._loader(bare).few_shapes(most):
      found = self._searched(
        params,
        *self._inputs(batch),
        beam=beam,
        n_best=n_best,
        alpha=np.float32(alpha),
        looks=looks,
      )
      found = jax.device_get(found)
      for row in np.flatnonzero(batch.weights):
        results[batch.indices[row]] = [
          Said(self.encoder.decode(ids), score, tokens.symbols(ids), weights)
          for ids, score, weights in hypotheses.of_row(found, row)
        ]
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
      photos: of ready-made regions: a folder with the images that they are of,
        the part that the regions are of, cut square; those alone are
        captioned.
      attention: a picture to write, FILE.png, of where the model looked while
        it wrote each word about the first image.
    """
    if not input:
      raise InputError("--input is empty, expected an image or a folder")
    examples = self.encoder.read(input)
    if attention:
      cells = self._cells(params, examples[0])
      captioning_shown.check_picture(attention, self._attends, cells)
    pictures = captioning_shown.photos(
      examples, self.encoder, photos, "--photos"
    )
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

  def _cells(self, params, example: Captioned) -> int:
    """How many regions an image has."""
    inputs = self.encoder.encode([example])
    encode = lambda params: self.apply(params, inputs, method="encode")
    weights = looked_at(jax.eval_shape(encode, params).carry)
    return 0 if weights is None else weights.shape[-1]

  def showcase(self, params, directory: pathlib.Path) -> str:
    """Captions of some images, and where the model looked."""
    count = self.config.showcase.images
    if not count:
      return ""
    name = held_out(self.splits)
    examples = list(getattr(self.splits, name))
    pictures = self._photos(examples)
    # Those that can be looked at come first.
    examples.sort(key=lambda each: each.name not in pictures)
    examples = examples[:count]
    found = self.search(params, examples, looks=self._attends)
    best = [one[0] for one in found]
    return captioning_shown.show(examples, best, pictures, name, directory)
