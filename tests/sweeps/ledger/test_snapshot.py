"""What a sweep keeps of the source and the options, and that jobs run from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.errors import ConfigError
from assay.sweeps.ledger import snapshot

LOOKS = "import assay; from assay.composition.locations import conf_folder; print(assay.__file__); print(conf_folder())"


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A small package and its options in the place of ours."""
    for name, text in (("src/a.py", "1"), ("src/sub/b.py", "2"), ("conf/c.yaml", "3"), ("own/d.yaml", "4")):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "tree" / "src" / "__pycache__").mkdir()
    (tmp_path / "tree" / "src" / "__pycache__" / "a.pyc").write_text("compiled")

    def parts(config_dir: str | None) -> dict[str, Path]:
        own = {} if config_dir is None else {"config_dir": tmp_path / "tree" / "own"}
        return {"src/assay": tmp_path / "tree" / "src", "conf": tmp_path / "tree" / "conf", **own}

    monkeypatch.setattr(snapshot, "parts", parts)
    (tmp_path / "sweep").mkdir()
    return tmp_path / "tree"


def test_what_changed_since_is_named(source, tmp_path):
    sweep = tmp_path / "sweep"
    files = snapshot.take(sweep, None)
    assert sorted(files) == ["conf/c.yaml", "src/assay/a.py", "src/assay/sub/b.py"]
    assert snapshot.edited(sweep, None) == []
    assert (sweep / "source" / "src" / "assay" / "__pycache__" / "a.pyc").read_text() == "compiled"
    (source / "src" / "__pycache__" / "a.pyc").write_text("compiled anew")
    assert snapshot.edited(sweep, None) == []
    (source / "src" / "a.py").write_text("changed")
    (source / "src" / "new.py").write_text("")
    (source / "conf" / "c.yaml").unlink()
    changed = ["conf/c.yaml", "src/assay/a.py", "src/assay/new.py"]
    assert snapshot.edited(sweep, None) == changed
    assert (sweep / "source" / "src" / "assay" / "a.py").read_text() == "1"
    assert snapshot.edited_line(sweep, changed).startswith(
        "conf/c.yaml, src/assay/a.py and src/assay/new.py changed since sweep sweep began"
    )
    assert snapshot.edited_line(sweep, [*changed, "x"]).startswith(
        "conf/c.yaml, src/assay/a.py, src/assay/new.py and 1 more changed"
    )


def test_the_users_options_are_a_part_of_it(source, tmp_path):
    sweep = tmp_path / "sweep"
    snapshot.take(sweep, "own")
    assert snapshot.config_dir_of(sweep) == sweep / "source" / "config_dir"
    (source / "own" / "d.yaml").write_text("changed")
    assert snapshot.edited(sweep, "own") == ["config_dir/d.yaml"]


def test_a_lost_manifest_is_made_of_the_snapshot(source, tmp_path):
    sweep = tmp_path / "sweep"
    files = snapshot.take(sweep, None)
    (sweep / snapshot.MANIFEST).unlink()
    assert snapshot.read_manifest(sweep) == files
    assert snapshot.edited(sweep, None) == []


def test_a_copy_that_fails_leaves_nothing(source, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "parts", lambda config_dir: {"conf": source / "conf", "gone": source / "nowhere"})
    with pytest.raises(OSError, match="nowhere"):
        snapshot.take(tmp_path / "sweep", None)
    assert list((tmp_path / "sweep").iterdir()) == []


def test_python_finds_the_package_and_its_options_in_it(tmp_path):
    sweep = tmp_path / "a sweep"
    sweep.mkdir()
    snapshot.take(sweep, None)
    assert snapshot.edited(sweep, None) == []
    (path,) = snapshot.paths(sweep)
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOKS],
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines() == [str(path / "assay" / "__init__.py"), str(sweep / "source" / "conf")], (
        done.stderr
    )
    assert not snapshot.runs_here(sweep)


def test_entering_is_a_new_process_with_the_same_words(source, tmp_path, monkeypatch):
    sweep = tmp_path / "sweep"
    snapshot.take(sweep, "own")
    became = []
    monkeypatch.setattr(os, "execve", lambda *words: became.append(words))
    snapshot.enter(sweep, ["--config-dir", "own", "-m", "model=mlp,linear"])
    ((program, words, environment),) = became
    assert program == sys.executable
    own = str(sweep / "source" / "config_dir")
    assert words[1:] == ["-P", "-m", "assay.cli", "train", "--config-dir", own, "-m", "model=mlp,linear"]
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(sweep / "source" / "src")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no snapshot"):
        snapshot.enter(tmp_path / "empty", [])
