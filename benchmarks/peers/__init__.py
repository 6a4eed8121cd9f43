"""The same character model in each library, in its best ordinary form.

A peer is a module here with `model(case)`, which returns a `runner.Model`, or
for one that is not JAX `Runner(case)`, which has the methods of
`runner.JaxRunner`. A case that a peer cannot run raises NotImplementedError.

  embedding [65, H] -> L recurrent layers of H -> linear [H, 65]

A case may have another model in other modules: those whose names end in its
`peers`, such as "_translation".
"""
