# %% [markdown]
# # 5. One label for a sequence, one for each element
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](05_labels.ipynb)
#
# A network that reads a sequence can answer once, at the end, or at every step.
# This chapter does both: it tells "good, not bad" from "bad, not good", which
# the words alone do not, and it finds the people, organisations and times in a
# sentence. Between the two: what padding may do, which is nothing, and why it
# helps to read from both ends. Fifteen minutes; two models are trained, ten
# seconds each.

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
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import seqjax
from seqjax.data import conll
from seqjax.experiments import ner, sentiment
from seqjax.nn import crf

# A GPU would round float32 products to TF32; here digits are compared.
jax.config.update("jax_default_matmul_precision", "float32")
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
folder = pathlib.Path(tempfile.mkdtemp())

# %% [markdown]
# ## Many-to-one: one label at the end
#
# The state after the last word has seen all words in their order. A linear
# layer reads the label off it:
#
# $$h_t = f(h_{t-1}, x_t), \qquad p = \mathrm{softmax}(W h_T + b)$$
#
# The reviews are made up so that words alone say nothing: for each there is
# another of exactly the same words and the opposite label.

# %%
config = sentiment.get_config()
config.data.examples = 1_000
config.steps, config.batch_size, config.num_buckets = 200, 32, 1
config.model.layer, config.model.pool = "rnn", "last"
config.model.method = "scan"  # compiles soonest, and the model is small
config.model.hidden_size = config.model.embed_size = 32
config.optimizer.learning_rate = 1e-2
config.log_every, config.eval_every, config.checkpoint_every = 100, 200, 200
run = seqjax.fit(config, folder / "reviews")

# %% [markdown]
# A bag of words counts words and forgets their order. For the two of a pair it
# is one and the same vector, so whatever is made of it is right for one and
# wrong for the other: half of the test reviews, by any classifier. The network
# gets them right.

# %%
GOOD = "the film was good , not bad at all"
BAD = "the film was bad , not good at all"
splits = run.task.splits
read = lambda part: [" ".join(example.inputs) for example in part]
bag = CountVectorizer(token_pattern=r"\S+").fit(read(splits.train))
counted = LogisticRegression().fit(
  bag.transform(read(splits.train)), [e.label for e in splits.train]
)
assert (bag.transform([GOOD]) != bag.transform([BAD])).nnz == 0
by_bag = counted.score(
  bag.transform(read(splits.test)), [e.label for e in splits.test]
)
by_network = run.evaluate("test")["accuracy"]
print(f"bag of words {by_bag:.0%}, network {by_network:.0%}")
assert abs(by_bag - 0.5) < 0.05
assert by_network > 0.95

# %% [markdown]
# What does the network make of it on the way? Each beginning of a review is a
# sequence as well, and its last state is the one that the whole review has
# there. Ask for the label after every word: up to "was" both have read the
# same, and agree; then they part. What is said on the way is a guess at how it
# goes on, for training asks at the end alone.

# %%
positive = run.task.labels.index("positive")


def on_the_way(text):
  words = text.split()
  begun = [words[: n + 1] for n in range(len(words))]
  return run.predict(begun)[:, positive]


curves = {text: on_the_way(text) for text in (GOOD, BAD)}
assert curves[GOOD][-1] > 0.95
assert curves[BAD][-1] < 0.05
np.testing.assert_allclose(curves[GOOD][:3], curves[BAD][:3], atol=1e-5)

# %%
figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
for row, (text, color) in enumerate(((GOOD, BLUE), (BAD, ORANGE))):
  axes.plot(curves[text], "o-" if text == GOOD else "s--", color=color, lw=2)
  for t, word in enumerate(text.split()):
    axes.text(t, -0.25 - 0.17 * row, word, ha="center", color=color)
axes.axhline(0.5, color=GREY, lw=0.8, ls=":")
axes.set(ylim=(-0.05, 1.05), yticks=[0, 0.5, 1], xticks=range(9))
axes.set_xticklabels([])
axes.set_xlabel("read up to this word", labelpad=62)
axes.set_ylabel("p(positive)")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ### Exercise: turn a review round
#
# Below is a review that the network has never seen. Define `opposite`, a text
# of the very same words with the opposite label. Can you do it by moving two
# words?
#
# <details><summary>Solution</summary>
#
# ```python
# opposite = "i expected it to be superb , but our room was truly dreadful"
# ```
#
# </details>

# %% tags=["exercise"]
review = "i expected it to be dreadful , but our room was truly superb"
opposite = None  # yours

# %% tags=["check"]
if opposite is not None:
  assert sorted(opposite.split()) == sorted(review.split())
  before, after = run.predict([review, opposite])[:, positive]
  print(f"p(positive): {before:.3f} and {after:.3f}")
  assert before > 0.5 > after

