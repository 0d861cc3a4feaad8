"""What came to nothing and why, by its reason; and what was left apart of every comparison."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from assay.review import numerals
from assay.review.comparison.tree import Failure, Tree
from assay.review.html import Child, Html, tag
from assay.review.page import folded, number, row_head, table

_GROUPS = 30
_FOLDERS = 5
_NUMBERS = re.compile(r"\d[\d,.e+-]*")  # in which reasons differ that are the same
_LETTERS = 400


def failures(tree: Tree) -> list[Html]:
    """Grouped by reason, the commonest first; what all of a group have in common and no other run has is named."""
    found = tree.failures
    if not found:
        return []
    groups: dict[tuple[str, str], list[Failure]] = defaultdict(list)
    for one in found:
        groups[one.status, _NUMBERS.sub("#", one.reason)].append(one)
    ordered = sorted(groups.values(), key=lambda members: -len(members))
    others = [set(_pairs(one.overrides)) for one in tree.records if one.status == "done"]
    begun = len(tree.records) + sum(not one.folder.is_dir() for one in found)
    body = [tag("p", f"{len(found)} of {numerals.count(begun, 'run')} came to nothing.")]
    rows = [_row(tree, members, others) for members in ordered[:_GROUPS]]
    head = [
        "reason",
        tag("th", "runs", scope="col", class_="n"),
        "how",
        "in common, as in no run that is done",
        "folders",
    ]
    body.append(table(head, rows, label="failures by reason"))
    if len(ordered) > _GROUPS:
        body.append(tag("p", f"{_GROUPS} of {len(ordered)} reasons are shown.", class_="small"))
    return body


def _row(tree: Tree, members: Sequence[Failure], others: Sequence[set[tuple[str, str]]]) -> list[Html]:
    first = members[0]
    shown_: list[Child] = []
    for one in members[:_FOLDERS]:
        shown_ += [", " if shown_ else "", _link(tree, one.folder)]
    if len(members) > _FOLDERS:
        rest = ", ".join(_name(tree, one.folder) for one in members[_FOLDERS:])
        shown_.append(folded(f"{len(members) - _FOLDERS} more", tag("p", rest, class_="small")))
    reason = first.reason if len(first.reason) <= _LETTERS else first.reason[: _LETTERS - 1] + "…"
    return [
        tag("th", reason, scope="row", class_="reason"),
        number(len(members)),
        tag("td", first.status),
        tag("td", [tag("div", tag("code", f"{key}={value}")) for key, value in _common(members, others)] or "–"),
        tag("td", shown_),
    ]


def _common(members: Sequence[Failure], others: Sequence[set[tuple[str, str]]]) -> list[tuple[str, str]]:
    """The settings that all of these have and no finished run has; of one run alone they would say nothing."""
    if len(members) < 2:
        return []
    shared = set(members[0].settings.items()).intersection(*(one.settings.items() for one in members[1:]))
    return sorted(pair for pair in shared if not any(pair in other for other in others))[:4]


def _pairs(overrides: Sequence[str]) -> list[tuple[str, str]]:
    return [(key.lstrip("+~"), value) for key, sign, value in (one.partition("=") for one in overrides) if sign]


def _name(tree: Tree, folder: Path) -> str:
    return folder.relative_to(tree.folder).as_posix() if folder.is_relative_to(tree.folder) else str(folder)


def _link(tree: Tree, folder: Path) -> Html:
    """To its log, as long as the page lies above it."""
    name = _name(tree, folder)
    log = folder / "log.txt"
    plain = re.fullmatch(r"[\w./-]+", name) is not None and not name.startswith("/")
    return tag("a", name, href=f"{name}/log.txt") if plain and log.is_file() else tag("code", name)


def left_apart(tree: Tree) -> list[Html]:
    """Runs that are in no group, by the reason, and folders that cannot be read. Failures stand above."""
    gone = {one.folder for one in tree.failures}
    reasons: dict[str, list[Path]] = defaultdict(list)
    for one, reason in tree.apart:
        if one.folder not in gone:
            reasons[_NUMBERS.sub("#", reason) if "as " in reason else reason].append(one.folder)
    for folder, reason in tree.bad:
        reasons[f"cannot be read: {reason}"].append(folder)
    if not reasons:
        return []
    rows = []
    for reason, folders in sorted(reasons.items(), key=lambda pair: -len(pair[1]))[:_GROUPS]:
        named = ", ".join(_name(tree, folder) for folder in folders[:_FOLDERS])
        more = f", and {len(folders) - _FOLDERS} more" if len(folders) > _FOLDERS else ""
        rows.append([row_head(reason), number(len(folders)), tag("td", named + more)])
    head = ["why", tag("th", "runs", scope="col", class_="n"), "folders"]
    body = [table(head, rows, caption="In none of the comparisons above.", label="left apart")]
    if len(reasons) > _GROUPS:
        body.append(tag("p", f"{_GROUPS} of {len(reasons)} reasons are shown.", class_="small"))
    return body
