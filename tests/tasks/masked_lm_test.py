"""Masked words: what is chosen, what is asked, what comes along."""

import functools
import json
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import nn
from seqjax.data import ngram, sentences, tsv
from seqjax.errors import InputError
from seqjax.models.masked_lm import Masked, MaskedLanguageModel, mask_words
from seqjax.tasks import base, masked_lm
from seqjax.train import init_from
from tests import experiments

DATA = pathlib.Path(
  os.environ.get(
    "SEQJAX_DATA_DIR", pathlib.Path(__file__).parents[3] / "shared" / "data"
  )
)
FIRST, V, WIDTH = 2, 40, 64  # ids 0 and 1 are special
ROWS, TIME = 2_000, 50


def mask(seed, tokens, **changes):
  options = {
    "rate": 0.15,
    "mask_share": 0.8,
    "random_share": 0.1,
    "first_word": FIRST,
    "vocab_size": V,
    "width": WIDTH,
    **changes,
  }
  keys = jax.random.split(jax.random.key(seed), len(tokens))
  masked = jax.vmap(functools.partial(mask_words, **options))(
    keys, jnp.asarray(tokens)
  )
  return jax.device_get(masked)


def within(count, n, p):
  """Whether a count lies in four deviations of a binomial."""
  return abs(count - n * p) <= 4 * np.sqrt(n * p * (1 - p))


@pytest.fixture(scope="module")
def tokens():
  """Sentences with special ids in them, and padding behind them."""
  rng = np.random.default_rng(0)
  tokens = rng.integers(0, V, (ROWS, TIME))
  tokens[np.arange(TIME) >= rng.integers(0, TIME + 1, ROWS)[:, None]] = 0
  return tokens.astype(np.int32)


@pytest.fixture(scope="module")
def drawn(tokens):
  """What is masked, `(row, place)` of each chosen place, what is read there."""
  masked = mask(0, tokens)
  rows, columns = np.nonzero(masked.chosen)
  places = masked.places[rows, columns]
  return masked, rows, places, masked.tokens[rows, places]


def test_which_places_are_chosen(tokens, drawn):
  masked, rows, places, _ = drawn
  assert len({*zip(rows.tolist(), places.tolist(), strict=True)}) == len(rows)
  n, count = (tokens >= FIRST).sum(axis=1), masked.chosen.sum(axis=1)
  # At least one, else floor or ceiling of 15 %, that on average.
  assert (count[n == 0] == 0).all()
  assert (count[n > 0] >= 1).all()
  long = n > 6
  assert (np.abs(count - 0.15 * n)[long] < 1).all()
  assert abs((count - 0.15 * n)[long].mean()) < 4 * 0.5 / np.sqrt(long.sum())
  # Each word of a sentence as likely as any other.
  full = mask(1, np.full((ROWS, TIME), FIRST))
  at = full.places[full.chosen]
  assert all(within((at == p).sum(), len(at), 1 / TIME) for p in range(TIME))


def test_no_special_symbol_is_masked_or_drawn(tokens, drawn):
  masked, rows, places, read = drawn
  words = tokens[rows, places]
  assert (words >= FIRST).all()
  np.testing.assert_array_equal(words, masked.words[masked.chosen])
  assert (read >= FIRST).all()
  special = tokens < FIRST
  np.testing.assert_array_equal(masked.tokens[special], tokens[special])


def test_eight_tenths_a_tenth_a_tenth(tokens, drawn):
  masked, rows, places, read = drawn
  words = tokens[rows, places]
  assert within((read == V).sum(), len(read), 0.8)
  # Of the words drawn one in V - FIRST is the same again.
  same = 0.1 + 0.1 / (V - FIRST)
  assert within((read == words).sum(), len(read), same)
  others = read[(read != V) & (read != words)]
  for word in range(FIRST, V):
    assert within((others == word).sum(), len(others), 1 / (V - FIRST))
  # Nothing else of the sentence is touched.
  untouched = np.ones(tokens.shape, bool)
  untouched[rows, places] = False
  np.testing.assert_array_equal(masked.tokens[untouched], tokens[untouched])


def test_equal_keys_agree_and_padding_changes_nothing(tokens):
  some = tokens[:20]
  one, again, other = mask(0, some), mask(0, some), mask(1, some)
  jax.tree.map(np.testing.assert_array_equal, one, again)
  assert (one.tokens != other.tokens).any()
  wider = mask(0, np.pad(some, ((0, 0), (0, WIDTH - TIME))))
  np.testing.assert_array_equal(wider.tokens[:, :TIME], one.tokens)
  assert wider.chosen.sum() == one.chosen.sum()


