from __future__ import annotations

import pytest

from assay.data.plain_rows import plain_rows
from assay.errors import ConfigError


def test_cells_by_name_with_their_lines():
    table = plain_rows("| a comment\n\n1, x\n2,  y \n\n", "a.data", ["n", "c"], skip=1)
    assert table.cells == {"n": ["1", "2"], "c": ["x", "y"]}
    assert [table.at(row) for row in (0, 1)] == ["a.data, line 3", "a.data, line 4"]


def test_bad_rows_are_named():
    with pytest.raises(ConfigError, match=r"a\.data, line 2: expected 2 cells, found 3"):
        plain_rows("1,2\n1,2,3\n", "a.data", ["n", "c"])
    with pytest.raises(ConfigError, match=r"a\.data holds no rows"):
        plain_rows("\n", "a.data", ["n", "c"])
