# %% [markdown]
# # 6. Into a sequence of another length
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](06_attention.ipynb)
#
# A translation is neither as long as its source nor in its order: the network
# reads all of it first, then writes. Chapters 4 and 5 wrote without a source,
# and gave each word one label. Here an encoder hands over to a decoder, what it
# hands over turns out to be too narrow, and attention lets the decoder look
# back. Then the same by one config, with a picture of where it looked; chapter
# 7 leaves the recurrence out. Fifteen minutes; three small models are trained,
# a few seconds each.

# %% cellView="form"
# @title Installs seqjax where it is missing
import importlib.metadata
import importlib.util
import subprocess
import sys

SOURCE = ""


def pip_arguments(source: str, versions: dict[str, str]) -> list[str]:
  kept = [f"{name}=={version}" for name, version in versions.items()]
  return ["install", "--quiet", f"seqjax[train,text] @ {source}", *kept]


def refusal(versions: dict[str, str], said: str) -> str:
  kept = ", ".join(f"{name} {version}" for name, version in versions.items())
  why = [line for line in said.splitlines() if line.startswith("ERROR")]
  return f"seqjax cannot be installed beside {kept or 'what is here'}: " + (
    why[0] if why else "pip failed"
  )


if importlib.util.find_spec("seqjax") is None:
  names = filter(importlib.util.find_spec, ("jax", "jaxlib", "flax", "numpy"))
  versions = {name: importlib.metadata.version(name) for name in names}
  if not SOURCE:
    sys.exit("seqjax is missing: pip install '.[train,text]' in its checkout")
  command = [sys.executable, "-m", "pip", *pip_arguments(SOURCE, versions)]
  done = subprocess.run(command, capture_output=True, text=True)
  if done.returncode:
    sys.exit(refusal(versions, done.stderr))

# %%
import itertools
import pathlib
import tempfile

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import seqjax
from seqjax import cells
from seqjax.cells import attention
from seqjax.decode import beam, greedy
from seqjax.experiments import translate
from seqjax.show import alignment

# A GPU would round float32 products to TF32; here digits are compared.
jax.config.update("jax_default_matmul_precision", "float32")
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
SIZE, LONGEST = 32, 10  # units; letters of the words trained on
FAR = 16  # of the longest that are asked for

# %% [markdown]
# ## Read first, then write
#
# An *encoder* reads the source and keeps its last state. A *decoder*, a network
# of its own, starts from that state and writes until it writes a stop symbol
# (Sutskever, Vinyals, Le 2014; Cho et al. 2014):
#
# $$h_s = f(h_{s-1}, x_s), \qquad z_0 = h_S, \qquad z_t = g(z_{t-1}, y_{t-1}),
# \qquad p(y_t \mid y_{<t}, x) = \mathrm{softmax}(W z_t)$$
#
# The language to begin with: words are said backwards, and vowels twice.

# %%
ALPHABET, STOP, START = ".>abcdefgh", 0, 1


def say(word):
  return "".join(c * 2 if c in "ae" else c for c in reversed(word))


def pad(texts, width):
  rows = [[ALPHABET.index(c) for c in text + "."] for text in texts]
  ids = [row + [STOP] * (width - len(row)) for row in rows]
  return np.array(ids), np.array([len(row) for row in rows])


def draw(rng, count, *lengths):
  words = rng.choice(list(ALPHABET[2:]), (count, max(lengths)))
  cut = rng.choice(lengths, count)
  return ["".join(w[:n]) for w, n in zip(words, cut, strict=True)]


def pairs(words, longest=LONGEST):
  """Sources, their lengths, targets, theirs; the stop symbols counted."""
  return *pad(words, longest + 1), *pad(map(say, words), 2 * longest + 1)


print("cabbage:", say("cabbage"))
assert say("cabbage") == "eegaabbaac"

# %% [markdown]
# Both are cells of the library. The encoder's carry at each row's own end is
# what the decoder begins with; nothing else goes from one to the other.

# %%
gru = seqjax.GRU(SIZE)


