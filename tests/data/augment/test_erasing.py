from __future__ import annotations

import pytest
import torch

from assay.data.augment.draws import uniforms
from assay.data.augment.erasing import Erasing
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_images, images
from tests.references.erasing import rectangle

USUAL = {"p": 0.7, "area": [0.02, 0.4], "ratio": [0.3, 3.33]}


@pytest.mark.parametrize("area", [[0.02, 0.4], [0.6, 1.0]])
def test_rectangles_against_a_loop(area):
    augment, index = Erasing(images(), 3, **{**USUAL, "area": area}), torch.arange(300)
    found = torch.stack(augment.boxes(1, index, 14, 9), 1).tolist()
    u = uniforms(3, 1, index, "erasing", 23).tolist()
    expected = [rectangle(row, 14, 9, 0.7, area, (0.3, 3.33), 10) for row in u]
    assert [tuple(box) if box[0] < box[2] else (0, 0, 0, 0) for box in found] == expected
    empty = [box == (0, 0, 0, 0) for box in expected]
    assert 0 < sum(empty) < 300


@pytest.mark.parametrize("fill", ["zero", "random"])
def test_what_is_painted_against_torchvision(fill):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    given, augment = batch_of_images(20), Erasing(images(), 0, **USUAL, fill=fill)
    found = augment(given, 0)["source"]
    noise = uniforms(0, 0, given["index"], "erasing noise", 3 * 9 * 7).float().view(-1, 3, 9, 7)
    for i, (top, left, bottom, right) in enumerate(torch.stack(augment.boxes(0, given["index"], 9, 7), 1).tolist()):
        value = noise[i, :, top:bottom, left:right] if fill == "random" else torch.zeros(1, 1, 1)
        expected = functional.erase(given["source"][i], top, left, bottom - top, right - left, value)
        assert torch.equal(found[i], expected)


def test_areas_and_ratios_lie_in_their_ranges():
    top, left, bottom, right = Erasing(images(), 0, **USUAL).boxes(0, torch.arange(5000), 400, 300)
    tall, wide = (bottom - top).double(), (right - left).double()
    changed = tall > 0
    assert abs(changed.double().mean() - 0.7) < 0.02
    area, ratio = (tall * wide)[changed] / 120_000, (tall / wide)[changed]
    assert 0.019 < area.min() < 0.03
    assert 0.37 < area.max() < 0.405
    assert 0.28 < ratio.min() < 0.35
    assert 2.9 < ratio.max() < 3.5
    assert abs(ratio.log().mean()) < 0.1  # tall as often as wide


def test_refusals():
    with pytest.raises(ConfigError, match=r"augment\.erasing\.fill=grey is not one of random, zero"):
        Erasing(images(), 0, **USUAL, fill="grey")
    with pytest.raises(ConfigError, match=r"augment\.erasing\.area=\[0\.5, 0\.1\] is no range"):
        Erasing(images(), 0, **{**USUAL, "area": [0.5, 0.1]})
