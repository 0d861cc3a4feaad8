"""Artifacts of untrained networks: any model of conf/ on made-up data of any kind, quantised or not, without a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from assay.artifacts import Artifact
from assay.assemble import assemble
from assay.compression import quantize
from assay.contracts import DataSpec, Field
from assay.export.whole import example, fields
from assay.preflight import compose
from assay.targets import build

CLASSES = Field("class", (), size=4, names=("a", "b", "c", "d"))
TAGS = Field("tags", (None,), size=5, padding_id=-1, names=("O", "B-x", "I-x", "B-y", "I-y"))
BESIDE = {
    "characters": Field("characters", (None, None), size=12, padding_id=0, names=tuple("abcdefghijkl")),
    "pos": Field("feature", (None,), size=6, padding_id=0, names=tuple("uvwxyz")),
}
LABELS = Field("labels", (3,), size=3, names=("x", "y", "z"))
NUMBER = Field("number", center=100.0, scale=7.0)

SOURCES = {
    "image": (Field("image", (1, 12, 12)), "digits"),
    "color": (Field("image", (3, 12, 12)), "digits"),
    "ids": (Field("ids", (None,), size=30, padding_id=0, names=tuple(map(str, range(30)))), "char_contains"),
    "table": (Field("table", (5,), names=tuple("abcde"), cardinalities=(0, 0, 3, 0, 4)), "iris"),
    "tags": (
        Field("ids", (None,), size=30, padding_id=0, names=tuple(map(str, range(30)))),
        "char_contains task=tagging stem=tagged",
    ),
    "sequence": (Field("sequence", (None, 3)), "adding"),
}

QUANTIZERS = {
    "int8": lambda: quantize.Int8("weight_only", "max", "minmax", 99.9, 0),
    "dynamic": lambda: quantize.Int8("dynamic", "max", "minmax", 99.9, 0),
    "static": lambda: quantize.Int8("static", "max", "minmax", 99.9, 64),
    "int4": lambda: quantize.Int4(32, "max"),
    "fp16": lambda: quantize.SixteenBit("fp16"),
    "bf16": lambda: quantize.SixteenBit("bf16"),
}


def built(
    source: str,
    *overrides: str,
    label: Field = CLASSES,
    quantization: str | None = None,
    shape: tuple[int | None, ...] | None = None,
) -> Artifact:
    """An artifact without preprocessing; its batch normalisations have statistics of their own, some factors negative.

    Args:
        source: a key of SOURCES.
        shape: of an example, where it is not the key's.
    """
    field, data = SOURCES[source]
    field = field if shape is None else replace(field, shape=shape)
    task = ["task=regression"] if label.kind == "number" else []
    rules = source not in ("color", "tags") and label.kind != "number"  # the data named are others, or have classes
    label = TAGS if source == "tags" else label
    config = compose([*f"data={data}".split(), "trainer=cpu", "logger=none", *task, *overrides], rules=rules).config
    spec = DataSpec({"source": field, "label": label, **(BESIDE if source == "tags" else {})})
    task_, network = assemble(config, spec, build(config["loss"]))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.normal_(1, 0.7, generator=generator)
                module.bias.normal_(generator=generator)
    network.eval()
    made = Artifact(task_, network, spec, None, config, {})
    if quantization is not None:
        made.quantization = _quantized(made, quantization)
    return made


def _quantized(made: Artifact, name: str) -> Any:
    seen = [
        {**dict(zip(fields(made), example(made, 16, 9, seed=seed), strict=True)), "index": torch.arange(16)}
        for seed in range(4)
    ]
    found = QUANTIZERS[name]()(made.network, lambda: seen)
    made.network.eval()
    return found