def draw_params(cell, seed):
  keys = jax.random.split(jax.random.key(seed), 4)
  scale = cell.output_size**-0.5
  return {
    "embed": jax.random.normal(keys[0], (len(ALPHABET), 16)),
    "encoder": gru.init(keys[1], 16),
    "decoder": cell.init(keys[2], 16),
    "head": scale
    * jax.random.normal(keys[3], (cell.output_size, len(ALPHABET))),
  }


def encode(params, source, lengths):
  embedded = params["embed"][source]
  return seqjax.unroll(
    gru, params["encoder"], embedded, lengths=lengths, method="scan"
  )


def one_vector(params, ends, memory, lengths):
  """What writes: a cell, its parameters, and the carry to begin with."""
  return gru, params, ends


# %% [markdown]
# ## Teacher forcing
#
# While it learns, the decoder is given the right symbols before the one to be
# named, whatever it would have written itself. So all of a target is one
# `unroll`, its inputs the target moved by one, behind a start symbol.


# %%
def logits(hand_over, params, batch):
  source, lengths, target, _ = batch
  cell, decoder, carry = hand_over(
    params["decoder"], *encode(params, source, lengths), lengths
  )
  before = jnp.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=START)
  embedded = params["embed"][before]
  _, outputs = seqjax.unroll(
    cell, decoder, embedded, initial_carry=carry, method="scan"
  )
  return outputs @ params["head"]


def loss(hand_over, params, batch):
  target, lengths = batch[2:]
  nats = optax.softmax_cross_entropy_with_integer_labels(
    logits(hand_over, params, batch), target
  )
  valid = jnp.arange(target.shape[1]) < lengths[:, None]
  return (nats * valid).sum() / valid.sum()


# %%
@jax.jit(static_argnums=0)
def train(hand_over, params, batches):
  rate = optax.cosine_decay_schedule(8e-3, len(batches[0]))
  optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))

  def step(state, batch):
    params, moments = state
    grads = jax.grad(loss, argnums=1)(hand_over, params, batch)
    updates, moments = optimizer.update(grads, moments, params)
    return (optax.apply_updates(params, updates), moments), None

  return jax.lax.scan(step, (params, optimizer.init(params)), batches)[0][0]


# %% [markdown]
# Afterwards there is no teacher: what was written is the next input. `write`
# takes the likeliest symbol each time.


# %%
@jax.jit(static_argnums=0)
def write(hand_over, params, source, lengths):
  cell, decoder, carry = hand_over(
    params["decoder"], *encode(params, source, lengths), lengths
  )

  def step(state, _):
    carry, before = state
    carry, output = cell.step(decoder, carry, params["embed"][before])
    likeliest = (output @ params["head"]).argmax(axis=-1)
    return (carry, likeliest), (likeliest, carry)

  state = carry, jnp.full(len(source), START)
  _, (written, carries) = jax.lax.scan(step, state, length=2 * FAR + 1)
  return written.T, carries  # [rows, time], leaves [time, rows, ...]


def exact(written, batch):
  """Of each row, whether all is right up to the stop symbol."""
  target, lengths = batch[2:]
  behind = np.arange(target.shape[1]) >= lengths[:, None]
  same = np.asarray(written)[:, : target.shape[1]] == target
  return (same | behind).all(axis=1)


# %%
STEPS, ROWS = 500, 64
words = draw(np.random.default_rng(0), STEPS * ROWS, *range(1, LONGEST + 1))
batches = [x.reshape(STEPS, ROWS, *x.shape[1:]) for x in pairs(words)]
blind = train(one_vector, draw_params(gru, 0), batches)

new = pairs(draw(np.random.default_rng(1), 500, LONGEST))
named = jax.jit(logits, static_argnums=0)(one_vector, blind, new).argmax(axis=2)
valid = np.arange(new[2].shape[1]) < new[3][:, None]
forced = (named == new[2])[valid].mean()
free = exact(write(one_vector, blind, *new[:2])[0], new).mean()
print(f"with a teacher {forced:.0%} of the symbols are right;", end=" ")
print(f"alone {free:.0%} of the words of {LONGEST} letters")
assert forced > free + 0.1

# %% [markdown]
# All that the decoder knows of the source came through the one state that was
# handed over. Without it no gradient would reach the encoder:


