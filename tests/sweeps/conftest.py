"""A stand-in of SLURM on PATH."""

from __future__ import annotations

import os

import pytest

from tests.references.slurm import Slurm


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    made = Slurm(tmp_path / "slurm state")
    made.install(tmp_path / "slurm commands")
    monkeypatch.setenv("PATH", f"{tmp_path / 'slurm commands'}{os.pathsep}{os.environ['PATH']}")
    return made
