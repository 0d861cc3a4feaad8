"""A new model and a new data set work at once: they compose, pass their own tests, and train."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assay import scaffold
from assay.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
README = (
    "# x\n<!-- results -->\n| run | accuracy | seeds |\n| --- | --- | --- |\n| a | 1 | 2 |\n<!-- /results -->\nend\n"
)
QUICK = ["model=linear", "debug=fast", "logger=none", "trainer=cpu"]


@pytest.fixture
def tree(tmp_path):
    """A source tree of its own: what assay new writes into."""
    for name in ("conf", "src", "train.py", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def test_both_work_at_once(tree, capsys):
    for kind, name, folder in (("model", "my_net", "models"), ("data", "my_bars", "data")):
        assert scaffold.new_command(kind, name, tree) == 0
        written = capsys.readouterr().out.splitlines()
        module, test = f"src/assay/{folder}/{name}.py", f"tests/{folder}/test_{name}.py"
        assert written[:3] == [f"conf/{kind}/{name}.yaml", module, test]
    rows = (tree / "README.md").read_text().splitlines()
    assert rows[-4:-2] == ["| `model=my_net` | not measured yet |  |", "| `data=my_bars` | not measured yet |  |"]

    env = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}

    def run(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, *command], cwd=tree, env=env, capture_output=True, text=True)

    tested = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=.", "tests")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    trained = run("train.py", "model=my_net", "data=my_bars", "trainer.max_epochs=4", "logger=none", "trainer=cpu")
    assert trained.returncode == 0, trained.stderr
    (summary,) = [json.loads(path.read_text()) for path in (tree / "outputs").glob("2*/*/summary.json")]
    assert summary["test/accuracy"] > 0.9
    folded = run("train.py", "data=my_bars", *QUICK, "fold=3", "data.folds=4")
    assert folded.returncode == 0, folded.stderr
    assert "fold 3 of 4 is the test split" in folded.stdout


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("model", "lstm", "conf/model/lstm.yaml exists already"),
        ("data", "split", "src/assay/data/split.py exists already"),
        ("model", "MyNet", "`assay new model my_net` would do"),
        ("model", "my-net", "`assay new model my_net` would do"),
        ("model", "3d", "snake_case"),
        ("model", "class", "snake_case"),
        ("model", "../x", "snake_case"),
        ("model", "", "snake_case"),
    ],
)
def test_names_that_are_refused_write_nothing(kind, name, said, tree):
    before = sorted(tree.rglob("*"))
    with pytest.raises(ConfigError) as caught:
        scaffold.new_command(kind, name, tree)
    assert said in str(caught.value)
    assert sorted(tree.rglob("*")) == before


def test_an_installed_package_is_no_source_tree(monkeypatch):
    monkeypatch.setattr(scaffold, "checkout", lambda: None)
    with pytest.raises(ConfigError, match="clone the repository"):
        scaffold.new_command("model", "my_net")


@pytest.mark.parametrize("text", ["nothing here\n", "<!-- /results --><!-- results -->\n"])
def test_a_readme_without_a_results_table_is_left_alone(text, tree):
    (tree / "README.md").write_text(text)
    scaffold.new_command("model", "my_net", tree)
    assert (tree / "README.md").read_text() == text


def test_what_is_written_is_formatted_and_clean(tree):
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed")
    scaffold.new_command("model", "my_net", tree)
    scaffold.new_command("data", "my_bars", tree)
    paths = [str(path) for path in tree.rglob("*my_*.py")]
    assert len(paths) == 4
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *command, "--no-cache", *paths], cwd=tree, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
