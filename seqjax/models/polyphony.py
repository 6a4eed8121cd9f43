"""Music frame by frame: which of the keys sound next."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from seqjax.cells import GRU, base
from seqjax.cells.gru import GRUCarry
from seqjax.nn.dropout import dropout as drop
from seqjax.nn.keys import one_key
from seqjax.nn.layers import RNN, Layer, check_causal
from seqjax.nn.read_out import affine

OUTPUTS = ("pitches", "notes")
_NEVER = -1e30  # a logit; an infinite one would make gradients of 0 * inf


class Polyphony(nnx.Module):
  """Causal layers over frames, and a distribution over sets of pitches.

    (carry_t, y_t) = layers(carry_(t-1), frame_(t-1))

  A frame is a set of pitches, of which P are known. "pitches" takes them as
  independent, as the RNN of Boulanger-Lewandowski et al. 2012, "Modeling
  temporal dependencies in high-dimensional sequences":

    p(frame_t) = prod over i of Bernoulli(frame_ti; sigmoid(y_t W + b)_i)

  "notes" names them from low to high and then stops, so that a note depends on
  those below it, as there the RNN-NADE's:

    p(frame_t) = prod over k of p(n_k | n_1 .. n_(k-1), y_t) p(stop | ..)
    g_1 = GRU(tanh(y_t U + c), start),  g_(k+1) = GRU(g_k, n_k)
    p(n_k | ..) = softmax(g_k V + y_t W + b) over pitches above the last, stop

  Every set has one such order: its probabilities add up to 1 over all sets.

  With `around` N > 0 the logit of pitch i has one more term, by weights that
  all pitches share: what is learnt in one key holds in the others (Johnson
  2017, "Generating polyphonic music using tied parallel networks"):

    logit_i += relu(a + y_t B + sum over |d| <= N of frame_(t-1),(i+d) A_d) v

  and of "notes" within the relu one more such sum, over n_1 .. n_(k-1).

  Attributes:
    num_pitches: P, the number of the symbol "stop", too.
    output: "pitches" or "notes".
    around: N, semitones; 0 leaves the term out.
    dropout: rate on y_t and on g_k, used only where a key is given.
    input_dropout: rate on what the first layer reads, likewise.

  Raises:
    ValueError: the layers are not causal, or there is no such output.
  """

  def __init__(
    self,
    make: Callable[[int, jax.Array], Layer],
    num_pitches: int,
    *,
    output: str,
    note_size: int,
    around: int,
    around_size: int,
    dropout: float,
    input_dropout: float,
    compute_dtype: str,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      make: the layers, from the size of their input and a key.
      num_pitches: see the attributes, as for what follows.
      output: likewise.
      note_size: of the GRU that names notes.
      around: see the attributes.
      around_size: of the relu's inputs.
      dropout: likewise.
      input_dropout: likewise.
      compute_dtype: of the matrix products.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    base.check_choice("output", output, OUTPUTS)
    keys = jax.random.split(one_key(key, rngs), 9)
    draws = [nnx.Rngs(own) for own in keys]
    self.num_pitches, self.output, self.around = num_pitches, output, around
    self.dropout, self.input_dropout = dropout, input_dropout
    self.compute_dtype = compute_dtype
    self.rnn = make(num_pitches, keys[0])
    check_causal(self.rnn)
    size, symbols = self.rnn.output_size, num_pitches
    if output == "notes":
      symbols = num_pitches + 1
      cell = GRU(note_size, compute_dtype=compute_dtype)
      self.start = nnx.Linear(size, note_size, rngs=draws[2])
      # Nothing follows a stop: its row stands for the start.
      self.embed = nnx.Embed(symbols, note_size, rngs=draws[3])
      self.within = RNN(cell, note_size, key=keys[4])
      self.note_head = nnx.Linear(
        note_size, symbols, use_bias=False, rngs=draws[5]
      )
    self.head = nnx.Linear(size, symbols, rngs=draws[1])
    if around:
      reach = (2 * around + 1) * (2 if output == "notes" else 1)
      self.near = nnx.Linear(reach, around_size, rngs=draws[6])
      self.given = nnx.Linear(size, around_size, use_bias=False, rngs=draws[7])
      self.near_head = nnx.Linear(around_size, 1, use_bias=False, rngs=draws[8])

  def initial_carry(self, batch_size: int):
    """The carry before the first frame."""
    return self.rnn.initial_carry((batch_size,))

  def __call__(
    self,
    frames: jax.Array,
    targets: jax.Array,
    carry=None,
    *,
    lengths: jax.Array | None = None,
    key: jax.Array | None = None,
  ):
    """Says how unexpected frames are after those before them.

    Args:
      frames: `[batch, time, num_pitches]`, bool or 0 and 1: before each target
        the frame in front of it.
      targets: of "pitches" as `frames`; of "notes" int `[batch, time, most +
        1]`: from low to high, `num_pitches` from there on, at least once.
      carry: what the pieces start from; default the initial carry.
      lengths: int `[batch]`; default all full. What is behind has no meaning.
      key: randomness of dropout; None turns it off.

    Returns:
      `(carry, nats)`, -log p(frame) `[batch, time]`.
    """
    carry, heard, key = self._read(frames, carry, lengths, key)
    return carry, self._nats(heard, targets, key)

  def judge(self, frames, targets, carry=None, *, lengths=None):
    """As the call: `(carry, nats, likeliest)`, the last as `draw` gives it."""
    carry, heard, _ = self._read(frames, carry, lengths, None)
    likeliest = self.draw(heard, jax.random.key(0), jnp.float32(0))
    return carry, self._nats(heard, targets, None), likeliest

  def gradient_norms(self, frames, targets, carry=None, lengths=None):
    """|dL/dcarry_t| of every layer, L that of each row's last frame.

    Arguments as for the call. Returns `{"layer 0": [batch, time], ...}`, all
    leaves of a layer's carry together.
    """
    frames = frames.astype(jnp.float32)

    def step_loss(outputs):
      heard = jnp.concatenate([outputs.swapaxes(0, 1), frames], axis=-1)
      return self._nats(heard, targets, None).T

    return self.rnn.gradient_norms(
      frames, step_loss, carry=carry, lengths=lengths
    )

  def step(self, carry, frame: jax.Array):
    """One frame a row, `[batch, num_pitches]`.

    Returns:
      `(carry, heard)`: y_t and the frame beside it, `[batch, size]`.
    """
    frame = frame.astype(jnp.float32)
    carry, output = self.rnn.step(carry, frame)
    return carry, jnp.concatenate([output, frame], axis=-1)

  def draw(
    self, heard: jax.Array, key: jax.Array, temperature: jax.Array
  ) -> jax.Array:
    """The next frames.

    Args:
      heard: of `step`, `[*batch, size]`.
      key: randomness.
      temperature: float32, of every choice: a key is on or off, a note is this
        or that. 0 takes the likelier one each time.

    Returns:
      bool `[*batch, num_pitches]`.
    """
    warmth = jnp.where(temperature > 0, temperature, 1)
    stop, batch = self.num_pitches, heard.shape[:-1]
    if self.output == "pitches":
      logits = self._pitch_logits(heard)
      drawn = jax.random.bernoulli(key, jax.nn.sigmoid(logits / warmth))
      return jnp.where(temperature > 0, drawn, logits > 0)

    def going_on(state):
      return (state[2] < stop).any()

    def name(state):
      index, carry, last, found = state
      carry, g = self.within.step(carry, self.embed(self._named(last)))
      logits = self._note_logits(
        heard, g[..., None, :], last[..., None], found[..., None, :]
      )[..., 0, :]
      own_key = jax.random.fold_in(key, index)
      drawn = jax.random.categorical(own_key, logits / warmth)
      note = jnp.where(temperature > 0, drawn, logits.argmax(-1))
      found |= jax.nn.one_hot(note, stop, dtype=bool)
      return index + 1, carry, note.astype(jnp.int32), found

    none = jnp.full(batch, -1, jnp.int32), jnp.zeros((*batch, stop), bool)
    state = jnp.int32(0), self._begin(heard), *none
    # Notes rise, and who has stopped stops again: it ends.
    return lax.while_loop(going_on, name, state)[-1]

  def _read(self, frames, carry, lengths, key):
    """`(carry, heard, key)`, the key for what comes behind the layers."""
    keys = (None,) * 4 if key is None else jax.random.split(key, 4)
    frames = frames.astype(jnp.float32)
    frames = drop(frames, self.input_dropout, keys[0])
    carry, outputs = self.rnn(frames, carry, lengths=lengths, key=keys[1])
    outputs = drop(outputs, self.dropout, keys[2])
    return carry, jnp.concatenate([outputs, frames], axis=-1), keys[3]

  def _nats(self, heard, targets, key):
    if self.output == "pitches":
      sign = 2 * targets.astype(heard.dtype) - 1
      return jax.nn.softplus(-sign * self._pitch_logits(heard)).sum(-1)
    batch, most = targets.shape[:-1], targets.shape[-1]
    first = jnp.full((*batch, 1), -1, targets.dtype)
    last = jnp.concatenate([first, targets[..., :-1]], axis=-1)
    # Each frame is a row, its notes are the time.
    _, g = self.within(
      self._named(last).reshape(-1, most),
      jax.tree.map(lambda h: h.reshape(-1, h.shape[-1]), self._begin(heard)),
      embedding=self.embed.embedding.get_value(),
    )
    g = drop(g.reshape(*batch, most, -1), self.dropout, key)
    # Those so far: of no note, and of a stop, there is no bit.
    found = jax.nn.one_hot(last, self.num_pitches, dtype=g.dtype)
    found = found.cumsum(axis=-2)
    told = jax.nn.log_softmax(self._note_logits(heard, g, last, found))
    told = jnp.take_along_axis(told, targets[..., None], axis=-1)[..., 0]
    # Behind a stop there is but one choice, of probability 1.
    return -told.sum(-1)

  def _pitch_logits(self, heard):
    outputs, frames = self._apart(heard)
    logits = affine(self.head, outputs, self.compute_dtype)
    if not self.around:
      return logits
    near = self._spread(frames, 0) + self._given(outputs)
    return logits + self._near_logits(near)

  def _note_logits(self, heard, g, last, found):
    """Of each note of a frame, `[*batch, notes, num_pitches + 1]`.

    Args:
      heard: `[*batch, size]`.
      g: the GRU's outputs, `[*batch, notes, note_size]`.
      last: the pitch in front, -1 for none, `[*batch, notes]`.
      found: all of those, `[*batch, notes, num_pitches]`.
    """
    outputs, frames = self._apart(heard)
    logits = affine(self.head, outputs, self.compute_dtype)[..., None, :]
    kernel = self.note_head.kernel.get_value()
    logits = logits + base.matmul(g, kernel, self.compute_dtype)
    if self.around:
      near = self._spread(frames, 0) + self._given(outputs)
      near = near[..., None, :, :] + self._spread(found.astype(g.dtype), 1)
      near_logits = self._near_logits(near)
      no_stop = [(0, 0)] * (near_logits.ndim - 1) + [(0, 1)]
      logits = logits + jnp.pad(near_logits, no_stop)
    # What may come behind the last: what is above it, a stop.
    symbols = jnp.arange(self.num_pitches + 1, dtype=last.dtype)
    symbols = base.align(symbols, logits)
    allowed = (symbols > last[..., None]) | (symbols == self.num_pitches)
    return jnp.where(allowed, logits, _NEVER)

  def _spread(self, frames, which: int):
    """For each i the sum of frame_(i+d) A_d, `[..., pitches, around_size]`."""
    kernel, reach = self.near.kernel.get_value(), 2 * self.around + 1
    kernel = kernel[which * reach : (which + 1) * reach]
    pitches = jnp.arange(self.num_pitches)
    place = pitches[:, None] - pitches[None] + self.around
    inside = ((place >= 0) & (place < reach))[..., None]
    # All of the pairs of pitches as one product: frames are narrow.
    wide = jnp.where(inside, kernel[place.clip(0, reach - 1)], 0)
    wide = wide.reshape(self.num_pitches, -1)
    spread = base.matmul(frames, wide, self.compute_dtype)
    return spread.reshape(*frames.shape, -1)

  def _given(self, outputs):
    """What is the same for all pitches, a + y_t B, `[..., 1, around_size]`."""
    assert self.near.bias is not None
    kernel, bias = self.given.kernel.get_value(), self.near.bias.get_value()
    return base.affine(outputs, kernel, bias, self.compute_dtype)[..., None, :]

  def _near_logits(self, near):
    kernel = self.near_head.kernel.get_value()
    return base.matmul(jax.nn.relu(near), kernel, self.compute_dtype)[..., 0]

  def _apart(self, heard):
    """What the layers put out, and the frame that they read last."""
    return jnp.split(heard, [self.rnn.output_size], axis=-1)

  def _begin(self, heard):
    """The GRU's carry before the first note of each frame."""
    outputs, _ = self._apart(heard)
    return GRUCarry(jnp.tanh(affine(self.start, outputs, self.compute_dtype)))

  def _named(self, last):
    """What the GRU reads behind pitch `last`; -1, none yet, as the start."""
    return jnp.where(last < 0, self.num_pitches, last)
