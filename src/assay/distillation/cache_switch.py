"""``distillation.cache`` as the user types it, and what speaks against it. No torch here: preflight asks it too."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from assay.errors import ConfigError

FOLDER = "teachers"  # in outputs
SUFFIX = ".safetensors"
FORMAT = "assay teacher answers 1"
_KEY = "distillation.cache"
_BY_WORD = ("tagging", "joint", "lm")
_WORDS = {"auto": "auto", "true": True, "false": False}
_LONGEST_HEADER = 100_000_000  # bytes, as safetensors itself allows


def parsed(cache: bool | str) -> bool | str:
    """True, False, ``auto``, or the path of a folder or file.

    Raises:
        ConfigError: the path is of a file that no cache can be.
    """
    if isinstance(cache, bool):
        return cache
    word = _WORDS.get(cache.strip().lower(), cache)
    if isinstance(word, bool) or word == "auto":
        return word
    if not word.strip():
        raise ConfigError(f"{_KEY} is empty; write auto, true, false, or name a folder or a file that ends in {SUFFIX}")
    path = os.path.expanduser(word)
    if os.path.basename(path) == path and not os.path.exists(path) and not is_file(path):
        raise ConfigError(f"{_KEY}={word} is not auto, true or false; a new folder of that name is written ./{word}")
    if os.path.isfile(path) and not path.endswith(SUFFIX):
        raise ConfigError(f"{_KEY}={word} is a file that does not end in {SUFFIX}; name one, or a folder for it")
    return path


def is_file(path: str) -> bool:
    """Whether a path names the one file; otherwise a folder in which files are named by what they hold."""
    return path.endswith(SUFFIX)


def against(switches: Mapping[str, str]) -> str | None:
    """Why answers cannot be kept, whatever the teacher; None where they can."""
    if (task := switches.get("task")) in _BY_WORD:
        return f"task={task} is answered word by word, and texts differ in length"
    augment = switches.get("augment", "[]")
    if augment in ("[]", ""):
        return None
    return f"augment={augment} shows the teacher other inputs each epoch"


def mended(switches: Mapping[str, str]) -> str:
    """What to do about that, besides asking the teacher at each step."""
    return f"leave {_KEY}= out" if switches.get("task") in _BY_WORD else "leave augment= out"


def refusal(cache: bool | str, reason: str, mend: str) -> ConfigError:
    said = str(cache).lower() if isinstance(cache, bool) else cache
    return ConfigError(f"{_KEY}={said} keeps one answer for each example, but {reason}: write {_KEY}=false, or {mend}")


def check(config: Mapping[str, Any]) -> set[str]:
    """The whole config: a cache that was asked for can be kept, and a file that was named is one.

    Raises:
        ConfigError: it cannot, or it is not.
    """
    node = config.get("distillation")
    if not isinstance(node, Mapping) or "cache" not in node:
        return set()
    cache = parsed(node["cache"])
    if cache in ("auto", False):
        return set()
    if (reason := against(config.get("switches", {}))) is not None:
        raise refusal(node["cache"], reason, mended(config["switches"]))
    if isinstance(cache, str) and os.path.isfile(cache):
        header(cache)
    return set()


def header(path: str | os.PathLike[str]) -> tuple[dict[str, Any], int]:
    """A file's header, as JSON, and where the data begin. ``__metadata__`` holds what it says of itself.

    Raises:
        ConfigError: it holds no teacher's answers.
    """
    told: Any = {}
    length = 0
    with suppress(OSError, ValueError, RecursionError), open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        told = json.loads(file.read(length)) if length <= _LONGEST_HEADER else {}
    facts = told.get("__metadata__") if isinstance(told, dict) else None
    found = facts.get("format") if isinstance(facts, dict) else None
    if found != FORMAT:
        says = f"its format is {found}, this version reads {FORMAT}" if found else "it has no header of one"
        raise ConfigError(f"{_KEY}={path} holds no answers of a teacher ({says}); name another file, or write true")
    return told, 8 + length