# %% [markdown]
# ## Lengths: padding changes nothing
#
# Reviews of different lengths stand in one array, the short ones filled up.
# What is filled in is no input: with `lengths`, a row's state stays where it
# was at its own end, $h_t = h_{t-1}$ for $t > L$, and its outputs are zero
# there. A model that does not know the lengths reads the padding as words.

# %%
words = run.task.encoder.encode(GOOD)  # [9], ids


@jax.jit
def margin(params, ids, lengths):
  logits = run.apply(params, ids, lengths=lengths)[0]
  return logits[positive] - logits[1 - positive]


def padded(count, fill):
  ids = np.concatenate([words, np.full(count, fill, np.int32)])[None]
  told = margin(run.params, ids, jnp.array([len(words)]))
  return float(told), float(margin(run.params, ids, jnp.array([len(ids[0])])))


counts = [0, 1, 4, 16]
margins = np.array([padded(count, fill=0) for count in counts])
others = [padded(16, fill)[0] for fill in range(5)]
np.testing.assert_allclose(margins[:, 0], margins[0, 0], rtol=1e-5)
np.testing.assert_array_equal(others, others[0])  # to the last bit
assert np.ptp(margins[:, 1]) > 1

# %%
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
places = range(len(counts))
axes.plot(places, margins[:, 0], "o-", color=BLUE, lw=2)
axes.plot(places, margins[:, 1], "s--", color=ORANGE, lw=2)
axes.annotate(
  "lengths given",
  (3, margins[-1, 0]),
  (8, 0),
  textcoords="offset points",
  va="center",
  color=BLUE,
)
axes.annotate(
  "padding read\nas words",
  (3, margins[-1, 1]),
  (8, 0),
  textcoords="offset points",
  va="center",
  color=ORANGE,
)
axes.margins(y=0.15)
axes.set(
  xticks=places,
  xticklabels=counts,
  xlim=(-0.1, 3.7),
  xlabel="padding behind the review, steps",
  ylabel="score of positive\nabove negative",
)
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# It holds for learning as well. No gradient comes from the padding, so the
# update of a batch does not depend on how it was filled up.

# %%
slope = jax.jit(jax.grad(margin))
ids = np.full((2, 1, 16), 3, np.int32)
ids[:, 0, :9], ids[1, 0, 9:] = words, np.arange(4, 11)
one, other = (slope(run.params, row, jnp.array([9])) for row in ids)
jax.tree.map(np.testing.assert_array_equal, one, other)
rows = np.abs(one["embed"]["embedding"]).sum(axis=1)
assert set(np.flatnonzero(rows)) == set(words.tolist())

# %% [markdown]
# ### Exercise: a mean that knows the lengths
#
# Instead of the last output, a model may take the mean over all. Define
# `mean(outputs, lengths)`, outputs `[batch, time, features]`, the mean over
# each row's valid steps, `[batch, features]`. Do not trust that the outputs are
# zero behind the end.
#
# <details><summary>Solution</summary>
#
# ```python
# def mean(outputs, lengths):
#   valid = jnp.arange(outputs.shape[1]) < lengths[:, None]  # [batch, time]
#   total = jnp.where(valid[..., None], outputs, 0).sum(axis=1)
#   return total / lengths[:, None]
# ```
#
# </details>

# %% tags=["exercise"]
mean = None  # yours

# %% tags=["check"]
if mean is not None:
  rng = np.random.default_rng(0)
  outputs, lengths = rng.normal(size=(3, 6, 2)), np.array([6, 1, 4])
  wanted = [
    row[:n].mean(axis=0) for row, n in zip(outputs, lengths, strict=True)
  ]
  np.testing.assert_allclose(mean(outputs, lengths), wanted, rtol=1e-5)
  outputs[1, 1:] = 1e6
  np.testing.assert_allclose(mean(outputs, lengths), wanted, rtol=1e-5)

# %% [markdown]
# ## Both ways
#
# To give a label to a word it helps to see what follows. "Rose" is a person in
# "Rose Novak left" and none in "Rose gardens are open": the next word tells. A
# *bidirectional* network (Schuster and Paliwal 1997) has a second cell that
# reads from the end, and an output is both of them side by side:
#
# $$y_t = [\overrightarrow{h}_t;\ \overleftarrow{h}_t], \qquad
# \overrightarrow{h}_t = f(\overrightarrow{h}_{t-1}, x_t), \quad
# \overleftarrow{h}_t = g(\overleftarrow{h}_{t+1}, x_t)$$
#
# Which inputs does an output depend on? The norm of $\partial y_t / \partial
# x_s$ says it for every pair.

# %%
cell = seqjax.Elman(16)
keys = jax.random.split(jax.random.key(0), 3)
ahead, back = (cell.init(key, input_size=8) for key in keys[:2])
x = jax.random.normal(keys[2], (10, 8))  # [time, features]

