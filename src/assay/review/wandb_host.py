"""Whether Weights & Biases can be used from here: which host, what key, does it answer. Imports no torch, no wandb.

wandb itself asks nobody: without a key it raises, and with a key but no network it ends the run after half a minute
(found by running, wandb 0.31). So the mode is decided here, before wandb is started.
"""

from __future__ import annotations

import configparser
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from assay.errors import ConfigError

ANSWER_SECONDS = 2.0
_QUIETEST_FIRST = ("disabled", "offline", "online")
_ALIASES = {"dryrun": "offline", "run": "online"}


class Mode(NamedTuple):
    """What was decided, and why in a few words."""

    name: str
    reason: str


def wandb_check(config: Mapping[str, Any]) -> set[str]:
    """For preflight: refuses logger.mode=online (or WANDB_MODE=online) where the host cannot be used.

    Args:
        config: the resolved logger node.
    Raises:
        ConfigError: no key, no answer, a refusal, or an unknown WANDB_MODE.
    """
    if _requested(config["mode"])[0] == "online":
        decide(config["mode"])
    return set()


def decide(mode: str) -> Mode:
    """online, offline or disabled.

    ``auto`` is online when a key exists and the host answers within two seconds, else offline. WANDB_MODE takes the
    place of auto; where logger.mode names a mode too, the quieter of the two holds, so that neither can send what the
    other forbids.

    Raises:
        ConfigError: online was asked for and cannot be; WANDB_MODE is unknown.
    """
    name, said_by = _requested(mode)
    if name in ("disabled", "offline"):
        return Mode(name, said_by)
    problem = host_problem()
    if problem is None:
        return Mode("online", host())
    if name == "online":
        raise ConfigError(f"{said_by}: {problem}; `wandb login`, or choose logger.mode=offline and `assay sync` later")
    return Mode("offline", problem)


def _requested(mode: str) -> tuple[str, str]:
    if mode not in ("auto", *_QUIETEST_FIRST):
        raise ConfigError(f"logger.mode={mode} is not known; use auto, online or offline")
    given = os.environ.get("WANDB_MODE", "").strip().lower()
    given = _ALIASES.get(given, given)
    if not given:
        return mode, f"logger.mode={mode}"
    if given not in _QUIETEST_FIRST:
        raise ConfigError(f"WANDB_MODE={given} is not known; use online, offline or disabled, or unset it")
    if mode != "auto" and _QUIETEST_FIRST.index(mode) < _QUIETEST_FIRST.index(given):
        return mode, f"logger.mode={mode}"
    return given, f"WANDB_MODE={given}"


def host_problem() -> str | None:
    """Why the host cannot be used, in a few words; None when it can."""
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return _ask_in_time(None)
    found = key()
    return "no key" if found is None else _ask_in_time(found)


def base_url() -> str:
    """WANDB_BASE_URL, else what `wandb login --host` stored, else the public host."""
    settings = configparser.ConfigParser(interpolation=None)
    place = Path(os.environ.get("WANDB_CONFIG_DIR") or Path("~", ".config", "wandb")).expanduser() / "settings"
    try:
        settings.read(place, encoding="utf-8")
        stored = settings.get("default", "base_url", fallback="")
    except (OSError, UnicodeDecodeError, configparser.Error):
        stored = ""
    return (os.environ.get("WANDB_BASE_URL") or stored or "https://api.wandb.ai").rstrip("/")


def host() -> str:
    """The host as one says it."""
    return urlsplit(base_url()).netloc or base_url()


def key() -> str | None:
    """WANDB_API_KEY, else the entry of the host in ~/.netrc."""
    if found := os.environ.get("WANDB_API_KEY"):
        return found
    import netrc

    names = [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]
    for name in names:
        try:
            entry = netrc.netrc(Path(name).expanduser()).authenticators(host())
        except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
            continue
        if entry and entry[2]:
            return entry[2]
    return None


def _ask_in_time(secret: str | None) -> str | None:
    """The problem, within ANSWER_SECONDS whatever happens: looking up a name has no time limit of its own."""
    from assay.review.wandb_ask import problem  # HTTP costs 50 ms to import, which a preflight need not wait for

    answer: list[str | None] = []
    asking = threading.Thread(target=lambda: answer.append(problem(secret)), daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    return answer[0] if answer else f"{host()} did not answer within {ANSWER_SECONDS:g} s"
