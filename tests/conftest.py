"""What holds for every test: one thread, no network account, no window, and one trained run to look at."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

# Before torch is imported anywhere: two OpenMP threads on two busy cores make a small step a hundred times slower.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["MPLBACKEND"] = "Agg"
for _name in [name for name in os.environ if name.startswith(("WANDB_", "HYDRA_", "SLURM_"))]:
    del os.environ[_name]
os.environ["WANDB_MODE"] = "disabled"  # a run that does not ask writes no record; tests of the record ask

import hypothesis  # noqa: E402
import pytest  # noqa: E402

# The same examples on every machine: what a commit broke fails at that commit, not in a later, unrelated one.
hypothesis.settings.register_profile("assay", derandomize=True, database=None)
hypothesis.settings.load_profile("assay")

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


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, digits_run):
    """Where points of conf/ are composed, with user data of every kind and a teacher."""
    import assay
    from tests import covers

    outputs = tmp_path_factory.mktemp("scaled") / "outputs"
    words = ["model=mlp", "normalization=batch", "debug=fast", "trainer=cpu", "logger=none", f"outputs={outputs}"]
    scaled = assay.train(*words).folder
    return covers.bench(tmp_path_factory.mktemp("user data, 'odd' = [1]"), digits_run.folder, scaled)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--option", metavar="GROUP=NAME", help="only the batteries' cases of this option (assay check)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--option")
    if wanted:
        group, _, name = wanted.partition("=")
        kept = [item for item in items if _is_about(item, group, name)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
    # Sweeps come first: their tests fork the process that runs them, and one that has computed, opened and measured all
    # that the others do is no parent to fork from. Then the longest files, so that processes end together.
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: ("tests/sweeps/" not in item.nodeid, -sizes[item.path]))


def _is_about(item: pytest.Item, group: str, name: str) -> bool:
    """Its own test file, or a case of a battery that names it."""
    if item.path.stem == f"test_{name}":
        return True
    params = getattr(getattr(item, "callspec", None), "params", {})
    values = {str(value) for value in params.values()}
    for value in params.values():  # a battery's case: of tests/models, of tests/test_configs.py
        values |= {held for key in ("label", group, "name") if isinstance(held := getattr(value, key, None), str)}
    named = name in values and (group in values or item.path.parent.name.startswith(group))
    return named or bool(values & {f"{group}={name}", f"{group}/{name}", f"{group}/{name}.yaml"})


def pytest_terminal_summary(terminalreporter) -> None:
    """How many interruptions the harness of tests/test_resume.py made, and what they cost."""
    totals: dict[str, list[int]] = {}
    for report in [*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])]:
        for name, value in report.user_properties if report.when == "call" else []:
            if name == "resumed":
                what, number, difference = value
                total = totals.setdefault(what, [0, 0, 0])
                totals[what] = [total[0] + 1, total[1] + number, total[2] + difference]
    for what, (runs, number, difference) in totals.items():
        terminalreporter.write_line(f"exact resume: {number} {what} of {runs} runs, {difference} bits of difference")
