# %% [markdown]
# # 10. Sound
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](10_sound.ipynb)
#
# A network that writes text writes music as well, where music is written as
# text; and it writes down what it hears. This chapter trains one on folk tunes,
# lets it compose, and asks what a tune must be to be one. A second one then
# hears words and prints them while they are spoken. Twenty minutes; the two
# trainings take one each.

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
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Audio, Image, display

import seqjax
from seqjax.data import (
  abc_notation,
  invented_speech,
  notes,
  spectrogram,
  synthesiser,
  tune_grammar,
  tune_scores,
)
from seqjax.decode import ctc
from seqjax.experiments import music, speech
from seqjax.tasks import played, speech_live

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#BBBBBB"
RATE = 22_050
folder = pathlib.Path(tempfile.mkdtemp())

# %% [markdown]
# ## Tunes as text
#
# Folk tunes are passed on in *ABC notation*: a header with title, metre (`M:`),
# the length of a note (`L:`) and the key (`K:`), then the notes. Capital
# letters are an octave below small ones, a number lengthens a note, `|` ends a
# bar, `|:` and `:|` are around what is played twice. The tunes here are made up
# by a small grammar.

# %%
tune = tune_grammar.make(10, seed=1)[4]
print(tune)

# %% [markdown]
# Read, it is a list of notes: when each begins, how long it is, its pitch. A
# note of pitch $p$ has the frequency $440 \cdot 2^{(p - 69)/12}$ Hz, and a
# struck string is a sum of sines at its multiples that die away:
#
# $$x(t) = e^{-t/\tau} \sum_k a_k \sin(2 \pi k f t)$$

# %%
score = abc_notation.read(tune).score
sound = synthesiser.play(score, RATE)
print(f"{len(score.notes)} notes, {len(sound) / RATE:.1f} seconds")
assert len(score.notes) > 50
display(Audio(sound, rate=RATE))


# %%
def show(score, name):
  """The piano roll of a score."""
  played.write(score, folder, name)
  display(Image(folder / f"{name}.png"))


show(score, "tune")

# %% [markdown]
# ### Exercise: pitch to frequency
#
# Define `frequency(pitch)`, in Hz. The A above the middle C is 69 and has 440
# Hz; an octave is twelve semitones and doubles it. The check looks for your
# frequency in the spectrum of a note.
#
# <details><summary>Solution</summary>
#
# ```python
# def frequency(pitch):
#   return 440 * 2 ** ((pitch - 69) / 12)
# ```
#
# </details>

# %% tags=["exercise"]
frequency = None  # yours

# %% tags=["check"]
if frequency is not None:
  for pitch in (57, 62, 74):
    one = notes.Score([notes.Note(0, 4, pitch)])
    heard = synthesiser.play(one, RATE)
    loudest = np.abs(np.fft.rfft(heard)).argmax() * RATE / len(heard)
    print(f"pitch {pitch}: {loudest:.1f} Hz")
    assert abs(frequency(pitch) - loudest) < 2

# %% [markdown]
# ## A model of them
#
# The model is that of chapter 4, an LSTM over characters. A thousand tunes, one
# after the other, a blank line between two of them; parts are whole tunes, so
# that the test asks for tunes and not for the rest of one.

# %%
config = music.get_config()
config.steps, config.batch_size, config.window = 800, 32, 96
config.model.hidden_size = 192
config.optimizer.learning_rate = 7e-3
config.showcase.judged = 0  # tunes: that is done below
config.log_every, config.eval_every, config.checkpoint_every = 200, 800, 800
run = seqjax.fit(config, folder / "run")
values = run.evaluate("test")

# %% [markdown]
# Beside it stands a table of what follows five characters (Kneser-Ney 6-grams).

# %%
bits = {
  "all alike": np.log2(len(run.task.tokens.vocabulary.symbols)),
  "6-grams": values["ngram_bits_per_char"],
  "LSTM": values["bits_per_char"],
}
figure, axes = plt.subplots(figsize=(9, 1.8), layout="constrained")
bars = axes.barh(list(bits), list(bits.values()), color=[GREY, GREY, BLUE])
axes.bar_label(bars, [f"{value:.2f}" for value in bits.values()], padding=4)
axes.invert_yaxis()
axes.set(xlabel="bits a character, new tunes", xlim=(0, 8))
axes.spines[["top", "right"]].set_visible(False)
plt.show()
assert bits["LSTM"] < bits["6-grams"] - 0.2

