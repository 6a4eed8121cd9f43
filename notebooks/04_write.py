# %% [markdown]
# # 4. Write like the corpus
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](04_write.ipynb)
#
# A network that has learned which character comes next can write, one
# character after the other. This chapter trains one on Python's own reference
# text, draws from it in several ways, and then looks inside: one of its units
# has found out by itself what a quotation is. Fifteen minutes; the training
# takes half of one.

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
import pathlib
import re
import tempfile
import textwrap

import jax
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

import seqjax
from seqjax.data import text as texts
from seqjax.decode.sampling import filter_logits
from seqjax.experiments import char_lm

# A GPU would round float32 products to TF32; here digits are compared.
jax.config.update("jax_default_matmul_precision", "float32")
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#BBBBBB"

# %% [markdown]
# ## A corpus, and a model of it
#
# A language model needs no labels: the text itself says what comes next. The
# probability of a text is a product over its characters, and training makes the
# mean of their negative logarithms small, in nats a character:
#
# $$p(x_1 \dots x_n) = \prod_t p(x_t \mid x_1 \dots x_{t-1}), \qquad
# L = -\frac{1}{n} \sum_t \log p(x_t \mid x_1 \dots x_{t-1})$$
#
# The corpus is the help text that comes with Python. Its prose is enough here:
# plain paragraphs that begin with a capital and end in a full stop, in which
# every quotation is closed. Any other UTF-8 file would do.

# %%
paragraphs = texts.load("pydoc").text.split("\n\n")
lines = [" ".join(paragraph.split()) for paragraph in paragraphs]
lines = [x for x in lines if x[:1].isupper() and x[-1] == "." and x.isascii()]
corpus = "\n".join(x for x in lines if x.count('"') % 2 == 0)

folder = pathlib.Path(tempfile.mkdtemp())
(folder / "prose.txt").write_text(corpus, "utf-8")
print(f"{len(corpus):,} characters, {corpus.count(chr(34)) // 2:,} quotations")
print(textwrap.fill(corpus[:300], 79))

# %% [markdown]
# The model is an LSTM of 128 units. It reads 32 places of the text at once, in
# windows of 64 characters, and hands its state on from window to window.

# %%
config = char_lm.get_config()
config.data.path = str(folder / "prose.txt")
config.steps, config.batch_size, config.window = 1_000, 32, 64
config.model.hidden_size, config.model.embed_size = 128, 32
config.model.cell = "lstm(forget_bias=3.0)"  # begins by remembering: chapter 3
config.optimizer.learning_rate = 1.5e-2
config.log_every, config.eval_every, config.checkpoint_every = 250, 1_000, 1_000
config.showcase.num_tokens = 100
config.ngram = 3  # a table of what follows two characters, to compare with

run = seqjax.fit(config, folder / "run")

# %% [markdown]
# What is the loss worth? Measured on the last 5 % of the text, which was not
# trained on, beside three models without a network: any character alike, the
# frequencies of the characters, and the best that counting three characters in
# a row can do (a Kneser-Ney trigram).

# %%
train, test = ("".join(part) for part in run.task.parts[::2])
values = run.evaluate("test")
symbols = run.task.tokens.vocabulary.symbols
shares = {s: train.count(s) / len(train) for s in symbols}
nats = {
  "all alike": np.log(len(symbols)),
  "frequencies": -np.mean([np.log(shares.get(s, 1e-6)) for s in test]),
  "trigram": np.log(values["ngram_perplexity"]),
  "LSTM": values["loss"],
}
assert nats["LSTM"] < nats["trigram"] - 0.1
assert nats["trigram"] < nats["frequencies"] - 0.5

# %%
figure, axes = plt.subplots(figsize=(9, 2.4), layout="constrained")
bars = axes.barh(list(nats), list(nats.values()), color=[GREY] * 3 + [BLUE])
worth = np.exp(list(nats.values()))
axes.bar_label(
  bars, [f"{np.log(n):.2f}, as one of {n:.1f}" for n in worth], padding=4
)
axes.invert_yaxis()
axes.set(xlabel="loss on new text, nats a character", xlim=(0, 6))
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Write
#
# A drawn character is the next input: $x_{t+1} \sim p(\cdot \mid x_1 \dots
# x_t)$. Nothing of the corpus is looked up. How well it spells can be counted:
# which of the words of four letters or more are words of the corpus?

# %%
words = set(re.findall(r"[a-z]{4,}", train))


def spelled(text):
  return np.mean([w in words for w in re.findall(r"[a-z]{4,}", text)])


