"""Takes secrets out of what is stored or sent: configs, lines of text, differences of source. Imports no torch.

A value goes when its key says what it is (``api_key``, ``token``, ``password`` …), when it looks like one (the forms of
the usual services, a private key, a password inside a URL), or when a secret-named environment variable holds it, so
that ``${oc.env:MY_TOKEN}`` does not get through under another name. What looks like nothing and is called nothing
cannot be found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "[redacted]"
_NAMED = r"api_?key|secret|secret_?key|access_?key|private_?key|token|password|passwd|pwd|passphrase|credentials?|auth"
_KEY = re.compile(rf"(?:^|[_\-.])(?:{_NAMED})$", re.IGNORECASE)
_OVERRIDE = re.compile(r"([+~]{0,2}[\w.@/-]+)=(.*)", re.DOTALL)
_MARK = re.compile(r"<[^<>]*>|\[[A-Z_]+\]")  # <unk>, [PAD]: a token of text
_DIGEST = re.compile(r"commit|sha|digest|hash|revision|checksum", re.IGNORECASE)
_HEX = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{40}(?![0-9a-zA-Z])")  # an older W&B key; a commit has the same form
_FORMS = re.compile(
    r"wandb_v\d_\w{20,}|local-[0-9a-f]{40}|hf_\w{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{30,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-(?!----END))*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
)
_LOGIN = re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
_ASSIGNED = re.compile(rf"(\b\w*(?:{_NAMED})[\"']?\s*[:=]\s*[\"'])([^\"'\n]{{8,}})(?=[\"'])", re.IGNORECASE)


def redact(value: Any, key: str = "") -> Any:
    """The same plain containers with every secret replaced by ``[redacted]``; keys of mappings are kept."""
    return _redacted(value, key, _secrets())


def _redacted(value: Any, key: str, secrets: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _redacted(inner, str(name), secrets) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner, key, secrets) for inner in value]
    if not isinstance(value, str):
        return value
    if (override := _OVERRIDE.fullmatch(value)) and not key:  # as typed: a list of key=value
        return f"{override[1]}={_redacted(override[2], override[1], secrets)}"
    if value and _KEY.search(key) and not _MARK.fullmatch(value):
        return HIDDEN
    return _forms(value, secrets, digests=_DIGEST.search(key) is not None)


def redact_text(text: str) -> str:
    """A text, such as a difference of source, with every secret replaced by ``[redacted]``; its commits stay."""
    return _forms(_ASSIGNED.sub(rf"\g<1>{HIDDEN}", text), _secrets(), digests=True)


def _secrets() -> list[str]:
    """What environment variables with the name of a secret hold; PWD is the working directory, of every shell."""
    return [text for name, text in os.environ.items() if len(text) >= 8 and _KEY.search(name) and name != "PWD"]


def _forms(text: str, secrets: list[str], digests: bool) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _LOGIN.sub(HIDDEN, _FORMS.sub(HIDDEN, text))
    return text if digests else _HEX.sub(HIDDEN, text)
