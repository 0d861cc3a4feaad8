"""What holds for every test: one thread, no network account, no window, and one trained run to look at."""

from __future__ import annotations

import os
from pathlib import Path

# Before torch is imported anywhere: two OpenMP threads on two busy cores make a small step a hundred times slower.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["MPLBACKEND"] = "Agg"
for _name in [name for name in os.environ if name.startswith(("WANDB_", "HYDRA_", "SLURM_"))]:
    del os.environ[_name]
os.environ["WANDB_MODE"] = "disabled"  # a run that does not ask writes no record; tests of the record ask

import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def no_account(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever runs the tests may be logged in to W&B: the tests are not."""
    folder = tmp_path_factory.mktemp("account")
    os.environ["NETRC"] = str(folder / "netrc")
    for name in ("CONFIG", "CACHE", "DATA"):
        os.environ[f"WANDB_{name}_DIR"] = str(folder)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of downloaded data sets: ASSAY_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("ASSAY_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no downloaded data: set ASSAY_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory):
    """A finished run of the smallest useful kind: ``folder``, ``summary`` and ``predict``."""
    import assay

    outputs = tmp_path_factory.mktemp("digits") / "outputs"
    return assay.train("model=mlp", "trainer=cpu", "trainer.max_epochs=3", "logger=none", f"outputs={outputs}")
