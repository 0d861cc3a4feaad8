"""CutMix: a rectangle of each image comes from another, and so much of the label."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.contracts import Batch, DataSpec
from assay.data.augment.boxes import inside
from assay.data.augment.draws import uniforms, whole
from assay.data.augment.kinds import needs_image, share
from assay.data.augment.mixing import Beta, mixed_targets, partners
from assay.errors import ConfigError


class CutMix:
    """x̃ = M∘x_i + (1 - M)∘x_j, ỹ = λ y_i + (1 - λ) y_j, M zero within a rectangle of 1 - λ of the area.

    Yun, Han, Oh, Chun, Choe and Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features", 2019, arXiv:1905.04899, section 3.1 and algorithm A1. λ ~ Beta(α, α), the rectangle's centre is uniform
    and its sides are √(1 - λ) of the image's; what lies outside is cut off, and the label is mixed by the area that is
    left. Differs: λ, rectangle and whether to mix are drawn for each example, where the paper's code draws them for a
    batch; so that they are functions of (seed, epoch, example). Weights of examples are mixed too (see
    :func:`~assay.data.augment.mixing.mixed_targets`).

    Args:
        spec: of the data; the source must be an image.
        seed: of the run.
        alpha: of the Beta distribution.
        p: probability that an example is mixed.
    Shape:
        batch -> the same; a class label (B,) int64 becomes a distribution (B, C) float32
    Raises:
        ConfigError: the source is no image, alpha is not positive, or p is outside [0, 1].
    """

    mixes = True  # examples of a batch with each other: to be given whole batches

    def __init__(self, spec: DataSpec, seed: int, alpha: float = 1.0, p: float = 1.0) -> None:
        needs_image(spec, "cutmix")
        if not alpha > 0:
            raise ConfigError(f"augment.cutmix.alpha={alpha:g} is not positive")
        self.seed, self.p, self.label = seed, share("cutmix.p", p), spec.label
        self._beta = Beta(alpha)

    def boxes(self, epoch: int, index: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Top, left, bottom and right of each example, (B,) int64; empty where nothing is mixed."""
        wanted, down, across, chosen = uniforms(self.seed, epoch, index, "cutmix", 4).unbind(1)
        half = (1 - self._beta(wanted)).sqrt() * (chosen < self.p) / 2
        tall, wide = (half * height).long(), (half * width).long()
        row, column = whole(down, height), whole(across, width)
        top, bottom = (row - tall).clamp(min=0), (row + tall).clamp(max=height)
        return top, (column - wide).clamp(min=0), bottom, (column + wide).clamp(max=width)

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x, index = batch["source"], batch["index"]
        height, width = x.shape[-2:]
        partner = partners(self.seed, epoch, index, "cutmix partner")
        top, left, bottom, right = self.boxes(epoch, index, height, width)
        own = 1 - ((bottom - top) * (right - left)).to(torch.float64) / (height * width)  # λ of what was cut, (B,)
        source = torch.where(inside(top, left, bottom, right, height, width), x[partner], x)
        return {**batch, "source": source, **mixed_targets(batch, partner, own, self.label)}
