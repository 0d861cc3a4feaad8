"""Under the title: what is here, which cell won, and whether the difference is real."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from assay.review import numerals
from assay.review.comparison import mattered
from assay.review.comparison.ranked import Ranked, gap, p_told, told
from assay.review.comparison.tree import Tree
from assay.review.html import Child, Html, tag
from assay.review.page import right_head, row_head, scroll
from assay.screens import shown

_MOST = 12  # rows of the table of groups


def opening(tree: Tree, groups: Sequence[Ranked]) -> list[Html]:
    """What a reader should know in ten seconds."""
    lines = [tag("p", f"{_counts(tree)} · {shown(tree.folder)}", class_="under")]
    if not groups:
        lines.append(tag("div", tag("p", tag("strong", "Nothing to compare yet."), " ", _why(tree)), class_="alarm"))
        return lines
    if len(groups) > 1:
        told_ = f"{len(groups)} groups whose scores cannot be compared with one another: other data, split or metric."
        lines += [tag("p", told_), _overview(groups)]
    lines.append(verdict(groups[0]))
    if len(groups[0].group.varied) > 1 and groups[0].effects:
        lines.append(tag("p", mattered.said(groups[0]), " ", tag("a", "Which switch mattered", href="#mattered")))
    return lines


def verdict(group: Ranked) -> Html:
    """The first in a sentence, and whether it may be luck."""
    if not group.scored:
        return tag("p", f"No run of {group.group.data} has a finite {group.metric}.", class_="lead")
    best = group.scores[0]
    assert best is not None
    over = f" over {numerals.count(best.units, best.over.removesuffix('s'))}" if best.units > 1 else ""
    tested = f" (on the test split {told(group.tests[0])})" if group.tests[0] is not None else ""
    first: list[Child] = [
        "Best by ",
        tag("code", group.metric),
        ": ",
        tag("strong", group.cells[0].name),
        f", {told(best)}{over}{tested}. ",
    ]
    return tag("p", first, _difference(group), class_="lead")


def _difference(group: Ranked) -> list[Child]:
    """Of the first to the second: real, perhaps luck, or nobody knows."""
    if group.scored < 2:
        return ["There is nothing to compare it with."]
    found, second = group.to_best[1], group.cells[1].name
    if found is None:
        return [
            tag("strong", "Nobody can say by how much: ", class_="unsure"),
            f"{second}, the next, shares no seed with it.",
        ]
    ahead = (found.difference.mean > 0) == group.lower
    where = f"the next, {second}, is {gap(abs(found.difference.mean))} {'behind' if ahead else 'ahead'}"
    where += " on the test split" if group.test_metric else ""
    if found.p is None:
        why = "each has one run" if group.seeds < 2 else "they share one seed"
        return [tag("strong", "Nobody can say whether that is luck: ", class_="unsure"), f"{why}; {where}."]
    counted = f"(p {_p(found.corrected)}, {numerals.count(found.difference.count, 'pair')})"
    if found.differs:
        sure = "The difference is beyond chance: " if ahead else "The test split says otherwise: "
        return [tag("strong", sure, class_="real" if ahead else "unsure"), f"{where} {counted}."]
    last: list[Child] = [tag("strong", "That may be luck: ", class_="unsure"), f"{where} {counted}."]
    if group.tied > 1:
        last.append(f" {group.tied} of {group.scored - 1} others cannot be told from it.")
    return last


def _p(p: float | None) -> str:
    text = p_told(p)
    return text if text.startswith("<") else f"= {text}"


def _counts(tree: Tree) -> str:
    counts = Counter(one.status for one in tree.records)
    parts = [numerals.count(len(tree.records), "run")]
    if set(counts) != {"done"}:
        parts.append(", ".join(f"{count} {status}" for status, count in counts.most_common()))
    if tree.waiting:
        parts.append(f"{tree.waiting} not begun")
    if tree.bad:
        parts.append(f"{numerals.count(len(tree.bad), 'folder')} that cannot be read")
    return " · ".join(parts)


def _why(tree: Tree) -> str:
    if tree.failures:
        return f"{numerals.count(len(tree.failures), 'run')} failed; the reasons are below."
    return "No run is done; what was left apart and why is below."


def _overview(groups: Sequence[Ranked]) -> Html:
    rows = []
    for group in groups[:_MOST]:
        link = tag("a", group.group.data, href=f"#ranking{group.mark}")
        rows.append(
            tag(
                "tr",
                row_head(link, " ".join(f"{key}={value}" for key, value in group.group.split.items()) or None),
                tag("td", tag("code", group.metric)),
                tag("td", len(group.cells), class_="n"),
                tag("td", len(group.group.runs), class_="n"),
                tag("td", group.cells[0].name if group.scored else "–"),
                tag("td", told(group.scores[0]), class_="n"),
            )
        )
    heads = [tag("th", one, scope="col") for one in ("data", "by")]
    heads += [right_head("cells"), right_head("runs"), tag("th", "best", scope="col"), right_head("score")]
    return scroll(tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows)), "groups")
