from __future__ import annotations

import pytest
import torch

from assay.data.augment.draws import uniforms
from assay.data.augment.flip import Flip
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_images, images


def test_against_torchvision():
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    given = batch_of_images(40)
    flipped = Flip(images(), seed=1, horizontal=0.3, vertical=0.6)(given, 2)["source"]
    u = uniforms(1, 2, given["index"], "flip", 2)
    seen = set()
    for image, found, (across, over) in zip(given["source"], flipped, u.tolist(), strict=True):
        expected = functional.horizontal_flip(image) if across < 0.3 else image
        expected = functional.vertical_flip(expected) if over < 0.6 else expected
        assert torch.equal(found, expected)
        seen.add((across < 0.3, over < 0.6))
    assert len(seen) == 4


def test_probabilities():
    given = {"source": torch.tensor([[[[0.0, 1]]]]).repeat(4000, 1, 1, 1), "index": torch.arange(4000)}
    assert abs(Flip(images(), 0)(given, 0)["source"][:, 0, 0, 0].mean() - 0.5) < 0.03
    assert Flip(images(), 0, horizontal=1)(given, 0)["source"][:, 0, 0, 0].all()
    assert not Flip(images(), 0, horizontal=0)(given, 0)["source"][:, 0, 0, 0].any()
    with pytest.raises(ConfigError, match=r"augment\.flip\.vertical=-1 is not in"):
        Flip(images(), 0, vertical=-1)
