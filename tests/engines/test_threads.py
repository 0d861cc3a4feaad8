"""Multiply-adds against counts by hand, and the rule that follows from them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.engines import threads
from assay.engines.threads import choose_threads, multiply_adds
from assay.layers import normalization
from assay.models.lstm import LSTM
from assay.models.transformer import Transformer


class Net(nn.Module):
    """Hands the source to the layers, with a mask where there is one."""

    def __init__(self, *layers: nn.Module, mask: torch.Tensor | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.mask = mask

    def forward(self, batch):
        x = batch["source"]
        for layer in self.layers:
            x = layer(x) if self.mask is None else layer(x, self.mask)
        return x


def batch(*shape: int):
    return {"source": torch.randn(*shape), "index": torch.arange(shape[0])}


def test_linear_layers():
    assert multiply_adds(Net(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)), batch(4, 7)) == 4 * (7 * 5 + 5 * 3)
    assert multiply_adds(Net(nn.Linear(7, 5)), batch(4, 6, 7)) == 4 * 6 * 7 * 5


@pytest.mark.parametrize(("stride", "groups", "places"), [(1, 1, 9 * 8), (2, 1, 5 * 4), (1, 2, 9 * 8)])
def test_convolutions(stride, groups, places):
    layer = nn.Conv2d(4, 6, 3, stride=stride, padding=1, groups=groups)
    assert multiply_adds(Net(layer, nn.BatchNorm2d(6)), batch(2, 4, 9, 8)) == 2 * places * 6 * (4 // groups) * 9


def test_a_lookup_multiplies_nothing():
    net = Net(nn.Embedding(100, 16), nn.Linear(16, 2))
    ids = {"source": torch.randint(0, 100, (3, 5)), "index": torch.arange(3)}
    assert multiply_adds(net, ids) == 3 * 5 * 16 * 2


B, T, D, H = 3, 10, 6, 8


@pytest.mark.parametrize("norm", [normalization.none, normalization.layer])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("layers", "both"), [(1, False), (2, False), (2, True)])
def test_lstm(norm, masked, layers, both):
    lengths = torch.tensor([10, 7, 4])
    mask = torch.arange(T) < lengths[:, None] if masked else None
    net = Net(LSTM((None, D), H, layers, both, 0.0, norm), mask=mask)
    directions = 1 + both
    each = [4 * H * (D if layer == 0 else directions * H) + 4 * H * H for layer in range(layers)]
    by_hand = directions * sum(each)  # per position
    assert multiply_adds(net, batch(B, T, D)) == by_hand * B * T  # padding is computed too


def test_torchs_own_lstm_packed():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(D, H, num_layers=2, batch_first=True, bidirectional=True)

        def forward(self, batch):
            packed = nn.utils.rnn.pack_padded_sequence(batch["source"], torch.tensor([10, 7, 4]), batch_first=True)
            return self.lstm(packed)

    by_hand = 2 * (4 * H * D + 4 * H * H) + 2 * (4 * H * 2 * H + 4 * H * H)
    assert multiply_adds(Packed(), batch(B, T, D)) == by_hand * 21


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
def test_transformer(positions):
    """Per position and block 4 S² of attention's matrices and 8 S² of the feed-forward net; scores are left out."""
    size, layers, expansion = 8, 2, 4
    made = Transformer(
        (T, D),
        size=size,
        num_layers=layers,
        shared=False,
        num_heads=2,
        positions=positions,
        max_length=32,
        feedforward_size=expansion * size,
        norm_first=True,
        causal=False,
        dropout=0.0,
        activation=nn.ReLU,
        normalization=normalization.layer,
    )
    net = Net(made)
    by_hand = layers * (4 * size * size + 2 * expansion * size * size) + D * size
    assert multiply_adds(net, batch(B, T, D)) == by_hand * B * T


def test_counting_leaves_the_network_as_it_was():
    net = Net(nn.Linear(4, 4), nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    multiply_adds(net, batch(5, 4))
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("wanted", "batch_size", "expected"),
    [
        (3, 10**9, 3),  # what is asked for is done
        ("3", 10**9, 3),
        ("auto", 1, 1),
        ("auto", 9999, 1),
        ("auto", 10000, 8),  # 10,000 multiply-adds each
    ],
)
def test_the_rule(monkeypatch, wanted, batch_size, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    net = Net(nn.Linear(100, 100, bias=False))
    assert choose_threads(wanted, net, batch(7, 100), batch_size) == expected


@pytest.mark.parametrize(("limit", "expected"), [("2", 2), ("64", 8), ("3,1", 3), ("", 8)])
def test_omp_num_threads_is_a_limit(monkeypatch, limit, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert choose_threads("auto", Net(nn.Linear(100, 100)), batch(1, 100), 10**6) == expected


@pytest.mark.parametrize(
    ("processes", "batch_size", "expected"), [(2, 20000, 4), (3, 30000, 2), (16, 10**9, 1), (2, 10000, 1)]
)
def test_processes_of_a_run_divide_cores_and_work(monkeypatch, processes, batch_size, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    net = Net(nn.Linear(100, 100, bias=False))
    assert choose_threads("auto", net, batch(7, 100), batch_size, processes) == expected
