"""The formats of labelled examples, each a module that is found by its name.

A format is a module that holds

  load(data, seed) -> Splits   what `config.data` asks for: its `path` is read,
                               without one examples are generated
  Encoder                      from an input to an array, by what was learned
                               from the training part alone:
    fit(examples, data, seed)    makes one
    encode(inputs)               int32 ids `[time]`, or float32 or bytes
                                 `[time, input_size]`
    read(path)                   inputs without labels, in order; "-" is
                                 standard input
    encode_all(inputs)           the same of several, together; absent where
                                 one by one is as quick
    state                        a dict for JSON: `Encoder(**encoder.state)` is
                                 the same encoder again
    vocab_size                   how many ids there are; 0 where inputs are
                                 vectors
    input_size                   of these vectors; 0 where inputs are ids
    unknown                      the id of what training lacks; None where
                                 inputs are vectors
    names                        what each id stands for, reserved ones too;
                                 absent where inputs are vectors
    patch, shape                 of images alone: the side of a patch, 0 where
                                 steps are none; height, width and colours
  show(inputs) -> str          an input in one line, for a person

and, where there is something of the kind,

  SHOWN                        examples, the predictions for which a run ends
                               with
  BASELINES                    `{name: function}`, what to compare a model with,
                               see `baselines`
  steps(inputs)                an input step by step, to show what a model looks
                               at: words, or float `[time, columns]`
  room(lengths, data)          steps that inputs of so many have at most behind
                               `augmentation`; absent where as many
  augmentation(data)           a function `(inputs, rng) -> inputs`, by which
                               training sees none twice the same; None where
                               `config.data` asks for nothing of the kind

Formats with a tag for every token, `examples.Tagged`, hold `load` too, and

  Encoder                      its `fit`, `read` and `state` as above, and
    encode(tokens)               a NamedTuple of arrays `[time, ...]`, the first
                                 of them ids of tokens or vectors, then what
                                 else `models.aligned` reads; a text is cut
    embeds                       of the class: what is embedded, "embed" for
                                 ids of tokens, "shape_embed", "char_embed"
    columns                      the vocabulary of each of these, with `names`
    input_size                   of the vectors; 0 where there are none
    unknown                      the id, or the vector, of an unknown token
    tags                         of training; the first says "nothing here"
    tag_ids(part, example)       int32 `[time]`
  write(examples) -> str       as `load` reads them
  scores(examples, found, data) -> {}
                               what the tags found are worth
  report(part, examples, found) -> str
                               the same and some examples, for a person
  REPORT                       the name of its file

Formats of sentences in two languages, `pairs.Pair`, hold `load`, `Pair` and

  Encoder                      its `fit` and `state` as above, and
    source, target               the tokens of either side, `tokens.Tokens` or
                                 of the same interface, with ids for padding,
                                 unknown, start and stop, in this order from 0;
                                 one object where both sides share a vocabulary
    encode_source(text, seed)    int32 ids `[time]`, the last of them the stop;
    encode_target(text, seed)    a seed is given in training alone
    split_source(text)           what each id of `encode_source` stands for,
                                 also where it says unknown; "" for the stop
    decode(ids, copies)          the target's ids as a text for people;
                                 reserved ones are left out, or, where they say
                                 unknown, the symbol of `copies` is written
    read(path)                   texts to translate, in order, a line each; an
                                 empty line is an empty text

Formats of images with captions, `captions.Captioned`, hold `load`, `Captioned`
and

  Encoder                      its `fit` and `state` as above, and
    tokens                       of the captions, `tokens.Tokens` with ids for
                                 padding, unknown, start and stop
    kind, shape                  "images" or "grids", and the shape of one
    encode(examples)             an array `[n, *shape]`
    encode_caption(text)         int32 ids `[time]`, the last of them the stop
    decode(ids)                  the caption for people; reserved ids left out
    read(path)                   `Captioned` without captions, in order
"""

import types

from seqjax.config import find_module

HOLDS = "load", "Encoder", "show"
HOLDS_TAGS = "load", "Encoder", "write", "scores", "report", "REPORT"
HOLDS_PAIRS = "load", "Encoder", "Pair"
HOLDS_CAPTIONS = "load", "Encoder", "Captioned"


def find(name: str, holds: tuple[str, ...] = HOLDS) -> types.ModuleType:
  """The format that `config.data.format` names.

  Args:
    name: a module of this package, or `package.module` of the user's own.
    holds: what it must have: `HOLDS_TAGS` where every token has a tag,
      `HOLDS_PAIRS` for translation, `HOLDS_CAPTIONS` for captions of images.

  Raises:
    InputError: no such module, or it is no format.
  """
  return find_module("config.data.format", name, "seqjax.data", holds)
