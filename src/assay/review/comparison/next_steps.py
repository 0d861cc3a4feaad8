"""What to do next, as commands ready to paste, each with the fact that speaks for it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from assay.lifecycle.records import Record
from assay.review import numerals
from assay.review.advice import Advice, refused
from assay.review.comparison.coordinates import number_of
from assay.review.comparison.ranked import Ranked, gap
from assay.review.comparison.tree import Tree
from assay.screens import shown

MOST = 8
_MOST_SEEDS = 20  # asked for at once
_FIRST_SEEDS = 5
_LEFT_OUT = ("name", "plan", "debug", "outputs", "seed", "seeds", "fold", "logger")


def next_steps(tree: Tree, groups: Sequence[Ranked]) -> tuple[list[Advice], str | None]:
    """The advice that this version would not refuse, and a note on what could not be checked."""
    proposed = [*_unfinished(tree)]
    for group in groups[:2]:
        proposed += [*_seeds(tree, group), *_edges(group)]
    if groups and groups[0].scored:
        proposed += _best(groups[0])
    kept = [one for one in proposed if refused(one.words) is None]
    note = None
    if len(kept) < len(proposed):
        note = f"{len(proposed) - len(kept)} more would be refused here and now, and are left out."
    return kept[:MOST], note


def _unfinished(tree: Tree) -> Iterator[Advice]:
    typed = sweep_command(tree)
    failed = sum(one.status == "failed" for one in tree.failures)
    if typed and (failed or tree.waiting or len(tree.failures) > failed):
        told = [numerals.count(tree.waiting, "point") + " not begun"] if tree.waiting else []
        told += [f"{len(tree.failures)} that came to nothing"] if tree.failures else []
        yield Advice(f"The same command goes on: {' and '.join(told)}; what is done stays as it is.", typed)
        return
    for one in tree.failures:
        if one.status != "failed" and (one.folder / "checkpoints" / "last.ckpt").is_file():
            yield Advice("It left a checkpoint and goes on from there.", ("resume", shown(one.folder)))
            return


def sweep_command(tree: Tree) -> tuple[str, ...]:
    """The words after ``assay`` that make this sweep; empty where it is none."""
    typed = tree.sweep.get("command")
    if not isinstance(typed, list) or not all(isinstance(word, str) for word in typed) or not typed:
        return ()
    return ("train", *typed)


def _seeds(tree: Tree, group: Ranked) -> Iterator[Advice]:
    """More seeds where they would tell the first from the second."""
    if group.scored < 2 or group.group.folds:
        return
    found = group.to_best[1]
    if found is not None and found.differs:
        return
    if found is None or found.p is None:
        reason = "One run each is one draw: several seeds show which differences are luck."
        yield Advice(reason, ("train", "-m", *_between(group), f"seeds={_FIRST_SEEDS}"))
        return
    have = found.difference.count
    if found.needed is None:
        reason = "Nothing tells the first two apart so far; twice as many seeds narrow the interval."
        yield Advice(reason, _wider(tree, group, 2 * have))
        return
    reason = f"The first two differ by {gap(abs(found.difference.mean))}, which may be luck. "
    if found.needed <= _MOST_SEEDS:
        reason += f"Were it real, about {max(found.needed, have + 1)} seeds would show it."
    else:
        reason += f"About {found.needed:,} seeds would be needed to show it: for use they are as good as each other."
        yield Advice(f"{reason} More seeds narrow the interval all the same.", _wider(tree, group, 2 * have))
        return
    yield Advice(reason, _wider(tree, group, max(found.needed, have + 1)))


def _wider(tree: Tree, group: Ranked, seeds: int) -> tuple[str, ...]:
    """The first two cells again with more seeds; of a sweep small enough, all of it, which extends it."""
    typed = sweep_command(tree)
    if typed and group.scored <= 12:
        kept = [word for word in typed if not word.startswith(("seeds=", "seed="))]
        return (*kept, f"seeds={seeds}")
    return ("train", "-m", *_between(group), f"seeds={seeds}")


def _between(group: Ranked) -> list[str]:
    """The overrides that make the first two cells."""
    first, second = group.cells[0], group.cells[1]
    changed = {}
    for key in group.group.varied:
        values = [cell.settings[key] for cell in (first, second) if key in cell.settings]
        changed[key] = ",".join(dict.fromkeys(values))
    return [*_typed(first.runs[0], changed), *(f"{key}={value}" for key, value in changed.items())]


def _edges(group: Ranked) -> Iterator[Advice]:
    """The best value of a number lies at the end of what was tried."""
    if not group.scored:
        return
    best = group.cells[0]
    for key in group.group.varied:
        found = {number_of(cell.settings.get(key)) for cell in group.cells}
        numbers = sorted(value for value in found if value is not None)
        own = number_of(best.settings.get(key))
        if len(numbers) < 3 or own is None or own not in (numbers[0], numbers[-1]):
            continue
        top = own == numbers[-1]
        beside = numbers[-2] if top else numbers[1]
        ratio = own / beside if beside and own / beside > 0 else 0.0
        further = own * ratio if ratio else 2 * own - beside
        if not math.isfinite(further) or further == own:
            continue
        written = str(round(further)) if all(value == int(value) for value in numbers) else f"{further:.2g}"
        if float(written) == own:
            continue
        reason = (
            f"The best {key}, {best.settings[key]}, lies at the {'upper' if top else 'lower'} end of what was tried."
        )
        changes = {**best.settings, key: f"{best.settings[key]},{written}"}
        words = [*_typed(best.runs[0], changes), *(f"{name}={value}" for name, value in changes.items())]
        yield Advice(reason, ("train", "-m", *words))


def _best(group: Ranked) -> list[Advice]:
    run = best_run(group)
    where = shown(run.folder)
    return [Advice("The best run, looked at by itself.", ("review", where))]


def best_run(group: Ranked) -> Record:
    """Of the first cell, the run with the best validation score."""
    values = [(one.summary[group.metric], one) for one in group.cells[0].runs if group.metric in one.summary]
    choose = max if group.group.mode == "max" else min
    return choose(values, key=lambda pair: pair[0])[1]


def _typed(record: Record, changes: dict[str, str]) -> list[str]:
    """What was typed for a run, without what a new one chooses for itself and what will be typed anew."""
    keys = [(one, one.partition("=")[0].lstrip("+~")) for one in record.overrides]
    return [one for one, key in keys if key not in changes and key.partition(".")[0] not in _LEFT_OUT]
