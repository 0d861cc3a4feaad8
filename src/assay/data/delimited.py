"""Tables of texts and tables of columns, as the user's files hold them. No torch here.

:func:`read_text` and :func:`read_table` are what preflight checks and what the data sets train on: one reading, one
truth. A check returns the facts that rules between switches read: ``class``, ``labels`` or ``number``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assay.data.cells import numbers, why_no_number
from assay.data.table_file import Columns, nearest, read_columns
from assay.data.targets import Target, read_target
from assay.errors import ConfigError

FEWEST_ROWS = 10  # to cut validation and test examples from


@dataclass(frozen=True)
class TextTable:
    """split -> texts; "train" and the splits that have a file of their own. ``groups``: their cells of data.groups."""

    texts: dict[str, list[str]]
    target: Target
    notes: list[str]
    groups: dict[str, list[str]] | None = None


@dataclass(frozen=True)
class FeatureTable:
    """split -> rows of cells in the order of ``features``; ``numeric`` says which of these are numbers."""

    rows: dict[str, list[tuple[str, ...]]]
    features: tuple[str, ...]
    numeric: tuple[bool, ...]
    target: Target
    notes: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] | None = None


def check_text(config: Mapping[str, Any]) -> set[str]:
    """Facts of ``data=text_csv`` with these keys, or a refusal."""
    keys = ("path", "text", "label", "val_path", "test_path", "target", "label_separator", "delimiter", "encoding")
    table = read_text(**{key: config[key] for key in keys}, groups=config.get("groups"))
    _enough_groups(table.groups, config)
    return {table.target.kind}


def check_table(config: Mapping[str, Any]) -> set[str]:
    """Facts of ``data=tabular_csv`` with these keys, or a refusal."""
    keys = ("path", "label", "features", "val_path", "test_path", "target", "delimiter", "encoding", "missing")
    impute = str((config.get("impute") or {}).get("_target_", "")).rpartition(".")[2]
    fills = impute != "NoImputation"
    further = {"categories": config.get("categories"), "groups": config.get("groups")}
    table = read_table(**{key: config[key] for key in keys}, **further, fills=fills)
    _enough_groups(table.groups, config)
    if impute == "Drop":
        complete_rows(table, config["missing"])
    return {table.target.kind}


def _files(path: str, val_path: str | None, test_path: str | None) -> dict[str, str]:
    given = {"train": path, "val": val_path, "test": test_path}
    return {split: str(name) for split, name in given.items() if name is not None}


def _enough(files: Mapping[str, Columns]) -> None:
    rows = len(files["train"].lines)
    if rows < FEWEST_ROWS and not {"val", "test"} <= files.keys():
        raise ConfigError(
            f"{files['train'].path} has {rows} rows; at least {FEWEST_ROWS} are needed to cut validation and test "
            f"examples from: give more, or files of their own with data.val_path and data.test_path"
        )


def _groups(files: Mapping[str, Columns], name: str | None) -> dict[str, list[str]] | None:
    """The cells of data.groups, none of them empty."""
    if name is None:
        return None
    for file in files.values():
        if "" in file.cells[name]:
            raise ConfigError(f"{file.at(file.cells[name].index(''))}: the group in column {name} is empty; fill it in")
    return {split: file.cells[name] for split, file in files.items()}


def _enough_groups(groups: Mapping[str, Sequence[str]] | None, config: Mapping[str, Any]) -> None:
    """A group for each fold, or for each split that is cut."""
    if groups is None:
        return
    count, folds = len(set(groups["train"])), config.get("folds")
    least = folds or 1 + sum(split not in groups for split in ("val", "test"))
    if count < least:
        what = f"data.folds={folds}" if folds else "training and each split that is cut from it"
        raise ConfigError(
            f"data.groups={config['groups']} gives {count} groups; {what} needs {least}, for none is divided"
        )


def _named(label: str | Sequence[str]) -> list[str]:
    names = [label] if isinstance(label, str) else [str(name) for name in label]
    if not names:
        raise ConfigError("data.label=[] names no column to predict")
    return names


def read_text(
    path: str,
    text: str,
    label: str | Sequence[str],
    val_path: str | None = None,
    test_path: str | None = None,
    target: str = "auto",
    label_separator: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    groups: str | None = None,
) -> TextTable:
    """Reads a table of texts; the arguments are the keys of conf/data/text_csv.yaml.

    Raises:
        ConfigError: in one line, with file and line number.
    """
    labels = _named(label)
    if text in labels:
        raise ConfigError(f"data.text={text} is also data.label: a text cannot be its own label")
    if groups in (text, *labels):
        raise ConfigError(
            f"data.groups={groups} is also data.{'text' if groups == text else 'label'}: name another column"
        )
    also = [] if groups is None else [groups]
    keys = {text: "data.text", **dict.fromkeys(labels, "data.label"), **dict.fromkeys(also, "data.groups")}
    files: dict[str, Columns] = {}
    for split, name in _files(path, val_path, test_path).items():
        files[split] = file = read_columns(
            name, [text, *labels, *also], delimiter=delimiter, encoding=encoding, keys=keys
        )
        if "" in file.cells[text]:
            row = file.cells[text].index("")
            raise ConfigError(f"{file.at(row)}: the text in column {text} is empty; fill it in or remove the row")
    found = read_target(files, labels, target, separator=label_separator)
    _enough(files)
    notes = [note for file in files.values() for note in file.notes] + [found.note]
    return TextTable({split: file.cells[text] for split, file in files.items()}, found, notes, _groups(files, groups))


def read_table(
    path: str,
    label: str | Sequence[str],
    features: Sequence[str] | None = None,
    val_path: str | None = None,
    test_path: str | None = None,
    target: str = "auto",
    delimiter: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] = ("",),
    categories: Sequence[str] | None = None,
    fills: bool = True,
    groups: str | None = None,
) -> FeatureTable:
    """Reads a table of columns; the arguments are the keys of conf/data/tabular_csv.yaml, and ``fills``.

    A column is a number when at least half of its filled cells in the training file are; a cell in it that is not is
    then refused, for a slip in a column of numbers must not turn it into categories. All others are categories.

    Args:
        fills: whether ``impute`` fills empty cells; where it does not, the first is refused.
        groups: a column that is learnt from only if ``features`` names it.
    Raises:
        ConfigError: in one line, with file and line number.
    """
    labels = _named(label)
    wanted = None if features is None else _features(features, labels)
    if groups in labels:
        raise ConfigError(f"data.groups={groups} is also data.label: name another column")
    also = [] if groups is None else [groups]
    forced = {categories} if isinstance(categories, str) else set(categories or ())
    files: dict[str, Columns] = {}
    names: list[str] = []
    for split, name in _files(path, val_path, test_path).items():
        columns = None if wanted is None and split == "train" else [*(wanted or names), *labels, *also]
        keys = {**dict.fromkeys(columns or (), "data.features"), **dict.fromkeys(labels, "data.label")}
        keys |= dict.fromkeys(also, "data.groups")
        files[split] = file = read_columns(name, columns, delimiter=delimiter, encoding=encoding, keys=keys)
        for column in labels:
            if column not in file.cells:
                raise ConfigError(f"{file.path} has no column {column!r}{nearest(column, file.header, 'data.label')}")
        if groups is not None and groups not in file.cells:
            raise ConfigError(f"{file.path} has no column {groups!r}{nearest(groups, file.header, 'data.groups')}")
        if split == "train":
            names = wanted or [column for column in file.cells if column not in (*labels, *also)]
    if not names:
        raise ConfigError(f"{files['train'].path} has no column besides the label {', '.join(labels)} to learn from")
    if unknown := forced - set(names):
        raise ConfigError(f"data.categories names {sorted(unknown)[0]!r}{nearest(sorted(unknown)[0], names)}")

    return replace(table_of(files, names, labels, target, missing, forced, fills), groups=_groups(files, groups))


def table_of(
    files: Mapping[str, Columns],
    names: Sequence[str],
    labels: Sequence[str],
    target: str = "auto",
    missing: Sequence[str] = ("",),
    forced: Collection[str] = (),
    fills: bool = True,
    constant: bool = False,
) -> FeatureTable:
    """The columns ``names`` of files that were read, each a number or, as those that are ``forced``, a category.

    Raises:
        ConfigError: a cell or label that will not do, with file and line number.
    """
    gaps = {"", *missing}
    found = read_target(files, labels, target, missing=missing, table=True, constant=constant)
    notes = [note for file in files.values() for note in file.notes] + [found.note]
    numeric = []
    for name in names:
        bad = {split: [] if name in forced else numbers(file.cells[name], gaps)[1] for split, file in files.items()}
        is_number, note = _numeric(files["train"], name, gaps, bad["train"], name in forced)
        numeric.append(is_number)
        notes.extend(note)
        for split, file in files.items():
            _refuse_cells(file, name, gaps, bad[split] if is_number else [], fills)
    _enough(files)
    share = f"{sum(numeric)} numbers, {len(numeric) - sum(numeric)} categories"
    notes.append(f"{len(names)} features: {share}; data.categories=[COLUMN] reads a number as a category")
    rows = {split: list(zip(*(file.cells[name] for name in names), strict=True)) for split, file in files.items()}
    return FeatureTable(rows, tuple(names), tuple(numeric), found, notes)


def complete_rows(table: FeatureTable, missing: Collection[str]) -> tuple[dict[str, list[bool]], list[str]]:
    """Which rows of each file impute=drop leaves, those without an empty cell, and notes of how many it does not.

    Raises:
        ConfigError: a file keeps none, or too few to cut splits from.
    """
    gaps = {"", *missing}
    whole = {split: [gaps.isdisjoint(row) for row in rows] for split, rows in table.rows.items()}
    notes = []
    for split, held in whole.items():
        left, count, name = sum(held), len(held), "the" if len(whole) == 1 else f"the {split}"
        if left < (FEWEST_ROWS if split == "train" and not {"val", "test"} <= whole.keys() else 1):
            raise ConfigError(
                f"impute=drop leaves {left:,} of {name} {count:,} rows, the others have empty cells: use impute=mean, "
                "or learn from fewer columns"
            )
        if left < count:
            notes.append(f"impute=drop left out {count - left:,} of {name} {count:,} rows, for an empty cell")
    return whole, notes


def _features(features: Sequence[str], labels: Sequence[str]) -> list[str]:
    names = [features] if isinstance(features, str) else [str(name) for name in features]
    if not names:
        raise ConfigError("data.features=[] leaves nothing to learn from; leave it out to use all other columns")
    for name in names:
        if name in labels:
            raise ConfigError(f"data.features names {name}, which is data.label: the answer cannot be an input")
        if names.count(name) > 1:
            raise ConfigError(f"data.features names {name} twice")
    return names


def _numeric(file: Columns, name: str, gaps: set[str], bad: list[int], forced: bool) -> tuple[bool, list[str]]:
    """Whether a column is a number, of whose cells ``bad`` are none, and what to note of it."""
    cells = file.cells[name]
    filled = [cell for cell in cells if cell not in gaps]
    if not filled:
        raise ConfigError(f"{file.path}: {name} is empty in every row; leave it out with data.features")
    if forced:
        return False, []
    if len(bad) * 2 <= len(filled):
        return True, []
    if all(not numbers([cell.replace(",", ".", 1)])[1] for cell in dict.fromkeys(filled)):
        row = cells.index(filled[0])
        raise ConfigError(
            f"{file.at(row)}: {name}={filled[0]!r} writes decimals with a comma; write them with a point, "
            f"or make it a category with data.categories=[{name}]"
        )
    if len(set(filled)) == len(filled) and len(filled) >= FEWEST_ROWS:
        return False, [f"{name} is a category that differs in every row: nothing can be learnt from it"]
    return False, []


def _refuse_cells(file: Columns, name: str, gaps: set[str], bad: list[int], fills: bool) -> None:
    cells = file.cells[name]
    if bad:
        cell = cells[bad[0]]
        raise ConfigError(
            f"{file.at(bad[0])}: {name}={cell!r} {why_no_number(cell)}; mend it, name it as empty in data.missing, "
            f"or make it a category with data.categories=[{name}]"
        )
    if not fills and not gaps.isdisjoint(cells):
        row = next(row for row, cell in enumerate(cells) if cell in gaps)
        shown = f"is {cells[row]!r}, which counts as empty" if cells[row] else "is empty"
        raise ConfigError(f"{file.at(row)}: {name} {shown}; fill it in, or use impute=mean")
