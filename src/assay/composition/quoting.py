"""Quotes file and column names before Hydra's grammar sees them, so that they may hold anything a file name may.

Only the values of keys that a header lists under ``paths:``, ``columns:`` or ``overrides:`` are touched:

- a value that is quoted already, in Hydra's way, stays as it is; so do ``null`` and ``???``;
- under ``-m`` a comma outside the user's quotes separates values, and ``choice(…)`` and the like stay Hydra's;
  elsewhere a comma is part of the name;
- ``[a,b]`` is a list for a column key, of names separated by commas outside quotes; for a path it is part of the name;
- ``[model=cnn,augment=[crop,flip]]`` is a list of overrides, of words separated by commas outside brackets and quotes;
- ``~/`` at the start of a path is the home folder, since shells leave it alone after ``=``;
- ``${…}`` in a path is an interpolation, unless a file of that very name exists; in a column it is part of the name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from hydra.core.override_parser.types import Quote, QuotedString

_FUNCTION = re.compile(r"(choice|range|glob|sort|shuffle|tag|interval)\(.*\)", re.DOTALL)
_DOLLAR = re.compile(r"(\\*)\$\{")


def quoted(argument: str, kinds: Mapping[str, str], multirun: bool) -> str:
    """One override, its value quoted if its key is among ``kinds`` ({key: "path", "column" or "overrides"})."""
    key, sign, value = argument.partition("=")
    kind = kinds.get(key.lstrip("+"))
    if not sign or kind is None or not value.strip():
        return argument
    if not multirun:
        return f"{key}={_value(value, kind)}"
    if _FUNCTION.fullmatch(value.strip()):
        return argument
    parts = split(value, brackets=kind != "path")
    return f"{key}={','.join(_value(part, kind) for part in parts)}"


def quote(text: str) -> str:
    """The text as one quoted value of Hydra's grammar that stands for itself, ``${`` included.

    One text cannot be said, quoted or not: ``???`` alone, which is OmegaConf's sign of a value that is missing.
    """
    text = _DOLLAR.sub(lambda found: found[1] * 2 + "\\${", text)
    return QuotedString(text, Quote.single).with_quotes()


def split(text: str, brackets: bool) -> list[str]:
    """The parts between commas that lie outside quotes and, if asked, outside ``[…]``.

    A quote opens only at the start of a part (``it's`` holds an apostrophe), and so does a list.
    """
    parts, start, position = [], 0, 0
    while position < len(text):
        letter = text[position]
        if not text[start:position].strip():
            if letter in "'\"":
                position = _closing(text, position) or position
            elif brackets and letter == "[":
                position = _list_end(text, position) or position
        if letter == ",":
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    return [*parts, text[start:].strip()]


def _list_end(text: str, opening: int) -> int | None:
    """Where the list opened at ``opening`` ends; brackets within names count, quoted ones do not."""
    depth, position, fresh = 0, opening, False
    while position < len(text):
        letter = text[position]
        if letter in "'\"" and fresh:
            position = _closing(text, position) or position
        depth += (letter == "[") - (letter == "]")
        if depth == 0:
            return position
        fresh = letter in "[," or (fresh and letter == " ")
        position += 1
    return None


def _closing(text: str, opening: int) -> int | None:
    """Where the quote opened at ``opening`` ends: unescaped, and followed by nothing, a comma or a bracket."""
    position = opening + 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == text[opening] and text[position + 1 :].lstrip()[:1] in ("", ",", "]"):
            return position
        position += 1
    return None


def _words(text: str) -> list[str]:
    """The overrides in ``[…]``: a comma in brackets of their own, as in ``augment=[crop,flip]``, is theirs."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    words: list[str] = []
    for part in split(inner, brackets=False) if inner.strip() else []:
        if words and words[-1].count("[") + words[-1].count("{") > words[-1].count("]") + words[-1].count("}"):
            words[-1] += f",{part}"
        else:
            words.append(part)
    return words


def _value(text: str, kind: str) -> str:
    bare = text.strip()
    if bare in ("null", "???") or (bare[:1] in ("'", '"') and _closing(bare, 0) == len(bare) - 1):
        return bare
    if kind == "column" and bare.startswith("[") and bare.endswith("]"):
        inner = bare[1:-1].strip()
        return f"[{','.join(_value(part, kind) for part in split(inner, brackets=False))}]" if inner else "[]"
    if kind == "overrides":
        return f"[{','.join(_value(one, 'column') for one in _words(bare))}]"
    if kind == "column":
        return quote(text)
    if text.startswith("~/"):
        text = os.path.expanduser(text)
    if "${" in text and not os.path.lexists(text):
        return QuotedString(text, Quote.single).with_quotes()
    return quote(text)
