"""What a decoder looks at in an image: a grid of regions."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from seqjax.cells import base, checks
from seqjax.nn.keys import one_key
from seqjax.nn.read_out import affine


class ConvGrid(nnx.Module):
  """A small convolutional network: each cell of its last map is a region.

    z_0 = [image, x, y]
    z_l = relu(norm(conv_l(z_(l-1))))

  x and y are the place of a pixel, from -1 to 1 (Liu et al. 2018, "An
  intriguing failing of convolutional neural networks and the CoordConv
  solution"): what stands left of what is to be told from a region alone.
  norm is that of a layer over the channels of each place (Ba et al. 2016), so
  that a row does not depend on the others of its batch.

  Initialisation: kernels LeCun normal, bias zero.

  Attributes:
    output_size: features of a region.

  Raises:
    ValueError: a size is not positive, or there are not as many strides as
      channels.
  """

  def __init__(
    self,
    channels: Sequence[int],
    strides: Sequence[int],
    *,
    colours: int = 3,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    """Draws the parameters.

    Args:
      channels: features after each convolution.
      strides: of each; their product is the side of a region in pixels. A
        kernel is as wide, or 3 where that is 1.
      colours: of an image, 1 if it is grey.
      compute_dtype: of the convolutions; None is float32.
      key: of the draw; or
      rngs: of Flax, one of the two.
    """
    if len(channels) != len(strides) or not channels:
      raise ValueError(
        f"strides is {tuple(strides)}, expected as many as channels ="
        f" {tuple(channels)}, and one at least"
      )
    for name, sizes in (("channels", channels), ("strides", strides)):
      for size in sizes:
        base.check_size(name, size)
    checks.check_compute_dtype(compute_dtype)
    keys = jax.random.split(one_key(key, rngs), len(channels))
    sizes = [colours + 2, *channels]  # and the place
    self.convolutions = nnx.List([])
    self.norms = nnx.List([])
    for i, (size, stride) in enumerate(zip(channels, strides, strict=True)):
      drawn = nnx.Rngs(keys[i])
      # As wide as the stride, what a region sees lies around its own pixels;
      # three wide with a stride of two it would be off by half a pixel.
      width = stride if stride > 1 else 3
      self.convolutions.append(
        nnx.Conv(
          sizes[i],
          size,
          (width, width),
          strides=stride,
          dtype=jnp.dtype(compute_dtype or "float32"),
          rngs=drawn,
        )
      )
      self.norms.append(nnx.LayerNorm(size, rngs=drawn))
    self.output_size = channels[-1]

  def __call__(self, images: jax.Array) -> jax.Array:
    """Regions row by row, `[batch, cells, output_size]`.

    Args:
      images: `[batch, height, width, colours]`, uint8, or floats from 0 to 1.
    """
    scale = 255.0 if jnp.issubdtype(images.dtype, jnp.integer) else 1.0
    values = images.astype(jnp.float32) / scale - 0.5
    batch, height, width, _ = values.shape
    y = jnp.linspace(-1.0, 1.0, height)[:, None, None]
    x = jnp.linspace(-1.0, 1.0, width)[None, :, None]
    place = [jnp.broadcast_to(p, (batch, height, width, 1)) for p in (x, y)]
    values = jnp.concatenate([values, *place], axis=-1)
    for convolution, norm in zip(self.convolutions, self.norms, strict=True):
      values = jax.nn.relu(norm(convolution(values).astype(jnp.float32)))
    return values.reshape(batch, -1, self.output_size)


class ProjectedGrid(nnx.Module):
  """Regions of another network, each mapped on its own: relu(r W + b).

  Initialisation: W LeCun normal, b zero.

  Attributes:
    output_size: features of a region.
    compute_dtype: dtype of the matrix product; None is the parameters'.

  Raises:
    ValueError: a size is not positive.
  """

  def __init__(
    self,
    input_size: int,
    output_size: int,
    *,
    compute_dtype: str | None = None,
    key: jax.Array | None = None,
    rngs: nnx.Rngs | None = None,
  ):
    base.check_size("input_size", input_size)
    base.check_size("output_size", output_size)
    checks.check_compute_dtype(compute_dtype)
    rngs = nnx.Rngs(one_key(key, rngs))
    self.linear = nnx.Linear(input_size, output_size, rngs=rngs)
    self.output_size, self.compute_dtype = output_size, compute_dtype

  def __call__(self, grids: jax.Array) -> jax.Array:
    """From `[batch, cells, input_size]` to `[batch, cells, output_size]`."""
    return jax.nn.relu(affine(self.linear, grids, self.compute_dtype))
