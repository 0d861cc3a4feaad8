"""What the last screen says of a tuned grid: the value of each cell, its edge, and what tuning changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.composition.nearest import listed
from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.search.objective import mode_of, score_of
from assay.sweeps.search.ranges import is_edge

if TYPE_CHECKING:
    from assay.sweeps.search.tuning import Cell


def lines(cells: Sequence[Cell], ledger: Ledger) -> list[str]:
    """One line for each cell that was tuned, one for each value at an edge, and the sentence."""
    over = [cell for cell in cells if cell.over and cell.values]
    found = [_chosen(cell, ledger) for cell in over]
    found += [line for cell in over for line in _edges(cell)]
    sentence = changed(over, ledger) if len(over) == len(cells) else ""
    return [*found, *([sentence] if sentence else [])]


def _score(cell: Cell, place: int | None, ledger: Ledger) -> float | None:
    return None if place is None else score_of(ledger.entry(cell.trials[place]))


def _chosen(cell: Cell, ledger: Ledger) -> str:
    where = _first(cell)
    if cell.chosen is None:
        return f"{cell.label}: none of {len(cell.values)} values trained to an end; its seeds did not run"
    said = f"{cell.label}: {_texts(cell, cell.chosen)} of {len(cell.values)} tried {_span(cell)}"
    score, before = _score(cell, cell.chosen, ledger), _score(cell, cell.default, ledger)
    said += f", {score:.4f} with {where}" if score is not None else ""
    if cell.default is None or cell.chosen == cell.default:
        return said + ("" if cell.default is None else ", its own value")
    return said + f"; its own {_texts(cell, cell.default)}: " + (f"{before:.4f}" if before is not None else "failed")


def _first(cell: Cell) -> str:
    point = cell.points[0]
    return f"seed {point.seed}" + (f", fold {point.fold}" if point.fold is not None else "")


def _texts(cell: Cell, place: int) -> str:
    return " ".join(f"{key}={text}" for key, text in cell.values[place].items())


def _span(cell: Cell) -> str:
    """``from 0.001 to 3.16`` of one key with numbers."""
    keys = list(cell.values[0])
    tried = [values[keys[0]] for values in cell.values]
    try:
        numbers = sorted(tried, key=float)
    except ValueError:
        return ""
    return f"from {numbers[0]} to {numbers[-1]}" if len(keys) == 1 and len(numbers) > 1 else ""


def _edges(cell: Cell) -> list[str]:
    if cell.chosen is None:
        return []
    found = []
    for key, text in cell.values[cell.chosen].items():
        tried = [values[key] for values in cell.values]
        if edge := is_edge(text, tried):
            end = float(text)
            low, high = (end / 100, end * 10) if edge == "lowest" else (end / 10, end * 100)
            wider = f": add {_ranged(cell, key)}=tag(log,interval({low:g},{high:g}))" if end > 0 else ""
            found.append(
                f"{cell.label}: {key}={text} is the {edge} value tried, and a better one may lie beyond{wider}"
            )
    return found


def _ranged(cell: Cell, key: str) -> str:
    """The key, for this cell alone where an option of its own makes it one: ``sgd.optim.lr``."""
    group = key.partition(".")[0]
    name = cell.points[0].cell.get(group)
    return f"{name}.{key}" if name else key


def changed(cells: Sequence[Cell], ledger: Ledger) -> str:
    """The plain sentence: which cell is best with the options' own values and which with tuned ones, by how much cells
    differ before and after. By the runs that chose, all of one seed, which it says."""
    scored = [(cell, _score(cell, cell.default, ledger), _score(cell, cell.chosen, ledger)) for cell in cells]
    known = [(cell.label, before, after) for cell, before, after in scored if before is not None and after is not None]
    if len(known) < 2:
        return ""
    more = mode_of(cells[0].points[0].config) == "max"
    sign = -1 if more else 1
    untuned = sorted(known, key=lambda one: sign * one[1])
    before = {one[0]: place for place, one in enumerate(untuned)}
    tuned = sorted(known, key=lambda one: (sign * one[2], before[one[0]]))  # of equal ones the order stays
    spread = [abs(ranked[0][place] - ranked[-1][place]) for ranked, place in ((untuned, 1), (tuned, 2))]
    first = f"with their own values, {untuned[0][0]} was best ({untuned[0][1]:.4f})"
    top = tuned[0][2]
    by = _first(cells[0])
    if any(len(cell.points) > 1 for cell in cells):  # own values have no other runs: means are told of tuned ones only
        by += " alone"
    leaders = [one[0] for one in tuned if one[2] == top]
    if len(leaders) == len(known) and spread[0] == 0:
        return f"Tuning, by {by}, changed nothing: all reach {top:.4f}."
    if len(leaders) == len(known):
        then = f"tuned, all reach {top:.4f}: what told them apart was the value"
    elif len(leaders) > 1:
        then = f"tuned, {listed(leaders, 'and')} share the best ({top:.4f})"
    elif untuned[0][0] != tuned[0][0]:
        then = f"tuned, {tuned[0][0]} is ({top:.4f}): tuning changed which is best"
    elif [one[0] for one in untuned] != [one[0] for one in tuned]:
        then = f"tuned, it still is ({top:.4f}), and the order of the others changed"
    else:
        then = f"tuned, it still is ({top:.4f}), in the same order"
    left = [cell.label for cell, before, _ in scored if before is None]
    aside = f"; without {listed(left, 'and')}, whose own value gave no score" if left else ""
    gap = f"the best and the worst lie {spread[1]:.4f} apart instead of {spread[0]:.4f}"
    return f"Tuning, by {by}: {first}; {then}. {gap[0].upper()}{gap[1:]}{aside}."