# %%
@jax.jit
def handed_over(share):
  """The encoder's gradient, with `share` of the state handed over."""
  less = lambda params, ends, *rest: one_vector(
    params, jax.tree.map(lambda h: share * h, ends), *rest
  )
  grads = jax.grad(loss, argnums=1)(less, blind, new)
  return sum(jnp.abs(x).sum() for x in jax.tree.leaves(grads["encoder"]))


assert handed_over(1.0) > 0
assert handed_over(0.0) == 0

# %% [markdown]
# ## Attention in ten lines
#
# Thirty-two numbers for a word of two letters, and thirty-two for one of ten:
# that is the *bottleneck*. Bahdanau, Cho and Bengio (2015) keep all
# states of the encoder, the *memory*, and let the decoder look into it before
# each symbol. A small network compares what it is about with every position;
# softmax makes weights of the scores; the weighted mean is the *context*:
#
# $$e_j = v \cdot \tanh(q W + h_j U + b), \qquad
# w_j = \frac{m_j \exp e_j}{\sum_i m_i \exp e_i}, \qquad
# c = \sum_j w_j h_j$$
#
# The mask $m_j$ is 1 where there is a symbol, and 0 where there is padding.


# %%
def attend(params, query, memory, mask):
  """`[rows, Q]`, `[rows, source, M]`, `[rows, source]`: context, weights."""
  queries = query @ params.query_kernel  # W
  keys = memory @ params.key_kernel + params.bias  # U, b
  scores = jnp.tanh(queries[:, None] + keys) @ params.vector  # v
  raised = jnp.exp(scores - scores.max(axis=1, keepdims=True)) * mask
  weights = raised / raised.sum(axis=1, keepdims=True)
  context = (weights[:, :, None] * memory).sum(axis=1)
  return context, weights


additive = cells.Additive(SIZE)
params = additive.init(jax.random.key(0), SIZE, SIZE)
query, memory = jnp.array(np.random.default_rng(0).normal(size=(2, 3, 6, SIZE)))
query, lengths = query[:, 0], jnp.array([6, 2, 4])
mask = attention.source_mask(lengths, 6, "float32")
context, weights = attend(params, query, memory, mask)

scores = attention.additive(
  query @ params.query_kernel,
  memory @ params.key_kernel + params.bias,
  params.vector,
)
by_library = attention.normalize(scores, mask)
np.testing.assert_allclose(weights, by_library, atol=1e-6)
np.testing.assert_allclose(
  context, attention.read(by_library, memory), atol=1e-5
)
np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
assert (weights[1, 2:] == 0).all()

# %% [markdown]
# A decoder that attends is a cell like any other. `Bahdanau` looks with the
# state before, $q = z_{t-1}$, and reads the symbol and the context. The memory
# is put into its parameters by `attend`, once a sequence, and its carry tells
# where it looked. One step of it is one step of the GRU inside:

# %%
bahdanau = cells.Bahdanau(gru, additive, memory_size=SIZE)


def looking_back(params, ends, memory, lengths):
  params = bahdanau.attend(params, memory, lengths)
  carry = bahdanau.initial_carry(params, lengths.shape)
  return bahdanau, params, carry._replace(cell=ends)


fresh, ends = bahdanau.init(jax.random.key(1), 16), cells.GRUCarry(query)
cell, decoder, carry = looking_back(fresh, ends, memory, lengths)
symbol = jnp.ones((3, 16))
carry, output = cell.step(decoder, carry, symbol)

context, weights = attend(fresh.attention, query, memory, mask)
fed = jnp.concatenate([symbol, context], axis=1)
_, state = gru.step(fresh.cell, ends, fed)
np.testing.assert_allclose(carry.attention, weights, atol=1e-6)
np.testing.assert_allclose(output[:, :SIZE], state, atol=1e-5)
np.testing.assert_allclose(output[:, SIZE:], context, atol=1e-5)

# %% [markdown]
# ## The bottleneck
#
# Both are trained alike, on words of up to ten letters, and asked for words of
# up to sixteen.

# %%
sighted = train(looking_back, draw_params(bahdanau, 0), batches)