one_way = lambda x: seqjax.unroll(cell, ahead, x[None])[1][0]
both_ways = lambda x: seqjax.bidirectional(cell, cell, (ahead, back), x[None])[
  1
][0]


def influence(run):  # [time of the output, time of the input]
  return np.linalg.norm(jax.jit(jax.jacobian(run))(x), axis=(1, 3))


causal, full = influence(one_way), influence(both_ways)
assert (np.triu(causal, 1) == 0).all()  # nothing of what comes later
assert full.min() > 0

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
names = "one direction", "both directions"
for axis, name, norms in zip(axes, names, (causal, full), strict=True):
  shown = np.ma.masked_equal(norms, 0)
  image = axis.imshow(shown, cmap="cividis", norm="log", vmin=0.03, vmax=3)
  axis.set(title=name, xlabel="input step s", xticks=range(10))
  axis.set(yticks=range(10), ylabel="output step t")
axes[0].text(6.5, 2, "exactly 0", ha="center", color=GREY, fontsize=13)
figure.colorbar(image, ax=axes, label="norm of the derivative")
plt.show()

# %% [markdown]
# ## Aligned many-to-many: a tag for each word
#
# Names are several words long, so tags say where one begins: B-person is its
# first word, I-person one more of the same, O is outside. If each word chose
# its tag for itself, an I-person could come behind an O. A *conditional random
# field* (Lafferty, McCallum, Pereira 2001) gives a score to the whole sequence
# of tags: how well each suits its word, from the network, and how well it
# follows the one before, from a matrix $A$ that is learned along:
#
# $$s(y) = \sum_t e_{t, y_t} + \sum_{t > 1} A_{y_{t-1}, y_t}, \qquad
# p(y) = \frac{e^{s(y)}}{\sum_{y'} e^{s(y')}}$$
#
# The sum below has as many terms as there are sequences, tags to the power of
# words. The forward algorithm needs one step a word, and so does Viterbi's for
# the best sequence. Both against all 81 sequences of three tags on four words:

# %%
rng = np.random.default_rng(0)
draw = lambda *shape: jnp.array(rng.normal(size=shape), jnp.float32)
field, emissions = crf.CRF(draw(3, 3), draw(3), draw(3)), draw(1, 4, 3)
four = jnp.array([4])  # words

every = jnp.array(list(itertools.product(range(3), repeat=4)))
of_each = jax.jit(
  jax.vmap(lambda y: crf.score(field, emissions, y[None], four))
)
scores = np.asarray(of_each(every))[:, 0]

total = jax.jit(crf.log_partition)(field, emissions, four)
np.testing.assert_allclose(total[0], np.log(np.exp(scores).sum()), rtol=1e-5)
found, best = jax.jit(crf.viterbi)(field, emissions, four)
np.testing.assert_array_equal(found[0], every[scores.argmax()])
np.testing.assert_allclose(best[0], scores.max(), rtol=1e-5)

# %% [markdown]
# What a CRF does that a choice word by word cannot: of three words the last is
# surely inside a name, and the one before leans to "outside". Together they
# make no legal sequence. With the forbidden steps at $-10^9$, the best sequence
# that is left turns the doubtful word round.

# %%
tags = ["O", "B-person", "I-person"]
emissions = jnp.array([[[4.0, 0, 0], [1.5, 1.0, 0], [0, 0, 4.0]]])
by_word = [tags[i] for i in emissions[0].argmax(axis=1)]

legal_only = crf.constrain(crf.init(3), *crf.bio_constraints(tags))
path, _ = jax.jit(crf.viterbi)(legal_only, emissions, jnp.array([3]))
together = [tags[i] for i in path[0]]

for name, chosen in (("word by word", by_word), ("together", together)):
  print(f"{name:12}  " + "  ".join(f"{tag:8}" for tag in chosen))
assert by_word == ["O", "O", "I-person"]
assert together == ["O", "B-person", "I-person"]

# %% [markdown]
# Now with a network: an LSTM in both directions over words, their shapes and
# their letters, and a CRF on top (Lample et al. 2016). The sentences are made
# from templates, and some of their words are in a name at one place and plain
# at another: a bank and Orbit Bank.

# %%
config = ner.get_config()
config.data.examples = 600
config.steps, config.num_buckets = 100, 1
config.model.method = "scan"
config.model.hidden_size = config.model.embed_size = 32
config.optimizer.learning_rate = 1e-2
config.log_every, config.eval_every, config.checkpoint_every = 50, 100, 100
tagger = seqjax.fit(config, folder / "names")

