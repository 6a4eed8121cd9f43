"""The formats of labelled examples, each a module that is found by its name.

A format is a module that holds

  load(data, seed) -> Splits   what `config.data` asks for: its `path` is read,
                               without one examples are generated
  Encoder                      from an input to an array, by what was learned
                               from the training part alone:
    fit(examples, data, seed)    makes one
    encode(inputs)               int32 ids `[time]` or float32
                                 `[time, input_size]`
    read(path)                   inputs without labels, in order; "-" is
                                 standard input
    state                        a dict for JSON: `Encoder(**encoder.state)` is
                                 the same encoder again
    vocab_size                   how many ids there are; 0 where inputs are
                                 vectors
    input_size                   of these vectors; 0 where inputs are ids
    unknown                      the id of what training lacks; None where
                                 inputs are vectors
  show(inputs) -> str          an input in one line, for a person

and, where there is something of the kind,

  SHOWN                        examples, the predictions for which a run ends
                               with
  BASELINES                    `{name: function}`, what to compare a model with,
                               see `baselines`
  steps(inputs)                an input step by step, to show what a model looks
                               at: words, or float `[time, columns]`
"""

import types

from seqjax.config import find_module

HOLDS = "load", "Encoder", "show"


def find(name: str) -> types.ModuleType:
  """The format that `config.data.format` names.

  Args:
    name: a module of this package, or `package.module` of the user's own.

  Raises:
    InputError: no such module, or it is no format.
  """
  return find_module("config.data.format", name, "seqjax.data", HOLDS)
