"""Quantised weights in a graph: integers and their scales as constants, an operator that multiplies them at run time.

The graph is optimised three times, with the weights, with their integers and with their scales in the same place. What
has the same structure and satisfies weight = integer · scale exactly was only moved about (transposed, gates reordered,
joined), so the integers can be stored as they came out; anything else keeps its operator at the weight itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from assay.compression.quantized import Grid
from assay.export.libraries import library

Optimise = Callable[[Any], Any]


def store(model: Any, network: nn.Module, grids: Mapping[str, Grid], prefix: str, optimise: Optimise) -> Any:
    """The optimised graph with integers in the place of the weights that are on a grid.

    Args:
        model: an ``onnx.ModelProto`` whose initialisers are named as the network's parameters, after ``prefix``.
    """
    parts = {prefix + name: _parts(network, name, grid) for name, grid in grids.items()}
    held = {one.name for one in model.graph.initializer}
    parts = {name: found for name, found in parts.items() if name in held}  # one that nothing reads is not there
    real = optimise(model)
    integer = optimise(_with(model, {name: found[0] for name, found in parts.items()}))
    scale = optimise(_with(model, {name: found[1] for name, found in parts.items()}))
    if _structure(real) == _structure(integer) == _structure(scale):
        triples = zip(*(_arrays(one) for one in (real, integer, scale)), strict=True)
        found = {}
        for (name, weight), (_, whole), (_, step) in triples:
            if weight.dtype != np.float32 or np.array_equal(weight, whole):
                continue
            if not np.array_equal(weight, whole * step):
                break
            found[name] = (whole, step)
        else:
            bits = next(iter(grids.values())).bits
            return _dequantised(real, found, bits)
    return optimise(_dequantised(model, parts, next(iter(grids.values())).bits))


def _parts(network: nn.Module, name: str, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """A weight's integers and scales, both of its own shape, float32."""
    weight = network.get_parameter(name).detach()
    integers = grid.integers(weight).float()
    return integers.numpy(), grid.spread(grid.scale, weight.shape).expand_as(weight).float().contiguous().numpy()


def _with(model: Any, values: Mapping[str, np.ndarray]) -> Any:
    onnx = library("onnx")
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for one in copy.graph.initializer:
        if one.name in values:
            one.CopyFrom(onnx.numpy_helper.from_array(values[one.name], one.name))
    return copy


def _structure(model: Any) -> bytes:
    """All of a graph but its constants' values."""
    copy = library("onnx").ModelProto()
    copy.CopyFrom(model)
    for one in copy.graph.initializer:
        one.ClearField("raw_data")
        one.ClearField("float_data")
    del copy.graph.value_info[:]
    return copy.SerializeToString(deterministic=True)


def _arrays(model: Any) -> list[tuple[str, np.ndarray]]:
    to_array = library("onnx").numpy_helper.to_array
    return [(one.name, to_array(one)) for one in model.graph.initializer]


