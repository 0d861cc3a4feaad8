"""Images shifted within a border: padded on all sides, then cut to their size at a random place."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from assay.contracts import Batch, DataSpec
from assay.data.augment.draws import uniforms, whole
from assay.data.augment.kinds import needs_image, share
from assay.errors import ConfigError

_MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}


class Crop:
    """x̃ = the H×W window at a random place of x padded by a share of its sides.

    He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2016, arXiv:1512.03385, section 4.2 (four
    pixels around 32×32). torchvision v2's ``RandomCrop(size, padding, fill, padding_mode)``, all places equally likely.
    Differs: padding is a share of the side, so that one value fits all sizes.

    Args:
        spec: of the data; the source must be an image.
        seed: of the run.
        padding: on each side, as a share of it, rounded; one pixel at least.
        fill: brightness of a constant border.
        mode: of the border: ``constant``, ``edge`` (its own edge repeated) or ``reflect`` (mirrored).
    Shape:
        batch["source"] (B, C, H, W) -> the same
    Raises:
        ConfigError: the source is no image, padding or fill is outside [0, 1], or mode is something else.
    """

    def __init__(
        self, spec: DataSpec, seed: int, padding: float = 0.125, fill: float = 0.0, mode: str = "constant"
    ) -> None:
        needs_image(spec, "crop")
        if mode not in _MODES:
            raise ConfigError(f"augment.crop.mode={mode} is not one of {', '.join(_MODES)}")
        self.seed, self.mode = seed, mode
        self.padding, self.fill = share("crop.padding", padding), share("crop.fill", fill)

    def border(self, side: int) -> int:
        """Pixels around a side; a mirrored border is narrower than the image."""
        pixels = max(1, round(self.padding * side))
        return min(pixels, side - 1) if self.mode == "reflect" else pixels

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x = batch["source"]
        height, width = x.shape[-2:]
        high, wide = self.border(height), self.border(width)
        fill = self.fill if self.mode == "constant" else None
        padded = F.pad(x, (wide, wide, high, high), _MODES[self.mode], fill)  # (B, C, H + 2·high, W + 2·wide)
        down, right = uniforms(self.seed, epoch, batch["index"], "crop", 2).unbind(1)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, 2·high + 1, 2·wide + 1, H, W), a view
        rows = torch.arange(len(x), device=x.device)
        x = windows[rows, :, whole(down, 2 * high + 1), whole(right, 2 * wide + 1)]  # (B, C, H, W)
        return {**batch, "source": x}
