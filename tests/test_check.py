"""``assay check`` hands an option to the batteries of a checkout."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay import check
from assay.errors import ConfigError
from tests.conftest import _is_about
from tests.models import encoders, test_networks
from tests.test_configs import OPTIONS


@pytest.mark.parametrize(("returned", "code"), [(0, 0), (1, 1), (5, 1)])
def test_it_runs_the_tests_on_that_option(monkeypatch, returned, code):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, returned)

    monkeypatch.setattr(check.subprocess, "run", run)
    assert check.check_command("model=lstm") == code
    assert commands == [[sys.executable, "-m", "pytest", "-q", "--option", "model=lstm"]]


@pytest.mark.parametrize(
    ("said", "line"), [("lstm", "did you mean model=lstm?"), ("modle=lstm", "did you mean model=lstm?")]
)
def test_an_option_without_its_switch(said, line):
    with pytest.raises(ConfigError, match=re.escape(line)):
        check.check_command(said)


def test_the_batteries_cases_of_an_option_are_its_own():
    """In all three, a case is an object: what pytest shows of it is not what the option is called."""

    def about(path, case, option):
        item = SimpleNamespace(path=Path(__file__).parent / path, callspec=SimpleNamespace(params={"case": case}))
        return _is_about(item, *option.split("="))

    for path, case in [
        ("models/test_contract.py", encoders.Case("mlp", "vector", ("normalization=batch",))),
        ("models/test_networks.py", test_networks.Case("mlp", "image", "vector")),
        ("test_configs.py", next(option for option in OPTIONS if option.label == "model=mlp")),
    ]:
        assert about(path, case, "model=mlp"), path
        assert not about(path, case, "model=lstm"), path
        assert not about(path, case, "optim=mlp"), path


def test_where_there_are_no_tests_it_says_so(monkeypatch):
    monkeypatch.setattr(check, "checkout", lambda: None)
    with pytest.raises(ConfigError, match="an installed package has none"):
        check.check_command("model=lstm")
