"""The figures that an experiment is held against, as its header has them: ``test/accuracy 0.761 ± 0.01 -- SOURCE``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_FIGURE = re.compile(r"(test/\w+)\s+(-?\d+(?:\.\d+)?(?:e-?\d+)?)(?:\s*±\s*(\d+(?:\.\d+)?(?:e-?\d+)?))?\s+--\s+(\S.*)")


@dataclass(frozen=True)
class Figure:
    """One number of a paper, or of our own runs.

    Attributes:
        metric: by its name in summary.json.
        deviation: over runs, where the source gives it.
        source: paper and table; of our own, which runs.
    """

    metric: str
    value: float
    deviation: float | None
    source: str

    def as_plain(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of_plain(found: Mapping[str, Any]) -> Figure:
        return Figure(found["metric"], found["value"], found["deviation"], found["source"])


def figure(text: str) -> Figure:
    """Reads one.

    Raises:
        ValueError: it is none, in words.
    """
    found = _FIGURE.fullmatch(text.strip())
    if not found:
        raise ValueError("write test/METRIC NUMBER [± NUMBER] -- SOURCE")
    return Figure(found[1], float(found[2]), float(found[3]) if found[3] else None, found[4])
