"""What a captioning network has to beat: captions without one.

All are captions that people wrote for training images. Devlin et al. 2015,
"Exploring nearest neighbor approaches for image captioning", found the
consensus of neighbours to be as good, by BLEU, as the networks of its day.
"""

import functools
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from seqjax.data.caption_scores import normalize

_ORDERS = (1, 2, 3, 4)


def constant(
  captions: Sequence[Sequence[str]], limit: int = 2000, seed: int = 0
) -> str:
  """The training caption that is most like the others, for every image.

  It is the one that has the largest BLEU as the answer to all other images:
  with m_n(i) the n-grams that c shares with the captions of image i, which
  count as several references do, sums over images, |r| the closest length and
  t_n = max(|c| - n + 1, 1),

    min(1, exp(1 - sum |r| / sum |c|))
      * prod_n ((1 + sum m_n) / (1 + sum t_n))^(1/4)

  Of captions that are equally like, the first counts.

  Args:
    captions: those of training, one or more an image `[images][captions]`.
    limit: how many images are compared, drawn at random.
    seed: of the draw.

  Raises:
    ValueError: there are no images, one has no captions, or `limit` is below 1.
  """
  _check_captions(captions)
  if limit < 1:
    raise ValueError(f"limit is {limit}, expected 1 at least")
  drawn = np.random.default_rng(seed).permutation(len(captions))[:limit]
  texts = [captions[int(i)] for i in sorted(drawn)]
  images = [[normalize(text).split() for text in image] for image in texts]
  owners = Counter(
    gram for image in images for gram in {g for c in image for g in _grams(c)}
  )
  lengths = [[len(words) for words in image] for image in images]

  @functools.cache
  def closest(length: int) -> int:
    near = lambda n: (abs(n - length), n)  # the shorter of two
    return sum(min(image, key=near) for image in lengths)

  def score(words: Sequence[str]) -> float:
    others, length = len(images) - 1, len(words)
    # Its own image has all of it.
    shared = np.zeros(len(_ORDERS))
    for gram in _grams(words):
      shared[len(gram[0]) - 1] += owners[gram] - 1
    totals = np.maximum(length + 1 - np.array(_ORDERS), 1)
    precisions = (1 + shared) / (1 + others * totals)
    wanted = closest(length) - length
    brevity = min(0.0, 1 - wanted / max(others * length, 1))
    return float(np.round(brevity + np.log(precisions).mean(), 9))

  scores = [score(words) for image in images for words in image]
  return [text for image in texts for text in image][int(np.argmax(scores))]


def nearest(
  train_features: np.ndarray,
  train_captions: Sequence[Sequence[str]],
  features: np.ndarray,
) -> list[str]:
  """The first caption of the nearest training image.

  See `consensus` for what is near, for the arguments and what is raised.
  """
  near = _neighbours(train_features, train_captions, features, 1)
  return [train_captions[int(i)][0] for i in near[:, 0]]


def consensus(
  train_features: np.ndarray,
  train_captions: Sequence[Sequence[str]],
  features: np.ndarray,
  neighbours: int = 12,
) -> list[str]:
  """Of the captions of the nearest images the one most like the others.

  Near is what has the largest cosine, of features from which training's mean
  was taken and which were divided by training's deviation. Of images that are
  equally near, and of captions that are equally like, the first counts.

  How like c is to another caption r: the BLEU of c by r, smoothed as in Lin and
  Och 2004, with m_n the n-grams they share and |c| the number of words, by
  `caption_scores.normalize`:

    min(1, exp(1 - |r| / |c|)) (m_1 / t_1 prod_n (m_n + 1) / (t_n + 1))^(1/4)

  n = 2, 3, 4 and t_n = max(|c| - n + 1, 1).

  Args:
    train_features: float `[train images, d]`.
    train_captions: one or more each `[train images][captions]`.
    features: of the images that want a caption, `[images, d]`.
    neighbours: how many images are asked; no more than there are.

  Returns:
    A caption for each of `features`, as training has it.

  Raises:
    ValueError: the shapes do not agree, there are no training images, one has
      no captions, or `neighbours` is below 1.
  """
  near = _neighbours(train_features, train_captions, features, neighbours)
  return [
    _most_alike([text for i in row for text in train_captions[int(i)]])
    for row in near
  ]


