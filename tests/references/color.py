"""Colours by the standards' formulas, one pixel at a time, in Python floats."""

from __future__ import annotations

import colorsys

import numpy as np


def grey(r: float, g: float, b: float) -> tuple[float]:
    return (0.299 * r + 0.587 * g + 0.114 * b,)


def hsv(r: float, g: float, b: float) -> tuple[float, ...]:
    return colorsys.rgb_to_hsv(r, g, b)


def yiq(r: float, g: float, b: float) -> tuple[float, ...]:
    return colorsys.rgb_to_yiq(r, g, b)


def yuv(r: float, g: float, b: float) -> tuple[float, ...]:
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return y, 0.436 * (b - y) / 0.886, 0.615 * (r - y) / 0.701


def ycbcr(r: float, g: float, b: float) -> tuple[float, ...]:
    """The matrix as JFIF 1.02 prints it, whose entries sum to zero; six digits more than its four."""
    return (
        0.299 * r + 0.587 * g + 0.114 * b,
        -0.1687358916 * r - 0.3312641084 * g + 0.5 * b,
        0.5 * r - 0.4186875892 * g - 0.0813124108 * b,
    )


def lab(r: float, g: float, b: float) -> tuple[float, ...]:
    def light(c: float) -> float:
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    def f(t: float) -> float:
        return t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29

    r, g, b = light(r), light(g), light(b)
    x = 0.4124 * r + 0.3576 * g + 0.1805 * b
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = 0.0193 * r + 0.1192 * g + 0.9505 * b
    fx, fy, fz = f(x / 0.9505), f(y / 1.0), f(z / 1.089)
    return (116 * fy - 16) / 100, 500 * (fx - fy) / 110, 200 * (fy - fz) / 110


def rgb(r: float, g: float, b: float) -> tuple[float, ...]:
    return r, g, b


def image(space: str, x: np.ndarray) -> np.ndarray:
    """(B, 3, H, W) -> (B, C, H, W), pixel by pixel."""
    convert = globals()[space]
    batch, _, height, width = x.shape
    rows = [[[convert(*x[n, :, i, j].tolist()) for j in range(width)] for i in range(height)] for n in range(batch)]
    return np.moveaxis(np.array(rows), -1, 1)
