from __future__ import annotations

import colorsys

import pytest
import torch

from assay.data.augment.color_spaces import from_hsv, luma, to_hsv

COLORS = [
    (r / 4, g / 4, b / 4) for r in range(5) for g in range(5) for b in range(5)
]  # greys, pure colours and ties included


def test_hsv_against_colorsys():
    x = torch.tensor(COLORS).T.reshape(1, 3, 5, 25)
    hue, saturation, value = to_hsv(x)
    expected = torch.tensor([colorsys.rgb_to_hsv(*color) for color in COLORS]).T.reshape(3, 5, 25)
    torch.testing.assert_close(torch.cat([hue, saturation, value]), expected)
    torch.testing.assert_close(from_hsv(hue, saturation, value), x)


def test_turned_hues_against_colorsys():
    hsv = torch.rand(3, 400, generator=torch.Generator().manual_seed(0))
    found = from_hsv(*hsv.reshape(3, 1, 20, 20)).reshape(3, 400)
    expected = torch.tensor([colorsys.hsv_to_rgb(*color) for color in hsv.T.tolist()]).T
    torch.testing.assert_close(found, expected)


def test_luma_against_torchvision():
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    x = torch.rand(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(luma(x), functional.rgb_to_grayscale(x))
    assert torch.equal(luma(x[:, :1]), x[:, :1])
