"""Images as sequences of patches, and what convolutions make of them."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.nn.keys import one_key
from seqjax.nn.regions import ConvGrid


def from_patches(patches: jax.Array, shape: Sequence[int]) -> jax.Array:
  """The images that patches were cut from, `[batch, height, width, colours]`.

  Args:
    patches: `[batch, time, p * p * colours]`, squares row by row.
    shape: height, width and colours.
  """
  batch, time, _ = patches.shape
  height, width, colours = shape
  side = round((height * width / time) ** 0.5)
  cut = patches.reshape(
    batch, height // side, width // side, side, side, colours
  )
  return cut.swapaxes(2, 3).reshape(batch, height, width, colours)


class ConvStem(nnx.Module):
  """Convolutions in place of the linear map of bare patches.

  Each patch is told by a region of `ConvGrid` over the whole image (Xiao et al.
  2021, "Early convolutions help transformers see better"): a hybrid, no longer
  a Vision Transformer alone.

  Attributes:
    output_size: features of a patch.

  Raises:
    ValueError: the strides do not multiply to the side of a patch, or see
      `ConvGrid`.
  """

  def __init__(
    self,
    shape: Sequence[int],
    patch: int,
    channels: Sequence[int],
    strides: Sequence[int],
    *,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      shape: height, width and colours of the images.
      patch: pixels of a patch's side.
      channels: as for `ConvGrid`.
      strides: as for `ConvGrid`.
      compute_dtype: as for `ConvGrid`.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    product = 1
    for stride in strides:
      product *= stride
    if product != patch:
      raise ValueError(
        f"strides is {tuple(strides)}, expected a product of {patch}, the side"
        " of a patch"
      )
    self.grid = ConvGrid(
      channels,
      strides,
      colours=shape[-1],
      compute_dtype=compute_dtype,
      key=one_key(key, rngs),
    )
    self.shape = tuple(shape)
    self.count = shape[0] * shape[1] // patch**2
    self.output_size = self.grid.output_size

  def __call__(self, patches: jax.Array) -> jax.Array:
    """From bytes `[batch, time, p * p * colours]` to `[batch, time, size]`.

    Steps past the last patch, to which a batch may be padded, are zero.
    """
    seen = self.grid(from_patches(patches[:, : self.count], self.shape))
    behind = patches.shape[1] - self.count
    return jnp.pad(seen, ((0, 0), (0, behind), (0, 0)))
