"""``assay runs``: every run at or below a path, one row each: what varied between them, and what came of it."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.folder import is_sweep
from assay.lifecycle import records as reading
from assay.lifecycle.records import Record
from assay.lifecycle.table import Column, fitted, heading_broken, lines, path_broken, terminal_width, total
from assay.lifecycle.where import check_key, select, shown

STATUS_COLOURS = {"done": "green", "failed": "red", "running": "cyan"} | dict.fromkeys(
    ("stopped", "interrupted", "killed"), "yellow"
)
MACHINERY = ("logger", "debug", "trainer")  # how it ran, rather than what
REASONS = 10  # shown under the table
SWEEPS = 10


def runs_command(
    path: str, where: Sequence[str], sort: str | None, reverse: bool, columns: str | None, format: str
) -> int:
    """Lists the runs at or below ``path``.

    Raises:
        ConfigError: there is no such folder, or a key that no run knows.
    """
    place = Path(path)
    found, bad = reading.read_all(reading.folders(place))
    chosen = select(found, where)
    names = [name.strip() for name in columns.split(",") if name.strip()] if columns is not None else None
    for name in names or []:
        check_key(name, found, "--columns")
    if sort is not None:
        check_key(sort, found, "--sort")
        if sort.startswith("test/"):
            print("sorted by a test score, which must not choose: choose by a val/ metric", file=sys.stderr)
    chosen = ordered(chosen, sort, reverse)
    if format == "table":
        _print_table(chosen, names, place, len(found))
    else:
        keys = reading.told(chosen)
        rows = [reading.row(one, keys) for one in chosen]
        if names is not None:
            rows = [{name: one.value(name)[1] for name in names} for one in chosen]
        (_print_csv if format == "csv" else _print_json)(rows)
    if bad:
        print(reading.bad_line(bad, lambda folder: short(folder, place)), file=sys.stderr)
    return 0


def ordered(records: Sequence[Record], key: str | None, reverse: bool) -> list[Record]:
    """By their start, or by a key: numbers, then texts; runs without it stand last either way."""
    if key is None:
        return list(reversed(records)) if reverse else list(records)
    having = [one for one in records if one.value(key)[1] is not None]

    def place(record: Record) -> tuple[int, float, Any]:
        value = record.value(key)[1]
        if isinstance(value, int | float):
            return (1, 0.0, []) if math.isnan(value) else (0, float(value), [])
        return 2, 0.0, reading.natural(shown(value))

    missing = [one for one in records if one.value(key)[1] is None]
    return [*sorted(having, key=place, reverse=reverse), *missing]


def short(folder: Path, place: Path) -> str:
    """A run's folder as seen from the path that was asked for."""
    relative = folder.relative_to(place) if folder.is_relative_to(place) else folder
    return folder.name if relative == Path() else relative.as_posix()


def table_columns(records: Sequence[Record], place: Path) -> list[Column]:
    """What a table of these runs shows, each column with its rank: what tells least has the highest."""
    monitors = list(dict.fromkeys(str(one.summary["monitor"]) for one in records if one.summary.get("monitor")))
    main = {f"test/{name.removeprefix('val/')}" for name in monitors}
    tests = list(dict.fromkeys(key for one in records for key in one.summary if key.startswith("test/")))
    tests.sort(key=lambda name: name not in main)
    groups = list(dict.fromkeys(group for one in records for group in one.switches))
    varied = [key for key in groups if _varies(records, key)]
    typed = [key for key in reading.told(records) if _varies(records, key)]
    seeds, statuses = (low if _varies(records, key) else 5 for key, low in (("seed", 2), ("status", 1)))
    made = [
        Column("folder", [short(one.folder, place) for one in records]),
        _column(records, "status", statuses),
        _column(records, "started", 6),
        *(_column(records, key, 4 if key in MACHINERY else 2) for key in (*varied, *typed)),
        _column(records, "seed", seeds),
        *(_column(records, key, 3) for key in monitors),
        *(_column(records, key, 1 if key in main else 7) for key in tests),
        _column(records, "seconds", 6),
    ]
    return [column for column in made if any(column.cells)]


