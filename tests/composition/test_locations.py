"""Options and targets that installed packages declare."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
from assay.preflight import check
from assay.errors import ConfigError
point, = check(sys.argv[1:])
print(point.config["optim"], "mine" in sys.modules, "torch" in sys.modules)
"""


@pytest.fixture
def package(tmp_path):
    """``mine``: an installed package with a conf/ folder, a target, and two entry points."""
    (tmp_path / "mine" / "conf" / "optim").mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").write_text("raise RuntimeError('imported by preflight')\n")
    (tmp_path / "mine" / "optimizers.py").write_text(
        "class Mine:\n    def __init__(self, params, lr: float, k: int): ...\n"
    )
    text = "# Mine.\n# range: k >= 1\n_target_: mine.optimizers.Mine\n_partial_: true\nlr: 0.1\nk: 2\n"
    (tmp_path / "mine" / "conf" / "optim" / "mine.yaml").write_text(text)
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[assay.conf]\nmine = mine.conf\n\n[assay.targets]\nmine = mine.optimizers\n"
    )
    return tmp_path


def run(package, *argv):
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n{CODE}"
    return subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True)


def test_an_installed_package_adds_options_without_being_imported(package):
    done = run(package, "optim=mine", "optim.k=3")
    own = "'_target_': 'mine.optimizers.Mine', '_partial_': True, 'lr': 0.1, 'k': 3"
    assert own in done.stdout, done.stderr
    assert done.stdout.endswith("} False False\n")


@pytest.mark.parametrize(
    ("argument", "said"),
    [("optim.k=0", "k >= 1"), ("optim.k=1.5", "needs a whole number"), ("+optim.m=1", "no argument m")],
)
def test_its_rules_and_annotations_hold(package, argument, said):
    assert said in run(package, "optim=mine", argument).stderr


def test_without_its_targets_entry_it_is_not_trusted(package):
    (package / "mine-1.0.dist-info" / "entry_points.txt").write_text("[assay.conf]\nmine = mine\n")
    assert "optim._target_=mine.optimizers.Mine is not trusted" in run(package, "optim=mine").stderr


def test_a_folder_that_is_not_there_is_named(package):
    (package / "mine-1.0.dist-info" / "entry_points.txt").write_text("[assay.conf]\nmine = nowhere\n")
    assert "mine = nowhere is not a package with a conf/ folder" in run(package, "optim=adam").stderr
