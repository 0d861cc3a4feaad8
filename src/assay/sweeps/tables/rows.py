"""The rows of tables as plain values with all their digits: what CSV and the Python door give."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from assay.sweeps.tables.comparison import Comparison
from assay.sweeps.tables.scoring import Row, Table
from assay.sweeps.tables.statistics import Estimate


def plain(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """One mapping for each row, all with the same keys: the settings of any table first. Absent is None."""
    varied = list(dict.fromkeys(key for table in tables for key in table.group.varied))
    return [_plain(table, row, place, varied) for table in tables for place, row in enumerate(table.rows, 1)]


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """With a header; floats as Python reads them back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow(
            ["" if value is None else repr(value) if isinstance(value, float) else value for value in row.values()]
        )
    return text.getvalue()


def _plain(table: Table, row: Row, place: int, varied: Sequence[str]) -> dict[str, Any]:
    group = table.group
    runs = row.cell.runs
    folds = {one.config("fold")[1] for one in runs}
    return {
        **{key: row.cell.settings.get(key, group.fixed.get(key)) for key in varied},
        "data": group.data,
        "digest": group.digest,
        **{name: group.split.get(name) for name in ("data.split_seed", "data.folds")},
        "order": place,
        "monitor": group.metric,
        "monitor mean": None if row.watched is None else row.watched.mean,
        "metric": table.metric,
        **_estimate(row.score),
        "runs": len(runs),
        "seeds": len({one.seed for one in runs}),
        "folds": len(folds - {None}),
        "baseline": table.baseline.name,
        **_comparison(row.versus),
        "best": row.best,
    }


def _estimate(found: Estimate | None, start: str = "") -> dict[str, Any]:
    names = ("mean", "deviation", "low", "high")
    values = {f"{start}{name}": None if found is None else getattr(found, name) for name in names}
    return values | {
        f"{start}units": 0 if found is None else found.units,
        f"{start}over": found.over if found else None,
    }


def _comparison(found: Comparison | None) -> dict[str, Any]:
    difference = None if found is None else found.difference
    made = _estimate(difference, "difference ")
    made = {name.replace("difference mean", "difference"): value for name, value in made.items()}
    names = {"p": "p", "p corrected": "corrected", "p sign flips": "exact", "least p of sign flips": "least"}
    names |= {"seeds needed": "needed"}
    made |= {name: None if found is None else getattr(found, attribute) for name, attribute in names.items()}
    return made | {"differs": None if found is None else found.differs}