def _varies(records: Sequence[Record], key: str) -> bool:
    return len({repr(one.value(key)) for one in records}) > 1


def _column(records: Sequence[Record], key: str, rank: int = 0) -> Column:
    values = [one.value(key) for one in records]
    numeric = all(isinstance(value, int | float) or value is None for _, value in values)
    form = ".1f" if key.endswith("seconds") else ".4f" if "/" in key else None
    return Column(key, [cell(value, form) if there else "" for there, value in values], rank, numeric)


def cell(value: Any, form: str | None = None) -> str:
    """A value in a table: measurements in the given form, if that shows anything; all else as it would be typed."""
    if form is not None and isinstance(value, float):
        return format(value, form) if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3g}"
    return " ".join(shown(value).split())


def _print_table(records: Sequence[Record], names: Sequence[str] | None, place: Path, everything: int) -> None:
    if not records:
        print(f"none of the {everything} runs in {place} is so" if everything else f"{place} holds no run")
        return
    columns, out = table_columns(records, place), []
    if names is not None:
        columns = [
            Column("folder", [short(one.folder, place) for one in records])
            if name == "folder"
            else _column(records, name)
            for name in names
        ]
    width = terminal_width()
    if width is not None and total(columns) > width:
        columns = [heading_broken(column) for column in columns]
    columns, out = fitted(columns, width, least=4)
    if width is not None and total(columns) > width:
        columns = [path_broken(column) if column.name == "folder" else column for column in columns]
        columns, more = fitted(columns, width)
        out += more
    for line in lines(columns, {"status": STATUS_COLOURS}):
        print(line)
    if names is None:
        _print_reasons(records, place)
        _print_sweeps(records, place)
    counts = Counter(one.status for one in records)
    said = f"{len(records)} run{'s' * (len(records) > 1)}: {', '.join(f'{n} {status}' for status, n in counts.items())}"
    if out:
        named = [*reversed(out[-4:]), *([f"{len(out) - 4} more"] if len(out) > 4 else [])]
        said += f"; left out for the width: {', '.join(named)} (--columns KEY,KEY picks)"
    print(said, flush=True)


def _print_reasons(records: Sequence[Record], place: Path) -> None:
    failed = [one for one in records if one.status == "failed"]
    for one in failed[:REASONS]:
        reason = one.summary.get("reason") or "by an error of the program; its trace went to the screen"
        print(f"{short(one.folder, place)} failed: {' '.join(str(reason).split())}")
    if len(failed) > REASONS:
        print(f"… and {len(failed) - REASONS} more: --where status=failed --columns folder,reason")


def _print_sweeps(records: Sequence[Record], place: Path) -> None:
    """Of each sweep that a shown run belongs to: how far it is, with the points that have no run yet."""
    from assay.sweeps.ledger.ledger import Ledger

    sweeps = dict.fromkeys(one.folder.parent for one in records if is_sweep(one.folder.parent))
    for sweep in list(sweeps)[-SWEEPS:]:
        ledger = Ledger(sweep)
        entries = ledger.entries()
        states = Counter("killed" if one.state == "running" and not ledger.at_it(one) else one.state for one in entries)
        print(f"sweep {short(sweep, place)}: {', '.join(f'{n} {state}' for state, n in states.items())}")
    if len(sweeps) > SWEEPS:
        print(f"and {len(sweeps) - SWEEPS} more sweeps")


def _print_csv(rows: Sequence[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    for row in rows:
        values = (row.get(name) for name in names)
        writer.writerow(
            ["" if value is None else repr(value) if isinstance(value, float) else cell(value) for value in values]
        )
    sys.stdout.flush()


def _print_json(rows: Sequence[dict[str, Any]]) -> None:
    print(json.dumps([plain(row) for row in rows], indent=2, ensure_ascii=False), flush=True)


def plain(value: Any) -> Any:
    """As JSON can say it: what is not finite is null."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
