"""Two sides of different lengths: what goes over, and what does not."""

import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from seqjax import nn
from seqjax.models import decoders, layers
from seqjax.models.encoder_decoder import EncoderDecoder
from seqjax.models.text_decoder import looked_at
from seqjax.recurrence import length_mask

SOURCE_V, V = 9, 7
B, S, T = 5, 6, 4
KEY = jax.random.key(0)
SOURCE = jax.random.randint(jax.random.key(1), (B, S), 0, SOURCE_V)
INPUTS = jax.random.randint(jax.random.key(2), (B, T), 0, V)
SOURCES, LENGTHS = jnp.array([6, 1, 0, 4, 3]), jnp.array([4, 2, 3, 0, 1])

# Every decoder, with as many kinds of attention.
MODELS = {
  "bahdanau": ("bahdanau", "location_aware(width=3)"),
  "conditional": ("conditional", "additive(coverage=True)"),
  "input feeding": ("input_feeding", "general"),
  "luong": ("luong", "multi_head(heads=2)"),
  "none": ("luong", "none"),
  "transformer": ("transformer(heads=2, feed_forward=6, window=3)", "dot"),
}
TRANSFORMER = {
  "layer": "transformer_encoder(heads=2, feed_forward=6)",
  "bridge": "none",
  "deep_output": False,
}
RECURRENT = [name for name in MODELS if name not in ("none", "transformer")]


def build(name="conditional", num_layers=1, **options):
  decoder, attention = MODELS[name]
  config = ConfigDict(
    {
      "layer": "rnn",
      "cell": "elman",  # of all cells the one that is compiled fastest
      "hidden_size": 4,
      "num_layers": num_layers,
      "attention": attention,
      "decoder": decoder,
      "dropout": 0.0,
      "compute_dtype": "float32",
      "method": "auto",
      "gradient": "bptt",
    }
  )
  if name == "transformer":
    options = TRANSFORMER | options
  for field in ("layer", "cell"):
    config[field] = options.pop(field, config[field])
  options = {"embed_size": 3, "key": KEY} | options
  sizes = options.pop("sizes", (SOURCE_V, V))
  make = layers.create(config), decoders.create(config)
  return EncoderDecoder(*make, *sizes, **options)


def make(*args, **options):
  """Parameters away from where they start: no bias is zero."""
  params, apply = nn.functionalize(build(*args, **options))
  leaves, structure = jax.tree.flatten(params)
  rng = np.random.default_rng(0)
  leaves = [x + 0.3 * rng.normal(size=x.shape).astype("f") for x in leaves]
  return jax.tree.unflatten(structure, leaves), apply


def run(apply, params, inputs=INPUTS, lengths=LENGTHS, **options):
  """`(carry, logits)`."""
  call = lambda p: apply(p, SOURCE, SOURCES, inputs, lengths, **options)
  return jax.jit(call)(params)


def loss_of(apply, *arguments):
  """Of the valid logits, by parameters."""
  if not arguments:
    arguments = SOURCE, SOURCES, INPUTS, LENGTHS
  return jax.jit(lambda p: (apply(p, *arguments)[1][valid()] ** 2).sum())


def by_steps(apply, params, tokens, own=False):
  """Logits, one step after the other; `own`: of what it writes itself.

  Returns:
    `(carry, logits, tokens that were fed)`.
  """
  encode, step = (
    jax.jit(functools.partial(apply, method=name))
    for name in ("encode", "step")
  )
  encoded = encode(params, SOURCE, SOURCES)
  carry, logits, fed = encoded.carry, [], [tokens[:, 0]]
  for t in range(T):
    carry, here = step(params, encoded.memory, carry, fed[t])
    logits.append(here)
    likeliest = here.argmax(axis=-1).astype(tokens.dtype)
    fed.append(likeliest if own else tokens[:, min(t + 1, T - 1)])
  return carry, jnp.stack(logits, axis=1), jnp.stack(fed[:T], axis=1)


def valid(lengths=LENGTHS, time=T):
  return np.arange(time) < np.array(lengths)[:, None]


def close(found, expected, tolerance=1e-5):
  """To so much of the largest entry of each array."""

  def check(a, e):
    scale = np.abs(np.asarray(e)).max(initial=1e-3)
    np.testing.assert_allclose(a, e, rtol=0, atol=tolerance * scale)

  jax.tree.map(check, found, expected)


