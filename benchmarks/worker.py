"""One peer in a process of its own: JSON requests in, JSON answers out.

  python -m benchmarks.worker ours|linen|nnx|haiku|eqx|keras|pytorch

Started by `benchmarks.harness`; imports nothing but the peer asked for, so that
it runs in any interpreter that has this one library.
"""

import importlib
import json
import os
import sys
from typing import Any

import numpy as np


def main():
  name = sys.argv[1]
  answers, sys.stdout = sys.stdout, sys.stderr  # a peer may print
  runner: Any = None
  for line in sys.stdin:
    request = json.loads(line)
    try:
      match request.pop("do"):
        case "build":
          runner = _build(name, request)
          answer = runner.compile(request["kind"])
        case "leaves":
          np.savez(request["path"], *runner.leaves())
          answer = {}
        case "losses":
          if path := request.get("leaves"):
            with np.load(path) as arrays:
              runner.set_leaves([arrays[key] for key in arrays])
          answer = {"losses": runner.losses()}
        case "time":
          answer = {"seconds": runner.time(request["steps"])}
    except (ImportError, NotImplementedError) as error:
      answer = {"gap": f"{error}"}
    except Exception as error:  # told to the one who asked
      answer = {"gap": f"{type(error).__name__}: {error}".splitlines()[0]}
    print(json.dumps(answer), file=answers, flush=True)


def _build(name, case):
  module = f"benchmarks.peers.{name}{case.get('peers', '')}"
  if name == "pytorch":
    return importlib.import_module(module).Runner(case)
  os.environ["JAX_ENABLE_X64"] = str(case["dtype"] == "float64")
  import jax

  if name == "ours":  # as the launcher does
    from seqjax.train import runtime

    runtime.keep_memory()
  devices = case.get("devices", 1)
  jax.config.update("jax_num_cpu_devices", devices)
  from benchmarks.peers import runner

  peer = importlib.import_module(module)
  if hasattr(peer, "Runner"):
    return peer.Runner(case)
  return runner.JaxRunner(case, peer.model(case), devices)


if __name__ == "__main__":
  main()
