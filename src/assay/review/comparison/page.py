"""The page of many runs: for each group of comparable cells the table first, then pictures, then failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from assay.errors import ConfigError
from assay.review.comparison import (
    answers,
    classes,
    coordinates,
    costs,
    examples,
    failures,
    learning,
    mattered,
    next_steps,
    ranking,
    search,
    settings,
    tuned,
)
from assay.review.comparison import opening as opens
from assay.review.comparison.ranked import Ranked, ranked
from assay.review.comparison.tree import Tree
from assay.review.page import Section, render
from assay.review.sections.ending import what_next
from assay.sweeps.tables.scoring import find_cell

MOST_BYTES = 4_900_000
_GROUPS = 6
"""Groups that are shown in full, the largest; the others stand in the table of groups alone."""

_PICTURES = 3  # of them with curves, classes and examples


def page(tree: Tree, baseline: str | None = None) -> str:
    """The whole page, below 5 MB: one that would be larger (classes or values with names of thousands of letters) goes
    without its examples, then without all but the largest group.

    Args:
        baseline: the cell that all are compared with, as ``key=value,key=value``; None: the best.
    Raises:
        ConfigError: not even that is small enough; or no cell is so, or several of one group are.
    """
    cells = [find_cell(group, baseline) if baseline is not None else None for group in tree.groups]
    if baseline is not None and not any(cells):
        raise ConfigError(f"--baseline {baseline}: no cell here is so; the score table's rows are the cells")
    groups = [
        ranked(group, cell, "" if number == 0 else f"-{number + 1}")
        for number, (group, cell) in enumerate(zip(tree.groups, cells, strict=True))
    ]
    for shown, pictures, with_examples in ((_GROUPS, _PICTURES, True), (_GROUPS, _PICTURES, False), (1, 0, False)):
        text = _page(tree, groups, shown, pictures, with_examples)
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise ConfigError(f"the page of {tree.folder} would be over {MOST_BYTES:,} bytes even without its examples")


def _page(tree: Tree, groups: Sequence[Ranked], shown: int, pictures: int, with_examples: bool) -> str:
    sections: list[Section] = []
    for number, group in enumerate(groups[:shown]):
        sections += _of_group(tree, group, len(groups) > 1, number < pictures, with_examples)
    sections += [
        Section("failures", "What failed, and why", failures.failures(tree)),
        Section("apart", "What was left apart", failures.left_apart(tree)),
        Section("next", "What to do next", what_next(*next_steps.next_steps(tree, groups[:shown]))),
        Section("costs", "Time and disk", costs.costs(tree)),
    ]
    foot = f"Made {datetime.now():%Y-%m-%d %H:%M} by `assay review` from the files of these runs. It asks no network."
    return render(tree.name, opens.opening(tree, groups), sections, foot, parts=("page", "runs"))


def _of_group(tree: Tree, group: Ranked, several: bool, pictures: bool, with_examples: bool) -> Iterator[Section]:
    mark = group.mark
    of = f": {group.group.data}, {group.metric}" if several else ""
    if several:
        yield Section(f"ranking{mark}", f"Scores{of}", [opens.verdict(group), *ranking.ranking(group)])
    else:
        yield Section("ranking", "Scores", ranking.ranking(group))
    yield Section(f"mattered{mark}", f"Which switch mattered{of}", mattered.mattered(group))
    yield Section(f"tuned{mark}", f"Tuned values{of}", tuned.tuned(tree, group))
    yield Section(f"search{mark}", f"The search{of}", search.searched(tree, group))
    if pictures:
        yield Section(f"curves{mark}", f"How they learnt{of}", learning.learning(group))
    order = [key for one in group.effects for key in one.keys]
    yield Section(f"coordinates{mark}", f"Settings and scores{of}", coordinates.coordinates(group, order))
    if pictures:
        chosen = classes.shown_cells(group, _classes(group))
        found = answers.read(group.cells[: group.scored], chosen)
        yield Section(f"classes{mark}", f"Each class{of}", classes.classes(group, found))
        if with_examples:
            yield Section(f"examples{mark}", f"Hard examples{of}", examples.examples(group, found))
    yield Section(f"differences{mark}", f"What differs{of}", settings.differences(group))


def _classes(group: Ranked) -> int:
    """How many the label has, as the data of its first run say."""
    _, names = answers.label(group.group.runs)
    return len(names) or 10