@pytest.mark.parametrize(
  ("bridge", "layer", "cell", "num_layers"),
  [
    ("copy", "rnn", "lstm", 1),
    ("learned", "bidirectional", "elman", 2),
  ],
)
def test_without_attention_the_encoder_is_heard(
  bridge, layer, cell, num_layers
):
  """No decoder that starts from zeros: every leaf of its state is told."""
  options = {"bridge": bridge, "layer": layer, "cell": cell}
  params, apply = make("none", num_layers, **options)
  grads = jax.grad(loss_of(apply))(params)
  for leaf in jax.tree.leaves([grads["encoder"], grads["source_embed"]]):
    assert jnp.abs(leaf).max() > 0
  encode = jax.jit(
    lambda source: apply(params, source, SOURCES, method="encode").carry
  )
  one, other = encode(SOURCE), encode((SOURCE + 1) % SOURCE_V)
  for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True):
    np.testing.assert_array_equal((a != b).any(axis=-1), SOURCES > 0)


@pytest.mark.parametrize("name", RECURRENT)
def test_a_decoder_that_attends_starts_from_the_source_too(name):
  params, apply = make(name)
  encode = jax.jit(
    lambda source: apply(params, source, SOURCES, method="encode").carry
  )
  one, other = encode(SOURCE), encode((SOURCE + 1) % SOURCE_V)
  told = jax.tree.map(lambda a, b: bool((a != b).any()), one, other)
  told = {
    jax.tree_util.keystr(path, simple=True, separator="/"): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(told)
  }
  state = [leaf for path, leaf in told.items() if path.split("/")[-1] == "h"]
  assert state == [True]
  assert sum(told.values()) == 1  # nothing was looked at, read or fed before


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize(
  ("num_layers", "cell"), [(1, "lstm"), (2, "lstm"), (2, "gru")]
)
def test_a_copy_is_the_encoders_last_carry(num_layers, cell):
  model = build("none", num_layers, bridge="copy", layer="rnn", cell=cell)
  embedded = model.source_embed(SOURCE)
  last, _ = model.encoder(embedded, lengths=SOURCES)
  chex.assert_trees_all_equal(model.encode(SOURCE, SOURCES).carry, last)


@pytest.mark.usefixtures("nnx_mode")
def test_a_learned_bridge_is_its_equation():
  model = build("none", layer="bidirectional")
  (last,), _ = model.encoder(model.source_embed(SOURCE), lengths=SOURCES)
  said = np.concatenate([last[0].h, last[1].h], axis=-1)
  kernel = model.bridge_map.kernel.get_value()
  carry = model.encode(SOURCE, SOURCES).carry
  close(carry[0].h, np.tanh(said @ kernel))


@pytest.mark.usefixtures("nnx_mode")
def test_a_matrix_crosses_a_learned_bridge():
  cell = "linear_attention(heads=2)"
  model = build("none", layer="rnn", cell=cell, bridge="learned")
  (last,), _ = model.encoder(model.source_embed(SOURCE), lengths=SOURCES)
  said = np.concatenate([x.reshape(B, -1) for x in last], axis=-1)
  crossed = np.tanh(said @ model.bridge_map.kernel.get_value())
  (carry,) = model.encode(SOURCE, SOURCES).carry
  close(np.concatenate([x.reshape(B, -1) for x in carry], axis=-1), crossed)


@pytest.mark.usefixtures("nnx_mode")
def test_nothing_crosses_without_a_bridge():
  """The encoder need not have a state; what is attended to is told."""
  model = build("bahdanau", layer="feed_forward", bridge="none")
  encoded = model.encode(SOURCE, SOURCES)
  assert not hasattr(model, "bridge_map")
  for leaf in jax.tree.leaves(encoded.carry):
    assert (np.asarray(leaf) == 0).all()
  _, one = model(SOURCE, SOURCES, INPUTS, LENGTHS)
  _, other = model((SOURCE + 1) % SOURCE_V, SOURCES, INPUTS, LENGTHS)
  told = (np.asarray(one != other) & valid()[..., None]).any(axis=(1, 2))
  np.testing.assert_array_equal(told, (SOURCES > 0) & (LENGTHS > 0))


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("tied", [False, True])
def test_a_read_out_without_a_layer(tied):
  options = {"deep_output": False, "tie_embeddings": tied, "embed_size": 4}
  model = build("luong", dropout=0.5, **options)
  encoded = model.encode(SOURCE, SOURCES)
  decoder = model.decoder.attend(encoded.memory)
  _, y = decoder(model.target_embed(INPUTS), encoded.carry, lengths=LENGTHS)
  _, logits = model.write(encoded, INPUTS, LENGTHS)
  assert not hasattr(model, "inner")
  table = model.target_embed.embedding.get_value().T
  close(logits, y @ (table if tied else model.head.kernel.get_value()))
  _, noisy = model.write(encoded, INPUTS, LENGTHS, key=KEY)
  assert not np.allclose(logits[valid()], noisy[valid()], atol=1e-3)


