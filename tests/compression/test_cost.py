"""Costs against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.compression import cost
from assay.compression.report import measured, rows_of
from assay.compression.words import scores_line, short, table
from assay.models.lstm import LSTM


class Two(nn.Module):
    """10 → 20 → 5, with a rectifier that makes a new tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(10, 20), nn.Linear(20, 5)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.second(torch.relu(self.first(batch["source"])))


def batch_of(rows: int, *shape: int) -> dict[str, torch.Tensor]:
    return {"source": torch.zeros(rows, *shape), "index": torch.arange(rows)}


def test_parameters_and_those_that_are_not_zero():
    network = Two()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
        network.first.weight[:7] = 0
    assert cost.parameters(network) == 10 * 20 + 20 + 20 * 5 + 5
    assert cost.nonzero(network) == cost.parameters(network) - 70


def test_shared_parameters_count_once():
    network = Two()
    network.third = network.first
    assert cost.parameters(network) == 325


@pytest.mark.parametrize("rows", [1, 3])
def test_multiply_adds_are_of_one_example(rows):
    assert cost.macs(Two(), batch_of(rows, 10)) == 10 * 20 + 20 * 5


def test_multiply_adds_of_a_depthwise_convolution():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
            self.pointwise = nn.Conv2d(4, 6, 1)

        def forward(self, batch):
            return self.pointwise(self.depthwise(batch["source"]))

    assert cost.macs(Net(), batch_of(2, 4, 5, 7)) == 5 * 7 * (4 * 9 + 4 * 6)


def test_the_peak_is_what_lives_at_the_same_time():
    """The first layer's 20 numbers live while the rectifier's 20 are made; both are gone when the network is left."""
    assert cost.peak_activation_bytes(Two(), batch_of(3, 10)) == 3 * 4 * (20 + 20)

    class Deep(nn.Module):
        def forward(self, batch):
            x = batch["source"]
            for _ in range(9):  # each is dropped as the next is made
                x = x + 1
            return x

    assert cost.peak_activation_bytes(Deep(), batch_of(2, 5)) == 2 * 2 * 5 * 4

    class InPlace(nn.Module):
        def forward(self, batch):
            return (batch["source"] + 1).relu_().view(-1)

    assert cost.peak_activation_bytes(InPlace(), batch_of(2, 5)) == 2 * 5 * 4


def test_the_peak_of_a_recurrent_net_holds_all_its_states():
    network = LSTM((None, 8), hidden_size=16, num_layers=1, bidirectional=False, dropout=0.0, normalization=nn.Identity)

    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network

        def forward(self, batch):
            return self.net(batch["source"])

    assert cost.peak_activation_bytes(Reads(), batch_of(2, 50, 8)) >= 2 * 50 * 16 * 4


def test_the_network_is_left_as_it_was():
    network = Two().train()
    cost.peak_activation_bytes(network, batch_of(1, 10))
    assert network.training
    assert len(network._forward_hooks) == 0


def test_bytes_are_those_of_the_disk(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"678")
    assert cost.size_bytes(tmp_path) == 8
    assert cost.size_bytes(tmp_path / "b") == 3


def test_latency_is_a_median_with_quartiles(monkeypatch):
    """Calls of 1, 2, 3, 4 and 100 ms: one that was disturbed moves neither."""
    spent = iter([0.001, 0.004, 0.002, 0.1, 0.003])
    clock = [0.0]
    calls = []

    def call(batch):
        calls.append(batch)
        if len(calls) > cost.WARM_UP:
            clock[0] += next(spent)

    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock[0])
    median, (lower, upper) = cost.latency(call, "x", 5)
    assert (round(lower, 6), round(median, 6), round(upper, 6)) == (2.0, 3.0, 4.0)
    assert len(calls) == cost.WARM_UP + 5
    with pytest.raises(ValueError, match="three repeats or more"):
        cost.latency(call, "x", 2)


def test_a_row_leaves_the_network_and_the_threads_as_they_were():
    network, threads = Two().train(), torch.get_num_threads()
    row = measured(network, batch_of(5, 10), timed=False)
    assert network.training
    assert torch.get_num_threads() == threads
    assert (row["parameters"], row["macs"], row["latency_ms"]) == (325, 300, None)
    assert set(measured(network, batch_of(5, 10))["latency_ms"]) == {"1", "64"}


def test_batches_of_any_size_are_made_of_what_is_there():
    batch = rows_of({"source": torch.arange(3.0), "index": torch.arange(3)}, 7)
    assert batch["source"].tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_the_table_fits_a_terminal():
    wide = {"parameters": 123_456_789, "nonzero": 12_345_678, "macs": 9_876_543_210, "bytes": 493_827_156}
    times = {"1": {"median": 1234.5}, "64": {"median": 98765.4}}
    row = {"stage": "12-generation-10", "val": {"a": 0.98765}, "test": {"a": 0.91}, **wide, "latency_ms": times}
    row["peak_activation_bytes"] = 123_456_789
    assert max(map(len, table([row, {**row, "latency_ms": None}], "a", "stage"))) <= 80


def test_numbers_in_short():
    assert [short(n) for n in (None, 0, 999, 1000, 12_345, 999_900, 1_234_567)] == [
        *("", "0", "999", "1k", "12.3k", "1M", "1.23M")
    ]


def test_what_changed_in_words():
    before = {"bytes": 2000, "macs": 100, "val": {"a": 0.9}, "test": {"a": 0.8}}
    after = {"bytes": 500, "macs": 101, "val": {"a": 0.89}, "test": {}}
    assert scores_line(before, after, "a") == "4.0 times fewer bytes, val/a -0.0100"
