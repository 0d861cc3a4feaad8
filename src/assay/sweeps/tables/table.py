"""``assay table``: what sweeps and runs found, cell by cell, with what chance leaves of it."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.errors import ConfigError
from assay.lifecycle import records as reading
from assay.lifecycle.records import Record
from assay.lifecycle.table import terminal_width
from assay.lifecycle.where import select
from assay.sweeps.tables.cells import Apart, Cell, Group, groups
from assay.sweeps.tables.latex import latex
from assay.sweeps.tables.pivot import pivot
from assay.sweeps.tables.render import markdown, terminal, wrapped
from assay.sweeps.tables.rows import as_csv, plain
from assay.sweeps.tables.scoring import Table, find_cell, metric_of, table_of
from assay.sweeps.tables.sheet import Sheet, sheet_of

FORMATS = ("terminal", "csv", "markdown", "latex")
SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex", ".txt": "terminal"}
_NAMED = 3  # folders of those left apart for one reason


def table_command(
    paths: Sequence[str],
    metric: str | None,
    baseline: str | None,
    format: str | None,
    output: str | None,
    rows: str | None,
    columns: str | None,
    where: Sequence[str],
) -> int:
    """Prints or writes the tables of all comparable groups of runs below the paths.

    Raises:
        ConfigError: there is no such folder, no finished run, metric, baseline or key; or options do not go together.
    """
    format = format or SUFFIXES.get(Path(output or "").suffix, "terminal")
    down, across = _keys(rows), _keys(columns)
    if format == "csv" and (down or across):
        raise ConfigError("--format csv has a row for each cell: leave --rows and --columns out")
    tables, apart, bad = made(paths, _keys(metric) or [None], baseline, where)
    sheets = [pivot(one, down, across) if down or across else sheet_of(one) for one in tables]
    width = terminal_width() if output is None else None
    if format == "csv":
        text = as_csv(plain(tables))
    else:
        text = "\n".join(_drawn(sheets, tables, format, width, [*down, *across]))
    said = [*_left_apart(apart), *([reading.bad_line(bad)] if bad else [])]
    if output is not None:
        _write(Path(output), text)
        said.append(f"{len(tables)} table{'s' * (len(tables) > 1)}: {output}")
    else:
        print(text.rstrip("\n"), flush=True)
    stream = sys.stdout if format == "terminal" or output is not None else sys.stderr
    for line in said:
        print("\n".join(wrapped(line, width if stream is sys.stdout else None)), file=stream)
    return 0


def made(
    paths: Sequence[str], metrics: Sequence[str | None], baseline: str | None, where: Sequence[str]
) -> tuple[list[Table], Apart, list[tuple[Path, str]]]:
    """The tables of all runs below the paths: of each group and metric one; the runs left apart; unreadable folders.

    Raises:
        ConfigError: as :func:`table_command`.
    """
    found, bad = reading.read_all(dict.fromkeys(folder for path in paths for folder in reading.folders(_place(path))))
    chosen = select(found, where)
    together, apart = groups(chosen)
    if not together:
        why = f"; {_left_apart(apart)[0]}" if apart else ""
        none = f"none of the {len(found)} runs is so" if found and not chosen else "there is no finished run to compare"
        raise ConfigError(f"{', '.join(paths)}: {none}{why}")
    cells = _baselines(together, baseline)
    tables = [
        table_of(group, name, cell)
        for asked in metrics
        for group, cell in zip(together, cells, strict=True)
        if (name := metric_of(group, asked)) is not None
    ]
    for asked in metrics:
        if asked is not None and not any(metric_of(group, asked) for group in together):
            known = list(dict.fromkeys(name for group in together for name in group.metrics()))
            from assay.composition.nearest import listed, near

            raise ConfigError(f"--metric {asked}: no run has it; did you mean {listed(near(asked, known) or known)}?")
    return tables, apart, bad


def _baselines(together: Sequence[Group], text: str | None) -> list[Cell | None]:
    """The named cell in each group, None where it is not there.

    Raises:
        ConfigError: it is in none of them.
    """
    if text is None:
        return [None] * len(together)
    cells = [find_cell(group, text) for group in together]
    if not any(cells):
        first = together[0]
        kinds = ", ".join(f"{key}={_values(first, key)}" for key in first.varied) or "nothing varies"
        raise ConfigError(f"--baseline {text}: no cell is so; the cells have {kinds}")
    return cells


def _values(group: Group, key: str) -> str:
    return "|".join(dict.fromkeys(cell.settings[key] for cell in group.cells if key in cell.settings))


def _place(path: str) -> Path:
    """The path, or what `assay runs` would call so: ``latest``, or the name of a sweep."""
    outputs = Path("outputs")
    for place in (Path(path), outputs / path, outputs / "sweeps" / path):
        if place.exists():
            return place
    return Path(path)


def _keys(text: str | None) -> list[str]:
    return [] if text is None else [key.strip() for key in text.split(",") if key.strip()]


def _drawn(
    sheets: Sequence[Sheet], tables: Sequence[Table], format: str, width: int | None, turned: Sequence[str]
) -> list[str]:
    made: list[str] = []
    for place, (sheet, table) in enumerate(zip(sheets, tables, strict=True), 1):
        made += [""] if made else []
        if format == "latex":
            made += latex(sheet, "-".join([f"tab:{table.group.data}", table.metric, *turned, str(place)]))
        else:
            made += markdown(sheet) if format == "markdown" else terminal(sheet, width)
    return made


def _left_apart(apart: Apart) -> list[str]:
    """A line for each reason, with the first folders; reasons that differ in numbers alone are one."""
    alike: dict[str, list[tuple[Record, str]]] = defaultdict(list)
    for record, reason in apart:
        alike[re.sub(r"[\d\s,.…+-]+", "", reason)].append((record, reason))
    return [
        f"Left apart: {len(found)} run{'s' * (len(found) > 1)} "
        f"({', '.join(f'{one.folder.parent.name}/{one.folder.name}' for one, _ in found[:_NAMED])}"
        f"{f', {len(found) - _NAMED} more' if len(found) > _NAMED else ''}): {found[0][1]}"
        for found in alike.values()
    ]


def _write(path: Path, text: str) -> None:
    """The file, whole.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output {path} cannot be written: {error.strerror}") from error


def rows_at(path: str, metric: str | None = None, baseline: str | None = None) -> list[dict[str, Any]]:
    """The rows of ``assay table PATH --format csv`` as mappings: ``pandas.DataFrame(rows_at("outputs"))``.

    Raises:
        ConfigError: as :func:`table_command`.
    """
    tables, _, _ = made([path], [metric], baseline, ())
    return plain(tables)
