"""Test examples that every run gets wrong, and those that are hardest on average: often wrong labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from assay.review import numerals
from assay.review.comparison.answers import Answers, Example, pictured
from assay.review.comparison.ranked import Ranked
from assay.review.html import Html, tag
from assay.review.page import folded, number, right_head, row_head, table

MOST = 24
_BYTES = 400_000  # of all pictures and texts together
_PNG = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]{1,60000}")
_SHARES = (0.1, 0.5, 0.9)


def examples(group: Ranked, found: Answers) -> list[Html]:
    """By how many runs each was answered wrong, and by their mean loss."""
    every = [one for one in found.examples.values() if one.tested]
    if not every:
        return []
    number_label = found.kind == "number"
    always = sorted((one for one in every if one.wrong == one.tested), key=lambda one: (-one.tested, -one.mean_loss))
    hardest = sorted(every, key=lambda one: -one.mean_loss)[:MOST]
    shown = [] if number_label else always[:MOST]
    room = _Room(pictured(group.cells, list(dict.fromkeys(one.id for one in (*shown, *hardest)))))
    body = [tag("p", _opening(found, every, always), _part(found))]
    if not number_label:
        body.append(tag("h3", "Every run gets these wrong"))
        if shown:
            body.append(_list(shown, room, "wrong in every run that was tested on it", numbers=False))
            if len(always) > len(shown):
                body.append(tag("p", f"{len(shown)} of {len(always)}, by their mean loss.", class_="small"))
        else:
            body.append(tag("p", "None: each test example is answered right by some run.", class_="note"))
        body.append(_spread(every))
    body.append(tag("h3", "Hardest on average"))
    told = "squared distance of prediction and target" if number_label else "−log(probability given to the target)"
    body.append(
        tag("p", f"By the mean over all runs of the loss ({told}). Wrong labels gather here too.", class_="small")
    )
    again = {one.id for one in shown}
    rest = [one for one in hardest if one.id not in again]
    if len(rest) < len(hardest):
        body.append(tag("p", f"{len(hardest) - len(rest)} of the {len(hardest)} stand above already.", class_="small"))
    if rest:
        body.append(_list(rest, room, "", numbers=number_label))
    return body


def _opening(found: Answers, every: Sequence[Example], always: Sequence[Example]) -> str:
    runs = numerals.count(found.runs, "run")
    if found.kind == "number":
        return f"{numerals.count(len(every), 'test example')}, as {runs} answered them."
    never = sum(one.wrong == 0 for one in every)
    return (
        f"Of {numerals.count(len(every), 'test example')}, {len(always):,} are wrong in every one of {runs}, and "
        f"{never:,} are right in every one. "
    )


def _part(found: Answers) -> str | None:
    if found.runs >= found.having:
        return None
    return f"An even pick of {found.runs} of {found.having} runs was read."


class _Room:
    """Examples that can be looked at, as many as there is room for."""

    def __init__(self, pictures: Mapping[str, Mapping[str, Any]]) -> None:
        self.pictures, self.left = pictures, _BYTES

    def look(self, example: str) -> Html | None:
        """The picture, the text, or the row."""
        held = self.pictures.get(example)
        if held is None:
            return None
        made = _look(held)
        if made is None or len(made) > self.left:
            return None
        self.left -= len(made)
        return made


def _look(held: Mapping[str, Any]) -> Html | None:
    image = held.get("image")
    if isinstance(image, str) and _PNG.fullmatch(image):
        words = f"test example {held.get('id')}, labelled {held.get('target')}"
        return tag("img", src=image, alt=words, loading="lazy")
    if isinstance(text := held.get("text"), str):
        return tag("blockquote", text)
    if isinstance(row := held.get("row"), list):
        pairs = [pair for pair in row if isinstance(pair, list) and len(pair) == 2]
        cells = [[tag("dt", key), tag("dd", value)] for key, value in pairs[:14]]
        return tag("dl", cells, class_="facts small")
    return None


def _list(shown: Sequence[Example], room: _Room, said: str, *, numbers: bool) -> Html:
    """Pictures side by side where there are some; else a table."""
    looks = [(one, room.look(one.id)) for one in shown]
    if any(look is not None for _, look in looks) and not numbers:
        texts = any(look is not None and not look.startswith("<img") for _, look in looks)
        items = [tag("li", look or tag("div", "–", class_="nothing"), _answer(one)) for one, look in looks]
        return tag("ul", items, class_="examples texts" if texts else "examples")
    rows = []
    for one, look in looks:
        cells = [number(one.target) if numbers else tag("td", one.target)]
        if not numbers:
            cells += [tag("td", _taken(one)), number(f"{one.wrong} of {one.tested}")]
        rows.append([row_head(one.id, None), *cells, number(numerals.score(one.mean_loss)), tag("td", look)])
    heads = ["example", right_head("target") if numbers else "target"]
    if not numbers:
        heads += ["taken for", right_head("wrong in")]
    return table([*heads, right_head("mean loss"), ""], rows, label=said or "hardest examples")


def _answer(one: Example) -> list[Html]:
    return [
        tag("div", "is ", tag("strong", one.target or "none")),
        tag("div", "taken for ", tag("strong", _taken(one) or "–")),
        tag("div", f"wrong in {one.wrong} of {one.tested} · loss {numerals.score(one.mean_loss)}", class_="small"),
        tag("div", f"example {one.id}", class_="small"),
    ]


def _taken(one: Example) -> str:
    """The commonest wrong answers."""
    found = one.answers.most_common(3)
    if len(found) == 1:
        return found[0][0] or "none"
    return ", ".join(f"{answer or 'none'} ({numerals.share(count / one.wrong)})" for answer, count in found)


def _spread(every: Sequence[Example]) -> Html:
    """How many examples are wrong in how large a share of the runs."""
    shares = [one.wrong / one.tested for one in every]
    edges = (0.0, *_SHARES, 1.0)
    counts = [("no run", sum(share == 0 for share in shares))]
    for low, high in pairwise(edges):
        name = f"{'more than ' if low else ''}{100 * low:.0f} to {100 * high:.0f} % of runs"
        name = f"up to {100 * high:.0f} % of runs" if not low else name
        inside = sum(low < share <= high and share < 1 for share in shares)
        counts.append((name if high < 1 else f"more than {100 * low:.0f} %, but not all", inside))
    counts.append(("every run", sum(share == 1 for share in shares)))
    rows = [
        [row_head(name), number(f"{count:,}"), number(numerals.share(count / len(every)))] for name, count in counts
    ]
    heads = ["answered wrong by", right_head("examples"), right_head("of all")]
    return folded("How many runs get how many wrong", table(heads, rows, label="examples by share of runs"))
