"""What stands along the axes of a figure: where, and with which digits."""

from __future__ import annotations

import pytest

from assay import scales
from assay.figures import blank


def placed(axes):
    """{text: (x, y)} of what was written, in pixels of the figure."""
    return {text.get_text(): tuple(text.get_window_extent().get_points().mean(0)) for text in axes.texts}


def test_numbers_stand_where_they_are(tmp_path):
    figure = blank(7, 5, (0.75, 0.5))
    axes = figure.add_subplot()
    axes.plot([0, 250], [0.2, 1.0])
    scales.numbers(axes, "steps", "loss")
    found = placed(axes)
    for number in (0, 50, 250):
        x, y = axes.transData.transform((number, 0.2))
        assert found[str(number)][0] == pytest.approx(x, abs=1)
        assert found[str(number)][1] < axes.bbox.y0
    for number in (0.2, 0.6, 1.0):
        x, y = axes.transData.transform((0, number))
        assert found[str(number)][1] == pytest.approx(y, abs=1.5)
        assert found[str(number)][0] < axes.bbox.x0
    assert found["steps"][1] < found["50"][1]
    assert found["loss"][0] < found["0.6"][0]
    assert all(0 < x < 700 and 0 < y < 500 for x, y in found.values())  # inside the figure
    assert len(axes.collections) == 2  # the lines through them


def test_a_name_for_each_row_and_column():
    figure = blank(6, 6, (1.5, 1.3))
    axes = figure.add_subplot()
    axes.imshow([[0, 1, 2]] * 3)
    scales.names(axes, ["cat", "dog", "a long name"], "predicted", "target", left=1.5, under=1.3)
    written = [(text.get_text(), text.get_window_extent().get_points()) for text in axes.texts]
    columns, rows = written[:3], written[3:6]
    assert [text for text, _ in columns] == [text for text, _ in rows] == ["cat", "dog", "a long name"]
    for number, (_, ((_, low), (_, high))) in enumerate(rows):
        assert (low + high) / 2 == pytest.approx(axes.transData.transform((0, number))[1], abs=1.5)
    for number, (_, (_, (right, _))) in enumerate(columns):  # slanted: they end below their column
        assert right == pytest.approx(axes.transData.transform((number, 0))[0], abs=12)
    assert [text for text, _ in written[6:]] == ["predicted", "target"]
    assert all(point > -1 for _, points in written for point in points.ravel())


@pytest.mark.parametrize(
    ("places", "texts"),
    [
        ([0, 50, 100], ["0", "50", "100"]),
        ([0.2, 0.4, 0.6000000000000001], ["0.2", "0.4", "0.6"]),
        ([-0.05, 0.0, 0.05], ["-0.05", "0.00", "0.05"]),
        ([0.99981, 0.99982], ["0.99981", "0.99982"]),
        ([0, 2e6], ["0", "2e+06"]),
        ([0, 2e-12], ["0", "2e-12"]),
        ([3.0], ["3"]),
        ([], []),
    ],
)
def test_digits_that_tell_apart(places, texts):
    assert scales.rounded(places) == texts
