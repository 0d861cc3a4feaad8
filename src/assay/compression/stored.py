"""A quantised network as an artifact keeps it: integers, scales and zero points, and a fact that says which is which.

``NAME`` holds the integers of a parameter (four-bit ones packed, flat), ``NAME/scale`` their scales;
``MODULE/input/scale`` and ``MODULE/input/zero_point`` the grid of what a layer reads. Weights' zero points are 0 and
not stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from assay.compression.quantized import Grid, Quantization, pack, unpack

SIXTEEN = {"fp16": torch.float16, "bf16": torch.bfloat16}
_KINDS = {**dict.fromkeys(SIXTEEN, ("weight_only",)), "int8": ("weight_only", "dynamic", "static")}
_KINDS["int4"] = ("weight_only", "static")


def encode(
    state: Mapping[str, Tensor], parameters: set[str], quantization: Quantization
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What goes into the file of weights, and the fact ``quantization`` of artifact.json.

    Args:
        state: of the quantised network, as ``state_dict()`` gives it.
        parameters: which of it are parameters; sixteen bits are for those alone.
    """
    stored = dict(state)
    fact: dict[str, Any] = {"kind": quantization.kind, "mode": quantization.mode}
    if quantization.kind in SIXTEEN:
        return {k: v.to(SIXTEEN[quantization.kind]) if k in parameters else v for k, v in stored.items()}, fact
    fact["weights"] = {}
    for name, grid in quantization.weights.items():
        integers = grid.integers(state[name])
        stored[name] = integers if grid.bits == 8 else pack(integers)
        stored[f"{name}/scale"] = grid.scale if grid.group_size is None else grid.scale.bfloat16()
        shape = list(integers.shape)
        fact["weights"][name] = {"bits": grid.bits, "axis": grid.axis, "group_size": grid.group_size, "shape": shape}
    fact["inputs"] = sorted(quantization.inputs)
    for name, grid in quantization.inputs.items():
        stored[f"{name}/input/scale"], stored[f"{name}/input/zero_point"] = grid.scale, grid.zero_point
    return stored, fact


def decode(stored: Mapping[str, Tensor], fact: Mapping[str, Any]) -> tuple[dict[str, Tensor], Quantization]:
    """The float32 state of the network, and how it was quantised.

    Raises:
        ValueError, KeyError, TypeError: fact and tensors do not fit each other.
    """
    kind, mode = fact["kind"], fact["mode"]
    if mode not in _KINDS.get(kind, ()):
        raise ValueError(f"there is no quantization={kind} of mode {mode}")
    left = dict(stored)
    if kind in SIXTEEN:
        found = Quantization(kind)
        return {name: value.float() if value.dtype == SIXTEEN[kind] else value for name, value in left.items()}, found
    grids: dict[str, Grid] = {}
    state: dict[str, Tensor] = {}
    for name, one in fact["weights"].items():
        scale, integers = left.pop(f"{name}/scale").float(), left.pop(name)
        shape = torch.Size(one["shape"])
        grid = Grid(scale, torch.zeros_like(scale, dtype=torch.int8), one["bits"], one["axis"], one["group_size"])
        _refuse_misfit(name, grid, integers, shape)
        grids[name] = grid
        state[name] = grid.reals(integers if grid.bits == 8 else unpack(integers, shape))
    inputs = {}
    for name in fact["inputs"]:
        scale, zero = left.pop(f"{name}/input/scale"), left.pop(f"{name}/input/zero_point")
        if scale.dtype != torch.float32 or zero.dtype != torch.uint8 or scale.dim() or zero.dim() or not scale > 0:
            raise ValueError(f"what {name} reads has no grid of one scale and one byte")
        inputs[name] = Grid(scale, zero)
    if inputs and mode != "static":
        raise ValueError(f"mode {mode} has no grids of inputs")
    return {**left, **state}, Quantization(kind, mode, grids, inputs)


def _refuse_misfit(name: str, grid: Grid, integers: Tensor, shape: torch.Size) -> None:
    if grid.bits not in (4, 8) or not isinstance(grid.axis, int) or not 0 <= grid.axis < len(shape):
        raise ValueError(f"{name} has {grid.bits} bits and channels at {grid.axis}")
    rows = shape[grid.axis]
    scales: tuple[int, ...] = (rows,)
    if grid.group_size is not None:
        if not isinstance(grid.group_size, int) or grid.group_size < 1:
            raise ValueError(f"{name} has groups of {grid.group_size}")
        scales = (rows, -(-(shape.numel() // max(rows, 1)) // grid.group_size))
    expected = (torch.int8, tuple(shape)) if grid.bits == 8 else (torch.uint8, (-(-shape.numel() // 2),))
    if (integers.dtype, tuple(integers.shape)) != expected or tuple(grid.scale.shape) != scales:
        raise ValueError(f"{name} does not hold {shape.numel()} integers of {grid.bits} bits with their scales")
    if not bool((grid.scale > 0).all() & grid.scale.isfinite().all()):
        raise ValueError(f"{name} has a scale that is not a positive number")
