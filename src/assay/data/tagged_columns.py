"""A word a line with its tag beside it, a blank line between sentences: the files of the CoNLL tasks. No torch here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assay.data.table_file import nearest
from assay.data.tagged import TAKEN, Tagged, refuse_empty
from assay.errors import ConfigError

DOCUMENT = "-DOCSTART-"
Name = int | str
"""A column: its number from 1, from -1 at the end, or its name in the first line."""
_NUMBER = re.compile(r"-?[0-9]+")


@dataclass(frozen=True)
class Layout:
    """Where a file keeps what.

    words, tags, features: columns, counted from 0; the tags' is None where they are not there, as in files to predict.
    delimiter: a tab, or None for runs of spaces and tabs.
    header: the names of the columns, where the first line holds them; else empty.
    """

    words: int
    tags: int | None
    features: Mapping[str, int]
    delimiter: str | None
    header: tuple[str, ...]

    def columns(self) -> dict[str, Name]:
        """Words and features by their columns' names, or numbers from 1: what a file to predict is read by."""
        places = {"words": self.words, **self.features}
        return {name: self.header[place] if self.header else place + 1 for name, place in places.items()}


def read_columns(
    text: str,
    path: str,
    words: Name = 1,
    tags: Name | None = -1,
    features: Sequence[Name] = (),
    delimiter: str | None = None,
) -> tuple[Tagged, Layout]:
    """The sentences of a file, and how it is laid out.

    A line with no more than white space ends a sentence. A line that begins with ``#`` and has another number of
    columns than the others is a comment, and lines of ``-DOCSTART-`` are left out; both are counted in the notes.

    Args:
        text: of the file.
        path: as messages name it.
        words, tags: columns; tags None: there are none.
        features: columns of what else is known of each word: ``pos`` by its name in the first line, ``2`` by its number
            (a feature ``column2``), ``pos:2`` by its number with a name.
        delimiter: tab or space; None finds it.
    Raises:
        ConfigError: with the line: a row of another length, a column that is not there, an empty word or tag.
    """
    rows, tab = _rows(text, path, delimiter)
    width = _width(rows)
    words, tags = _column(words), None if tags is None else _column(tags)
    named = _named(features)
    header = any(isinstance(one, str) for one in (words, tags, *(column for _, column in named)))
    start, first = next((number, cells) for number, cells in enumerate(rows) if cells) if header else (-1, [])
    layout = Layout(
        _place(words, "data.words", width, first, path),
        None if tags is None else _place(tags, "data.tags", width, first, path),
        {name: _place(column, "data.features", width, first, path) for name, column in named},
        tab,
        tuple(first),
    )
    _refuse_twice(layout, path)
    return _sentences(rows, start + 1, path, layout, width), layout


def read_unlabelled(text: str, path: str, words: Name, features: Mapping[str, Name]) -> Tagged:
    """The sentences of a file to predict: laid out as that of training, with or without its tags and features. Features
    whose columns it lacks are left out; tags are empty.

    Raises:
        ConfigError: as :func:`read_columns`.
    """
    rows, _ = _rows(text, path, None)
    width, first = _width(rows), next(cells for cells in rows if cells)
    there = {
        name: column
        for name, column in features.items()
        if (column in first if isinstance(column, str) else column <= width)
    }
    return read_columns(text, path, words, None, [f"{name}:{column}" for name, column in there.items()])[0]


def _rows(text: str, path: str, delimiter: str | None) -> tuple[list[list[str]], str | None]:
    """The cells of each line, none of a blank one; and what stands between them."""
    lines = text.split("\n")
    tab = _delimiter(delimiter, lines)
    if tab is None:
        rows = [line.split() for line in lines]
    else:
        rows = [[cell.strip() for cell in line.split(tab)] if line.strip() else [] for line in lines]
    if not any(rows):
        raise ConfigError(f"{path} is empty: a word a line is expected, with its tag beside it")
    return rows, tab


def _sentences(rows: Sequence[list[str]], start: int, path: str, layout: Layout, width: int) -> Tagged:
    """From row ``start`` on."""
    tagged = Tagged(path, [], [], [], {name: [] for name in layout.features})
    kept = {"word": layout.words} | ({} if layout.tags is None else {"tag": layout.tags}) | dict(layout.features)
    held: list[list[str]] = []  # the rows of one sentence
    lines: list[int] = []
    counted: Counter[str] = Counter()
    for number, cells in enumerate([*rows[start:], []], start + 1):
        if not cells:
            if held:
                _add(tagged, layout, held, lines)
                held, lines = [], []
        elif cells[0] == DOCUMENT:
            counted["documents"] += 1
        elif len(cells) == width:
            if "" in cells:
                for what, place in kept.items():
                    if not cells[place]:
                        raise ConfigError(f"{path}, line {number}: the {what} in column {place + 1} is empty")
            held.append(cells)
            lines.append(number)
        elif cells[0].startswith("#"):
            counted["comments"] += 1
        else:
            raise ConfigError(f"{path}, line {number}: {_columns(len(cells))}, and other lines have {width}")
    refuse_empty(tagged)
    return replace(tagged, notes=_notes(path, layout, width, counted))


