"""A set of objects as the target of a set of guesses.

Which guess stands for which object is decided anew at every step, so that all
objects together cost the least; then each guess has its target. Carion et al.
2020, "End-to-end object detection with Transformers" (DETR), section 3.1.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from seqjax.data.boxes import Centred, corners_of_centred
from seqjax.nn.boxes import generalized_iou
from seqjax.recurrence import length_mask

# Appendix A.4: what a unit of each part counts.
L1_WEIGHT, GIOU_WEIGHT = 5.0, 2.0
# Section 3.1: of a guess that there is nothing, which most have to be.
NOTHING_WEIGHT = 0.1


class Guesses(NamedTuple):
  """What a detector says of images: in each so many guesses."""

  logits: jax.Array  # [*batch, queries, classes + 1], the last: no object
  boxes: Centred  # [*batch, queries], shares of the image


class Objects(NamedTuple):
  """What there is in images, padded to one number."""

  labels: Any  # int32 [*batch, objects]
  boxes: Centred  # [*batch, objects], shares of the image
  counts: Any  # int32 [*batch], how many are there


def costs(guesses: Guesses, objects: Objects) -> jax.Array:
  """What it costs that a guess stands for an object, of one image.

    C_(j, q) = - p_q(class_j) + 5 |box_j - box_q|_1 - 2 GIoU(box_j, box_q)

  Equations 1 and 2; as there the probability stands for its logarithm, so that
  all terms are of a size. An absent object costs the same, 0, everywhere.

  Returns:
    `[objects, queries]`, without a gradient.
  """
  guesses = jax.lax.stop_gradient(guesses)
  shares = jax.nn.softmax(guesses.logits)
  said = jnp.take(shares, objects.labels, axis=1, mode="clip").T
  one = Centred(*(side[:, None] for side in objects.boxes))
  other = Centred(*(side[None, :] for side in guesses.boxes))
  cost = L1_WEIGHT * _distance(one, other) - said
  cost = cost - GIOU_WEIGHT * _giou(one, other)
  present = jnp.arange(cost.shape[0]) < objects.counts
  # What is not finite shows in the loss; the search must come to its end.
  return jnp.nan_to_num(jnp.where(present[:, None], cost, 0))


def match(cost: jax.Array) -> jax.Array:
  """The queries that stand for the objects, all together at the least cost.

  Args:
    cost: `[objects, queries]`, not more objects than queries.

  Returns:
    int32 `[objects]`, all different.
  """
  rows, columns = optax.assignment.hungarian_algorithm(cost)
  found = jnp.zeros(cost.shape[0], jnp.int32)
  return found.at[rows].set(columns.astype(jnp.int32))


def assigned(guesses: Guesses, objects: Objects) -> jax.Array:
  """The query of each object, int32 `[batch, objects]`, see `match`.

  Those of absent objects say nothing.

  Raises:
    ValueError: there are more objects than queries.
  """
  most, queries = objects.labels.shape[-1], guesses.logits.shape[-2]
  if most > queries:
    raise ValueError(
      f"objects are {most} in an image, expected no more than there are"
      f" queries, {queries}"
    )
  return jax.vmap(lambda g, o: match(costs(g, o)))(guesses, objects)


def set_loss(
  guesses: Guesses, objects: Objects, weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """The loss `(sum, count)` of a batch of images.

    sum over q of w_q nats_q
      + sum over objects j of 5 |box_j - box_q(j)|_1 + 2 (1 - GIoU)

  q(j) is the query that `match` finds; nats_q are those of the object's class,
  or of "no object" with w_q = .1 in place of 1. The count is the sum of w_q, so
  that parts of a batch add up exactly and an image without objects has a loss,
  too; the paper divides boxes by the number of objects instead. The order of
  objects and what stands behind the last one change nothing.

  Args:
    guesses: `[batch, queries, ...]`.
    objects: `[batch, objects]`.
    weights: float `[batch]`, 0 for a row that is absent.

  Raises:
    ValueError: see `assigned`.
  """
  chosen = assigned(guesses, objects)
  batch, queries, several = guesses.logits.shape
  valid = length_mask(objects.counts, objects.labels.shape[1])
  rows = jnp.arange(batch)[:, None]
  # Absent objects are written behind the end, which is nowhere.
  at = jnp.where(valid, chosen, queries)
  target = jnp.full((batch, queries), several - 1, jnp.int32)
  target = target.at[rows, at].set(objects.labels, mode="drop")
  counted = jnp.where(target == several - 1, NOTHING_WEIGHT, 1.0)
  counted = counted * weights[:, None]
  nats = optax.softmax_cross_entropy_with_integer_labels(guesses.logits, target)
  found = Centred(*(side[rows, chosen] for side in guesses.boxes))
  # What stands behind the last object may be anything.
  true = Centred(*(jnp.where(valid, s, 0.5) for s in objects.boxes))
  wrong = L1_WEIGHT * _distance(found, true)
  wrong = wrong + GIOU_WEIGHT * (1 - _giou(found, true))
  wrong = jnp.where(valid, wrong, 0) * weights[:, None]
  return (counted * nats).sum() + wrong.sum(), counted.sum()


def _distance(one: Centred, other: Centred) -> jax.Array:
  sides = zip(one, other, strict=True)
  return jnp.stack([jnp.abs(a - b) for a, b in sides]).sum(axis=0)


def _giou(one: Centred, other: Centred) -> jax.Array:
  return generalized_iou(corners_of_centred(one), corners_of_centred(other))
