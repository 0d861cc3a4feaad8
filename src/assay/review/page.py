"""The shell of a review page: one file that opens anywhere, asks no network, and runs no script but its own.

Style sheet and script stand in the page; the policy in its head admits images that are data, and the one script by its
digest, so that even markup that got in by a mistake could neither run nor send anything. Imports no torch.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.review.html import Child, Html, document, tag

MOST_BYTES = 3_000_000
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Section:
    """One part of a page: its anchor, its heading, and what it says."""

    anchor: str
    heading: str
    body: Sequence[Html]


def render(
    title: str, head: Sequence[Html], sections: Sequence[Section], foot: str, parts: Sequence[str] = ("page",)
) -> str:
    """A whole page.

    Args:
        head: stands under the title, before everything: how it went.
        sections: in order; those without a body are left out.
        foot: the last line.
        parts: names of the style sheets and scripts beside this file, which are joined.
    """
    style, script = (Html("".join(_read(f"{part}.{kind}") for part in parts)) for kind in ("css", "js"))
    there = [section for section in sections if section.body]
    links = [tag("li", tag("a", section.heading, href=f"#{section.anchor}")) for section in there]
    written = [
        tag("section", tag("h2", section.heading), *section.body, id=section.anchor, class_="part") for section in there
    ]
    return document(
        title=title,
        head=[
            tag("meta", http_equiv="Content-Security-Policy", content=policy(script)),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("style", style),
        ],
        body=[
            tag("a", "To the contents", href="#content", class_="skip"),
            tag("header", tag("h1", title), *head),
            tag("nav", tag("ul", links), aria_label="Sections"),
            tag("main", written, id="content"),
            tag("footer", tag("p", foot)),
            tag("script", script),
        ],
    )


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def policy(script: str) -> str:
    """Content-Security-Policy: nothing may be fetched, and only this script runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def table(head: Sequence[Child], rows: Sequence[Sequence[Html]], *, caption: Child = None, label: str = "") -> Html:
    """A table in a box of its own that scrolls when it is wider than the page. ``rows`` hold whole cells; ``caption``
    stands above, as wide as the text, however narrow the table."""
    inner = [
        tag("thead", tag("tr", [one if isinstance(one, Html) else tag("th", one, scope="col") for one in head])),
        tag("tbody", [tag("tr", row) for row in rows]),
    ]
    made = scroll(tag("table", inner), label or (caption if isinstance(caption, str) else "table"))
    return Html(tag("p", caption, class_="caption") + made) if caption else made


def scroll(inner: Html, label: str) -> Html:
    """A box that scrolls sideways, with the keyboard too."""
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=label)


def number(value: Child, *, mark: str = "") -> Html:
    """A cell of figures; ``mark`` is a further class of it."""
    return tag("td", value, class_=f"n {mark}".rstrip())


def row_head(value: Child, small: Child = None) -> Html:
    """The first cell of a row, with a line of explanation."""
    return tag("th", value, tag("span", small, class_="small") if small else None, scope="row")


def right_head(value: Child) -> Html:
    """The head of a column of figures."""
    return tag("th", value, scope="col", class_="n")


def facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    """A list of terms and what they are; those with None are left out."""
    return tag(
        "dl",
        [[tag("dt", term), tag("dd", value)] for term, value in pairs if value not in (None, "", [])],
        class_="facts",
    )


def folded(summary: str, *inner: Child) -> Html:
    """What opens on a click."""
    return tag("details", tag("summary", summary), *inner)


def command(text: str) -> Html:
    """A command, selected whole by one click."""
    return tag("pre", text, class_="command", tabindex="0")
