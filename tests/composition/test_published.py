"""The header's figures: what can be read, and what is refused in words."""

from __future__ import annotations

import pytest

from assay.composition.headers import read
from assay.composition.published import Figure, figure
from assay.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("test/accuracy 0.761 -- Kim 2014, table 2", Figure("test/accuracy", 0.761, None, "Kim 2014, table 2")),
        ("test/rmse 7.3e-3 ± 1e-4 -- A -- B", Figure("test/rmse", 0.0073, 0.0001, "A -- B")),
        ("test/log_loss -2 ±0.5 -- C", Figure("test/log_loss", -2.0, 0.5, "C")),
    ],
)
def test_a_figure_is_read_and_kept(text, made):
    assert figure(text) == made
    assert Figure.of_plain(made.as_plain()) == made


@pytest.mark.parametrize(
    "text",
    ["test/accuracy 0.761", "accuracy 0.761 -- Kim", "val/accuracy 0.7 -- it would choose", "test/f1 76,1 -- Kim", ""],
)
def test_what_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"write test/METRIC NUMBER \[± NUMBER\] -- SOURCE"):
        figure(text)


def test_a_header_that_cannot_be_read_is_refused_by_its_file_and_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("# Mine.\n# published: accuracy about 0.8 -- somewhere\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml: the header line 'published: accuracy about .* write test/"):
        read(path, "experiment", "mine")
    path.write_text("# Mine.\n# published: test/mae 0.8 -- here\n# ours: test/mae 0.7 ± 0.1 -- seeds 0 to 2\n")
    option = read(path, "experiment", "mine")
    assert [one.value for one in (*option.published, *option.ours)] == [0.8, 0.7]
