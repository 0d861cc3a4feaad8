"""ONNX files of every model: onnxruntime gives torch's numbers, for any batch and length; quantised ones are small."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from assay.export.onnx_file import write
from assay.export.session import Session
from assay.export.whole import Whole, example
from tests.export.built import CLASSES, LABELS, NUMBER, built
from tests.options import encoders, header

pytest.importorskip("onnxruntime", reason="the extra export is not installed")

SHAPES = ((3, 9), (1, 4), (5, 12), (2, 2), (1, 1))

# What else a model can be, besides its defaults.
VARIANTS = {
    "bag": [("ids", "model.ngrams=3", "model.buckets=50")],
    "cnn": [
        *(("image", f"normalization={name}") for name in ("none", "batch", "layer", "group", "instance", "rms")),
        ("image", "model.pool=average", "model.kernel_size=4"),
        *(("color", f"color_space={name}") for name in ("grey", "hsv", "lab", "ycbcr", "yiq", "yuv")),
        *(("image", f"activation={name}") for name in ("elu", "gelu", "leaky_relu", "prelu", "silu", "tanh")),
    ],
    "gru": [
        ("ids", "model.bidirectional=true", "model.num_layers=2"),
        ("ids", "model.reset=before", "model.bidirectional=true"),
        ("ids", "normalization=layer"),
        ("image",),
        ("sequence", "model.num_layers=2"),
    ],
    "highway": [("image", "normalization=batch"), ("table", "model.shared=true")],
    "linear": [("ids",), ("image",)],
    "lstm": [
        ("ids", "model.bidirectional=true", "model.num_layers=2"),
        ("ids", "normalization=layer", "model.bidirectional=true", "model.num_layers=2"),
        ("image", "normalization=layer"),
        ("sequence", "model.bidirectional=true"),
    ],
    "mlp": [("ids",), ("table", "normalization=batch"), ("table", "normalization=group"), ("image",)],
    "resnet": [("color", "model.shortcut=projection"), ("image", "model.residual=false")],
    "rnn": [
        ("ids", "model.bidirectional=true", "model.num_layers=2"),
        ("ids", "model.nonlinearity=relu"),
        ("ids", "normalization=layer"),
        ("image",),
    ],
    "rnnlu": [
        ("ids", "model.nonlinearity=relu", "model.window=3", "model.lookahead=0", "model.bag=3"),
        ("ids", "model.direct=false", "model.nonlinearity=tanh"),
    ],
    "student": [("color", "normalization=layer", "activation=relu")],
    "textcnn": [("ids", "model.pool=kmax", "model.k=3"), ("ids", "model.pool=average"), ("image",)],
    "torchvision": [("color", "model.name=mobilenet_v3_small", "model.size=32")],
    "transformer": [
        *(("ids", f"model.positions={name}") for name in ("sinusoidal", "learned", "rotary", "none")),
        ("ids", "model.causal=true", "model.norm_first=false", "model.shared=true"),
        ("ids", "normalization=rms"),
        ("ids", "model.query_key_norm=true", "activation=relu2"),
        ("ids", "normalization=group"),
        ("sequence",),
        ("image",),
    ],
    "vgg16": [],
}
MODELS = encoders()


def kind(model: str) -> str:
    """The first kind of data that a model reads, as its YAML says."""
    reads = header("model", model)["reads"][0]
    return {"vector": "table", "sequence": "ids", "tokens": "ids"}.get(reads, reads)


TAGGERS = [
    ("lstm", ("tags", "model.bidirectional=true", "output=crf", "characters=cnn", "stem.sequence.feature_size=4")),
    ("gru", ("tags", "output=softmax", "characters=lstm")),
    ("rnn", ("tags", "model.bidirectional=true", "normalization=layer", "output=crf")),
    ("rnnlu", ("tags", "model.window=3", "output=softmax")),
    ("transformer", ("tags", "output=crf", "characters=cnn")),
]
CASES = [(model, (kind(model),)) for model in MODELS]
CASES += [(model, case) for model in MODELS for case in VARIANTS.get(model, [])]
CASES += TAGGERS


def gap(artifact, path: Path) -> float:
    """The largest difference between the file's answers and torch's, over batches and lengths."""
    session, whole, worst = Session(path), Whole(artifact).eval(), 0.0
    with torch.no_grad():
        for batch, time in SHAPES:
            source = example(artifact, batch, time, seed=batch + time)
            expected, found = whole(*source), torch.from_numpy(session.answers(*source))
            assert expected.shape == found.shape
            assert expected.dtype == found.dtype
            worst = max(worst, float((expected - found).abs().max()))
    return worst


@pytest.mark.slow
@pytest.mark.parametrize(("model", "case"), CASES, ids=lambda one: one if isinstance(one, str) else "-".join(one))
def test_every_model_gives_torchs_numbers(model, case, tmp_path):
    source, *overrides = case
    artifact = built(source, f"model={model}", *overrides)
    write(artifact, tmp_path / "model.onnx")
    assert gap(artifact, tmp_path / "model.onnx") < 1e-5


@pytest.mark.parametrize(
    ("source", "overrides", "label"),
    [
        ("image", ("model=cnn", "normalization=batch", "model.channels=[4]", "model.hidden_size=8"), CLASSES),
        ("ids", ("model=lstm", "model.hidden_size=8", "model.bidirectional=true"), LABELS),
        ("table", ("model=mlp",), NUMBER),
    ],
    ids=["image", "ids", "number"],
)
def test_answers_are_torchs(source, overrides, label, tmp_path):
    artifact = built(source, *overrides, label=label)
    write(artifact, tmp_path / "model.onnx")
    assert gap(artifact, tmp_path / "model.onnx") < (1e-4 if label is NUMBER else 1e-6)


# quantised files

QUANTISED = [
    ("image", "model=cnn", "normalization=batch", "model.channels=[8,16]"),
    ("image", "model=student"),
    ("table", "model=mlp", "normalization=batch", "model.hidden_sizes=[128,128]"),
    ("ids", "model=lstm", "model.bidirectional=true", "model.num_layers=2", "model.hidden_size=64"),
    ("ids", "model=lstm", "normalization=layer", "model.hidden_size=64"),
    ("ids", "model=textcnn"),
    ("ids", "model=gru", "model.hidden_size=64"),
    ("ids", "model=bag", "model.ngrams=2", "model.buckets=500"),
    ("ids", "model=transformer", "model.shared=true"),
    ("tags", "model=lstm", "model.bidirectional=true", "output=crf", "characters=cnn", "model.hidden_size=64"),
    ("image", "model=resnet"),
]
MOST = {"int8": 0.32, "static": 0.34, "dynamic": 0.34, "int4": 0.24, "fp16": 0.55, "bf16": 0.55}
"""Of the bytes of the same network in float32; graph and scales included, so that small networks fit too."""


def check_quantised(case, quantization, folder):
    source, *overrides = case
    artifact = built(source, *overrides, quantization=quantization)
    write(artifact, folder / "small.onnx")
    rounds = quantization in ("static", "dynamic")  # a number between two grid points may fall either way
    assert gap(artifact, folder / "small.onnx") < (0.02 if rounds else 1e-5)
    weights = sum(4 * parameter.numel() for parameter in artifact.network.parameters())
    size = (folder / "small.onnx").stat().st_size
    assert size < MOST[quantization] * weights + 7000, f"{size} bytes of {weights}"
    return folder / "small.onnx"


@pytest.mark.slow
@pytest.mark.parametrize("quantization", MOST)
@pytest.mark.parametrize("case", QUANTISED, ids="-".join)
def test_quantised_files_give_torchs_numbers_in_few_bytes(case, quantization, tmp_path):
    check_quantised(case, quantization, tmp_path)


def test_weights_of_shared_layers_lie_in_the_file_once_and_meet_inputs_that_are_not_rounded(tmp_path):
    check_quantised(("ids", "model=transformer", "model.shared=true"), "int4", tmp_path)


@pytest.mark.parametrize(("case", "quantization"), [(QUANTISED[0], "static"), (QUANTISED[3], "int4")])
def test_integers_lie_in_the_file(case, quantization, tmp_path):
    import onnx

    model = onnx.load(check_quantised(case, quantization, tmp_path))
    operators = [node.op_type for node in model.graph.node]
    kinds = [one.data_type for one in model.graph.initializer]
    if quantization == "static":
        assert operators.count("QuantizeLinear") == 4  # what two convolutions and two linear layers read
        assert "BatchNormalization" not in operators
        assert kinds.count(onnx.TensorProto.INT8) == 4
    else:
        assert operators.count("LSTM") == 4
        assert kinds.count(onnx.TensorProto.INT4) == 10  # two matrices of each, the embedding and the head
        floats = [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
        assert all(len(one.dims) < 2 or 1 in one.dims for one in floats)  # biases alone
