"""Time and disk: what the runs took, by status, and the cells that took most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from assay.review import numerals
from assay.review.comparison.tree import Tree
from assay.review.html import Html, tag
from assay.review.page import facts, number, right_head, row_head, table
from assay.screens import pasted, shown


def costs(tree: Tree) -> list[Html]:
    """In all, and by how the runs ended: what failed cost too."""
    by_status: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for one in tree.records:
        seconds = one.summary.get("seconds")
        if not isinstance(seconds, int | float):
            entry = tree.entry(one)
            seconds = entry.seconds if entry is not None else 0.0
        by_status[one.status].append((float(seconds), tree.sizes.get(one.folder, 0)))
    everything = [pair for pairs in by_status.values() for pair in pairs]
    if not everything:
        return []
    size = sum(bytes_ for _, bytes_ in everything)
    body = [
        facts(
            [
                ("Time of all runs", _time(everything)),
                (
                    "Disk",
                    [
                        large(size),
                        " · ",
                        tag("code", f"assay clean {pasted(shown(tree.folder))}"),
                        " frees what finished runs need no more",
                    ],
                ),
            ]
        )
    ]
    rows = [
        [
            row_head(status),
            number(len(pairs)),
            number(numerals.duration(sum(seconds for seconds, _ in pairs))),
            number(numerals.duration(sorted(seconds for seconds, _ in pairs)[len(pairs) // 2])),
            number(large(sum(bytes_ for _, bytes_ in pairs))),
        ]
        for status, pairs in sorted(by_status.items(), key=lambda pair: -len(pair[1]))
    ]
    heads = ["ended", *map(right_head, ("runs", "time in all", "median of a run", "disk"))]
    return [*body, table(heads, rows, label="time and disk")]


def _time(pairs: Sequence[tuple[float, int]]) -> str:
    known = [seconds for seconds, _ in pairs if seconds]
    told = numerals.duration(sum(known)) + " one after another"
    missing = len(pairs) - len(known)
    return told + (f"; {numerals.count(missing, 'run')} did not say" if missing else "")


def large(size: int) -> str:
    """Bytes, up to gigabytes."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else numerals.size(size)
