"""What making the network smaller cost and bought: before and after, or a row for each stage of a loop."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.compression.words import limits, scores_line, short
from assay.review.facts import Run
from assay.review.html import Html, tag
from assay.review.page import number, right_head, row_head, table

_MOST_BYTES = 400_000  # of the picture
_KEYS = (("parameters", "parameters"), ("nonzero", "not zero"), ("macs", "multiply-adds"), ("bytes", "bytes"))


def costs(run: Run) -> list[Html]:
    """Empty where nothing was compressed. A file that is broken is a note of the page."""
    for name in ("chain.json", "compression.json"):
        path = run.folder / name
        if not path.is_file():
            continue
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            return [*_table(facts), *_search(facts.get("search") or {}), *_picture(run)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            run.notes.append(f"{name} could not be read: {' '.join(str(error).split())[:200]}")
    return []


def _table(facts: Mapping[str, Any]) -> list[Html]:
    metric, rows = str(facts["metric"]), facts["rows"]
    sizes = list(next((row["latency_ms"] for row in rows if row.get("latency_ms")), {}))
    heads = ["stage", *(right_head(f"{split}/{metric}") for split in ("val", "test"))]
    heads += [right_head(words) for _, words in _KEYS]
    heads += [right_head(f"ms, {size} example{'s' * (size != '1')}") for size in sizes]
    heads.append(right_head("peak of activations"))
    body = [_row(row, metric, sizes) for row in rows]
    said = scores_line(rows[0], rows[-1], metric)
    runs = sorted({f"{row['stage']} by {row['runs_in']}" for row in rows if row.get("latency_ms")})
    threads = next((row["threads"] for row in rows if row.get("threads")), 1)
    caption = "Bytes: of the artifact's folder, or of the exported file. Multiply-adds and activations: of one example."
    if runs:
        caption += f" Times: medians with their quartiles, on {threads} thread; {', '.join(runs)}."
    first, last = rows[0]["stage"], rows[-1]["stage"]
    return [
        *([tag("p", f"From {first} to {last}: {said}.")] if said else []),
        table(heads, body, caption=caption, label="what it cost"),
    ]


def _row(row: Mapping[str, Any], metric: str, sizes: Sequence[str]) -> list[Html]:
    scores = [(row.get(split) or {}).get(metric) for split in ("val", "test")]
    cells = [number(f"{one:.4f}" if _real(one) else "") for one in scores]
    cells += [number(f"{row[key]:,}" if _real(row.get(key)) else "") for key, _ in _KEYS]
    for size in sizes:
        spread = (row.get("latency_ms") or {}).get(size)
        told = "" if spread is None else f"{spread['median']:.3g} ({spread['lower']:.3g} – {spread['upper']:.3g})"
        cells.append(number(told))
    cells.append(number(short(row.get("peak_activation_bytes"))))
    return [row_head(str(row["stage"])), *cells]


def _search(found: Mapping[str, Any]) -> list[Html]:
    """Of a budget: who was tried, and who was chosen."""
    if not found:
        return []
    rows = [
        [
            row_head(str(one["candidate"])),
            number(one["epochs"]),
            number(f"{one['val']:.4f}"),
            number(f"{100 * one['load']:.0f} %"),
        ]
        for one in found["tried"]
    ]
    heads = ["candidate", right_head("epochs"), right_head("validation"), right_head("of the limit")]
    said = tag("p", f"It may take {limits(found['limits'])}. Chosen: {found['chosen']}.")
    return [said, *([table(heads, rows, label="candidates")] if rows else [])]


def _picture(run: Run) -> list[Html]:
    try:
        raw = (run.folder / "figures" / "pareto.png").read_bytes()
    except OSError:
        return []
    if not raw.startswith(b"\x89PNG") or len(raw) > _MOST_BYTES:
        return []
    source = f"data:image/png;base64,{base64.b64encode(raw).decode()}"
    alt = "score against bytes, multiply-adds and latency of each stage, as in the table"
    return [tag("img", src=source, alt=alt, loading="lazy", style="max-width: 100%")]


def _real(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
