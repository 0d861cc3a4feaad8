"""Grids: which real numbers a quantised network's weights and inputs may be, and which integers stand for them.

real = (integer - zero_point) · scale (Jacob et al. 2018, arXiv:1712.05877, eq. 1; ONNX's DequantizeLinear).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Equidistant real numbers of one tensor, of each of its channels, or of each group within a channel.

    Attributes:
        scale: distance of two neighbours, float32. () for a tensor, (C,) for channels, (C, G) for groups.
        zero_point: the integer of 0.0, of the scale's shape. int8: integers are signed and it is 0 (-128 … 127 for 8
            bits, -8 … 7 for 4). uint8: 0 … 255.
        bits: 8 or 4. Four-bit integers are int8 tensors here; two to a byte on disk only (:func:`pack`).
        axis: of the channels; None for one grid of the whole tensor.
        group_size: how many neighbours of a channel's flattened weights share a scale; a channel's last group is
            shorter where it does not divide. None for one scale of the channel.
    """

    scale: Tensor
    zero_point: Tensor
    bits: int = 8
    axis: int | None = None
    group_size: int | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest integer."""
        if self.zero_point.dtype == torch.uint8:
            return 0, 2**self.bits - 1
        half = 2 ** (self.bits - 1)
        return -half, half - 1

    def integers(self, x: Tensor) -> Tensor:
        """The nearest integers, halves to even, cut off at the limits: int8 or uint8, of the shape of ``x``.

        x · (1/scale) is rounded, as torch's ``fake_quantize`` and torchao do; ONNX rounds x / scale, which differs
        where x lies within a rounding error of the middle of two numbers. Exact for what is on the grid: the integers
        of ``self.reals(q)`` are ``q``.
        """
        least, most = self.limits
        scale, zero = self.spread(self.scale, x.shape), self.spread(self.zero_point, x.shape)
        return (torch.round(x * (1 / scale)) + zero).clamp(least, most).to(self.zero_point.dtype)

    def reals(self, integers: Tensor) -> Tensor:
        """The float32 numbers that integers stand for."""
        zero = self.spread(self.zero_point, integers.shape)
        return (integers.float() - zero.float()) * self.spread(self.scale, integers.shape)

    def round(self, x: Tensor) -> Tensor:
        """The nearest numbers of the grid; the gradient is that of this arithmetic, not straight through."""
        least, most = self.limits
        scale, zero = self.spread(self.scale, x.shape), self.spread(self.zero_point, x.shape).float()
        return ((torch.round(x * (1 / scale)) + zero).clamp(least, most) - zero) * scale

    def spread(self, values: Tensor, shape: torch.Size) -> Tensor:
        """Scales or zero points as a tensor that broadcasts against one of ``shape``."""
        if self.axis is None:
            return values
        if self.group_size is None:
            return values.view([-1 if place == self.axis else 1 for place in range(len(shape))])
        rest = [size for place, size in enumerate(shape) if place != self.axis]
        wide = values.repeat_interleave(self.group_size, dim=1)[:, : torch.Size(rest).numel()]
        return wide.reshape(shape[self.axis], *rest).movedim(0, self.axis)


@dataclass
class Quantization:
    """How a network was quantised. The network itself is a float32 one that computes with numbers on these grids.

    Attributes:
        kind: fp16, bf16 (weights rounded to sixteen bits, no grids), int8 or int4.
        mode: weight_only; dynamic (what a convolution or linear layer reads is rounded to a symmetric grid of its
            own range as it comes: :class:`assay.compression.fake.DynamicInput`); static (to ``inputs``).
        weights: by parameter name as in ``network.state_dict()``. Their integers are ``grid.integers(parameter)``.
        inputs: of what a layer reads, by module name as in ``network.named_modules()``; static only.
    """

    kind: str
    mode: str = "weight_only"
    weights: dict[str, Grid] = field(default_factory=dict)
    inputs: dict[str, Grid] = field(default_factory=dict)

    def cpu(self) -> Quantization:
        """The same, its grids on the CPU."""

        def moved(grids: dict[str, Grid]) -> dict[str, Grid]:
            return {name: replace(g, scale=g.scale.cpu(), zero_point=g.zero_point.cpu()) for name, g in grids.items()}

        return Quantization(self.kind, self.mode, moved(self.weights), moved(self.inputs))


def pack(integers: Tensor) -> Tensor:
    """Four-bit integers (int8, -8 … 7) two to a byte: the first in the low half, as ONNX's INT4. uint8, 1-D."""
    flat = integers.flatten().to(torch.int16) & 0xF
    flat = torch.nn.functional.pad(flat, (0, flat.numel() % 2))
    return (flat[0::2] | (flat[1::2] << 4)).to(torch.uint8)


def unpack(packed: Tensor, shape: torch.Size) -> Tensor:
    """The int8 tensor that was packed."""
    wide = packed.to(torch.int16)
    halves = torch.stack((wide & 0xF, wide >> 4), dim=1).flatten()[: shape.numel()]
    return ((halves ^ 8) - 8).to(torch.int8).view(shape)