def _add(tagged: Tagged, layout: Layout, held: list[list[str]], lines: list[int]) -> None:
    columns = list(zip(*held, strict=True))
    tagged.words.append(list(columns[layout.words]))
    tagged.tags.append([""] * len(held) if layout.tags is None else list(columns[layout.tags]))
    tagged.lines.append(lines)
    for name, place in layout.features.items():
        tagged.features[name].append(list(columns[place]))


def _notes(path: str, layout: Layout, width: int, counted: Mapping[str, int]) -> tuple[str, ...]:
    kept = {layout.words, layout.tags, *layout.features.values()}
    found = [f"words in column {layout.words + 1}"]
    found += [] if layout.tags is None else [f"tags in column {layout.tags + 1}"]
    found += [f"{name} in column {place + 1}" for name, place in layout.features.items()]
    notes = [f"{path}: {'tab' if layout.delimiter else 'space'}-separated, {', '.join(found)}"]
    if left := [str(place + 1) for place in range(width) if place not in kept]:
        them = ("s", "are", "features of them") if len(left) > 1 else ("", "is", "a feature of it")
        notes.append(
            f"{path}: column{them[0]} {', '.join(left)} {them[1]} not read; data.features=[{','.join(left)}] makes "
            f"{them[2]}"
        )
    notes += [f"{path}: {counted[what]:,} lines of {what} left out" for what in counted]
    return tuple(notes)


def _delimiter(given: str | None, lines: Sequence[str]) -> str | None:
    """A tab where all lines have one, comments aside."""
    if given not in (None, "tab", "space"):
        raise ConfigError(f"data.delimiter={given} is none of tab, space and null, which finds it")
    if given is not None:
        return "\t" if given == "tab" else None
    plain = (line for line in lines if line.strip() and not line.startswith(("#", DOCUMENT)))
    return "\t" if "\t" in next(plain, "") and all("\t" in line for line in plain) else None


def _width(rows: Sequence[list[str]]) -> int:
    """How many columns most lines have that can be no comment."""
    counts = Counter(len(cells) for cells in rows if cells and not cells[0].startswith(("#", DOCUMENT)))
    counts = counts or Counter(len(cells) for cells in rows if cells)
    return max(counts, key=lambda count: (counts[count], count))


def _column(name: Name) -> Name:
    """A column that is written as a number is one, however the command line passes it on."""
    return int(name) if isinstance(name, str) and _NUMBER.fullmatch(name.strip()) else name


def _named(features: Sequence[Name]) -> list[tuple[str, Name]]:
    """(name of the field, column) of each feature."""
    pairs: list[tuple[str, Name]] = []
    for one in map(_column, features):
        if isinstance(one, int):
            pairs.append((f"column{one}".replace("-", "_"), one))
        else:
            name, colon, column = one.partition(":")
            pairs.append((name.strip(), _column(column) if colon else one))
    for name, _ in pairs:
        if name in TAKEN or not name.isidentifier():
            raise ConfigError(
                f"data.features: {name!r} cannot name a feature; give it a name, as data.features=[pos:2]"
            )
        if [other for other, _ in pairs].count(name) > 1:
            raise ConfigError(f"data.features names {name} twice")
    return pairs


def _place(column: Name, key: str, width: int, header: Sequence[str], path: str) -> int:
    if isinstance(column, str):
        if column not in header:
            raise ConfigError(f"{path}, line 1: no column {column!r}{nearest(column, header, key)}")
        return header.index(column)
    if column == 0 or not -width <= column <= width:
        raise ConfigError(f"{key}={column}: {path} has {_columns(width)}, counted from 1, or from -1 at the end")
    return column - 1 if column > 0 else width + column


def _refuse_twice(layout: Layout, path: str) -> None:
    keys = [("data.words", layout.words), *((f"data.features ({name})", at) for name, at in layout.features.items())]
    keys += [] if layout.tags is None else [("data.tags", layout.tags)]
    for number, (key, place) in enumerate(keys):
        for other, same in keys[:number]:
            if place == same:
                raise ConfigError(f"{path}: {other} and {key} are both column {place + 1}; name two columns")


def _columns(count: int) -> str:
    return f"{count} column{'' if count == 1 else 's'}"
