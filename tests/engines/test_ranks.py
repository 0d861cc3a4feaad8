"""Several processes and one step: the arithmetic with threads in their place, then real processes over gloo."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
import time

import pytest
import torch
import torch.distributed as dist
from torch import nn

from assay.contracts import Output, Term
from assay.data.examples import Dense, Examples, Ragged
from assay.data.loaders import MemoryLoader
from assay.data.share import Part, share_of
from assay.engines.ranks import Lost, Ranks
from assay.engines.step import Step
from assay.layers.random import Dropout, KeyedStreams, name_layers
from assay.optim.clip import ClipNorm
from assay.optim.ema import ExponentialAverage


class Threads:
    """What Ranks does, among threads of one process: the reference for it, and for the step."""

    def __init__(self, rank: int, world: int, shared: dict) -> None:
        self.part = Part(rank, world)
        self.one_message = shared["one_message"]
        self.shared = shared

    def _all(self, value):
        """Everybody's value, by rank."""
        self.shared["values"][self.part.rank] = value
        self.shared["barrier"].wait()
        values = [self.shared["values"][rank] for rank in range(self.part.world)]
        self.shared["barrier"].wait()
        return values

    def sums(self, values):
        own = torch.stack([torch.as_tensor(value).detach().double() for value in values])
        return torch.stack(self._all(own)).sum(0)

    def sum_gradients(self, parameters, values=()):
        for p in parameters:
            found = [grad for grad in self._all(p.grad) if grad is not None]
            p.grad = torch.stack(found).sum(0) if found else None
        return self.sums(values) if values else torch.empty(0)