models = {
  "one vector": (one_vector, blind),
  "attention": (looking_back, sighted),
}
curves = {name: [] for name in models}
for length in range(1, FAR + 1):
  asked = pairs(draw(np.random.default_rng(length), 200, length), FAR)
  for name, model in models.items():
    written, _ = write(*model, *asked[:2])
    curves[name].append(exact(written, asked).mean())

at = lambda length: {name: curve[length - 1] for name, curve in curves.items()}
for length in (2, LONGEST, FAR):
  print(f"{length:2} letters:", {k: f"{v:.0%}" for k, v in at(length).items()})
assert min(at(2).values()) > 0.9
assert at(LONGEST)["attention"] > 0.9
assert at(LONGEST)["attention"] > at(LONGEST)["one vector"] + 0.5
assert at(LONGEST)["attention"] > at(FAR)["attention"] + 0.5

# %%
word = "cabbage"
written, carries = write(looking_back, sighted, *pad([word], FAR + 1))
spoken = say(word) + "."
assert "".join(ALPHABET[i] for i in written[0, : len(spoken)]) == spoken
looked = carries.attention[: len(spoken), 0, : len(word) + 1]
center = looked @ np.arange(len(word) + 1)
assert center[0] > 5 > 1 > center[-1]
assert (np.diff(center) < 0.5).all()

figure, (left, right) = plt.subplots(
  1, 2, figsize=(9, 3.6), width_ratios=(3, 2), layout="constrained"
)
for (name, curve), color, mark in zip(
  curves.items(), (ORANGE, BLUE), ("s--", "o-"), strict=True
):
  left.plot(range(1, FAR + 1), curve, mark, color=color, lw=2, label=name)
left.axvspan(1, LONGEST, color=GREY, alpha=0.12, lw=0)
left.text(
  (1 + LONGEST) / 2, 0.03, "lengths trained on", color=GREY, ha="center"
)
left.set(xlabel="letters of the source", ylabel="exact", ylim=(0, 1.03))
left.legend(frameon=False)
left.spines[["top", "right"]].set_visible(False)
right.imshow(looked, cmap="Blues", vmin=0, vmax=1)
right.set_xticks(range(len(word) + 1), word + ".")
right.set_yticks(range(len(spoken)), spoken)
right.set(xlabel="read", ylabel="written")
plt.show()

# %% [markdown]
# One vector is enough for short words only. With attention the state need not
# hold the word, it has to know where to look next: of all lengths trained on,
# nearly all words are right. Far beyond it does not know that either. On the
# right a line for each symbol written: backwards through the source, slower at
# vowels. Nobody told it to. At times it looks at the neighbour of a letter,
# whose state knows the letter too, for the encoder came by it.
#
# ## What must not be looked at
#
# In a batch short words are followed by padding. Its states are zeros, but a
# score of nothing is a score too: without the mask softmax gives it a share.
# Here the same trained model is told that padding is part of the source.


# %%
def careless(decoder, ends, memory, lengths):
  """Looks at some positions behind the end as well."""
  params, count = decoder
  return looking_back(params, ends, memory, lengths + count)


batch = pairs(draw(np.random.default_rng(2), 200, 6), FAR)
source, lengths = batch[:2]
wide = np.pad(source, ((0, 0), (0, 32)), constant_values=STOP)
alone, carries = write(looking_back, sighted, source, lengths)
beside, masked = write(looking_back, sighted, wide, lengths)
np.testing.assert_array_equal(beside, alone)
np.testing.assert_allclose(
  masked.attention[..., : FAR + 1], carries.attention, atol=1e-5
)
assert (masked.attention[..., 7:] == 0).all()  # six letters and the stop

shares, wasted = [], []
for count in (0, 8, 32):
  told = {**sighted, "decoder": (sighted["decoder"], count)}
  written, carries = write(careless, told, wide, lengths)
  shares.append(exact(written, batch).mean())
  wasted.append(carries.attention[:7, :, 7:].sum(axis=2).mean())
  print(f"{count:2} more: {wasted[-1]:.0%} of the weight on padding,", end=" ")
  print(f"{shares[-1]:.0%} exact")
