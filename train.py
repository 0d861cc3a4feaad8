"""Trains a model: ``python train.py model=lstm optim=adam``. The same as ``assay train``, from a checkout.

Every check comes first and loads no torch; then Hydra, a run folder, and the run (src/assay/launch.py).
"""

import sys

from assay.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
