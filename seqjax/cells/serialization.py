"""Names under which `jax.export` stores the trees of cells.

A function that was exported with params or a carry among its arguments can be
serialised only if every kind of tree in them has a name. `jax.export` is part
of what `import jax` loads; flatbuffers, which writes the bytes, is needed only
then (the extra `export`).
"""

import jax.export

from seqjax.cells import (
  base,
  elman,
  feedback,
  gru,
  indrnn,
  layer_norm,
  linear,
  linear_attention,
  lstm,
  mgu,
  noise,
  wrappers,
)

for module in (
  elman,
  feedback,
  gru,
  indrnn,
  layer_norm,
  linear,
  linear_attention,
  lstm,
  mgu,
  noise,
  wrappers,
):
  for name, kind in vars(module).items():
    if hasattr(kind, "_fields") and kind.__module__ == module.__name__:
      jax.export.register_namedtuple_serialization(
        kind, serialized_name=f"seqjax.{name}"
      )

jax.export.register_pytree_node_serialization(
  base.Rows,
  serialized_name="seqjax.Rows",
  serialize_auxdata=lambda aux: b"",
  deserialize_auxdata=lambda stored: (),
)