assert shares[0] > 0.9 > shares[0] - 0.2 > shares[-1]
assert wasted[0] == 0
assert wasted[-1] > 0.1

# %% [markdown]
# So what comes out would depend on who else is in the batch, and how long they
# are.
#
# ### Exercise: a softmax for all masks
#
# `attend` above has two faults that a batch may show. A row without any symbol
# is 0/0. And a large score *behind* the end makes all others vanish, since it
# is the largest that is subtracted. Define `normalize(scores, mask)`, the
# weights, without either: nothing to look at is zero everywhere.
#
# <details><summary>Solution</summary>
#
# ```python
# def normalize(scores, mask):
#   scores = jnp.where(mask > 0, scores, -jnp.inf)
#   largest = scores.max(axis=-1, keepdims=True)
#   raised = jnp.exp(scores - jnp.where(jnp.isfinite(largest), largest, 0))
#   return raised / jnp.maximum(raised.sum(axis=-1, keepdims=True), 1e-30)
# ```
#
# </details>

# %% tags=["exercise"]
normalize = None  # yours

# %% tags=["check"]
if normalize is not None:
  odd = jnp.array([[1.0, 2.0, 0.5], [1.0, 2.0, 1e4], [1.0, 2.0, 3.0]])
  valid = jnp.array([[1.0, 1, 1], [1, 1, 0], [0, 0, 0]])
  mine = normalize(odd, valid)
  np.testing.assert_allclose(mine, attention.normalize(odd, valid), atol=1e-6)
  np.testing.assert_allclose(mine.sum(axis=1), [1, 1, 0], atol=1e-6)

# %% [markdown]
# ## From one language to another
#
# All of it by one config. The pairs are made up: the verb goes to the end, an
# adjective behind its noun, and agrees with it; a date becomes digits and goes
# to the front. The source is read both ways (chapter 5), the decoder takes one
# step before it looks and one after (Sennrich et al. 2017). A few hundred steps
# are enough to see it work; `experiments/translate.py` as it stands goes on
# until next to all sentences are right.

# %%
folder = pathlib.Path(tempfile.mkdtemp())
config = translate.get_config()
config.data.examples, config.steps, config.num_buckets = 2_500, 210, 1
config.model.hidden_size, config.model.embed_size = 64, 32
config.model.method, config.model.dropout = "scan", 0.0
config.optimizer.learning_rate = 8e-3
config.log_every, config.eval_every, config.checkpoint_every = 70, 210, 210
config.showcase.pairs = 0  # none
run = seqjax.fit(config, folder / "run")

# %%
test = run.task.splits.test
written = run.translate([pair.source for pair in test])
for pair, text in list(zip(test, written, strict=True))[:4]:
  print(f"{pair.source}\n  {text}{'' if text == pair.target else '  (wrong)'}")
right = [text == pair.target for pair, text in zip(test, written, strict=True)]
print(f"{np.mean(right):.0%} of {len(right)} new sentences are exact")
assert np.mean(right) > 0.6

# %% [markdown]
# ## Where it looked
#
# `run.task.search` gives more than the text: scores, symbols, and the weights,
# which beam search has carried along with each hypothesis.

# %%
SENTENCES = [
  "on march 5 , 2024 the old dogs see a red house .",
  "some happy children follow the small cat .",
]
found = run.task.search(run.params, SENTENCES, n_best=3, looks=True)
best = [several[0] for several in found]
alignment.draw(
  [(one.source, one.target, one.weights) for one in best], folder / "looks.png"
)

figure, axes = plt.subplots(figsize=(10, 5.2), layout="constrained")
axes.imshow(plt.imread(folder / "looks.png"))
axes.axis("off")
plt.show()

for one in best:
  assert one.weights.shape == (len(one.target), len(one.source))
  np.testing.assert_allclose(one.weights.sum(axis=1), 1, rtol=1e-4)
first = best[0]
for word, source in (("kasa", "house"), ("ruva", "red"), ("vidan", "see")):
  row = first.weights[first.target.index("▁" + word)]
  assert first.source[row.argmax()] == "▁" + source