# %%
sentences = [
  "Jim bought 300 shares of Acme Corp. in 2006 .",
  "The head of Orbit Bank , Rosa Chen , said nothing .",
  "The bank opens in May I think , said Ann Kim .",
  "Acme Corp. hired Jim in 2006 .",
]
test = tagger.task.splits.test
found = tagger.tag([*sentences, *(sentence.tokens for sentence in test)])
for sentence, chosen in zip(sentences, found, strict=False):
  print(conll.bracketed(conll.Sentence(sentence.split(), chosen)))

wanted = "B-person O O O O B-organisation I-organisation O B-time O"
assert " ".join(found[0]) == wanted
whole = [a == b.tags for a, b in zip(found[4:], test, strict=True)]
print(f"{np.mean(whole):.0%} of the test sentences without any fault")
assert np.mean(whole) > 0.9

# %% [markdown]
# What follows what? The learned matrix, from row to column. The step
# into a name, from B-x to I-x, scores high. The crossed steps are illegal: they
# are forbidden when tags are chosen, and training, which never saw one, has
# made them unlikely by itself.

# %%
names = tagger.task.encoder.tags
steps = np.asarray(tagger.params["crf"]["transitions"])
allowed, _ = crf.bio_constraints(names)
begun = [(f"B-{kind}", f"I-{kind}") for kind in ("person", "organisation")]
learned = [steps[names.index(a), names.index(b)] for a, b in begun]
assert steps[~allowed].mean() < -0.1 < 0.1 < min(learned)

# %%
figure, axes = plt.subplots(figsize=(7, 4.6), layout="constrained")
most = np.abs(steps).max()
image = axes.imshow(steps, cmap="PuOr", vmin=-most, vmax=most)
for row, column in np.argwhere(~allowed):
  axes.text(column, row, "×", ha="center", va="center", fontsize=16)
axes.set_xticks(range(7), names, rotation=35, ha="right")
axes.set_yticks(range(7), names)
axes.set(xlabel="to", ylabel="from")
figure.colorbar(image, label="learned score of the step")
plt.show()

# %% [markdown]
# ### Exercise: what may follow what
#
# Define `legal(before, tag)`: whether `tag` may follow `before`. Which tags may
# a sentence begin with?
#
# <details><summary>Solution</summary>
#
# ```python
# def legal(before, tag):
#   if not tag.startswith("I-"):
#     return True
#   return before in ("B-" + tag[2:], tag)
#
#
# # With O or any B: to begin is like following an O.
# ```
#
# </details>

# %% tags=["exercise"]
legal = None  # yours

# %% tags=["check"]
if legal is not None:
  mine = [[legal(before, tag) for tag in names] for before in names]
  np.testing.assert_array_equal(mine, allowed)

# %% [markdown]
# ## Side by side
#
# The same parts, read off at other places. On the left the last state gives one
# label; on the right each word gets its own, from a state of each direction.
# The answers drawn are those of the two models trained above.

# %%
review, sentence, chosen = "not dull but brilliant", sentences[3], found[3]
(probability,) = run.predict([review])[:, positive]
assert probability > 0.9
wanted = "B-organisation I-organisation O B-person O B-time O"
assert " ".join(chosen) == wanted
answers = ["", "", "", f"positive\n{probability:.0%}"]


# %%
def draw_graph(axis, words, labels, colors):
  arrow = {"arrowstyle": "-|>", "mutation_scale": 12, "lw": 1.3}
  across = lambda start, end, **style: axis.annotate(
    "", end, start, arrowprops=arrow | style
  )
  for t, (word, label) in enumerate(zip(words, labels, strict=True)):
    axis.text(t, 0, word, ha="center", va="center")
    axis.text(t, 2.75, label, ha="center", va="bottom")
    for i, color in enumerate(colors):
      x, y = t + 0.24 * i - 0.12 * (len(colors) - 1), 1 + 0.75 * i
      axis.add_patch(plt.Rectangle((x - 0.2, y - 0.2), 0.4, 0.4, color=color))
      place = 1.8 * (x - t) + t
      across((place, 0.2), (place, y - 0.2))
      if label:
        across((place, y + 0.2), (place, 2.7))
      if t < len(words) - 1:
        ends = (x + 0.2, y), (x + 0.8, y)
        across(*(ends if color == BLUE else ends[::-1]), color=color)
  axis.set(xlim=(-0.5, len(words) - 0.5), ylim=(-0.2, 3.4))
  axis.axis("off")


# %%
figure, (left, right) = plt.subplots(
  1, 2, figsize=(9, 3.4), width_ratios=(4, 7), layout="constrained"
)
draw_graph(left, review.split(), answers, (BLUE,))
kinds = [tag.replace("organisation", "org.") for tag in chosen]
draw_graph(right, sentence.split(), kinds, (BLUE, ORANGE))
left.set_title("many-to-one")
right.set_title("aligned many-to-many")
plt.show()
