from __future__ import annotations

import pytest
import torch

from assay.data.augment.affine import Affine
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_images, images

STRONG = {"degrees": 60.0, "translate": 0.3, "scale": [0.5, 1.7], "shear": 25.0}


@pytest.mark.parametrize(("interpolation", "fill"), [("bilinear", 0.0), ("bilinear", 0.4), ("nearest", 0.4)])
@pytest.mark.parametrize("size", [(12, 12), (9, 16)])
def test_against_torchvision(interpolation, fill, size):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    given = batch_of_images(20, height=size[0], width=size[1])
    augment = Affine(images(), 1, **STRONG, fill=fill, interpolation=interpolation)
    found = augment(given, 2)["source"]
    mode = pytest.importorskip("torchvision.transforms").InterpolationMode(interpolation)
    for i, (angle, right, down, scale, x, y) in enumerate(augment.parameters(2, given["index"]).T.tolist()):
        shifts = [right * size[1], down * size[0]]
        # torchvision's bilinear fill counts the outside twice: what is beyond zero is interpolated as it should be
        expected = functional.affine_image(given["source"][i] - fill, angle, shifts, scale, [x, y], mode) + fill
        wrong = (found[i] - expected).abs() > 1e-4
        if interpolation == "nearest":  # float32 decides alike but for what lies between two pixels
            assert wrong.float().mean() < 0.02
        else:
            assert not wrong.any()


def test_parameters_fill_their_ranges():
    parameters = Affine(images(), 0, **STRONG).parameters(0, torch.arange(5000))
    for row, (low, high) in zip(
        parameters, [(-60, 60), (-0.3, 0.3), (-0.3, 0.3), (0.5, 1.7), (-25, 25), (-25, 25)], strict=True
    ):
        assert low <= row.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < row.max() <= high
    assert parameters.corrcoef().fill_diagonal_(0).abs().max() < 0.05


def test_nothing_asked_for_changes_nothing():
    given = batch_of_images()
    same = Affine(images(), 0, degrees=0, translate=0, scale=[1, 1], shear=0)(given, 0)["source"]
    torch.testing.assert_close(same, given["source"], atol=1e-5, rtol=0)


def test_a_quarter_turn_and_a_whole_shift_by_hand():
    given = {"source": torch.arange(9.0).view(1, 1, 3, 3), "index": torch.tensor([0])}
    augment = Affine(images(), 0, degrees=0, translate=0, scale=[1, 1], shear=0)
    augment.parameters = lambda epoch, index: torch.tensor([[90.0], [0], [0], [1], [0], [0]]).double()
    torch.testing.assert_close(augment(given, 0)["source"][0, 0], given["source"][0, 0].rot90(-1), atol=1e-4, rtol=0)
    augment.parameters = lambda epoch, index: torch.tensor([[0.0], [1 / 3], [0], [1], [0], [0]]).double()
    expected = torch.tensor([[0.0, 0, 1], [0, 3, 4], [0, 6, 7]])
    torch.testing.assert_close(augment(given, 0)["source"][0, 0], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"degrees": 200}, r"augment\.affine\.degrees=200 lies in \[0, 180\]"),
        ({"shear": 90}, r"augment\.affine\.shear=90 in \[0, 90\)"),
        ({"scale": [2, 1]}, r"augment\.affine\.scale=\[2, 1\] is no range"),
        ({"scale": [0, 1]}, r"augment\.affine\.scale=\[0, 1\] is no range"),
        ({"translate": 2}, r"augment\.affine\.translate=2 is not in \[0, 1\]"),
        ({"interpolation": "cubic"}, r"augment\.affine\.interpolation=cubic is not one of bilinear, nearest"),
    ],
)
def test_refusals(change, line):
    with pytest.raises(ConfigError, match=line):
        Affine(images(), 0, **{**STRONG, **change})