class Words(nn.Module):
    """Ragged ids -> a score per token, with dropout and a parameter that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 6)
        self.dropout = Dropout(0.4)
        self.hidden = nn.LSTM(6, 5, batch_first=True)
        self.out = nn.Linear(5, 3)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, batch):
        x = self.dropout(self.table(batch["source"]))
        return Output(self.out(self.hidden(x)[0]), mask=batch["source"] != 0)


class Tokens:
    """Two terms with weights of their own: one counted by tokens, one by examples."""

    objective = nn.Identity()

    def __init__(self, terms: int) -> None:
        self.count = terms

    def terms(self, model, batch, streams):
        with streams:
            output = model(batch)
        each = (output.logits.logsumexp(-1) - output.logits[..., 0]).masked_fill(~output.mask, 0)  # (B, T)
        terms = {"tokens": Term(each.sum(), output.mask.sum())}
        if self.count == 2:
            weight = batch["label"]  # (B,)
            terms["examples"] = Term((output.logits.square().mean((1, 2)) * weight).sum(), weight.sum())
        return terms


def examples(count: int) -> Examples:
    lengths = [number % 5 + 1 for number in range(count)]
    ids = Ragged.join([[(7 * n + k) % 11 + 1 for k in range(length)] for n, length in enumerate(lengths)], 0)
    label = torch.linspace(0.5, 2, count, dtype=torch.float64)
    return Examples({"source": ids, "label": Dense(label)}, torch.arange(count).flip(0))


def trained(network: nn.Module, terms: int, accumulate: int, ranks=None) -> tuple[list[float], nn.Module]:
    network = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05, weight_decay=0.1)
    step = Step(
        Tokens(terms),
        network,
        optimizer,
        streams=KeyedStreams(3),
        clip=ClipNorm(0.5),
        average=ExponentialAverage(network, 0.9),
        ranks=ranks,
    )
    part = None if ranks is None else ranks.part
    loader = MemoryLoader(examples(20), 6, seed=1, accumulate=accumulate, part=part)  # 6, 6, 6, 2
    losses, number = [], 0
    for epoch in range(3):
        loader.set_epoch(epoch)
        for micro_batches in loader:
            losses.append(float(step(micro_batches, epoch, number)))
            number += 1
    return losses, network


@pytest.mark.parametrize("one_message", [True, False])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("terms", [1, 2])
@pytest.mark.parametrize("world", [2, 3])
def test_a_shared_step_is_the_step_of_one(world, terms, accumulate, one_message):
    """Ragged batches weighed by tokens, dropout on, the last batch smaller than three processes."""
    torch.manual_seed(0)
    network = Words().double()
    name_layers(network)
    expected, alone = trained(network, terms, accumulate)
    shared = {"values": {}, "barrier": threading.Barrier(world, timeout=20), "one_message": one_message}
    found: dict[int, tuple[list[float], nn.Module]] = {}

    def work(rank: int) -> None:
        found[rank] = trained(network, terms, accumulate, Threads(rank, world, shared))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(world))
    for losses, together in found.values():
        assert losses == pytest.approx(expected, abs=1e-12)
        for name, weight in together.state_dict().items():
            assert (weight - alone.state_dict()[name]).abs().max() < 1e-12, name
    assert torch.equal(alone.unused, torch.ones(2, dtype=torch.float64)), "what no process uses does not decay"


# loaders


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("accumulate", [2, None])
def test_the_rows_of_all_processes_are_the_batch(world, accumulate):
    def batches(part):
        loader = MemoryLoader(examples(21), 5, seed=2 if accumulate else None, accumulate=accumulate, part=part)
        return [batch for item in loader for batch in (item if accumulate else [item])]

    whole = batches(None)
    shares = [batches(Part(rank, world)) for rank in range(world)]
    assert {len(found) for found in shares} == {len(whole)}
    for number, batch in enumerate(whole):
        rows = [found[number] for found in shares]
        present = [one for one in rows if not share_of(one).absent]
        for name, value in batch.items():
            assert torch.equal(torch.cat([one[name] for one in present]), value), name
        assert all(len(one["index"]) == 1 for one in rows if share_of(one).absent), "one row stands in"


def test_a_whole_batch_is_cut_as_the_loader_cuts():
    batch = {"source": torch.arange(10.0).view(5, 2), "index": torch.arange(5)}
    cut = [Part(rank, 2).cut(batch) for rank in range(2)]
    assert torch.equal(torch.cat([one["source"] for one in cut]), batch["source"])
    assert [share_of(one).first for one in cut] == [0, 2]


# real processes

OTHER = """
import sys, torch, torch.distributed as dist
sys.path.insert(0, sys.argv[2])
from tests.engines.test_ranks import say
say(1, int(sys.argv[1]))
"""


def say(rank: int, port: int, lost=lambda wait: None) -> dict:
    """What one of two processes says and hears."""
    torch.set_num_threads(1)
    store = dist.TCPStore("127.0.0.1", port, None, False, wait_for_workers=False) if rank else STORES[port]
    ranks = Ranks(Part(rank, 2), store, torch.device("cpu"), lost=lost)
    ranks.join()
    heard = {}
    ranks.word = 15
    heard["sums"] = ranks.sums([torch.tensor(1.5 + rank), 2.0]).tolist()
    heard["word"] = ranks.heard
    a, b, c = (nn.Parameter(torch.zeros(2)) for _ in range(3))
    a.grad = torch.tensor([1.0, 2.0]) * (rank + 1)
    if rank:
        b.grad = torch.ones(2)
    half = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    half.grad = torch.ones(1, dtype=torch.bfloat16)
    heard["along"] = ranks.sum_gradients([half, a, b, c], [torch.tensor(300.0), 7.0]).tolist()
    heard["grads"] = [None if p.grad is None else p.grad.tolist() for p in (a, b, c, half)]
    rows = 3 if rank == 0 else 0  # of four: this process has none
    readings = {"index": torch.arange(rows), "sure": torch.ones(rows, 2, dtype=torch.bool), "loss": torch.rand(rows)}
    gathered = ranks.gathered(readings, torch.tensor([2, 0, 1])[:rows])
    heard["index"], heard["sure"] = gathered["index"].tolist(), tuple(gathered["sure"].shape)
    heard["scores"] = ranks.agreed({"x": 0.1 + rank, "y": 1.0})
    weight = torch.full((2,), float(rank))
    ranks.same([weight])
    heard["same"] = weight.tolist()
    heard["told"] = ranks.told(4 + rank)
    ranks.close()
    return heard


STORES: dict[int, dist.TCPStore] = {}


def test_what_two_processes_say_to_each_other(request):
    store = dist.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    STORES[store.port] = store
    root = str(request.config.rootpath)
    with subprocess.Popen([sys.executable, "-c", OTHER, str(store.port), root], stderr=subprocess.PIPE) as other:
        heard = say(0, store.port, lambda wait: None if other.poll() is None else other.stderr.read().decode())
        assert other.wait(timeout=60) == 0, other.stderr.read().decode()
    assert heard == {
        "sums": [4.0, 4.0],
        "word": 15,
        "along": [600.0, 14.0],
        "grads": [[3.0, 6.0], [1.0, 1.0], None, [2.0]],
        "index": [1, 2, 0],
        "sure": (3, 2),
        "scores": {"x": 0.1, "y": 1.0},
        "same": [0.0, 0.0],
        "told": 4,
    }


def test_a_process_that_never_comes_is_named():
    store = dist.TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    ranks = Ranks(Part(0, 2), store, torch.device("cpu"), lost=lambda wait: "process 1 of 2 was killed (SIGKILL)")
    began = time.monotonic()
    with pytest.raises(Lost, match="process 1 of 2 was killed"):
        ranks.join()
    assert time.monotonic() - began < 5
