"""Translation: what a run makes of sentences, and what it is measured by."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import seqjax
from seqjax.data import bleu, pair_batches, pairs
from seqjax.decode.hypotheses import Hypotheses
from seqjax.errors import InputError
from seqjax.tasks import base, translation_shown
from seqjax.tasks.translation_shown import Found
from seqjax.train import loop
from tests.experiments import small

SENTENCES = [
  "the old dog sees a cat .",
  "",
  "some birds sing .",
  "a small horse waits near the quiet river on march 5 , 2024 .",
]


def batch_of(task, split="train", rows=8):
  """The first pairs of a part, the last row absent."""
  pairs = [
    (p.source, p.target) for p in getattr(task.splits, split)[: rows - 1]
  ]
  loader = pair_batches.loader(pairs, task.encoder, rows)
  (batch,) = loader.once()
  return batch


def wider(batch, more):
  """The same with `more` columns and two rows of padding, with junk in them."""
  rng = np.random.default_rng(0)

  def pad(x):
    edge = [(0, 2)] + [(0, more)] * (x.ndim - 1)
    padded = np.pad(x, edge)
    if x.ndim == 2:
      padded[: len(x), x.shape[1] :] = rng.integers(4, 20, (len(x), more))
    return padded

  return jax.tree.map(pad, batch)


def test_lines_keep_their_order_and_share_no_fate(trained):
  task, params = trained("translate")
  together = task.translate(params, SENTENCES)
  assert together[1] == ""
  alone = [task.translate(params, [one])[0] for one in SENTENCES]
  assert together == alone
  assert task.translate(params, list(reversed(SENTENCES))) == together[::-1]
  assert task.translate(params, []) == []
  several = task.translate(params, SENTENCES, n_best=3)
  assert [one[:1] for one in several] == [[t] if t else [] for t in together]
  with pytest.raises(InputError, match="sentences is 'a', expected a list"):
    task.translate(params, "a")
  with pytest.raises(InputError, match="^--n_best is 6, expected"):
    task.translate(params, SENTENCES, n_best=6)


def test_the_mode(trained, tmp_path):
  task, params = trained("translate")
  path = tmp_path / "lines.txt"
  path.write_text("\n".join(SENTENCES) + "\n")
  lines = task.translate_mode(params, input=str(path)).split("\n")
  assert lines == task.translate(params, SENTENCES)
  picture = tmp_path / "alignment.png"
  told = task.translate_mode(
    params, input=str(path), n_best=2, alignment=str(picture)
  )
  rows = [line.split("\t") for line in told.split("\n")]
  assert [row[0] for row in rows] == list("113344")
  scores = [float(row[1]) for row in rows]
  assert all(a >= b for a, b in zip(scores[::2], scores[1::2], strict=True))
  assert picture.stat().st_size > 0


@pytest.mark.parametrize("beam", [1, 3])
def test_the_score_is_that_of_teacher_forcing(trained, beam):
  """Of the text that was written, the stop counted once."""
  task, params = trained("translate")
  for alpha in (0.0, 0.7):
    (found,) = task.search(
      params, SENTENCES[:1], beam=beam, alpha=alpha, looks=True
    )
    ids = [task.encoder.target.encode([s])[0] for s in found[0].target[:-1]]
    target = np.array([*ids, task.encoder.target.stop], np.int32)[None]
    assert len(target[0]) == len(found[0].target)
    source = task.encoder.encode_source(SENTENCES[0])[None]
    batch = pair_batches.Batch(
      source,
      np.array([source.shape[1]]),
      target,
      np.array([target.shape[1]]),
      np.ones(1),
      np.zeros(1, int),
    )
    nats, count = task._nats(params, batch)
    assert count == target.shape[1]
    expected = -float(nats) / float(count) ** alpha
    assert found[0].score == pytest.approx(expected, rel=1e-5)


def test_where_it_looked(trained):
  task, params = trained("translate")
  found = task.search(params, SENTENCES, looks=True)
  for text, hypotheses in zip(SENTENCES, found, strict=True):
    for one in hypotheses:
      assert isinstance(one, Found)
      assert one.source == [*task.encoder.source.split(text), "<stop>"]
      assert one.target[-1] == "<stop>"
      assert one.weights.shape == (len(one.target), len(one.source))
      np.testing.assert_allclose(one.weights.sum(axis=1), 1, rtol=1e-5)
  assert not any(found[1])


def test_an_unknown_word_is_that_of_the_text():
  """Not the mark of one that the source's vocabulary lacks, too."""
  data = small("translate", **{"data.min_count": 2}).data
  encoder = pairs.Encoder.fit([pairs.Pair("a b a", "x y x")], data, 0)
  (batch,) = pair_batches.loader([("a Zoe", "")], encoder, 1).once()
  ids, zero = encoder.encode_target("x y")[None, None], np.zeros((1, 1))
  looked = np.eye(3)[None, None]
  for sources, weights, text in (
    ([], looked, "x"),
    (["a Zoe"], looked, "x Zoe"),
    (["a Zoe"], looked[:, :, [0, 2, 1]], "x"),  # at the stop
  ):
    found = Hypotheses(ids, np.array([[3]]), zero, zero, weights)
    ((_, (one,)),) = translation_shown.read(batch, found, encoder, sources)
    assert one.text == text


