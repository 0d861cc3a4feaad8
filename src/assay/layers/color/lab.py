"""CIELAB: distances between colours about as the eye sees them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.contracts import Field
from assay.layers.color.channels import needs_color

# Linear sRGB -> XYZ, IEC 61966-2-1, white point D65.
_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_REACH = 110  # |a| and |b| of sRGB stay below 108


class LAB(nn.Module):
    """L / 100, a / 110 and b / 110 of CIE 1976 L*a*b*, of sRGB pixels under D65.

    Linear light (IEC 61966-2-1): c ↦ c / 12.92 up to 0.04045, else ((c + 0.055) / 1.055)^2.4. Then XYZ over its white,
    f(t) = t^(1/3) above (6/29)³, else t / (3 (6/29)²) + 4/29, and (ISO/CIE 11664-4) L* = 116 f(Y) - 16,
    a* = 500 (f(X) - f(Y)), b* = 200 (f(Y) - f(Z)).
    L / 100 lies in [0, 1], a / 110 in [-0.79, 0.90], b / 110 in [-0.99, 0.86].
    The white is the XYZ of R = G = B = 1 by the same matrix, so that greys have a = b = 0 to the last bits.

    Args:
        field: an ``image`` of three channels.
    Shape:
        (B, 3, H, W) -> the same
    Raises:
        ConfigError: the images have no three channels.
    """

    channels = 3

    def __init__(self, field: Field) -> None:
        needs_color(field, "lab")
        super().__init__()
        self.rows = [tuple(weight / sum(row) for weight in row) for row in _XYZ]  # each over its white

    def forward(self, x: Tensor) -> Tensor:
        red, green, blue = _light(x).unbind(1)
        fx, fy, fz = (_cube_root(r * red + g * green + b * blue) for r, g, b in self.rows)
        return torch.stack([1.16 * fy - 0.16, 500 / _REACH * (fx - fy), 200 / _REACH * (fy - fz)], 1)


def _light(x: Tensor) -> Tensor:
    """The inner ``where`` keeps the derivative of the branch not taken finite."""
    high = x > 0.04045
    return torch.where(high, ((torch.where(high, x, 1) + 0.055) / 1.055) ** 2.4, x / 12.92)


def _cube_root(t: Tensor) -> Tensor:
    high = t > (6 / 29) ** 3
    return torch.where(high, torch.where(high, t, 1) ** (1 / 3), t / (3 * (6 / 29) ** 2) + 4 / 29)
