"""Runs a script and ends its process right after a training step: ``python until_step.py STEP SCRIPT ARGUMENTS…``.

Prints JSON as its last line: ``time``, seconds since 1970 at that moment, and ``modules``, what had been imported by
then. Both contenders of `assay bench start` run under it: it waits for torch, then asks every optimiser for a word
after its step, and adds nothing else to either.
"""

import json
import os
import runpy
import sys
import time
from importlib.machinery import PathFinder

LAST = int(sys.argv[1])
steps = 0


def stepped(optimizer, arguments, keywords):
    global steps
    steps += 1
    if steps == LAST:
        said = {"time": time.time(), "modules": [name for name, module in sys.modules.items() if is_loaded(module)]}
        print(json.dumps(said), file=OUT, flush=True)
        os._exit(0)


def is_loaded(module):
    return type(module).__name__ != "Postponed"  # see src/assay/startup.py


class WhenImported:
    """Calls ``then`` after torch's optimisers have been imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch.optim.optimizer":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.register_optimizer_step_post_hook(stepped)

        spec.loader.exec_module = exec_module
        return spec


OUT = os.fdopen(os.dup(1), "w")  # a contender may do as it likes with sys.stdout
sys.meta_path.insert(0, WhenImported())
sys.argv = sys.argv[2:]
sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
raise SystemExit(f"{sys.argv[0]} ended after {steps} steps, before step {LAST}")
