"""Translation, an encoder and a decoder: experiments/translate.py:VARIANT.

  pairs (default)  a made-up pair of languages: order, agreement, dates; a
                   minute on 2 CPU cores.
  multi30k         settings for Multi30k's raw files, English to German, by
                   subwords. Public reference: 37 to 39 BLEU, tokenised and
                   lower-cased, for recurrent models.
  tiny             the same by a Transformer of 2.6M parameters, an hour on 2
                   CPU cores: 39.7 BLEU. Public reference: 41.
  verses           settings for a table of verses, English to Spanish, by
                   subwords: sentences of 25 words and more.

  python -m seqjax.launch --config=experiments/translate.py --workdir=runs/t
  python -m seqjax.launch --mode=translate --workdir=runs/t --input=FILE

Your own: --config.data.path=FOLDER with train.en, train.de, val.*, test*.*, or
a FILE with columns parted by tabs, see seqjax/data/pairs.py. Without attention:
--config.model.attention=none
"""

from ml_collections import config_dict

from seqjax import config as settings

VARIANTS = ("pairs", "multi30k", "tiny", "verses")


def get_config(variant="pairs"):
  config = config_dict.ConfigDict()
  config.task = "translation"
  config.seed = 0
  config.steps = 600
  config.batch_size = 64
  config.batch_by_tokens = True  # fewer rows where sentences are long
  config.num_buckets = 4  # padded lengths of batches
  config.label_smoothing = 0.0
  config.scheduled_sampling = 0.0  # share of inputs that the model itself wrote

  config.data = config_dict.ConfigDict()
  config.data.format = "pairs"
  config.data.path = config_dict.placeholder(str)  # FOLDER or FILE
  config.data.source = "en"  # endings of the folder's files, languages
  config.data.target = "xx"
  config.data.test_file = ""  # which of several, "test_2016_flickr"
  config.data.columns = (1, 2)  # of a FILE: source and target, from 1 on
  config.data.group = 0  # column of a reference: a chapter stays on one side
  config.data.train_only = ""  # groups that match this are not held out
  config.data.examples = 10_000  # generated without a path
  config.data.validation = 0.1  # shares of what brings no such part
  config.data.test = 0.1
  config.data.lower = False
  config.data.normalize = False  # punctuation, as Moses does
  config.data.moses = False  # Moses' tokens, undone in what is written
  config.data.tokenizer = "words"  # subwords, characters
  config.data.vocab_size = 0  # at most; 0 is all. Of subwords: how many
  config.data.min_count = 1  # rarer words are unknown
  config.data.joint = False  # one vocabulary for both sides
  config.data.subword_dropout = 0.0  # BPE-dropout
  config.data.max_length = 0  # longer pairs are not trained on; 0: all are

  config.model = config_dict.ConfigDict()
  # Of the encoder; or rnn, transformer_encoder(heads=4, feed_forward=256)
  config.model.layer = "bidirectional"
  config.model.cell = "gru"  # of both
  config.model.hidden_size = 128
  config.model.num_layers = 1
  # additive(coverage=True), dot, general, location_aware, multi_head, none; a
  # Transformer does not read it, nor the cell
  config.model.attention = "additive"
  # bahdanau, input_feeding, luong, transformer(heads=4, norm='post')
  config.model.decoder = "conditional"
  config.model.bridge = "learned"  # or copy, none: how the decoder starts
  config.model.reverse_source = False
  config.model.embed_size = 64
  config.model.share_embeddings = False  # of both sides; needs data.joint
  config.model.tie_embeddings = True  # read-out and target
  config.model.deep_output = True  # a layer before the read-out
  config.model.embed_dropout = 0.0
  config.model.dropout = 0.1  # between layers, and inside of a Transformer's
  # Of what is attended to and what is read out, by one mask a sequence.
  config.model.output_dropout = config.model.get_oneway_ref("dropout")
  config.model.compute_dtype = "float32"
  config.model.method = "auto"
  config.model.gradient = "bptt"

  config.decode = config_dict.ConfigDict()
  config.decode.beam = 5
  config.decode.alpha = 1.0  # score: log-probability / length^alpha
  config.decode.alignment_layer = -1  # where it looked: of those that attend
  config.decode.min_ratio = 0.0  # tokens for one of the source, at least
  config.decode.max_ratio = 1.5  # at most, and so many more:
  config.decode.max_extra = 10
  config.decode.replace_unknown = False  # by the word that was looked at

  config.optimizer = settings.optimizer(
    config.get_oneway_ref("steps"), learning_rate=4e-3, weight_decay=0.0
  )

  config.update(
    settings.training(eval_every=200, best_metric="bleu", best_mode="max")
  )
  config.eval_batch_size = 128
  config.probes = settings.probes()

  config.showcase = config_dict.ConfigDict()
  config.showcase.pairs = 200  # translated to choose from; 0: nothing
  config.showcase.examples = 3

  if variant in ("multi30k", "tiny"):
    config.data.target = "de"
    config.data.test_file = "test_2016_flickr"
    config.data.lower = True  # as it is measured
    config.data.tokenizer = "subwords"
    config.data.vocab_size = 10_000
    config.data.joint = True
    config.data.max_length = 60
    config.num_buckets = 8
    config.label_smoothing = 0.1
    config.model.share_embeddings = True
    config.optimizer.name = "adam"
    config.optimizer.ema_decay = 0.999
    config.log_every = 50
    config.best_metric = "bleu_lower"
  if variant == "multi30k":
    config.steps = 9_000
    config.batch_size = 80
    config.model.hidden_size = 256
    config.model.embed_size = 200
    config.model.embed_dropout = 0.3
    config.model.dropout = 0.5
    config.decode.alpha = 0.5  # by the validation part
    config.optimizer.learning_rate = 1e-3
    config.optimizer.warmup_steps = 200
    config.eval_every = config.checkpoint_every = 1_500
  if variant == "tiny":
    config.steps = 4_000
    config.batch_size = 320  # about 4,000 tokens of the target
    options = (
      "heads=4, feed_forward=256, activation='relu', positions='sinusoidal',"
      " scale_inputs=True"
    )
    config.model.layer = f"transformer_encoder({options})"
    config.model.decoder = f"transformer({options})"
    config.model.hidden_size = config.model.embed_size = 128
    config.model.num_layers = 4
    config.model.bridge = "none"
    config.model.deep_output = False
    config.model.dropout = 0.3
    config.model.output_dropout = 0.0
    config.optimizer.learning_rate = 4e-3
    config.optimizer.warmup_steps = 500
    config.optimizer.b2 = 0.98
    config.eval_every = config.checkpoint_every = 500
  if variant == "verses":
    config.data.target = "es"
    config.data.columns = (2, 3)
    config.data.group = 1
    config.data.validation = 0.02
    # What other chapters tell again, nearly word for word.
    config.data.train_only = (
      r"(I|II) (Samuel|Kings|Chronicles) .*|(Matthew|Mark|Luke|John) .*"
      r"|Isaiah 3[6-9]|Jeremiah 52|Ezra 2|Nehemiah 7|Jude.*|II Peter 2"
      r"|Psalms (14|18|53|60|70|96|105|106|108)"
    )
    config.data.tokenizer = "subwords"
    config.data.vocab_size = 4_000
    config.data.joint = True
    config.data.max_length = 128
    config.steps = 3_000
    config.batch_size = 40
    config.num_buckets = 8
    config.label_smoothing = 0.1
    config.model.hidden_size = 256
    config.model.embed_size = 200
    config.model.share_embeddings = True
    config.model.embed_dropout = 0.1
    config.model.dropout = 0.2
    config.optimizer.name = "adam"
    config.optimizer.learning_rate = 1e-3
    config.optimizer.warmup_steps = 200
    config.optimizer.ema_decay = 0.998
    config.log_every = 50
    config.eval_every = config.checkpoint_every = 1_000
  return config
