"""BLEU by the length of the source, with and without attention.

  pairs (default)  the made-up languages of experiments/translate.py, sentences
                   of 4 to 14 words; two minutes on 2 CPU cores.
  verses           settings for a table of verses, half of which have more than
                   20 words; 20 minutes for each model on 2 CPU cores.

  python -m seqjax.launch --config=experiments/sentence_length.py \
      --workdir=runs/length
  python -m seqjax.launch --config=experiments/sentence_length.py:verses \
      --workdir=runs/length --config.data.path=FILE

Does an encoder that hands over its last state alone forget what a long sentence
says? Each model is trained in a run directory of its own, WORKDIR/none say, for
about the same time; then the test part is translated by beam search. A stopped
study goes on, and what is trained is not trained again.
"""

from ml_collections import config_dict

VARIANTS = ("pairs", "verses")


def get_config(variant="pairs"):
  config = config_dict.ConfigDict()
  config.study = "sentence_length"
  config.seed = 0  # of the resampling
  config.resamples = 1_000
  config.metric = "bleu"  # or bleu_lower
  config.bins = (1, 7, 9, 11)  # words from which on one begins, first is 1
  config.mark = 0  # words at which the figure has a line; 0: none

  # Of all models: an experiment, its data, and fields that differ from it.
  config.experiment = f"translate:{variant}"
  config.data = config_dict.ConfigDict()
  config.data.path = config_dict.placeholder(str)
  config.changes = config_dict.ConfigDict()

  # And of each; the steps are chosen for equal time.
  entry = lambda label, steps, attention: config_dict.ConfigDict(
    {
      "label": label,
      "changes": {"steps": steps, "model": {"attention": attention}},
    }
  )
  config.models = config_dict.ConfigDict()
  config.models.none = entry("without attention", 550, "none")
  config.models.additive = entry("additive attention", 300, "additive")
  config.changes.eval_every = config.changes.checkpoint_every = 300
  config.baseline = "none"  # what the others are compared with

  if variant == "verses":
    config.bins = (1, 10, 20, 30, 40, 50)
    config.mark = 20
    config.models.none = entry("without attention", 6_600, "none")
    config.models.additive = entry("additive attention", 3_000, "additive")
    config.changes.eval_every = config.changes.checkpoint_every = 1_500
  return config