def _dequantised(model: Any, found: Mapping[str, tuple[np.ndarray, np.ndarray]], bits: int) -> Any:
    """Replaces the constants named by integers, scales and DequantizeLinear."""
    onnx = library("onnx")
    nodes = []
    for one in [one for one in model.graph.initializer if one.name in found]:
        integers, scales = found[one.name]
        axis, block, scale = compact(scales)
        shape = scales.shape
        if scale is None:  # groups of a convolution's weights run over all dimensions but the first
            axis, block, scale = compact(scales.reshape(shape[0], -1))
            shape = (shape[0], scales[0].size)
        if scale is None:  # scales that follow no axis: the weight stays as it is
            continue
        model.graph.initializer.remove(one)
        names = [f"{one.name}_q", f"{one.name}_s"]
        kind = onnx.TensorProto.INT4 if bits == 4 else onnx.TensorProto.INT8
        raw = pack(integers) if bits == 4 else integers.astype(np.int8).tobytes()
        model.graph.initializer.append(onnx.helper.make_tensor(names[0], kind, list(shape), raw, raw=True))
        if block and np.array_equal(scale, to_bfloat16(scale)):  # as the artifact stores them: two bytes
            half = onnx.helper.make_tensor(
                f"{one.name}_b", onnx.TensorProto.BFLOAT16, list(scale.shape), bfloat16_bytes(scale), raw=True
            )
            model.graph.initializer.append(half)
            nodes.append(onnx.helper.make_node("Cast", [half.name], [names[1]], to=onnx.TensorProto.FLOAT))
        else:
            model.graph.initializer.append(onnx.numpy_helper.from_array(scale, names[1]))
        attributes = {"axis": axis, **({"block_size": block} if block else {})} if scale.ndim else {}
        if shape == scales.shape:
            nodes.append(onnx.helper.make_node("DequantizeLinear", names, [one.name], **attributes))
        else:
            sizes = onnx.numpy_helper.from_array(np.array(scales.shape, dtype=np.int64), f"{one.name}_d")
            model.graph.initializer.append(sizes)
            nodes.append(onnx.helper.make_node("DequantizeLinear", names, [f"{one.name}_f"], **attributes))
            nodes.append(onnx.helper.make_node("Reshape", [f"{one.name}_f", sizes.name], [one.name]))
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)
    return model


def compact(scales: np.ndarray) -> tuple[int, int, np.ndarray | None]:
    """(axis, block, scales) as DequantizeLinear takes them: one scale of the whole, (C,) along an axis, or with a block
    length a tensor; None where the scales are none of these."""
    flat = scales.reshape(-1)
    if (flat == flat[0]).all():
        return 0, 0, flat[0].reshape(())
    for axis, size in enumerate(scales.shape):
        rows = np.moveaxis(scales, axis, 0).reshape(size, -1)
        if (rows == rows[:, :1]).all():
            return axis, 0, np.ascontiguousarray(rows[:, 0])
    for axis in reversed(range(scales.ndim)):
        size = scales.shape[axis]
        changes = np.flatnonzero(
            (np.diff(scales, axis=axis) != 0).any(tuple(a for a in range(scales.ndim) if a != axis))
        )
        block = int(np.gcd.reduce(changes + 1)) if len(changes) else size
        if block > 1:
            return axis, block, np.ascontiguousarray(np.take(scales, range(0, size, block), axis))
    return 0, 0, None


def pack(integers: np.ndarray) -> bytes:
    """Four-bit integers two to a byte, the first in the low half."""
    flat = integers.astype(np.int8).reshape(-1).astype(np.uint8) & 0xF
    flat = np.pad(flat, (0, len(flat) % 2))
    return (flat[0::2] | flat[1::2] << 4).astype(np.uint8).tobytes()


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    return torch.from_numpy(values).bfloat16().float().numpy()


def bfloat16_bytes(values: np.ndarray) -> bytes:
    return torch.from_numpy(values).bfloat16().view(torch.int16).numpy().tobytes()


def sixteen(model: Any, kind: str) -> Any:
    """Every float32 constant that sixteen bits hold exactly, in sixteen bits and with a Cast, which onnxruntime does
    once when it opens the file."""
    onnx = library("onnx")
    to = onnx.TensorProto.FLOAT16 if kind == "fp16" else onnx.TensorProto.BFLOAT16
    dtype = torch.float16 if kind == "fp16" else torch.bfloat16
    nodes = []
    for one in model.graph.initializer:
        if one.data_type != onnx.TensorProto.FLOAT:
            continue
        values = torch.from_numpy(onnx.numpy_helper.to_array(one).copy())
        if values.numel() < 32 or not torch.equal(values.to(dtype).float(), values):
            continue
        raw = values.to(dtype).view(torch.int16).numpy().tobytes()
        nodes.append(onnx.helper.make_node("Cast", [f"{one.name}_h"], [one.name], to=onnx.TensorProto.FLOAT))
        one.CopyFrom(onnx.helper.make_tensor(f"{one.name}_h", to, list(values.shape), raw, raw=True))
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)
    return model