(written,) = run.generate(
  prompt="The ", num_tokens=500, temperature=0.6, seed=1
)
print(textwrap.fill(written, 79))
print(f"\n{spelled(written):.0%} of the words are words of the corpus")
letters = np.random.default_rng(0).permutation(list(train[:20_000]))
assert spelled(written) > 0.5
assert spelled("".join(letters)) < 0.2

# %% [markdown]
# ## Temperature
#
# The network puts out scores $z$, and the softmax makes probabilities of them.
# Divided by a temperature $T$ first, they become more certain or less:
#
# $$p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}$$
#
# Near 0 the likeliest character takes all, far above 1 all are alike. Here is
# one and the same distribution, for what follows the words below.

# %%
BEGUN = "The object is c"


def next_logits(prompt):
  ids = run.task.tokens.encode(prompt)[None]  # [batch, time]
  return run.apply(run.params, ids)[1][0, -1]


logits = next_logits(BEGUN)
probs = {t: np.asarray(jax.nn.softmax(logits / t)) for t in (0.5, 1.0, 2.0)}
entropy = {t: -(p * np.log2(p + 1e-30)).sum() for t, p in probs.items()}
assert entropy[0.5] < entropy[1.0] - 0.1 < entropy[2.0] - 0.5
assert len({int(p.argmax()) for p in probs.values()}) == 1  # the order stays

# %%
best = np.argsort(-np.asarray(logits))[:12]
names = [run.task.tokens.decode([i]).replace(" ", "␣") for i in best]
figure, axes = plt.subplots(
  1, 3, figsize=(9, 2.8), sharey=True, layout="constrained"
)
for axis, (t, p) in zip(axes, probs.items(), strict=True):
  axis.bar(names, p[best], color=BLUE)
  axis.set_title(f"T = {t:g}, {entropy[t]:.1f} bits")
  axis.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("probability")
figure.supxlabel(f'the next character after "{BEGUN}", the likeliest twelve')
plt.show()

# %% [markdown]
# The same in writing. Cold, it repeats what is safe; hot, it stops spelling.

# %%
right = {}
for t in (0.2, 0.7, 1.5):
  samples = run.generate(
    prompt="The ", num_tokens=300, temperature=t, seed=2, num_samples=4
  )
  right[t] = spelled(" ".join(samples))
  print(f"T = {t}: {right[t]:.0%} of the words spelled as in the corpus")
  print(textwrap.indent(textwrap.fill(samples[0], 75), "    "))
assert right[0.2] > right[1.5] + 0.2

# %% [markdown]
# ### Exercise: the temperature of zero
#
# At $T = 0$ the likeliest character is taken each time, and the text soon runs
# in circles. Define `repeated(text)`: of all its pieces of 20 characters in a
# row, the share that has occurred before in the same text. What do you expect
# of $T = 0$ and of $T = 0.7$?
#
# <details><summary>Solution</summary>
#
# ```python
# def repeated(text):
#   pieces = [text[i : i + 20] for i in range(len(text) - 19)]
#   return 1 - len(set(pieces)) / len(pieces)
#
#
# # Most of the one, next to nothing of the other. The likeliest text is not a
# # likely one: a person who writes surprises now and then.
# ```
#
# </details>

# %% tags=["exercise"]
repeated = None  # yours

# %% tags=["check"]
if repeated is not None:
  np.testing.assert_allclose(repeated("ab" * 20), 19 / 21)
  for t in (0, 0.7):
    options = {"prompt": "The ", "num_tokens": 600, "seed": 3}
    (text,) = run.generate(temperature=t, **options)
    print(f"T = {t}: {repeated(text):.0%} repeated")
    assert repeated(text) > 0.3 if t == 0 else repeated(text) < 0.3

# %% [markdown]
# ## Top-k and nucleus
#
# A single unlikely character is hardly ever drawn, but there are dozens: one or
# other of them comes every few words, and spoils what follows. *Top-k* keeps
# the k likeliest (Fan, Lewis, Dauphin 2018). *Nucleus* sampling keeps the
# fewest that together reach a probability p (Holtzman et al. 2020):
#
# $$V_p = \text{the smallest set with} \sum_{i \in V_p} p_i \ge p$$
#
# What is kept is scaled up to 1. The difference shows where the model is sure:
# k characters are kept even where one is right, the nucleus shrinks.

# %%
PROMPTS = "The function retu", "The object is "
RULES = {"top-k, k = 5": {"top_k": 5}, "nucleus, p = 0.9": {"top_p": 0.9}}
probs, kept = {}, {}
for prompt in PROMPTS:
  z = next_logits(prompt)
  probs[prompt] = np.asarray(jax.nn.softmax(z))
  for rule, options in RULES.items():
    kept[prompt, rule] = np.isfinite(filter_logits(z, **options))