article = first.weights[first.target.index("▁ena")]
assert article[first.source.index("▁house")] > 0.05

# %% [markdown]
# Each column is a symbol read, "▁" the blank before a word; each line a symbol
# written. The date comes first, digit by digit, two of them from "march". Noun
# and adjective cross, and the verb, which is written last, looks back across
# the object. An article looks at its noun as well, whose gender it takes. For
# the full stop it does not matter where it looks.

# %% [markdown]
# ## Greedy, and with a beam
#
# To take the likeliest symbol each time is not to find the likeliest sequence.
# Here is a "model" whose next symbol depends on the one before, small enough to
# try all sequences of up to four symbols.

# %%
SYMBOLS = ".>abc"  # stop, start
table = np.array([
  [1.0, 0.0, 0.0, 0.0, 0.0],
  [0.1, 0.0, 0.5, 0.4, 0.0],  # begins with a rather than b
  [0.25, 0.0, 0.2, 0.2, 0.35],  # after a all is open
  [0.8, 0.0, 0.1, 0.0, 0.1],  # after b it ends
  [0.6, 0.0, 0.2, 0.2, 0.0],
])  # fmt: skip
log_table = jnp.log(jnp.array(table, jnp.float32) + 1e-12)
inner = [text for n in range(4) for text in itertools.product("abc", repeat=n)]
totals = {}
for text in ("".join(letters) + "." for letters in inner):
  steps = itertools.pairwise(SYMBOLS.index(c) for c in ">" + text)
  totals[text] = sum(float(log_table[step]) for step in steps)


# %%
LIMITS = {"start": START, "stop": STOP, "max_lengths": [4], "size": 4}


def searched(find, **options):
  step = lambda memory, carry, tokens: (carry, log_table[tokens])
  found = find(step, (), (), never=[START], **LIMITS, **options)
  ids = found.tokens[0, 0, : found.lengths[0, 0]]
  return "".join(SYMBOLS[i] for i in ids), float(found.scores[0, 0])


one_by_one = searched(greedy.search)
two_at_once = searched(beam.search, beam=2, alpha=0.0)
best_of_all = max(totals, key=totals.get)
print(f"greedy {one_by_one}, a beam of two {two_at_once}")
assert one_by_one[0] == "ac."
assert two_at_once[0] == best_of_all == "b."
np.testing.assert_allclose(one_by_one[1], np.log(0.5 * 0.35 * 0.6), rtol=1e-5)
np.testing.assert_allclose(two_at_once[1], np.log(0.4 * 0.8), rtol=1e-5)

# %% [markdown]
# *Beam search* follows several beginnings at once. Each symbol costs, so short
# sequences are likelier; to be fair, the log-probability is divided by a power
# of the length, the stop symbol counted:
#
# $$\mathrm{score}(y) = \frac{\log p(y \mid x)}{|y|^\alpha}$$
#
# In the translator $\alpha$ is 1 unless told otherwise. The three best of what
# it was asked above:

# %%
for one in found[1]:
  print(f"{one.score:.3f}  {one.text}")
scores = [one.score for one in found[1]]
assert scores == sorted(scores, reverse=True)
assert len({one.text for one in found[1]}) == 3

# %% [markdown]
# ### Exercise: when the longer one wins
#
# Two hypotheses have log-probabilities $l_1 > l_2$ and lengths $n_1 < n_2$.
# Define `break_even(l1, n1, l2, n2)`, the $\alpha$ at which both have the same
# score. With more of it the longer one wins.
#
# <details><summary>Solution</summary>
#
# ```python
# def break_even(l1, n1, l2, n2):
#   return np.log(l2 / l1) / np.log(n2 / n1)
# ```
#
# </details>

# %% tags=["exercise"]
break_even = None  # yours

# %% tags=["check"]
if break_even is not None:
  exponent = break_even(totals["b."], 2, totals["acb."], 4)
  for more, winner in ((-0.05, "b."), (0.05, "acb.")):
    text, score = searched(beam.search, beam=8, alpha=exponent + more)
    assert text == winner
    wanted = totals[text] / len(text) ** (exponent + more)
    np.testing.assert_allclose(score, wanted, rtol=1e-4)