def test_where_a_picture_goes(tmp_path):
  found = [Found("x", 0.0, ["a", "b"], ["x"], np.full((1, 2), 0.5))]
  path = tmp_path / "new" / "a.png"
  translation_shown.check_picture(str(path), attends=True)
  assert not path.exists()
  translation_shown.draw(found, path)
  size = path.stat().st_size
  translation_shown.check_picture(str(path), attends=True)
  assert path.stat().st_size == size > 0
  (tmp_path / "file").write_text("")
  for name, told in (("a.xyz", "FILE.png"), ("file/a.png", "cannot be wri")):
    with pytest.raises(InputError, match=f"^--alignment is .*{told}"):
      translation_shown.check_picture(str(tmp_path / name), attends=True)


def test_unknown_words_are_replaced_in_a_search(trained):
  """The weights are asked for by the option alone; `<unk>` is never written."""
  task, params = trained("translate")
  config = task.config.copy_and_resolve_references()
  config.decode.replace_unknown = True
  other = base.create(config, task.directory)
  # A model that likes nothing but what is unknown.
  unknown = other.encoder.target.unknown
  liked = {**params, "bias": params["bias"].at[unknown].set(1e3)}
  (found,) = other.search(liked, ["the Zoe sings ."])
  words = other.encoder.split_source("the Zoe sings .")
  looked = found[0].weights.argmax(axis=1)
  expected = "".join(words[i] for i in looked[:-1]).replace("▁", " ").strip()
  assert found[0].text.strip() == expected
  assert "<unk>" not in found[0].text
  (found,) = task.search(liked, ["the Zoe sings ."])
  assert "▁<unk>" not in found[0].target


def test_scores_are_of_what_the_model_writes_alone(trained):
  """Not of teacher forcing; of whole texts, by corpus."""
  task, params = trained("translate")
  found, _ = task.evaluate_split(params, "validation")
  pairs = task.splits.validation
  texts = task.translate(params, [p.source for p in pairs], beam=1, alpha=0.0)
  expected = bleu.scores(texts, [p.target for p in pairs], "xx")
  assert {name: found[name] for name in expected} == pytest.approx(expected)
  whole = seqjax.load(task.directory).evaluate("validation")
  thorough = task.thorough_scores(params, "validation")
  assert whole == pytest.approx({**found, **thorough})
  texts = task.translate(params, [p.source for p in pairs])
  expected = bleu.scores(texts, [p.target for p in pairs], "xx")
  assert thorough == pytest.approx(
    {f"beam_{name}": value for name, value in expected.items()}
  )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_padding_changes_nothing(trained, smoothing):
  """Neither the loss, its denominator, nor a gradient."""
  task, params = trained("translate")
  batch = batch_of(task)

  def nats(params, batch):
    total, count = task._nats(params, batch, smoothing=smoothing)
    return total / count, count

  grad = jax.jit(jax.value_and_grad(nats, has_aux=True))
  (loss, count), grads = grad(params, batch)
  (wide_loss, wide_count), wide_grads = grad(params, wider(batch, 5))
  assert count == wide_count == batch.target_lengths.sum()
  assert loss == pytest.approx(float(wide_loss), rel=1e-6)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
    grads,
    wide_grads,
  )


