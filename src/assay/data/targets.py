"""What a label column holds: classes, several labels or a number. No torch here.

Rules of ``data.target=auto``, applied to the training file:

- a list of columns, or ``data.label_separator``: several labels (``labels``);
- a column in which every cell is a number, and some are not whole or more than 20 differ: a ``number``;
- anything else: a ``class`` for each different cell (whole numbers in numeric order, "1.0" and "1" the same class).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.data.cells import numbers, why_no_number
from assay.data.table_file import Columns
from assay.errors import ConfigError

_MOST_CLASSES = 20  # whole numbers: as many different ones are still classes
_YES_NO = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "False": 0, "True": 1}


@dataclass(frozen=True)
class Target:
    """What was found in the label column of each file.

    kind: class, labels or number (as contracts.Field).
    names: of classes or labels.
    values: split -> class numbers, or lists of 0/1, or numbers.
    note: kind and reason, with the switch that overrides it.
    """

    kind: str
    names: tuple[str, ...]
    values: dict[str, list[int]] | dict[str, list[list[int]]] | dict[str, list[float]]
    note: str


def read_target(
    files: Mapping[str, Columns],
    label: Sequence[str],
    target: str = "auto",
    *,
    separator: str | None = None,
    missing: Sequence[str] = ("",),
    table: bool = False,
    constant: bool = False,
) -> Target:
    """Reads the label column(s) of the training file and of others, which may hold nothing unseen in training.

    Args:
        files: "train" and others.
        label: one column, or several of 0 and 1.
        target: auto, class, labels or number.
        separator: between the labels of one cell.
        missing: what an empty cell looks like.
        table: of columns, where several labels in one cell cannot be divided.
        constant: keep a label that is the same in every row: a published set is as it is.
    Raises:
        ConfigError: an empty, unreadable or unseen label, with its line; only one class.
    """
    if target not in ("auto", "class", "labels", "number"):
        raise ConfigError(f"data.target={target} is none of auto, class, labels, number")
    several = len(label) > 1
    if target == "labels" and not several and separator is None:
        joined = "" if table else ", or labels joined in one cell with data.label_separator"
        raise ConfigError(
            f"data.target=labels needs several columns of 0 and 1, data.label=[a,b]{joined}; "
            f"data.label={label[0]} is one column"
        )
    if target in ("class", "number") and (several or separator is not None):
        given = f"data.label=[{','.join(label)}]" if several else f"data.label_separator={separator}"
        raise ConfigError(f"data.target={target} reads one label per row; {given} gives more: use data.target=labels")
    if several and separator is not None:
        raise ConfigError(f"data.label_separator={separator} divides one column; data.label names {len(label)}")
    if several:
        return _flags(files, label, constant)
    if separator is not None:
        return _separated(files, label[0], separator, missing)
    name = label[0]
    for file in files.values():
        _refuse_empty(file, name, missing)
    kind = _kind(files["train"], name) if target == "auto" else target
    return _number(files, name) if kind == "number" else _classes(files, name, target)


def _refuse_empty(file: Columns, name: str, missing: Sequence[str]) -> None:
    gaps = {"", *missing}
    cells = file.cells[name]
    if not gaps.isdisjoint(cells):
        row = next(row for row, cell in enumerate(cells) if cell in gaps)
        shown = f"is {cells[row]!r}, which data.missing lists as empty" if cells[row] else "is empty"
        raise ConfigError(f"{file.at(row)}: the label {name} {shown}; fill it in or remove the row")


def _kind(file: Columns, name: str) -> str:
    distinct = list(dict.fromkeys(file.cells[name]))
    values, bad = numbers(distinct)
    if not bad:
        whole = all(value % 1 == 0 for value in values)
        return "class" if whole and len(distinct) <= _MOST_CLASSES else "number"
    if len(distinct) > _MOST_CLASSES and len(bad) * 2 < len(distinct):
        row = file.cells[name].index(distinct[bad[0]])
        raise ConfigError(
            f"{file.at(row)}: {name}={distinct[bad[0]]!r} {why_no_number(distinct[bad[0]])}, as most labels are; "
            f"mend it, or use data.target=class"
        )
    return "class"


def _number(files: Mapping[str, Columns], name: str) -> Target:
    values = {}
    for split, file in files.items():
        values[split], bad = numbers(file.cells[name])
        if bad:
            cell = file.cells[name][bad[0]]
            raise ConfigError(
                f"{file.at(bad[0])}: {name}={cell!r} {why_no_number(cell)}; mend it, or use data.target=class"
            )
    if len(set(values["train"])) == 1:
        raise ConfigError(f"{files['train'].path}: {name} is {files['train'].cells[name][0]} in every row")
    low, high = min(values["train"]), max(values["train"])
    note = f"{name}: a number, {low:g} to {high:g}; data.target=class reads it as classes"
    return Target("number", (), values, note)


def _classes(files: Mapping[str, Columns], name: str, target: str) -> Target:
    train = files["train"]
    distinct = list(dict.fromkeys(train.cells[name]))
    values, bad = numbers(distinct)
    whole = not bad and all(value % 1 == 0 for value in values)

    def spelled(cell: str) -> str:  # "1.0" is the class "1" where all are whole numbers
        if not whole:
            return cell
        value, wrong = numbers([cell])
        return cell if wrong or value[0] % 1 else str(int(value[0]))

    names = sorted({spelled(cell) for cell in distinct}, key=int if whole else None)
    rows = len(train.lines)
    if len(names) == 1:
        raise ConfigError(f"{train.path}: only one class, {name}={names[0]}, in {rows:,} rows; two are the least")
    if len(names) == rows and rows >= 10:
        hint = "data.target=number" if not bad else "another column"
        raise ConfigError(f"{train.path}: {name} differs in every row, so no class can be learnt; use {hint}")
    number = {names_: place for place, names_ in enumerate(names)}
    result: dict[str, list[int]] = {}
    for split, file in files.items():
        known = {cell: number.get(spelled(cell), -1) for cell in set(file.cells[name])}
        result[split] = [known[cell] for cell in file.cells[name]]
        if -1 in result[split]:
            row = result[split].index(-1)
            raise ConfigError(
                f"{file.at(row)}: the label {name}={file.cells[name][row]!r} is not in the training file "
                f"({', '.join(names[:8])}{', …' if len(names) > 8 else ''})"
            )
    override = "; data.target=number reads it as a number" if not bad and target == "auto" else ""
    return Target("class", tuple(names), result, f"{name}: {len(names)} classes{override}")


def _flags(files: Mapping[str, Columns], label: Sequence[str], constant: bool) -> Target:
    values: dict[str, list[list[int]]] = {}
    for split, file in files.items():
        columns = []
        for name in label:
            cells = file.cells[name]
            unknown = set(cells) - _YES_NO.keys()
            if unknown:
                row = next(row for row, cell in enumerate(cells) if cell in unknown)
                shown = "is empty" if not cells[row] else f"is {cells[row]!r}"
                raise ConfigError(f"{file.at(row)}: {name} {shown}; a column of several labels holds 0 or 1")
            columns.append([_YES_NO[cell] for cell in cells])
            if split == "train" and len(set(columns[-1])) == 1 and not constant:
                raise ConfigError(
                    f"{file.path}: {name} is {cells[0]} in every row, only one class; leave it out of data.label"
                )
        values[split] = [list(row) for row in zip(*columns, strict=True)]
    return Target("labels", tuple(label), values, f"{len(label)} labels, each 0 or 1: {', '.join(label[:8])}")


def _separated(files: Mapping[str, Columns], name: str, separator: str, missing: Sequence[str]) -> Target:
    gaps = {"", *missing}
    held = {
        split: [
            {part.strip() for part in cell.split(separator)} - {""} if cell not in gaps else set()
            for cell in file.cells[name]
        ]
        for split, file in files.items()
    }
    names = sorted(set().union(*held["train"]))
    if len(names) < 2:
        raise ConfigError(
            f"{files['train'].path}: {name} divided at {separator!r} gives {len(names)} labels; two are the least"
        )
    values: dict[str, list[list[int]]] = {}
    for split, file in files.items():
        for row, found in enumerate(held[split]):
            if unseen := found - set(names):
                raise ConfigError(f"{file.at(row)}: the label {sorted(unseen)[0]!r} is not in the training file")
        values[split] = [[int(label in found) for label in names] for found in held[split]]
    empty = sum(not found for found in held["train"])
    none = f"; {empty:,} rows have none" if empty else ""
    return Target("labels", tuple(names), values, f"{name}: {len(names)} labels, divided at {separator!r}{none}")
