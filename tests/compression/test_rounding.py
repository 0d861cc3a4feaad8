"""What layers read, rounded."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from assay.compression.grids import range_grid
from assay.compression.quantized import Quantization
from assay.compression.rounding import DynamicInput, StaticInput, attach, readers, remove


def net():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4))


X = torch.randn(5, 1, 5, 5, generator=torch.Generator().manual_seed(0))


def grids():
    return {
        "0": range_grid(torch.tensor(-2.0), torch.tensor(2.0)),
        "3": range_grid(torch.tensor(0.0), torch.tensor(1.0)),
    }


def test_a_static_network_computes_with_the_rounded_inputs():
    network = net()
    plain = copy.deepcopy(network)
    attach(network, Quantization("int8", "static", inputs=grids()))
    hidden = plain[2](plain[1](plain[0](grids()["0"].round(X))))
    assert torch.equal(network(X), plain[3](grids()["3"].round(hidden)))
    assert network.state_dict().keys() == plain.state_dict().keys()  # an artifact holds the grids elsewhere
    assert torch.equal(copy.deepcopy(network)(X), network(X))
    remove(network)
    assert torch.equal(network(X), plain(X))
    assert set(readers(network)) == {"0", "3"}
    with pytest.raises(KeyError):
        attach(network, Quantization("int8", "static", inputs={"1": grids()["0"]}))


def test_dynamic_inputs_do_not_depend_on_their_neighbours():
    network = net()
    attach(network, Quantization("int8", "dynamic"))
    whole = network(X)
    for row in range(len(X)):
        torch.testing.assert_close(network(X[row : row + 1]), whole[row : row + 1])
    louder = X.clone()
    louder[1:] *= 100
    torch.testing.assert_close(network(louder)[:1], whole[:1])


def test_dynamic_rounding_is_eight_bits_of_each_row_and_each_example():
    x = torch.randn(4, 6, 7, generator=torch.Generator().manual_seed(1))
    rows, examples = DynamicInput(-1)(x), DynamicInput(1)(x)
    for b in range(4):
        scale = x[b].abs().max() / 127.5
        torch.testing.assert_close(examples[b], (x[b] * (1 / scale)).round().clamp(-128, 127) * scale)
        for t in range(6):
            scale = x[b, t].abs().max() / 127.5
            torch.testing.assert_close(rows[b, t], (x[b, t] * (1 / scale)).round().clamp(-128, 127) * scale)
    assert torch.equal(DynamicInput(1)(torch.zeros(2, 3)), torch.zeros(2, 3))


@pytest.mark.filterwarnings("ignore")  # torchao's own
def test_torchao_computes_the_same_with_dynamic_rows():
    quantization = pytest.importorskip("torchao.quantization")
    from assay.compression.quantize import Int8

    ours = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    theirs = copy.deepcopy(ours)
    Int8("dynamic", "max", "mse", 99.99, 1)(ours, tuple)
    config = quantization.Int8DynamicActivationInt8WeightConfig(set_inductor_config=False)
    quantization.quantize_(theirs, config)
    x = torch.randn(9, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_half_precision_comes_back_as_it_was():
    static = StaticInput(range_grid(torch.tensor(-1.0), torch.tensor(1.0)))
    assert static(torch.randn(3).bfloat16()).dtype == torch.bfloat16
