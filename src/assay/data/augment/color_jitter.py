"""Images brightened, darkened, made flatter, paler, tinted or grey."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.contracts import Batch, DataSpec
from assay.data.augment.color_spaces import from_hsv, luma, to_hsv
from assay.data.augment.draws import between, uniforms
from assay.data.augment.kinds import needs_image, share
from assay.errors import ConfigError


class ColorJitter:
    """Brightness, contrast, saturation and hue changed by random amounts, in this order; grey with a probability.

    Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification", 2013, arXiv:1312.5402,
    section 2; the formulas and ranges are those of torchvision v2's ``ColorJitter`` and ``RandomGrayscale``. With f
    uniform in [max(0, 1 - a), 1 + a]:
    brightness x̃ = f x; contrast x̃ = f x + (1 - f) mean(luma(x)); saturation x̃ = f x + (1 - f) luma(x); each cut to
    [0, 1]. Hue is turned by a share of the circle uniform in [-hue, hue].
    Differs: torchvision draws the order of the four anew for each image; one order lets a batch go through together.

    Args:
        spec: of the data; the source must be an image.
        seed: of the run.
        brightness, contrast, saturation: a; 0 changes nothing.
        hue: largest turn, either way; 0.5 reaches every hue.
        grey: probability that an image loses its colour.
    Shape:
        batch["source"] (B, C, H, W) in [0, 1] -> the same
    Raises:
        ConfigError: the source is no image, a value is outside its range, or grey images are to change their colour.
    """

    def __init__(
        self,
        spec: DataSpec,
        seed: int,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.0,
        hue: float = 0.0,
        grey: float = 0.0,
    ) -> None:
        needs_image(spec, "color_jitter")
        for name, amount in {"brightness": brightness, "contrast": contrast, "saturation": saturation}.items():
            if not amount >= 0:
                raise ConfigError(f"augment.color_jitter.{name}={amount:g} is negative: 0 changes nothing")
        if not 0 <= hue <= 0.5:
            raise ConfigError(f"augment.color_jitter.hue={hue:g} is not in [0, 0.5]")
        if spec.source.shape[0] != 3 and (saturation or hue or grey):
            name = "saturation" if saturation else "hue" if hue else "grey"
            raise ConfigError(
                f"augment.color_jitter.{name} changes colours, and these images have {spec.source.shape[0]} channel: "
                f"use augment.color_jitter.{name}=0"
            )
        self.seed, self.brightness, self.contrast, self.saturation = seed, brightness, contrast, saturation
        self.hue, self.grey = hue, share("color_jitter.grey", grey)

    def parameters(self, epoch: int, index: Tensor) -> Tensor:
        """(5, B) float64: factors of brightness, contrast and saturation; turn of the hue; whether it becomes grey."""
        u = uniforms(self.seed, epoch, index, "color_jitter", 5).unbind(1)
        amounts = (self.brightness, self.contrast, self.saturation)
        factors = [between(one, max(0.0, 1 - a), 1 + a) for one, a in zip(u, amounts, strict=False)]
        return torch.stack([*factors, between(u[3], -self.hue, self.hue), (u[4] < self.grey).double()])

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x = batch["source"]
        values = self.parameters(epoch, batch["index"]).to(x.dtype)[..., None, None, None]
        brightness, contrast, saturation, hue, grey = values.unbind()  # (B, 1, 1, 1) each
        if self.brightness:
            x = (brightness * x).clamp_(0, 1)
        if self.contrast:
            x = _blend(x, luma(x).mean((1, 2, 3), keepdim=True), contrast)
        if self.saturation:
            x = _blend(x, luma(x), saturation)
        if self.hue:
            turned, *rest = to_hsv(x)
            x = from_hsv(torch.remainder(turned + hue[:, 0], 1), *rest)
        if self.grey:
            x = torch.where(grey > 0, luma(x), x)
        return {**batch, "source": x}


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """f x + (1 - f) other, cut to [0, 1]."""
    return torch.lerp(other, x, factor).clamp_(0, 1)