sure, unsure = (kept[prompt, "nucleus, p = 0.9"] for prompt in PROMPTS)
assert [kept[p, "top-k, k = 5"].sum() for p in PROMPTS] == [5, 5]
assert sure.sum() <= 2 < 5 < unsure.sum()
inside = probs[PROMPTS[1]][unsure]
assert 0.9 <= inside.sum() < 0.9 + inside.min()  # none of them could be spared

# %%
figure, axes = plt.subplots(2, 2, figsize=(9, 4.4), layout="constrained")
for row, prompt in zip(axes, PROMPTS, strict=True):
  best = np.argsort(-probs[prompt])[:14]
  names = [run.task.tokens.decode([i]).replace(" ", "␣") for i in best]
  for axis, rule in zip(row, RULES, strict=True):
    keep = kept[prompt, rule]
    colors = [BLUE if keep[i] else GREY for i in best]
    axis.bar(names, probs[prompt][best], color=colors)
    for name, color in zip(axis.get_xticklabels(), colors, strict=True):
      name.set_color(color)
    axis.set_title(f'"{prompt}"   {rule}: {keep.sum()} kept', fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
  row[0].set_ylabel("probability")
plt.show()

# %% [markdown]
# In writing, at temperature 1. Of the words, more are spelled well than without
# a filter.

# %%
right = {}
for name, options in {"all characters": {}, **RULES}.items():
  samples = run.generate(
    prompt="The ", num_tokens=300, seed=2, num_samples=16, **options
  )
  right[name] = spelled(" ".join(samples))
  print(f"{name}: {right[name]:.0%} of the words spelled as in the corpus")
  print(textwrap.indent(textwrap.fill(samples[0], 75), "    "))
assert right["nucleus, p = 0.9"] > right["all characters"]

# %% [markdown]
# ### Exercise: the nucleus by hand
#
# Define `nucleus(probs, p)`: which entries of a vector of probabilities are in
# the nucleus, a bool for each. Sort, add up, and mind the entry that crosses
# the line: it belongs to the nucleus.
#
# <details><summary>Solution</summary>
#
# ```python
# def nucleus(probs, p):
#   order = np.argsort(-probs)
#   before = np.cumsum(probs[order]) - probs[order]
#   found = np.zeros(len(probs), bool)
#   found[order[before < p]] = True  # those before it did not reach p yet
#   return found
# ```
#
# </details>

# %% tags=["exercise"]
nucleus = None  # yours

# %% tags=["check"]
if nucleus is not None:
  assert nucleus(np.array([0.2, 0.5, 0.3]), 0.6).tolist() == [False, True, True]
  for p in (0.3, 0.6, 0.95):
    by_library = np.isfinite(filter_logits(logits, top_p=p))
    mine = nucleus(np.asarray(jax.nn.softmax(logits), np.float64), p)
    np.testing.assert_array_equal(mine, by_library)

# %% [markdown]
# ## Complete a line
#
# Instead of drawing, one can ask: what is likely next, and how would the line
# go on from each? `complete` ranks the first character and then follows the
# likeliest path.

# %%
ranked = run.complete(prompt="If the argument ___", top_k=5, num_tokens=24)
for said, share in ranked:
  print(f"{share:6.1%}  If the argument {said.splitlines()[0]}")

p = np.asarray(jax.nn.softmax(next_logits("If the argument ")))
first = run.task.tokens.encode([said[0] for said, _ in ranked])
np.testing.assert_allclose([share for _, share in ranked], p[first], rtol=1e-4)
assert 1 > sum(share for _, share in ranked) > 0.25  # of five in a hundred

# %% [markdown]
# ## A unit that knows what a quotation is
#
# Karpathy, Johnson and Fei-Fei (2015) looked at the cells of such networks one
# by one. Most mean nothing to a person, but a few carry something that anyone
# would name: the place in a line, the depth of an indentation, whether a
# quotation is open. Nobody told them to; it helps to foretell the next
# character.
#
# All states are there: `run.apply` has the model's `step` and `initial_carry`,
# and `lax.scan` collects the carry after each character. What an LSTM keeps is
# its cell state $c_t$ (chapter 3).


# %%
@jax.jit
def watch(params, ids):
  def step(carry, token):
    carry, logits = run.apply(params, carry, token, method="step")
    return carry, (carry, logits)

  start = run.apply(params, 1, method="initial_carry")
  (layer,), logits = jax.lax.scan(step, start, ids[:, None])[1]
  return layer.c[:, 0], logits[:, 0]  # [time, units], [time, symbols]


ids = run.task.tokens.encode(test[:500])
_, logits = watch(run.params, ids)
_, at_once = run.apply(run.params, ids[None])
np.testing.assert_allclose(logits, at_once[0], atol=1e-3)

# %% [markdown]
# A label for each character: inside, from an opening mark on until its closing
# one has been read. How well does a unit tell the two apart? The area under the
# ROC curve is the probability that a character inside gets the larger value
# than one outside, 0.5 for a unit that knows nothing:
#
# $$\mathrm{AUC}_i = P(c_{t,i} > c_{s,i} \mid t \text{ inside},\ s
# \text{ outside})$$
#
# A unit may have any sign, so 0.05 is as telling as 0.95. The unit is chosen by
# one part of the text and measured on another, which was not trained on:
# among 128 units one is the best by luck, too.


# %%
def quoted(text):
  inside = np.zeros(len(text), bool)
  for found in re.finditer(r'"[^"\n]*"', text):
    inside[found.start() : found.end() - 1] = True
  return inside


def states(text):
  return np.asarray(watch(run.params, run.task.tokens.encode(text))[0])


seen, labels = states(train[:8_000]), quoted(train[:8_000])
areas = np.array([roc_auc_score(labels, unit) for unit in seen.T])
unit = int(np.abs(areas - 0.5).argmax())
sign = 1 if areas[unit] > 0.5 else -1

new, inside = sign * states(test[:8_000])[:, unit], quoted(test[:8_000])
area = roc_auc_score(inside, new)
print(f"unit {unit}: area {max(areas[unit], 1 - areas[unit]):.3f}", end=" ")
print(f"where it was chosen, {area:.3f} on new text")
assert area >= 0.9

# %%
figure, (left, right) = plt.subplots(
  1, 2, figsize=(9, 3.2), layout="constrained"
)
heights = np.sort(np.maximum(areas, 1 - areas))[::-1]
left.plot(heights, ".", color=GREY)
left.plot(0, heights[0], "o", color=BLUE)
left.annotate(f"unit {unit}", (3, heights[0]), color=BLUE, va="center")
left.set(ylim=(0.5, 1), xlabel="units, the best first", ylabel="AUC")
bins = np.linspace(new.min(), new.max(), 50)
for name, of, color in (("outside", ~inside, GREY), ("inside", inside, BLUE)):
  right.hist(new[of], bins, density=True, color=color, alpha=0.8, label=name)
right.set(xlabel=f"value of unit {unit} on new text", ylabel="density")
right.legend(frameon=False)
for axis in (left, right):
  axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Drawn over a new text: purple where the unit is high, orange where it is low,
# each character by the value once it has been read. A line below marks what is
# truly inside.


# %%
def draw(text, values, marked, width=96):
  rows = -(-len(text) // width)
  figure, axes = plt.subplots(figsize=(9, 0.28 * rows), layout="constrained")
  ground = np.full(rows * width, np.nan)
  ground[: len(text)] = np.tanh(values / values.std())
  ground = ground.reshape(rows, width)
  axes.imshow(ground, cmap="PuOr", vmin=-1.9, vmax=1.9, aspect="auto")
  style = {"ha": "center", "va": "center", "family": "monospace"}
  for i, character in enumerate(text):
    row, column = divmod(i, width)
    axes.text(column, row, character, **style)
    if marked[i]:
      axes.plot([column - 0.5, column + 0.5], [row + 0.42] * 2, "k", lw=1)
  axes.axis("off")
  plt.show()


begin = int(np.argmax(np.convolve(inside, np.ones(960), "valid")))
passage = slice(begin, begin + 960)
center = (np.median(new[inside]) + np.median(new[~inside])) / 2
draw(test[passage].replace("\n", "¶"), new[passage] - center, inside[passage])

# %% [markdown]
# ### Exercise: is there a unit for brackets?
#
# Define `bracketed(text)`: for each character whether it is inside round
# brackets, true from "(" on until the character before its ")". Brackets may
# stand in brackets. Is the best unit as good as that for quotations?
#
# <details><summary>Solution</summary>
#
# ```python
# def bracketed(text):
#   depth, inside = 0, []
#   for character in text:
#     depth += (character == "(") - (character == ")" and depth > 0)
#     inside.append(depth > 0)
#   return np.array(inside)
#
#
# # No: after half a minute of training no single unit keeps count of them.
# # What is spread over many units is not seen by looking at one.
# ```
#
# </details>

# %% tags=["exercise"]
bracketed = None  # yours

# %% tags=["check"]
if bracketed is not None:
  assert bracketed("a(b(c)d)e").tolist() == [False] + [True] * 6 + [False] * 2
  found = bracketed(train[:8_000])
  by_unit = np.array([roc_auc_score(found, u) for u in seen.T])
  best = np.maximum(by_unit, 1 - by_unit).max()
  print(f"the best unit: {best:.3f}")
  assert best < area