def test_the_model_is_its_equations():
  """No layers: y is the embedding. Read out at some places, words alone."""
  model = MaskedLanguageModel(
    lambda size, key: nn.Sequential([], size),
    7,
    1,
    embed_size=4,
    key=jax.random.key(0),
  )
  params, apply = nn.functionalize(model)
  noise = lambda x: x + 0.3 * jax.random.normal(jax.random.key(1), x.shape)
  params = jax.tree.map(noise, params)
  tokens, places = np.array([[3, 7, 1], [2, 5, 7]]), np.array([[2], [0]])
  logits = apply(params, tokens, places)
  params = jax.tree.map(np.asarray, params)
  table = params["embed"]["embedding"]
  assert table.shape == (8, 4)
  y = table[[1, 2]]
  hidden = y @ params["transform"]["kernel"] + params["transform"]["bias"]
  hidden = np.asarray(jax.nn.gelu(hidden, approximate=False))
  centred = hidden - hidden.mean(axis=1, keepdims=True)
  hidden = centred / np.sqrt(hidden.var(axis=1, keepdims=True) + 1e-5)
  norm = params["norm"]["params"]
  hidden = hidden * norm["scale"] + norm["bias"]
  expected = hidden @ table[1:7].T + params["bias"]
  np.testing.assert_allclose(logits[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_the_loss_is_of_the_chosen_places_alone(trained):
  task, params = trained("masked_lm")
  batch = next(iter(task.evaluation_batches("validation")))
  key = jax.random.key(5)
  masked = task.mask_again(batch)
  shape = (*masked.places.shape, task.encoder.vocab_size - 1)

  def loss(logits, how):
    # The model's scores, whatever it reads.
    task.__dict__["apply"] = lambda *args, **kwargs: logits
    if how == "train":
      total, count = task.loss(params, batch, (), key)[0]
    else:
      total, count = task.evaluate(params, batch, ())[0]["loss"]
    return total, count

  own = task.apply
  try:
    logits = jax.random.normal(jax.random.key(0), shape)
    for how in ("train", "evaluate"):
      slope = jax.grad(functools.partial(loss, how=how), has_aux=True)
      found, count = jax.jit(slope)(logits)
      asked = (found != 0).any(axis=-1)
      assert 0 < count == asked.sum() < asked.size
      if how == "evaluate":
        np.testing.assert_array_equal(asked, masked.chosen)
        # softmax - one-hot of the word that stood there
        right = found[masked.chosen].argmin(axis=-1)
        np.testing.assert_array_equal(right, masked.words[masked.chosen] - 1)
  finally:
    task.__dict__["apply"] = own


def test_each_step_masks_anew_and_evaluation_does_not(trained):
  task, params = trained("masked_lm")
  batch = next(task.train_batches())
  loss = jax.jit(task.loss)
  nats = [
    float(loss(params, batch, (), jax.random.key(k))[0][0]) for k in (0, 0, 1)
  ]
  assert nats[0] == nats[1] != nats[2]
  first, second = (task.evaluate_split(params, "test")[0] for _ in range(2))
  assert first == second
  masked = task.mask_again(batch)
  rows, columns = np.nonzero(masked.chosen)
  read = np.asarray(masked.tokens)[rows, masked.places[rows, columns]]
  assert (read == task.encoder.vocab_size).all()


def test_what_the_count_model_reads():
  """A masked neighbour is one; outside of the sentence there is the edge."""
  arrays: Any = (
    np.array([[9, 9, 3, 0], [4, 9, 0, 0]]),
    np.array([[1, 0, 2], [1, 3, 0]]),
    np.array([[True, True, False], [True, False, False]]),
    np.array([[5, 6, 3], [7, 0, 4]]),
  )
  masked = Masked(*arrays)
  left, asked, right = masked_lm._neighbours((masked, np.array([3, 2])))
  edge = ngram.EDGE
  assert [left.tolist(), asked.tolist(), right.tolist()] == [
    [9, edge, 4],
    [5, 6, 7],
    [3, 9, edge],
  ]


def test_fill(trained):
  task, params = trained("masked_lm")
  texts = ["the film was [MASK]", "[MASK] and [MASK] .", "the[MASK]"]
  found = task.fill(params, texts, top_k=4)
  assert [len(guesses) for guesses in found] == [1, 2, 1]
  words = task.encoder.names[1:]
  for ranked in (ranked for guesses in found for ranked in guesses):
    shares = [share for _, share in ranked]
    assert len(ranked) == 4
    assert {word for word, _ in ranked} <= {*words}
    assert shares == sorted(shares, reverse=True)
  (((_, share), *_),) = task.fill(params, texts[:1], top_k=len(words))[0]
  ((alone, *_),) = task.fill(params, texts[:1])[0]
  assert alone[1] == pytest.approx(share)
  assert task.fill(params, []) == []
  for wrong, options, message in (
    ("the [MASK]", {}, r"texts is 'the \[MASK\]', expected a list"),
    (["none"], {}, r"'none' has no \[MASK\], expected one or more"),
    (texts, {"top_k": 0}, f"top_k is 0, expected 1 to {len(words)}"),
  ):
    with pytest.raises(InputError, match=message):
      task.fill(params, wrong, **options)


def test_words_of_a_run_come_along(trained, tmp_path):
  """Into a classifier of other words: by name, those it lacks beside its own.

  Rows taken by position would differ: the first word here is new.
  """
  donor, params = trained("masked_lm")
  rows = ["aardvark film\tgood", "aardvark plot\tbad", "the film was\tbad"]
  path = tmp_path / "texts.tsv"
  path.write_text("\n".join(rows) + "\n")
  changes = {
    "data.path": str(path),
    "data.validation": 0.0,
    "data.test": 0.0,
    "init_from": str(donor.directory),
    "model.num_layers": 1,
  }
  name = "sentiment:reviews_transformer"
  config = experiments.small(name, **changes)
  task: Any = base.create(base.resolve(config))
  taken, text = init_from.take(config.init_from, task, task.shapes)
  names, theirs = task.encoder.names, [*donor.encoder.names, masked_lm.MASK]
  assert names[1] == "aardvark"
  assert {*donor.encoder.names} <= {*names}
  new = {*names} - {*theirs}
  count = f"{len(names) - len(new)} known, {len(new)} new"
  assert f"  embed: 1 taken by name ({count})\n" in text
  assert "  head: 2 not there\n" in text
  assert "  rnn: 14 taken" in text
  table = np.asarray(params["embed"]["embedding"])
  found = taken["embed.embedding"]
  for name, row in zip(names, found, strict=True):
    if name in new:
      assert np.isnan(row).all()
    else:
      np.testing.assert_array_equal(row, table[theirs.index(name)])
  # A task that goes on knows them from its own state.
  saved = json.loads(json.dumps(task.state()))
  assert type(task)(config, saved).encoder.names == names


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"rate": 0.0}, "rate 0.0, mask 0.8, random 0.1, expected a rate above 0"),
    ({"mask": 0.8, "random": 0.3}, "expected a rate above 0 and two shares of"),
    ({"random": -0.1}, "config.masking.random is -0.1, expected >= 0"),
  ],
)
def test_shares_out_of_range(changes, message):
  fields = {f"masking.{name}": value for name, value in changes.items()}
  with pytest.raises(InputError, match=message):
    base.create(base.resolve(experiments.small("masked_lm", **fields)))


@pytest.mark.skipif(
  not (DATA / "sst2").is_dir(), reason="the files are not here"
)
def test_no_held_out_sentence_of_the_treebank_is_learnt(capsys):
  """As results.md has it: four that other texts hold are left out."""
  held_out = [f"{DATA}/sst2/{part}.tsv" for part in ("dev", "test")]
  config = experiments.load("masked_lm:sst2")
  config.data.path = ",".join(
    [
      f"{DATA}/sst2/train.tsv:1",
      f"{DATA}/bible_en_es/en-es.tsv.gz:2",
      f"{DATA}/flickr8k_text/Flickr8k.token.txt:2",
    ]
  )
  texts = {
    sentences.bare(" ".join(example.inputs))
    for path in held_out
    for example in tsv.read(path)
  }
  config.data.exclude = ",".join(f"{path}:1" for path in held_out)
  learnt = sentences.load(config.data, 0).train
  assert "4 sentence(s) left out" in capsys.readouterr().err
  assert texts.isdisjoint(sentences.bare(" ".join(words)) for words in learnt)
  # Cut as sentiment.py cuts them: the treebank's own words stay as they are.
  for example in tsv.read(held_out[0]):
    assert sentences.clean(" ".join(example.inputs)).split() == example.inputs