def _neighbours(
  train: np.ndarray, captions: Sequence, features: np.ndarray, count: int
) -> np.ndarray:
  """The nearest training images of each, nearest first, int `[n, count]`."""
  train, features = (np.asarray(x, np.float64) for x in (train, features))
  shapes = train.shape, features.shape
  if not all(len(s) == 2 for s in shapes) or shapes[0][1] != shapes[1][1]:
    raise ValueError(
      f"the features are {list(train.shape)} and {list(features.shape)},"
      " expected [train images, d] and [images, d]"
    )
  _check_captions(captions)
  if len(train) != len(captions):
    raise ValueError(
      f"there are features of {len(train)} training images and captions of"
      f" {len(captions)}, expected as many"
    )
  if count < 1:
    raise ValueError(f"neighbours is {count}, expected 1 at least")
  mean, deviation = train.mean(0), train.std(0)
  deviation[deviation == 0] = 1  # says nothing, and is not divided
  train, features = (
    _directions((x - mean) / deviation) for x in (train, features)
  )
  # Rounded, as the last digits of copies may differ, which are to be ties.
  cosine = np.round(features @ train.T, 10)
  return np.argsort(-cosine, axis=1, kind="stable")[:, :count]


def _directions(rows: np.ndarray) -> np.ndarray:
  lengths = np.linalg.norm(rows, axis=1, keepdims=True)
  return rows / np.where(lengths == 0, 1, lengths)


def _most_alike(texts: Sequence[str]) -> str:
  like = _similarity([normalize(text).split() for text in texts])
  np.fill_diagonal(like, 0)
  # Rounded, as sums in another order are to be ties.
  return texts[int(np.round(like.sum(1), 9).argmax())]


def _similarity(captions: Sequence[Sequence[str]]) -> np.ndarray:
  """Smoothed BLEU of each by each of the others, `[n, n]`; see `consensus`.

  The diagonal means nothing: what one caption alone has is not counted.
  """
  owners = [defaultdict(list) for _ in _ORDERS]
  for row, words in enumerate(captions):
    for gram in _grams(words):
      owners[len(gram[0]) - 1][gram].append(row)
  lengths = np.array([len(words) for words in captions])
  product = np.ones([len(captions)] * 2)
  for n in _ORDERS:
    common = [rows for rows in owners[n - 1].values() if len(rows) > 1]
    has = np.zeros((len(captions), len(common)), np.float32)
    columns = np.repeat(np.arange(len(common)), [len(rows) for rows in common])
    has[[row for rows in common for row in rows], columns] = 1
    smooth = int(n > 1)
    totals = np.maximum(lengths - n + 1, 1)[:, None]
    product *= (has @ has.T + smooth) / (totals + smooth)
  ratio = lengths / np.maximum(lengths, 1)[:, None]
  return np.minimum(1, np.exp(1 - ratio)) * product**0.25


def _grams(words: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
  """Runs of one to four words, each with how often it was there before.

  One that comes again is thus another one, and the smaller of two counts is the
  number of those that two captions share.
  """
  seen = Counter()
  found = []
  for n in _ORDERS:
    for i in range(len(words) - n + 1):
      gram = tuple(words[i : i + n])
      found.append((gram, seen[gram]))
      seen[gram] += 1
  return found


def _check_captions(captions: Sequence[Sequence[str]]) -> None:
  if not captions:
    raise ValueError("there are no training images, expected one at least")
  for i, texts in enumerate(captions):
    if isinstance(texts, str) or not texts:
      raise ValueError(
        f"the captions of training image {i} are {texts!r}, expected a list of"
        " texts, one at least"
      )
