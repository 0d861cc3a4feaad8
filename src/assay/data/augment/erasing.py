"""A rectangle of each image painted over."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from assay.contracts import Batch, DataSpec
from assay.data.augment.boxes import inside
from assay.data.augment.draws import between, uniforms, whole
from assay.data.augment.kinds import interval, needs_image, share
from assay.errors import ConfigError

_TRIES = 10
_FILLS = ("random", "zero")


class Erasing:
    """With a probability, one rectangle of x is replaced by noise or zeros.

    Zhong, Zheng, Kang, Li and Yang, "Random Erasing Data Augmentation", 2020, arXiv:1708.04896, algorithm 1: area and
    aspect ratio are drawn until the rectangle fits, then its place. As torchvision v2's ``RandomErasing``, the ratio is
    drawn on a logarithmic scale, so that tall and wide are alike, and an image for which ten draws did not fit stays
    whole. Noise is uniform in [0, 1] at each number, as in the paper; torchvision's is normal.

    Args:
        spec: of the data; the source must be an image.
        seed: of the run.
        p: probability that an image is changed.
        area: [smallest, largest] share of the image.
        ratio: [smallest, largest] height over width.
        fill: ``random`` or ``zero`` (the cutout of DeVries and Taylor 2017, arXiv:1708.04552).
    Shape:
        batch["source"] (B, C, H, W) -> the same
    Raises:
        ConfigError: the source is no image, or a value is outside its range.
    """

    def __init__(
        self, spec: DataSpec, seed: int, p: float, area: list[float], ratio: list[float], fill: str = "random"
    ) -> None:
        needs_image(spec, "erasing")
        if fill not in _FILLS:
            raise ConfigError(f"augment.erasing.fill={fill} is not one of {', '.join(_FILLS)}")
        self.seed, self.fill, self.p = seed, fill, share("erasing.p", p)
        self.area, self.ratio = interval("erasing.area", area, 0, 1), interval("erasing.ratio", ratio, 0.01, 100)

    def boxes(self, epoch: int, index: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Top, left, bottom and right of each example, (B,) int64; empty where nothing is erased."""
        u = uniforms(self.seed, epoch, index, "erasing", 3 + 2 * _TRIES)
        chosen, down, across = u[:, 0] < self.p, u[:, 1], u[:, 2]
        area = between(u[:, 3 : 3 + _TRIES], *self.area) * (height * width)  # (B, tries)
        ratio = between(u[:, 3 + _TRIES :], math.log(self.ratio[0]), math.log(self.ratio[1])).exp()
        tall, wide = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
        fits = (tall < height) & (wide < width)
        first = fits.to(torch.uint8).argmax(1, keepdim=True)  # the first that fits; 0 where none does
        chosen = chosen & fits.gather(1, first).squeeze(1)
        tall, wide = (side.gather(1, first).squeeze(1) * chosen for side in (tall, wide))
        top, left = whole(down, height - tall + 1), whole(across, width - wide + 1)
        return top, left, top + tall, left + wide

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x, index = batch["source"], batch["index"]
        box = inside(*self.boxes(epoch, index, x.shape[-2], x.shape[-1]), x.shape[-2], x.shape[-1])
        if self.fill == "zero":
            return {**batch, "source": x.masked_fill(box, 0)}
        noise = uniforms(self.seed, epoch, index, "erasing noise", x[0].numel()).to(x.dtype)
        return {**batch, "source": torch.where(box, noise.view_as(x), x)}