# %% [markdown]
# ## A tune that nobody wrote
#
# Drawn character by character, from `X:` to the first blank line. Nothing in
# the model knows of bars, keys or repeats; it has to count for itself.

# %%
composed = run.compose(temperature=0.6, seed=4, num_samples=40)
judged = [tune_scores.judge(one) for one in composed]
whole = [one for one, good in zip(composed, judged, strict=True) if all(good)]
print(f"{len(whole)} of {len(composed)} are well formed; the first of them:\n")
print(whole[0])
assert len(whole) >= 4

# %%
score = abc_notation.read(whole[0]).score
display(Audio(synthesiser.play(score, RATE), rate=RATE))
show(score, "composed")

# %% [markdown]
# What is asked of a tune: a whole header, signs that can be read, bars as long
# as the metre says, repeats that can be played. The grammar's own have all of
# it.

# %%
shares = {
  "composed": tune_scores.shares(composed),
  "the grammar's": tune_scores.shares(tune_grammar.make(40, seed=2)),
}
for name in shares["composed"]:
  print(f"{name:8}", *(f"{shares[x][name]:4.0%} {x}" for x in shares), sep="  ")
assert shares["the grammar's"]["all"] == 1
assert shares["composed"]["bars"] > 0.5

# %% [markdown]
# ## Begin it yourself
#
# A header as a prompt asks for a metre and a key. Does the tune keep them? Its
# bars are measured against the metre asked for.

# %%
HEADER = "X:1\nT:Asked for\nR:{}\nM:{}\nL:1/8\nK:{}\n"
kept = {}
for kind, metre in (("jig", "6/8"), ("reel", "4/4")):
  header = HEADER.format(kind, metre, "G")
  tunes = run.compose(prompt=header, temperature=0.6, num_samples=20, seed=1)
  assert all(one.startswith(header) for one in tunes)
  inner = [
    bar for one in tunes for bar in abc_notation.read(one).bars if bar.inner
  ]
  kept[metre] = np.mean([bar.length == bar.metre.length for bar in inner])
  print(f"{metre}: {kept[metre]:.0%} of {len(inner)} bars are of that length")
assert min(kept.values()) > 0.5

# %% [markdown]
# ### Exercise: how much is copied
#
# A model may repeat what it has learnt by heart. Define `copied(melody, known,
# n)`: of all stretches of `n` notes of a melody, a list of pitches, the share
# that is in one of the melodies `known`.
#
# <details><summary>Solution</summary>
#
# ```python
# def copied(melody, known, n):
#   def stretches(one):
#     return [tuple(one[i : i + n]) for i in range(len(one) - n + 1)]
#
#   seen = {stretch for one in known for stretch in stretches(one)}
#   return float(np.mean([stretch in seen for stretch in stretches(melody)]))
# ```
#
# </details>

# %% tags=["exercise"]
copied = None  # yours

# %% tags=["check"]
if copied is not None:
  assert copied([1, 2, 3, 4], [[9, 2, 3, 4]], 2) == 2 / 3
  melodies = lambda tunes: [
    [note.pitch for note in abc_notation.read(one).written] for one in tunes
  ]
  known = melodies("".join(run.task.parts.train).strip().split("\n\n"))
  for n in (3, 6, 12):
    share = np.mean([copied(m, known, n) for m in melodies(whole)])
    print(f"{n:2} notes: {share:.0%} are in a training tune")

# %% [markdown]
# ## A word is a picture
#
# Speech is sound whose spectrum changes. Cut into frames of 25 ms, ten of them
# each tenth of a second, and each brought to its energies in bands that are
# spaced as the ear spaces them (the *mel* scale), it becomes a sequence of
# vectors like any other. The words here are invented, said by invented voices.

