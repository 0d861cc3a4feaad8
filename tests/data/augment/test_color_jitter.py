from __future__ import annotations

import pytest
import torch

from assay.data.augment.color_jitter import ColorJitter
from assay.errors import ConfigError
from tests.data.augment.pictures import batch_of_images, images

STRONG = {"brightness": 0.6, "contrast": 0.7, "saturation": 1.5, "hue": 0.5, "grey": 0.3}


def expected(image, parameters, amounts):
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    brightness, contrast, saturation, hue, grey = parameters
    image = functional.adjust_brightness(image, brightness)
    image = functional.adjust_contrast(image, contrast)
    if image.shape[0] == 3:
        image = functional.adjust_saturation(image, saturation)
        image = functional.adjust_hue(image, hue)
        image = functional.rgb_to_grayscale(image, num_output_channels=3) if grey else image
    return image


def test_colours_against_torchvision():
    given = batch_of_images(40)
    augment = ColorJitter(images(), 1, **STRONG)
    parameters = augment.parameters(2, given["index"]).T.tolist()
    for image, found, values in zip(given["source"], augment(given, 2)["source"], parameters, strict=True):
        torch.testing.assert_close(found, expected(image, values, STRONG), atol=2e-5, rtol=1e-5)
    assert {values[-1] for values in parameters} == {0.0, 1.0}


@pytest.mark.parametrize("name", STRONG)
def test_each_alone_against_torchvision(name):
    given = batch_of_images(20)
    augment = ColorJitter(images(), 1, **{**dict.fromkeys(STRONG, 0.0), name: STRONG[name]})
    found = augment(given, 2)["source"]
    neutral = [1.0, 1.0, 1.0, 0.0, 0.0]
    place = list(STRONG).index(name)
    for i, values in enumerate(augment.parameters(2, given["index"]).T.tolist()):
        assert values[:place] + values[place + 1 :] == neutral[:place] + neutral[place + 1 :]
        torch.testing.assert_close(found[i], expected(given["source"][i], values, STRONG), atol=2e-5, rtol=1e-5)
    assert not torch.equal(found, given["source"])


def test_grey_images_against_torchvision():
    given = batch_of_images(20, channels=1)
    augment = ColorJitter(images(1), 1)
    found = augment(given, 2)["source"]
    for i, values in enumerate(augment.parameters(2, given["index"]).T.tolist()):
        torch.testing.assert_close(found[i], expected(given["source"][i], values, STRONG), atol=1e-6, rtol=1e-5)


def test_parameters_fill_their_ranges():
    parameters = ColorJitter(images(), 0, **STRONG).parameters(0, torch.arange(5000))
    for row, (low, high) in zip(parameters, [(0.4, 1.6), (0.3, 1.7), (0, 2.5), (-0.5, 0.5)], strict=False):
        assert low <= row.min() < low + 0.01
        assert high - 0.01 < row.max() <= high
    assert abs(parameters[4].mean() - 0.3) < 0.02


def test_refusals():
    for name, amount in {"saturation": 0.1, "hue": 0.1, "grey": 0.1}.items():
        line = rf"augment\.color_jitter\.{name} changes colours, and these images have 1 channel: use .*\.{name}=0"
        with pytest.raises(ConfigError, match=line):
            ColorJitter(images(1), 0, **{name: amount})
    with pytest.raises(ConfigError, match=r"augment\.color_jitter\.contrast=-1 is negative"):
        ColorJitter(images(), 0, contrast=-1)
    with pytest.raises(ConfigError, match=r"augment\.color_jitter\.hue=0\.6 is not in \[0, 0\.5\]"):
        ColorJitter(images(), 0, hue=0.6)