@pytest.mark.parametrize("name", ["input feeding", "none"])
def test_a_source_that_is_reversed(name):
  """As one that was given so, but what is remembered is in its own order."""
  params, apply = make(name)
  _, reversing = make(name, reverse=True)
  turned = np.array(SOURCE)
  for row, n in enumerate(SOURCES):
    turned[row, :n] = turned[row, :n][::-1].copy()
  found = reversing(params, SOURCE, SOURCES, method="encode")
  expected = apply(params, turned, SOURCES, method="encode")
  chex.assert_trees_all_equal(found.carry, expected.carry)
  plain = apply(params, SOURCE, SOURCES, method="encode")
  assert not np.allclose(*(jax.tree.leaves(x.carry)[0] for x in (found, plain)))
  carry, logits = run(reversing, params)
  other, expected_logits = apply(params, turned, SOURCES, INPUTS, LENGTHS)
  close(logits, expected_logits)
  if name == "none":
    return
  values = [x.memory.memory.value.values for x in (found, expected)]
  rows = zip(
    *values,
    *(looked_at(carry), looked_at(other)),
    SOURCES,
    strict=True,
  )
  for values, turned_values, weights, turned_weights, n in rows:
    np.testing.assert_array_equal(values[:n], turned_values[:n][::-1])
    close(weights[:n], turned_weights[:n][::-1])


@pytest.mark.parametrize("name", MODELS)
def test_added_padding_changes_nothing(name):
  """Whatever it holds: neither logits nor loss nor gradients."""
  params, apply = make(name)

  @functools.partial(jax.jit, static_argnums=1)
  def loss(params, more):
    filler = lambda x, n: jnp.full((B, n), 3, x.dtype)
    wide = lambda x, n: jnp.concatenate([x, filler(x, n)], axis=1)
    source, inputs = wide(SOURCE, 3 * more), wide(INPUTS, 2 * more)
    carry, logits = apply(params, source, SOURCES, inputs, LENGTHS)
    nats = nn.cross_entropy(logits, (inputs + 1) % V, 0.1)
    there = length_mask(LENGTHS, inputs.shape[1])
    loss = jnp.where(there, nats, 0).sum() / there.sum().astype("float32")
    weights = looked_at(carry)
    if weights is not None:
      weights = weights[:, :S], weights[:, S:].sum()
    logits = jnp.where(there[..., None], logits, 0)[:, :T]
    return loss, (logits, weights)

  grad = jax.value_and_grad(loss, has_aux=True)
  found, expected = grad(params, 1), grad(params, 0)
  chex.assert_tree_all_finite(found)
  close(found, expected)
  (_, (_, weights)), _ = found
  if weights is not None:
    inside, outside = weights
    looked = (SOURCES > 0) & (LENGTHS > 0)
    np.testing.assert_allclose(inside.sum(axis=-1), looked, rtol=1e-5)
    assert (inside[~valid(SOURCES, S)] == 0).all()
    assert outside == 0


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_step_by_step_is_teacher_forcing(name, num_layers):
  params, apply = make(name, num_layers)
  carry, logits = run(apply, params, lengths=jnp.full(B, T))
  other, expected, _ = by_steps(apply, params, INPUTS)
  close(logits, expected)
  close(carry, other)
  assert (looked_at(carry) is None) == (name == "none")


@pytest.mark.usefixtures("nnx_mode")
@pytest.mark.parametrize("name", ["conditional", "transformer"])
def test_both_modes_of_flax(name):
  params, apply = make(name, share_embeddings=True, sizes=(V, V))
  source = SOURCE % V
  _, logits = apply(params, source, SOURCES, INPUTS, LENGTHS)
  encoded = apply(params, source, SOURCES, method="encode")
  _, first = apply(
    params, encoded.memory, encoded.carry, INPUTS[:, 0], method="step"
  )
  some = np.array(LENGTHS) > 0
  close(first[some], logits[some, 0])


