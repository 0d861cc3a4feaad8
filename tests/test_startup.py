"""Imports put off: everything works afterwards, and nothing is imported before it is needed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from assay import startup

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"
NAMES = re.findall(r"^@case\ndef (\w+)", (HERE / "startup_cases.py").read_text(), re.MULTILINE)


def python(*arguments: str, path: str | Path = SOURCE, **environment: str) -> str:
    """What a fresh interpreter printed last; its errors where it failed."""
    env = {**os.environ, "PYTHONPATH": str(path), **environment}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    return json.loads(python(str(HERE / "startup_cases.py")))


@pytest.mark.parametrize("name", NAMES)
def test_after_fast_imports(name, said):
    assert said[name] == ""


def test_every_case_is_listed(said):
    assert list(said) == NAMES
    assert len(NAMES) >= 15


UNEXPECTED = """
import sys, types
already = sys.modules["torch._dynamo"] = types.ModuleType("torch._dynamo")
from assay.startup import Postponed, fast_imports
fast_imports()
assert sys.modules["torch._dynamo"] is already
assert "torchmetrics" not in sys.modules and "torchmetrics.metric" not in sys.modules
import torchmetrics
assert type(torchmetrics) is types.ModuleType and torchmetrics.plain
print("plain")
"""


def test_where_packages_are_laid_out_differently_the_plain_import_happens(tmp_path):
    package = tmp_path / "torchmetrics"
    package.mkdir()
    (package / "__init__.py").write_text("plain = True")
    (package / "metric.py").write_text("")
    assert python("-c", UNEXPECTED, path=f"{tmp_path}{os.pathsep}{SOURCE}") == "plain"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is put off: ``slow``, with a submodule that it imports itself and one that it does not."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__init__.py").write_text(
        "from . import first\nfrom .first import Own, number\nknown = 'the real one'\n"
        "import os\nif os.environ.get('SLOW_BREAKS'): raise ImportError('broken')\n"
    )
    (tmp_path / "slow" / "first.py").write_text("number = 1\nclass Own(Exception): pass\n")
    (tmp_path / "slow" / "second.py").write_text("from slow import number\nnumber += 1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "meta_path", [startup._Submodules(), *sys.meta_path])
    monkeypatch.setattr(startup, "_pending", {})
    calls = []
    module = startup._postpone("slow", None)
    assert module is not None
    startup._answer(module, {"known": "meanwhile"}, lambda: calls.append(1))
    yield module, calls
    for name in [name for name in sys.modules if name.partition(".")[0] == "slow"]:
        del sys.modules[name]


def test_known_names_are_answered_without_executing(package):
    module, calls = package
    assert importlib.import_module("slow") is module
    assert module.known == "meanwhile"
    assert module.__path__
    assert not hasattr(module, "__wrapped__")
    assert isinstance(module, startup.Postponed)
    assert not calls


def test_another_name_executes_once_in_place(package):
    module, calls = package
    assert module.number == 1
    assert module.known == "the real one"
    assert importlib.import_module("slow") is module
    assert type(module) is type(sys)
    assert not hasattr(module, "no_such_name")
    assert calls == [1]
    assert startup._pending == {}


@pytest.mark.parametrize(("name", "number"), [("slow.first", 1), ("slow.second", 2)])
def test_a_submodule_executes_its_package_first_and_is_imported_once(package, name, number):
    module, calls = package
    submodule = importlib.import_module(name)
    assert submodule.number == number
    assert submodule is sys.modules[name] is getattr(module, name.partition(".")[2])
    assert submodule.__spec__.loader is submodule.__loader__
    assert module.Own is module.first.Own  # executed once: a second execution would make a second class
    assert calls == [1]


def test_a_submodule_that_is_only_looked_for_is_found_as_it_is(package):
    module, calls = package
    spec = importlib.util.find_spec("slow.first")
    assert calls == [1]
    assert spec.origin == module.first.__file__
    assert "number = 1" in spec.loader.get_source("slow.first")
    assert importlib.import_module("slow.first").Own is module.Own


def test_light_submodules_are_imported_without_their_package(package):
    module, calls = package
    (startup._pending["slow"]).light = ("first",)
    assert module.first is importlib.import_module("slow.first")
    assert module.first.number == 1
    assert not calls
    assert module.number == 1
    assert calls == [1]
    assert module.first is sys.modules["slow.first"]


def test_star_imports_execute(package):
    namespace = {}
    code = "from slow import *"
    importlib.import_module("builtins").exec(code, namespace)
    assert namespace["number"] == 1


def test_a_module_that_breaks_says_so_and_can_be_tried_again(package, monkeypatch):
    module, calls = package
    monkeypatch.setenv("SLOW_BREAKS", "1")
    with pytest.raises(ImportError, match="broken"):
        module.number  # noqa: B018
    assert module.known == "meanwhile"
    monkeypatch.delenv("SLOW_BREAKS")
    assert module.known == "meanwhile"
    del module.__dict__["number"]
    assert module.number == 1
    assert calls == [1]


def test_modules_that_are_imported_or_missing_are_not_postponed():
    assert startup._postpone("json", None) is None
    assert startup._postpone("no_such_module_anywhere", None) is None
