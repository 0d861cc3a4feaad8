"""An environment without any account, and a stand-in host."""

from __future__ import annotations

import os

import pytest

from tests.references.wandb_server import KEY, Server


def _without_account(patch, home):
    for name in list(os.environ):
        if name.startswith("WANDB_"):
            patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("NETRC", str(home / "no_netrc"))
    patch.setenv("NO_PROXY", "127.0.0.1")
    # Nothing here may reach a real host, whatever goes wrong.
    patch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def _no_account(monkeypatch, tmp_path_factory):
    _without_account(monkeypatch, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def no_account_module(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        _without_account(patch, tmp_path_factory.mktemp("home"))
        yield patch


@pytest.fixture
def host(monkeypatch):
    with Server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server