def test_smoothing_is_that_of_the_explicit_target(trained):
  task, params = trained("translate")
  batch = batch_of(task)
  start = np.full_like(batch.target[:, :1], task.encoder.target.start)
  inputs = np.concatenate([start, batch.target[:, :-1]], axis=1)
  _, logits = task.apply(
    params,
    batch.source,
    batch.source_lengths,
    inputs,
    batch.target_lengths,
  )
  size = logits.shape[-1]
  soft = 0.8 * jax.nn.one_hot(batch.target, size) + 0.2 / size
  nats = -(soft * jax.nn.log_softmax(logits)).sum(axis=-1)
  valid = np.arange(nats.shape[1]) < batch.target_lengths[:, None]
  total, count = task._nats(params, batch, smoothing=0.2)
  assert total == pytest.approx(
    float(jnp.where(valid, nats, 0).sum()), rel=1e-5
  )
  assert count == valid.sum()


def test_scheduled_sampling_is_training_alone(trained):
  task, params = trained("translate")
  config = task.config.copy_and_resolve_references()
  config.scheduled_sampling = 0.5
  other = base.create(config, task.directory)
  batch, key = batch_of(task), jax.random.key(0)
  plain, sampled = (
    one.loss(params, batch, (), key)[0] for one in (task, other)
  )
  assert plain[1] == sampled[1]
  assert plain[0] != sampled[0]
  assert other._nats(params, batch) == task._nats(params, batch)


def test_a_decoder_that_attends_afterwards(tmp_path):
  """The others are cells, as the default's; see the tests of the model."""
  config = small(
    "translate", **{"model.decoder": "luong", "model.num_layers": 2}
  )
  assert loop.train(config, tmp_path) == 0
  task, params, _ = loop.load(tmp_path)
  (found,) = task.search(params, SENTENCES[:1], looks=True)
  assert found[0].weights is not None


TRANSFORMER = {
  "model.layer": "transformer_encoder(heads=2)",
  "model.decoder": "transformer(heads=2)",
  "model.bridge": "none",
  "model.deep_output": False,
}


def test_transformers_on_both_sides(tmp_path):
  """Trained, searched, and looked into."""
  assert loop.train(small("translate", **TRANSFORMER), tmp_path) == 0
  task, params, _ = loop.load(tmp_path)
  assert (tmp_path / "showcase" / "alignment.png").exists()
  together = task.translate(params, SENTENCES)
  assert together[1] == ""
  assert together[0] == task.translate(params, SENTENCES[:1])[0]


def test_the_layer_that_is_looked_at_is_named():
  """It changes what is drawn, not what is written."""
  found = []
  for layer in (-1, 0):
    changes = {"decode.alignment_layer": layer, "model.num_layers": 2}
    config = small("translate", **TRANSFORMER, **changes)
    task = base.create(base.resolve(config))
    params = jax.jit(task.init)(jax.random.key(0))
    ((one,),) = task.search(params, SENTENCES[:1], beam=1, looks=True)
    np.testing.assert_allclose(one.weights.sum(axis=1), 1, rtol=1e-5)
    found.append(one)
  assert found[0].text == found[1].text
  assert np.abs(found[0].weights - found[1].weights).max() > 1e-4


def test_a_cache_is_no_wider_than_a_search_is_long():
  config = small("translate", **TRANSFORMER)
  task = base.create(base.resolve(config))
  batch = batch_of(task)
  size = task._lengths(*task._inputs(batch))["size"]
  assert size < 256
  search = lambda params: task._search(
    params, *task._inputs(batch), beam=3, n_best=1
  )
  text = str(jax.make_jaxpr(search)(task.shapes))
  # Rows x beam, heads, W, features of a head.
  assert re.search(rf"\[24,\d+,{size},\d+\]", text)
  assert not re.search(r"\[24,\d+,256,\d+\]", text)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    (
      {"decode.alignment_layer": 1},
      "config.decode.alignment_layer is 1, expected -1 to 0: 1 of the decoder's"
      " layers attend$",
    ),
    (
      {**TRANSFORMER, "model.num_layers": 2, "decode.alignment_layer": -3},
      "config.decode.alignment_layer is -3, expected -2 to 1: 2 of",
    ),
    ({"model.output_dropout": 1.0}, "config.model.output_dropout is 1.0, exp"),
  ],
)
def test_fields_that_are_refused(changes, message):
  with pytest.raises(InputError, match=message) as error:
    base.create(small("translate", **changes))
  assert "\n" not in str(error.value)


