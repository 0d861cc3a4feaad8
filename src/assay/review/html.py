"""Markup by construction: every text is escaped unless it was made here. Imports nothing.

A page is built of :func:`tag` and :func:`text` alone, so that no class name, token or path can become an element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "br", "hr", "img", "input", "link", "col"})
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Html(str):
    """Markup that may stand in a page as it is."""

    __slots__ = ()


Child = object
"""What :func:`tag` takes between its ends: Html, anything else as its escaped text, None as nothing, or a list."""


def text(child: Child) -> Html:
    """Html as it is; None is nothing; a list or generator is joined; all else is escaped, control characters shown."""
    if isinstance(child, Html):
        return child
    if child is None:
        return Html("")
    if isinstance(child, Iterable) and not isinstance(child, str):
        return Html("".join(map(text, child)))
    return Html(escape(_CONTROL.sub("\ufffd", str(child))))


def tag(name: str, /, *children: Child, **attributes: object) -> Html:
    """One element. ``class_`` is written class, ``data_x`` data-x; None and False leave an attribute out."""
    written = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        written.append(f" {key}" if value is True else f' {key}="{text(str(value))}"')
    start = f"<{name}{''.join(written)}>"
    return Html(start if name in VOID else f"{start}{text(children)}</{name}>")


def document(*, title: str, head: Iterable[Html], body: Iterable[Html]) -> str:
    """A whole page in HTML 5, English."""
    inner = tag("head", Html('<meta charset="utf-8">'), *head, tag("title", title))
    return f"<!DOCTYPE html>\n{tag('html', inner, tag('body', *body), lang='en')}\n"