def test_one_embedding_of_both_sides():
  params, apply = make("none", share_embeddings=True, sizes=(V, V))
  assert "source_embed" not in params
  apart = {**params, "source_embed": params["target_embed"]}
  _, separate = make("none", sizes=(V, V))
  arguments = SOURCE % V, SOURCES, INPUTS, LENGTHS
  value, grads = jax.value_and_grad(loss_of(apply, *arguments))(params)
  expected, both = jax.value_and_grad(loss_of(separate, *arguments))(apart)
  close(value, expected)
  source = both.pop("source_embed")
  both["target_embed"] = jax.tree.map(jnp.add, both["target_embed"], source)
  close(grads, both)


def test_tied_embeddings_read_out():
  params, apply = make("none", tie_embeddings=True)
  assert "head" not in params
  _, free = make("none")
  table = params["target_embed"]["embedding"]
  untied = {**params, "head": {"kernel": table.T, "bias": params["bias"]}}
  del untied["bias"]
  value, grads = jax.value_and_grad(loss_of(apply))(params)
  expected, apart = jax.value_and_grad(loss_of(free))(untied)
  close(value, expected)
  head = apart["head"]
  close(
    grads["target_embed"]["embedding"],
    apart["target_embed"]["embedding"] + head["kernel"].T,
  )
  close(grads["bias"], head["bias"])
  _, half = make("none", tie_embeddings=True, compute_dtype="bfloat16")
  logits = run(half, params)[1]
  assert logits.dtype == jnp.float32
  close(logits[valid()], run(apply, params)[1][valid()], 0.03)


class Carry(NamedTuple):
  cell: Any
  attention: Any = None


@pytest.mark.parametrize(
  ("carry", "expected"),
  [
    (Carry(1), None),
    (Carry(1, 2), 2),
    ((Carry(1, 2), (3, 4)), 2),
    ((Carry(1, 2), (Carry(3, 4), 5)), 4),
    (Carry((Carry(6, 7),), 8), 8),
    ({"attention": 3}, 3),
  ],
)
def test_where_was_looked(carry, expected):
  """By the last layer that attends."""
  assert looked_at(carry) == expected


def test_where_a_named_layer_looked():
  carry = (Carry(1, 2), (Carry(3), Carry(4, 5)), Carry(6, 7))
  found = [looked_at(carry, layer) for layer in range(-3, 3)]
  assert found == [2, 5, 7, 2, 5, 7]
  assert looked_at(Carry(1), 5) is None


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      {"bridge": "copy", "layer": "bidirectional"},
      "bridge is 'copy', expected 'learned': the encoder ends with arrays of"
      " 4, 4 features, the decoder starts from 4$",
    ),
    ({"bridge": "copied"}, "bridge is 'copied', expected one of 'copy', 'l"),
    (
      {"share_embeddings": True},
      "share_embeddings is True for 9 and 7 symbols, expected one vocabulary",
    ),
    (
      {"layer": "feed_forward"},
      "bridge is 'learned', expected 'none': the encoder ends with no state$",
    ),
    (
      {"layer": "transformer(heads=2)", "bridge": "copy"},
      "bridge is 'copy', expected 'none': the encoder ends with no state$",
    ),
    (
      {"name": "transformer", "layer": "rnn", "bridge": "copy"},
      "bridge is 'copy', expected 'none': the decoder starts from no state$",
    ),
    (
      {"name": "transformer", "layer": "rnn", "bridge": "learned"},
      "bridge is 'learned', expected 'none': the decoder starts from no state$",
    ),
    (
      {"name": "none", "bridge": "none"},
      "bridge is 'none', expected 'copy' or 'learned' for a decoder that does"
      " not attend: it would know nothing of what was read$",
    ),
    (
      {"deep_output": False, "tie_embeddings": True, "name": "none"},
      "deep_output is False for a decoder of 4 features and tied embeddings of"
      " 3, expected as many, or True$",
    ),
  ],
)
def test_mistakes(change, message):
  with pytest.raises(ValueError, match=message) as error:
    build(**change)
  assert "\n" not in str(error.value)


def test_decoders_do_not_see_the_future():
  both = layers.create(
    ConfigDict(
      {
        "layer": "bidirectional",
        "cell": "gru",
        "hidden_size": 4,
        "num_layers": 1,
        "dropout": 0.0,
        "compute_dtype": "float32",
        "method": "auto",
        "gradient": "bptt",
      }
    )
  )
  with pytest.raises(ValueError, match="layers are not causal, expected"):
    EncoderDecoder(
      both, lambda n, _, key: both(n, key), 5, 5, embed_size=3, key=KEY
    )