def test_dropout_outside_of_layers_has_a_field_of_its_own():
  """It is as that of the layers unless it is set."""
  rates = lambda **changes: tuple(
    base.resolve(small("translate", **changes)).model[name]
    for name in ("dropout", "output_dropout")
  )
  assert rates(**{"model.dropout": 0.3}) == (0.3, 0.3)
  changes = {"model.output_dropout": 0.0, "model.dropout": 0.3}
  assert rates(**changes) == (0.3, 0.0)
  task, found = base.create(small("translate", **changes)), []
  build = lambda: found.append(task.build(jax.random.key(0)).dropout)
  jax.eval_shape(build)
  assert found == [0.0]


def test_without_attention(tmp_path):
  config = small("translate", **{"model.attention": "none"})
  assert loop.train(config, tmp_path) == 0
  task, params, _ = loop.load(tmp_path)
  (found,) = task.search(params, SENTENCES[:1], looks=True)
  assert found[0].weights is None
  assert not (tmp_path / "showcase" / "alignment.png").exists()
  with pytest.raises(InputError, match="^--alignment is 'a.png', expected"):
    task.translate_mode(params, input="-", alignment="a.png")


def test_subwords_of_both_sides_and_their_dropout(tmp_path):
  """A folder of files; a text is cut in another way at every step."""
  for part, count in (("train", 60), ("val", 8), ("test", 8)):
    lines = [f"{i} old dogs sing on march {i % 28 + 1} ." for i in range(count)]
    (tmp_path / f"{part}.en").write_text("\n".join(lines) + "\n")
    (tmp_path / f"{part}.xx").write_text("\n".join(lines).upper() + "\n")
  changes = {
    "data.path": str(tmp_path),
    "data.tokenizer": "subwords",
    "data.vocab_size": 330,
    "data.joint": True,
    "data.subword_dropout": 0.3,
    "model.share_embeddings": True,
  }
  config = small("translate", **changes)
  run = tmp_path / "run"
  assert loop.train(config, run) == 0
  task, params, _ = loop.load(run)
  assert isinstance(task.translate(params, ["7 old dogs ."])[0], str)
  loader = base.create(base.resolve(config))._loaders["train"]
  first, again = loader[0], loader[0]
  jax.tree.map(np.testing.assert_array_equal, first, again)
  later = loader[loader.steps_per_epoch]
  texts = lambda b: {
    int(i): row.tolist() for i, row in zip(b.indices, b.source, strict=True)
  }
  both = texts(first).keys() & texts(later).keys()
  assert any(texts(first)[i] != texts(later)[i] for i in both) or not both


@pytest.mark.slow
def test_it_goes_on_bit_by_bit(tmp_path):
  """Where a run stopped: subword dropout, averages, batches by tokens."""
  lines = [f"{i} old dogs sing on march {i % 28 + 1} ." for i in range(60)]
  path = tmp_path / "pairs.tsv"
  path.write_text("".join(f"{one}\t{one.upper()}\n" for one in lines))
  changes = {
    "data.path": str(path),
    "data.tokenizer": "subwords",
    "data.vocab_size": 330,
    "data.subword_dropout": 0.3,
    "model.dropout": 0.3,
    "optimizer.ema_decay": 0.9,
    "optimizer.decay_steps": 4,
    "checkpoint_every": 1,
    "eval_every": 4,
  }
  found = []
  for name, stops in ("whole", (4,)), ("stopped", (3, 4)):
    for steps in stops:
      config = small("translate", **changes)
      config.steps = steps
      assert loop.train(config, tmp_path / name) == 0
    found.append(loop.load(tmp_path / name, "last")[1])
  jax.tree.map(np.testing.assert_array_equal, *found)


@pytest.mark.slow
def test_the_default_is_solved(tmp_path):
  """99 % of held-out pairs, greedily."""
  from tests.experiments import load

  assert loop.train(load("translate"), tmp_path) == 0
  task, params, _ = loop.load(tmp_path)
  found, _ = task.evaluate_split(params, "test")
  assert found["exact"] >= 0.99