# %%
rng = np.random.default_rng(0)
said = {
  (word, name): invented_speech.say(word, voice, rng)
  for word in ("kamo", "moka")
  for name, voice in list(invented_speech.VOICES.items())[::5]
}
features = spectrogram.Features(rate=invented_speech.RATE, normalise="none")
for sound in said.values():
  display(Audio(sound, rate=invented_speech.RATE))

# %%
figure, axes = plt.subplots(
  2, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained"
)
for axis, ((word, name), sound) in zip(axes.flat, said.items(), strict=True):
  frames = features.of(sound)  # [frames, bands]
  assert frames.shape == (features.count(len(sound)), features.size)
  axis.imshow(frames.T, origin="lower", aspect="auto", cmap="magma")
  axis.set_title(f"{word}, {name}")
figure.supxlabel("frames of 10 ms")
figure.supylabel("mel bands")
plt.show()

# %% [markdown]
# The same syllables in another order are another word, and the same word in
# another voice is another picture: what tells them apart is order.
#
# ## Which frame is which word?
#
# Nobody says. *Connectionist temporal classification* (Graves et al. 2006) lets
# the network put out a blank wherever it likes, and adds up the probabilities
# of all alignments that read the same: repeats are merged, then blanks dropped.
#
# $$p(y \mid x) = \sum_{a :\, \text{collapse}(a) = y} \prod_t p_t(a_t)$$

# %%
BLANK = 0
for alignment in ([1, 1, 0, 2, 2], [0, 1, 0, 0, 2], [1, 0, 1, 2, 2]):
  read = [symbol for symbol, _ in ctc.Collapser(BLANK).push(alignment)]
  print(alignment, "is read as", read)
assert read == [1, 1, 2]  # a blank between keeps both

# %% [markdown]
# ### Exercise: collapse
#
# Define `collapse(alignment)`: merge what is repeated in a row, then drop the
# blanks (0). Mind the order: the other way round, `[1, 0, 1]` would be one 1.
#
# <details><summary>Solution</summary>
#
# ```python
# def collapse(alignment):
#   pairs = zip(alignment, [None, *alignment], strict=False)
#   return [one for one, before in pairs if one != before and one != 0]
# ```
#
# </details>

# %% tags=["exercise"]
collapse = None  # yours

# %% tags=["check"]
if collapse is not None:
  for _ in range(200):
    alignment = rng.integers(0, 3, rng.integers(0, 9)).tolist()
    found = [symbol for symbol, _ in ctc.Collapser(BLANK).push(alignment)]
    assert list(collapse(alignment)) == found

# %% [markdown]
# ## Captions while it is spoken
#
# A network that looks at both sides of a frame must wait for the end. One whose
# layers, and whose features, know the past alone writes each word as it comes.

# %%
config = speech.get_config()
config.model.layer, config.model.neighbours = "rnn", 0  # nothing looks ahead
config.data.features.normalise = "running"
config.model.cell, config.model.hidden_size = "gru", 128
config.data.examples, config.steps = 1_000, 250
config.log_every, config.eval_every, config.checkpoint_every = 50, 250, 250
config.showcase.utterances = 0
listener = seqjax.fit(config, folder / "speech")
values = listener.evaluate("test")
print(f"{values['wer']:.1%} of the words are wrong, left out or too many")
assert values["wer"] < 0.3

# %%
samples, text, voice = invented_speech.strings(1, seed=5)[0]
rate = invented_speech.RATE
pieces = np.split(samples, np.arange(640, len(samples), 640))  # of 80 ms
print(f"{voice} says: {text}\n")
captions = []
for heard in speech_live.follow(listener.task, listener.params, pieces):
  for word in heard.words:
    captions.append(word.word)
    print(f"{word.written:6.2f} s  {' '.join(captions)}")
display(Audio(samples, rate=rate))

# %% [markdown]
# However the sound is cut, the captions are the same: what has been heard is in
# the carry, and the features keep the samples that the next frame shares.

# %%
for size in (100, 640, len(samples)):
  cut = np.split(samples, np.arange(size, len(samples), size))
  progress = speech_live.follow(listener.task, listener.params, cut)
  same = [word.word for one in progress for word in one.words]
  assert same == captions
