"""Every colour space of conf/ against a loop over pixels, and against published implementations and values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from assay.contracts import Field
from assay.errors import ConfigError
from assay.preflight import compose
from tests.options import option, options
from tests.references import color as reference

SPACES = options("color_space")
CONVERTED = [space for space in SPACES if space != "rgb"]
FIELD = Field("image", (3, 7, 9))
CORNERS = torch.cartesian_prod(*[torch.tensor([0.0, 0.03, 0.04045, 0.5, 1.0], dtype=torch.float64)] * 3)
RANGES = {  # what each option's docstring promises, channel by channel
    "rgb": [(0, 1)] * 3,
    "grey": [(0, 1)],
    "hsv": [(0, 1)] * 3,
    "yuv": [(0, 1), (-0.436, 0.436), (-0.615, 0.615)],
    "ycbcr": [(0, 1), (-0.5, 0.5), (-0.5, 0.5)],
    "yiq": [(0, 1), (-0.599, 0.599), (-0.5251, 0.5251)],
    "lab": [(0, 1), (-0.79, 0.90), (-0.99, 0.86)],
}


def convert(space: str, x: torch.Tensor) -> torch.Tensor:
    return option("color_space", space)(FIELD)(x)


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def pixels(colors: torch.Tensor) -> torch.Tensor:
    """(N, 3) colours as one image (1, 3, 1, N)."""
    return colors.double().T[None, :, None]


def test_every_space_has_a_reference_and_a_range():
    assert set(SPACES) == set(RANGES)
    assert all(callable(getattr(reference, space)) for space in SPACES)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("x", [pictures(), pixels(CORNERS)], ids=["random", "greys, primaries and thresholds"])
def test_against_a_loop_over_pixels(space, x):
    found = convert(space, x)
    torch.testing.assert_close(found, torch.from_numpy(reference.image(space, x.numpy())), rtol=0, atol=1e-9)
    torch.testing.assert_close(convert(space, x.float()).double(), found, rtol=0, atol=2e-6)


@pytest.mark.parametrize("space", SPACES)
def test_the_range_is_the_one_promised(space):
    grid = torch.cartesian_prod(*[torch.linspace(0, 1, 18, dtype=torch.float64)] * 3)
    found = convert(space, pixels(grid))
    assert option("color_space", space)(FIELD).channels == found.shape[1] == len(RANGES[space])
    for channel, (low, high) in zip(found[0], RANGES[space], strict=True):
        assert low - 1e-12 <= channel.min() < low + 0.06
        assert high - 0.06 < channel.max() <= high + 1e-12


def test_grey_against_torchvision():
    """Its weight of red is rounded to 0.2989."""
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    x = pictures()
    torch.testing.assert_close(convert("grey", x) - 0.0001 * x[:, :1], functional.rgb_to_grayscale(x))


def test_ycbcr_against_pillow():
    """Pillow's bytes are rounded, and centred on 128."""
    bytes_ = (255 * pictures()[0]).round().permute(1, 2, 0).numpy().astype(np.uint8)
    theirs = np.asarray(Image.fromarray(bytes_).convert("YCbCr")).astype(float) - [0, 128, 128]
    ours = convert("ycbcr", torch.from_numpy(bytes_).permute(2, 0, 1)[None] / 255)[0].permute(1, 2, 0)
    assert np.abs(255 * ours.numpy() - theirs).max() <= 1.0


def test_lab_against_published_values():
    """L*, a*, b* of the sRGB primaries under D65 to two digits, as colour tables print them."""
    colors = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]])
    published = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0], [0, 0, 0]]
    found = convert("lab", pixels(colors))[0, :, 0].T * torch.tensor([100, 110, 110])
    torch.testing.assert_close(found, torch.tensor(published, dtype=torch.float64), rtol=0, atol=0.05)


@pytest.mark.parametrize("space", CONVERTED)
def test_derivatives_are_right_between_kinks_and_finite_on_them(space):
    x = pictures(1)[..., :2, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: convert(space, x), x)
    edge = pixels(CORNERS).float().requires_grad_()  # black, greys and thresholds among them
    convert(space, edge).sum().backward()
    assert edge.grad is not None
    assert edge.grad.isfinite().all()
    assert (edge.grad != 0).any(1).float().mean() > 0.5


@pytest.mark.parametrize("space", CONVERTED)
def test_values_beyond_the_unit_interval_stay_numbers(space):
    x = (4 * pictures() - 2).requires_grad_()
    found = convert(space, x)
    found.sum().backward()
    assert found.isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("space", CONVERTED)
def test_mixed_precision_rounds_no_colour(space):
    x = pictures().float()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = convert(space, x)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, convert(space, x))


@pytest.mark.parametrize("space", CONVERTED)
def test_greys_are_refused_by_the_module_and_before_torch(space):
    module = option("color_space", space)
    for channels, words in ((1, "have 1:"), (None, "have a number of channels that varies")):
        with pytest.raises(ConfigError, match=rf"color_space={space} needs three channels; these images {words}"):
            module(Field("image", (channels, 7, 9)))
    with pytest.raises(ConfigError, match=rf"^color_space={space} converts colours, and these images are grey: leave"):
        compose([f"color_space={space}", "data=digits", "model=cnn"])


@pytest.mark.parametrize("space", CONVERTED)
def test_weights_that_know_red_green_and_blue_get_them(bench, space):
    pytest.importorskip("torchvision")
    point = bench.point({"data": "image_folder", "model": "torchvision", "color_space": space})
    if space == "grey":  # repeated to three channels, as grey data are
        assert not isinstance(point, str), point
    else:
        assert isinstance(point, str)
        assert point.startswith(f"color_space={space} does not suit model=torchvision")


def test_rgb_is_what_was_given():
    x = pictures()
    assert convert("rgb", x) is x
    for channels in (1, 2, None):
        assert option("color_space", "rgb")(Field("image", (channels, 7, 9))).channels == channels


def test_texts_have_no_colours():
    with pytest.raises(ConfigError, match="color_space=hsv reaches nothing: stem=text has no color_space"):
        compose(["color_space=hsv", "data=char_position", "model=lstm"])


@pytest.mark.parametrize("key", ["saturation", "hue", "grey"])
def test_colour_jitter_of_greys_is_refused_before_torch(bench, key):
    words = ["augment=color_jitter", f"augment.color_jitter.{key}=0.2", "model=cnn"]
    with pytest.raises(ConfigError, match=rf"grey images.*: use augment\.color_jitter\.{key}=0"):
        compose([*words, "data=digits"])
    colour = bench.needs["data=image_folder"]
    compose([*words, "data=image_folder", *colour])
    with pytest.raises(ConfigError, match=rf"grey images.*: use augment\.color_jitter\.{key}=0"):
        compose([*words, "data=image_folder", *colour, "data.channels=1"])
