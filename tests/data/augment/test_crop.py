from __future__ import annotations

import pytest
import torch

from assay.data.augment.crop import Crop
from assay.data.augment.draws import uniforms, whole
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_images, images


@pytest.mark.parametrize(("mode", "fill"), [("constant", 0.0), ("constant", 0.7), ("edge", 0.0), ("reflect", 0.0)])
def test_against_torchvision(mode, fill):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    given = batch_of_images(40, height=16, width=12)
    cropped = Crop(images(), seed=1, padding=0.25, fill=fill, mode=mode)(given, 2)["source"]
    down, right = uniforms(1, 2, given["index"], "crop", 2).unbind(1)
    places = torch.stack([whole(down, 9), whole(right, 7)], 1).tolist()
    for image, found, (top, left) in zip(given["source"], cropped, places, strict=True):
        padded = functional.pad(image, [3, 4], fill=fill, padding_mode=mode)
        assert torch.equal(found, functional.crop(padded, top, left, 16, 12))
    assert len({tuple(place) for place in places}) > 20


def test_every_place_is_reached():
    given = {"source": torch.zeros(2000, 1, 5, 5), "index": torch.arange(2000)}
    given["source"][:, 0, 2, 2] = 1
    seen = Crop(images(1), 0, padding=0.4)(given, 0)["source"].sum((0, 1))
    assert seen.sum() == 2000
    assert (seen > 50).all()  # 80 of 2,000 at each of 25


def test_the_border_fits_the_image():
    assert Crop(images(), 0, padding=0.125).border(32) == 4
    assert Crop(images(), 0, padding=0.125).border(3) == 1
    assert Crop(images(), 0, padding=1, mode="reflect").border(8) == 7


def test_refusals():
    with pytest.raises(ConfigError, match=r"augment\.crop\.mode=wrap is not one of constant, edge, reflect"):
        Crop(images(), 0, mode="wrap")
    with pytest.raises(ConfigError, match=r"augment\.crop\.padding=2 is not in \[0, 1\]"):
        Crop(images(), 0, padding=2)
