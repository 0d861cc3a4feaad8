"""Tables without a header line, whose columns a paper names. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from assay.data.table_file import Columns
from assay.errors import ConfigError


def plain_rows(text: str, path: str, names: Sequence[str], delimiter: str = ",", skip: int = 0) -> Columns:
    """Lines of as many cells as there are names, none of them quoted; blank ones and the first ``skip`` are left out.

    Raises:
        ConfigError: a line with another number of cells.
    """
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, content in enumerate(text.split("\n"), 1):
        if line <= skip or not content.strip():
            continue
        row = content.split(delimiter)
        if len(row) != len(names):
            raise ConfigError(f"{path}, line {line}: expected {len(names)} cells, found {len(row)}")
        lines.append(line)
        rows.append(row)
    if not rows:
        raise ConfigError(f"{path} holds no rows")
    across = (list(map(str.strip, cells)) for cells in zip(*rows, strict=True))
    return Columns(path, lines, dict(zip(names, across, strict=True)), list(names), [])
