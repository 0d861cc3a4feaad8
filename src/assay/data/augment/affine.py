"""Images rotated, shifted, scaled and sheared about their centre."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.contracts import Batch, DataSpec
from assay.data.augment.draws import between, uniforms
from assay.data.augment.kinds import interval, needs_image, share
from assay.errors import ConfigError


class Affine:
    """x̃(v) = x(M⁻¹ v) with M = T·R(angle)·S(scale)·Y(y shear)·X(x shear), about the image's centre.

    The affine distortions of LeCun et al. 1998, section III-A. R turns by the angle, S scales, X and Y shear by
    -tan of theirs, T translates: torchvision v2's ``RandomAffine`` and its conventions. Each parameter is uniform in
    its range. Differs: shifts need not be whole pixels; and a pixel half outside is half the fill, where torchvision's
    bilinear fill counts the outside twice.

    Args:
        spec: of the data; the source must be an image.
        seed: of the run.
        degrees: largest rotation, either way.
        translate: largest shift, as a share of the side, either way.
        scale: [lowest, highest] factor of size.
        shear: largest angle of shear in degrees, either way, along x and along y.
        fill: brightness of what lies outside the image.
        interpolation: ``bilinear`` or ``nearest``.
    Shape:
        batch["source"] (B, C, H, W) -> the same
    Raises:
        ConfigError: the source is no image, or a value is outside its range.
    """

    def __init__(
        self,
        spec: DataSpec,
        seed: int,
        degrees: float,
        translate: float,
        scale: list[float],
        shear: float,
        fill: float = 0.0,
        interpolation: str = "bilinear",
    ) -> None:
        needs_image(spec, "affine")
        if not 0 <= degrees <= 180 or not 0 <= shear < 90:
            raise ConfigError(
                f"augment.affine.degrees={degrees:g} lies in [0, 180] and augment.affine.shear={shear:g} in [0, 90)"
            )
        if interpolation not in ("bilinear", "nearest"):
            raise ConfigError(f"augment.affine.interpolation={interpolation} is not one of bilinear, nearest")
        self.seed, self.degrees, self.shear, self.interpolation = seed, degrees, shear, interpolation
        self.translate, self.fill = share("affine.translate", translate), share("affine.fill", fill)
        self.scale = interval("affine.scale", scale, 0.01, 100)

    def parameters(self, epoch: int, index: Tensor) -> Tensor:
        """(6, B) float64: angle, shifts right and down as shares, scale, shears along x and y; angles in degrees."""
        angle, right, down, scale, x, y = uniforms(self.seed, epoch, index, "affine", 6).unbind(1)
        turn, move, slant = self.degrees, self.translate, self.shear
        return torch.stack(
            [
                between(angle, -turn, turn),
                between(right, -move, move),
                between(down, -move, move),
                between(scale, *self.scale),
                between(x, -slant, slant),
                between(y, -slant, slant),
            ]
        )

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x = batch["source"]
        theta = inverse(self.parameters(epoch, batch["index"]), x.shape[-2], x.shape[-1]).to(x.dtype)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (B, H, W, 2)
        # outside is 0: of what is darker or lighter than the fill by so much
        x = F.grid_sample(x - self.fill if self.fill else x, grid, self.interpolation, "zeros", align_corners=False)
        return {**batch, "source": x + self.fill if self.fill else x}


def inverse(parameters: Tensor, height: int, width: int) -> Tensor:
    """M⁻¹ (B, 2, 3) in ``affine_grid``'s coordinates, where each side runs from -1 to 1, of ``parameters`` (6, B)."""
    angle, right, down, scale, x, y = parameters
    angle, x, y = angle.deg2rad(), x.deg2rad(), y.deg2rad()
    one = torch.ones_like(angle)

    def matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        return torch.stack([torch.stack([a, b], -1), torch.stack([c, d], -1)], -2)  # (B, 2, 2)

    turn = matrix(angle.cos(), angle.sin(), -angle.sin(), angle.cos())  # R⁻¹
    # (Y X)⁻¹: sheared along x by tan x, after being sheared along y by tan y
    slant = matrix(one, x.tan(), 0 * one, one) @ matrix(one, 0 * one, y.tan(), one)
    linear = slant @ turn / scale[:, None, None]  # in pixels
    moved = -linear @ torch.stack([right * width, down * height], -1)[..., None]  # (B, 2, 1)
    half = linear.new_tensor([width / 2, height / 2])
    return torch.cat([linear * half / half[:, None], moved / half[:, None]], -1)  # (B, 2, 3)
