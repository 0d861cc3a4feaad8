"""Mirrored images."""

from __future__ import annotations

import torch

from assay.contracts import Batch, DataSpec
from assay.data.augment.draws import uniforms
from assay.data.augment.kinds import needs_image, share


class Flip:
    """x̃ = x mirrored left to right with one probability, and top to bottom with another.

    The commonest augmentation of photographs, Krizhevsky, Sutskever and Hinton 2012, section 4.1. torchvision v2's
    ``RandomHorizontalFlip`` and ``RandomVerticalFlip``, whose draws come from torch's global generator, one image at a
    time: here a batch at once, keyed by example. That holds for all augmentations of images; each is tested against
    torchvision's function of the same parameters.

    Args:
        spec: of the data; the source must be an image.
        seed: of the run.
        horizontal, vertical: probabilities.
    Shape:
        batch["source"] (B, C, H, W) -> the same
    Raises:
        ConfigError: the source is no image, or a probability is outside [0, 1].
    """

    def __init__(self, spec: DataSpec, seed: int, horizontal: float = 0.5, vertical: float = 0.0) -> None:
        needs_image(spec, "flip")
        self.seed = seed
        self.horizontal = share("flip.horizontal", horizontal)
        self.vertical = share("flip.vertical", vertical)

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x = batch["source"]
        across, over = uniforms(self.seed, epoch, batch["index"], "flip", 2)[..., None, None, None].unbind(1)
        if self.horizontal:
            x = torch.where(across < self.horizontal, x.flip(-1), x)
        if self.vertical:
            x = torch.where(over < self.vertical, x.flip(-2), x)
        return {**batch, "source": x}
