"""``assay check`` hands an option to the batteries of a checkout."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assay import check
from assay.errors import ConfigError


@pytest.mark.parametrize(("returned", "code"), [(0, 0), (1, 1), (5, 1)])
def test_it_runs_the_tests_on_that_option(monkeypatch, returned, code):
    commands = []

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, returned)

    monkeypatch.setattr(check.subprocess, "run", run)
    assert check.check_command("model=lstm") == code
    assert commands == [[sys.executable, "-m", "pytest", "-q", "--option", "model=lstm"]]


def test_where_there_are_no_tests_it_says_so(monkeypatch):
    monkeypatch.setattr(check, "checkout", lambda: None)
    with pytest.raises(ConfigError, match="an installed package has none"):
        check.check_command("model=lstm")
