"""Every way of quantising, over every model of conf/model: close to the float network, and back from a file bit for
bit."""

from __future__ import annotations

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from assay.compression.grids import quantizable
from assay.compression.quantize import Int4, Int8, QuantizationAware, SixteenBit
from assay.compression.rounding import attach, readers
from assay.compression.stored import decode, encode
from assay.errors import ConfigError
from assay.layers.random import KeyedStreams
from tests.models.encoders import batch, cases
from tests.options import option, options

WAYS = {
    "fp16": ("fp16", [], 0.005),
    "bf16": ("bf16", [], 0.05),
    "weight_only": ("int8", [], 0.05),
    "dynamic": ("int8", ["quantization.mode=dynamic"], 0.1),
    "static": ("int8", ["quantization.mode=static"], 0.15),
    "int4": ("int4", [], 0.8),
    "qat": ("qat", [], 0.15),
    "qat of 4 bits": ("qat", ["quantization.bits=4", "quantization.inputs=false"], 0.9),
}
"""name -> (option, its settings, the greatest difference allowed in shares of the greatest float output)."""


class Net(nn.Module):
    """An encoder that reads a batch, with a head."""

    def __init__(self, case):
        super().__init__()
        self.encoder = case.build()
        self.head = nn.Linear(self.encoder.output_size, 3)

    def forward(self, batch):
        return self.head(self.encoder(batch["source"], batch.get("mask")).last)


def made(case):
    torch.manual_seed(0)
    x, mask = batch(case)
    return Net(case), {"source": x} if mask is None else {"source": x, "mask": mask}


def quantised(way, network, inputs):
    """What a run does: begin, train, release, call."""
    name, words, _ = WAYS[way]
    quantizer = option("quantization", name, *words)
    quantizer.begin(network, 4, "32-true")
    if name == "qat":
        network.train()
        for module in network.modules():  # its statistics stay those of the float network that it is compared with
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        for step in range(4):
            with KeyedStreams(0).at(step), torch.no_grad():
                network(inputs)
    quantizer.release(network)
    network.eval()
    return quantizer(network, lambda: [inputs])


LARGE = ("torchvision", "vgg16")  # seconds each: in one way here, in the others with -m slow
PLAIN = [
    pytest.param(case, way, id=f"{case}-{way}", marks=[pytest.mark.slow] if case.name in LARGE and way != "qat" else [])
    for case in cases()
    if not case.overrides
    for way in WAYS
]


@pytest.mark.parametrize(("case", "way"), PLAIN)
def test_every_model_in_every_way(case, way, tmp_path):
    network, inputs = made(case)
    plain = copy.deepcopy(network).eval()
    found = quantised(way, network, inputs)
    with torch.inference_mode():
        exact, close = plain(inputs), network(inputs)
        assert torch.isfinite(close).all()
        assert not torch.equal(close, exact)
        assert float((close - exact).abs().max()) <= WAYS[way][2] * float(exact.abs().max())
        assert network.state_dict().keys() == plain.state_dict().keys()
        if found.weights:
            assert set(found.weights) == set(quantizable(plain))
        assert set(found.inputs) <= set(readers(network))
        assert bool(found.inputs) == (found.mode == "static")
        stored, fact = encode(network.state_dict(), {name for name, _ in network.named_parameters()}, found)
        save_file({name: value.contiguous().clone() for name, value in stored.items()}, tmp_path / "weights")
        state, again = decode(load_file(tmp_path / "weights"), fact)
        fresh = Net(case).eval()
        fresh.load_state_dict(state)
        attach(fresh, again)
        assert torch.equal(fresh(inputs), close)


def test_every_option_is_one_of_the_ways():
    assert {name for name, _, _ in WAYS.values()} | {"none"} == set(options("quantization"))


def bytes_of(network, found):
    stored, _ = encode(network.state_dict(), {name for name, _ in network.named_parameters()}, found)
    return sum(value.numel() * value.element_size() for value in stored.values())


def test_the_bytes_are_real():
    """A 512 x 512 layer: half, a quarter and its scales, an eighth and its scales."""
    sizes = {}
    for name, quantizer in {
        "fp16": SixteenBit("fp16"),
        "int8": Int8("weight_only", "max", "mse", 99.9, 1),
        "int4": Int4(32, "mse"),
        "wide": Int4(128, "max"),
    }.items():
        layer = nn.Linear(512, 512)
        sizes[name] = bytes_of(layer, quantizer(layer, tuple)) / (513 * 512 * 4)
    assert sizes["fp16"] == 0.5
    assert sizes["int8"] == pytest.approx(1 / 4, rel=0.02)
    assert sizes["int4"] == pytest.approx((4 + 16 / 32) / 32, rel=0.02)
    assert sizes["wide"] == pytest.approx(1 / 8, rel=0.05)


def test_a_weight_of_two_names_is_rounded_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.out = nn.Embedding(9, 8), nn.Linear(8, 9, bias=False)
            self.out.weight = self.words.weight

    net = Tied()
    found = Int8("weight_only", "max", "mse", 99.9, 1)(net, tuple)
    assert found.weights["words.weight"] is found.weights["out.weight"]
    grid = found.weights["out.weight"]
    assert torch.equal(grid.round(net.out.weight), net.out.weight)


def test_sixteen_bits_are_of_parameters_alone():
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    net[1].running_var.fill_(1e6)
    SixteenBit("fp16")(net, tuple)
    assert float(net[1].running_var[0]) == 1e6
    assert torch.equal(net[0].weight, net[0].weight.half().float())
    with torch.no_grad():
        net[0].weight[0, 0] = 1e5
    with pytest.raises(ConfigError, match=r"0\.weight has a weight of 1e\+05: use quantization=bf16"):
        SixteenBit("fp16")(net, tuple)


def test_what_cannot_be_quantised_is_refused_in_a_line():
    int8 = option("quantization", "int8")
    with pytest.raises(ConfigError, match="precision=64-true does not train"):
        int8.begin(nn.Linear(8, 8), 1, "64-true")
    with pytest.raises(ConfigError, match="finds no weights of two dimensions"):
        int8.begin(nn.BatchNorm1d(4), 1, "32-true")
    with pytest.raises(ConfigError, match="no convolution or linear layer"):
        QuantizationAware(8, 32, True, 0.9, 0.0, 1.0).begin(nn.LSTM(8, 8), 1, "32-true")
    QuantizationAware(8, 32, False, 0.9, 0.0, 1.0).begin(nn.LSTM(8, 8), 1, "32-true")
