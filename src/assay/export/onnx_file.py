"""One ONNX file from an artifact: traced by torch, batch normalisation folded, quantised weights as integers, and
nothing that computing does not need."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay.artifacts import Artifact
from assay.compression.quantized import Quantization
from assay.errors import ConfigError
from assay.export import integers
from assay.export.fold import folded
from assay.export.libraries import library
from assay.export.traceable import afresh, traceable
from assay.export.whole import Port, Whole, example, ports
from assay.layers.positions import Learned

OPSET = 21
"""The first with DequantizeLinear of four bits and of groups."""


def write(artifact: Artifact, path: Path, prepared: bool = True) -> None:
    """Writes the file, quantised where the artifact is.

    Args:
        artifact: as :func:`assay.artifacts.load` gives it; it stays as it is.
        path: of the file; its folder is there.
        prepared: the input is the column that the data publish; False: a table's cells, filled and scaled inside.
    Raises:
        ConfigError: onnx or onnxscript is not installed, or torch could not write the network.
    """
    for name in ("onnx", "onnxscript"):
        library(name)
    into = ports(artifact, prepared)
    found = artifact.quantization or Quantization("none")
    sample = example(artifact, 3, _length(artifact), prepared)
    whole, grids = _folded(artifact, sample, found, prepared)
    model = traced(whole, into, sample, artifact)
    if found.weights:
        model = integers.store(model, whole.network, grids, "network.", _optimised)
    else:
        model = _optimised(model)
        if found.kind in ("fp16", "bf16"):
            model = integers.sixteen(model, found.kind)
    model = bare(model, {"input": "; ".join(one.means for one in into), "quantization": f"{found.kind}, {found.mode}"})
    for one in model.graph.input:
        assert one.type.tensor_type.shape.dim[0].dim_param, "traced for one batch size"
    data = model.SerializeToString()
    path.write_bytes(data)


def _folded(
    artifact: Artifact, sample: tuple[Tensor, ...], found: Quantization, prepared: bool
) -> tuple[Whole, dict[str, Any]]:
    whole = Whole(artifact, prepared).eval()
    if whole.cells is not None:
        sample = (whole.cells.prepared(sample[0]),)
    batch = dict(zip(whole.fields, sample, strict=True))
    network = artifact.network
    if next(network.parameters()).dtype != torch.float32:
        network = copy.deepcopy(network).float()
    whole.network, grids = folded(network, batch, found.weights, keep=found.kind in ("fp16", "bf16"))
    return whole, grids


def traced(whole: Whole, into: Sequence[Port], sample: tuple[Tensor, ...], artifact: Artifact) -> Any:
    """The unoptimised ``onnx.ModelProto``. Raises ConfigError: torch cannot follow the network or write an operator."""
    try:
        return _traced(whole, into, sample, artifact)
    except Exception as error:
        said = " ".join(str(error.__cause__ or error).split())[:160]
        raise ConfigError(f"torch could not write this network as ONNX ({type(error).__name__}: {said})") from error


def _traced(whole: Whole, into: Sequence[Port], sample: tuple[Tensor, ...], artifact: Artifact) -> Any:
    afresh()
    with traceable(whole), quiet():
        program = torch.export.export(whole, sample, dynamic_shapes=(dimensions(into, artifact),), strict=False)
        found = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            optimize=False,
            verbose=False,
            input_names=[one.name for one in into],
            output_names=["answers"],
        )
    assert found is not None
    return found.model_proto


def dimensions(into: Sequence[Port], artifact: Artifact) -> tuple[dict[int, Any], ...]:
    """Which sizes of each input vary, as torch.export names them."""
    sizes = {
        "batch": torch.export.Dim("batch"),
        "time": torch.export.Dim("time", max=longest(artifact.network)),
        "letters": torch.export.Dim("letters"),
    }
    return tuple(
        {place: sizes[str(size)] for place, size in enumerate(("batch", *one.shape)) if size in sizes} for one in into
    )


def longest(network: nn.Module) -> int | None:
    """The most time steps that a network can read; None without a limit."""
    return min((len(module.weight) for module in network.modules() if isinstance(module, Learned)), default=None)


def _length(artifact: Artifact) -> int:
    return min(9, longest(artifact.network) or 9)


@contextmanager
def quiet() -> Generator[None]:
    """Tracing warns of its own future; nothing of it is the user's."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _optimised(model: Any) -> Any:
    """Constants computed, functions inlined, unused nodes gone; the model given stays as it is."""
    limit = 1 << 30
    with quiet():
        return library("onnxscript.optimizer").optimize(model, input_size_limit=limit, output_size_limit=limit)


def bare(model: Any, facts: dict[str, str]) -> Any:
    """Without what only a reader of the trace would want; names short, facts in the metadata; constants that are the
    same, as those of layers that share their weights, once."""
    onnx = library("onnx")
    graph = model.graph
    del graph.value_info[:], graph.metadata_props[:], model.metadata_props[:]
    del graph.quantization_annotation[:]
    model.doc_string = graph.doc_string = ""
    model.producer_name, model.producer_version, graph.name = "assay", "", "network"
    kept = {value.name for value in (*graph.input, *graph.output)}
    for one in graph.initializer:
        one.doc_string = ""
        del one.metadata_props[:]
    short = _names(graph, kept)
    _rename(graph, short)
    for one in graph.initializer:
        one.name = short[one.name]
    sizes: dict[str, str] = {}
    for value in (*graph.input, *graph.output):
        del value.metadata_props[:]
        value.doc_string = ""
        for size in value.type.tensor_type.shape.dim:  # the tracer's names of what varies
            if size.dim_param:
                size.dim_param = sizes.setdefault(size.dim_param, ("batch", "time", "letters")[min(len(sizes), 2)])
    onnx.helper.set_model_props(model, {"assay": json.dumps(facts)})
    return model


def _names(graph: Any, kept: set[str]) -> dict[str, str]:
    """The short names; of equal constants the first stays."""
    short = {"": "", **{name: name for name in kept}}
    first: dict[bytes, str] = {}
    for one in list(graph.initializer):
        name, one.name = one.name, ""
        held, one.name = hashlib.sha256(one.SerializeToString(deterministic=True)).digest(), name
        if name not in kept and held in first:
            short[name] = short[first[held]]
            graph.initializer.remove(one)
        else:
            first.setdefault(held, name)
            short.setdefault(name, f"w{len(short)}")
    return short


def _rename(graph: Any, short: dict[str, str]) -> None:
    """Nodes without names and doc strings, values numbered; bodies of loops too, which see the values around them."""
    for value in (*graph.input, *graph.output):
        short.setdefault(value.name, f"v{len(short)}")
    for node in graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        for name in (*node.input, *node.output):
            short.setdefault(name, f"v{len(short)}")
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [short[name] for name in names]
        for attribute in node.attribute:
            attribute.doc_string = ""
            for body in (attribute.g, *attribute.graphs):
                if body.node:
                    _body(body, short)


def _body(graph: Any, short: dict[str, str]) -> None:
    _rename(graph, short)
    del graph.value_info[:], graph.metadata_props[:]
    graph.doc_string, graph.name = "", "step"
    for value in (*graph.input, *graph.output):
        value.name = short[value.name]
        del value.metadata_props[:]
