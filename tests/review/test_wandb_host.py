"""The mode is decided before wandb is started: by key, answer and WANDB_MODE."""

from __future__ import annotations

import base64
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from assay.errors import ConfigError
from assay.review import wandb_host
from assay.review.wandb_host import Mode, decide, wandb_check
from tests.references.wandb_server import KEY


def test_without_a_key_nobody_is_asked(monkeypatch):
    def ask(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(wandb_host, "_ask_in_time", ask)
    assert decide("auto") == Mode("offline", "no key")


def test_a_key_and_an_answer_make_it_online(host):
    assert decide("auto") == Mode("online", host.url.removeprefix("http://"))
    assert wandb_check({"mode": "online"}) == set()
    (_, body), *_ = host.requests
    assert b"viewer" in body


def test_the_key_may_stand_in_netrc(host, monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_API_KEY")
    assert decide("auto").name == "offline"
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {host.url.removeprefix('http://')} login user password {KEY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert decide("auto").name == "online"


def test_the_host_of_wandb_login_is_honoured(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_BASE_URL")
    assert wandb_host.base_url() == "https://api.wandb.ai"
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    (tmp_path / "settings").write_text("[default]\nbase_url = https://wandb.example.org/\nentity = me%you\n")
    assert wandb_host.base_url() == "https://wandb.example.org"
    monkeypatch.setenv("WANDB_BASE_URL", "https://other.example.org")
    assert wandb_host.base_url() == "https://other.example.org"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (401, "refused the key with 401"),
        (403, "refused the key with 403"),
        (500, "answered 500"),
        (503, "answered 503"),
        (302, "answered 302"),
    ],
)
def test_a_refusal_makes_auto_offline_and_refuses_online(host, code, problem):
    host.answers["viewer"] = code
    name = host.url.removeprefix("http://")
    assert decide("auto") == Mode("offline", f"{name} {problem}")
    line = f"logger.mode=online: {name} {problem}; `wandb login`, or choose logger.mode=offline and `assay sync` later"
    with pytest.raises(ConfigError) as refusal:
        wandb_check({"mode": "online"})
    assert str(refusal.value) == line


def test_a_silent_host_is_given_two_seconds(host, monkeypatch):
    assert wandb_host.ANSWER_SECONDS == 2.0
    monkeypatch.setattr(wandb_host, "ANSWER_SECONDS", 0.2)
    host.answers["viewer"] = None
    assert decide("auto") == Mode("offline", f"{host.url.removeprefix('http://')} did not answer within 0.2 s")


def test_a_name_that_is_never_found_does_not_hold_up_the_start(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(wandb_host, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait(5) or [])
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", "http://wandb.invalid")
    assert decide("auto") == Mode("offline", "wandb.invalid did not answer within 0.2 s")
    never.set()


def test_nobody_there(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert decide("auto") == Mode("offline", "127.0.0.1:9 cannot be reached")


def test_online_without_a_key_is_refused():
    with pytest.raises(ConfigError, match=r"^logger\.mode=online: no key; .* logger\.mode=offline"):
        wandb_check({"mode": "online"})
    assert wandb_check({"mode": "auto"}) == set()
    assert wandb_check({"mode": "offline"}) == set()


@pytest.mark.parametrize(
    ("mode", "given", "name", "said_by"),
    [
        ("auto", "offline", "offline", "WANDB_MODE=offline"),
        ("auto", "disabled", "disabled", "WANDB_MODE=disabled"),
        ("auto", "dryrun", "offline", "WANDB_MODE=offline"),
        ("auto", "", "online", None),
        ("auto", "online", "online", None),
        ("online", "offline", "offline", "WANDB_MODE=offline"),
        ("online", "disabled", "disabled", "WANDB_MODE=disabled"),
        ("offline", "online", "offline", "logger.mode=offline"),
        ("offline", "disabled", "disabled", "WANDB_MODE=disabled"),
        ("offline", "", "offline", "logger.mode=offline"),
    ],
)
def test_wandb_mode_holds_and_beside_a_named_mode_the_quieter(host, monkeypatch, mode, given, name, said_by):
    monkeypatch.setenv("WANDB_MODE", given)
    decided = decide(mode)
    assert decided.name == name
    assert decided.reason == (said_by or host.url.removeprefix("http://"))
    assert bool(host.requests) == (name == "online")


def test_wandb_mode_online_must_be_possible(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(ConfigError, match=r"^WANDB_MODE=online: no key; .* logger\.mode=offline"):
        decide("auto")


def test_unknown_modes_are_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"logger\.mode=on is not known; use auto, online or offline"):
        decide("on")
    monkeypatch.setenv("WANDB_MODE", "shared")
    with pytest.raises(ConfigError, match="WANDB_MODE=shared is not known; use online, offline or disabled"):
        decide("auto")


def test_the_key_is_not_carried_to_where_a_host_points(monkeypatch):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        assert decide("auto").reason.endswith("answered 302")
        server.shutdown()
    assert asked == [("/graphql", "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode())]
