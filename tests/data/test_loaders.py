from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor

from assay.data import loaders
from assay.data.examples import Dense, Examples, Files, Ragged
from assay.data.loaders import MemoryLoader, WorkerLoader
from assay.data.share import Part
from assay.errors import ConfigError
from assay.layers.random import order


def decode(path: str) -> Tensor:
    if path == "bad":
        raise ConfigError("bad is not an image")
    return torch.full((1, 2, 2), int(path), dtype=torch.uint8)


def make(count: int, kind: str = "memory", bad: int | None = None) -> Examples:
    paths = ["bad" if number == bad else str(number) for number in range(count)]
    images = torch.stack([decode(str(number)) for number in range(count)]).float() / 255
    source = Files(paths, decode) if kind == "files" else Dense(images)
    ids = Ragged.join([[number + 1] * (number % 4 + 1) for number in range(count)], 0)
    columns = {"source": source, "ids": ids, "label": Dense(torch.arange(count) % 3)}
    return Examples(columns, torch.arange(count).flip(0))


def flat(loader) -> list[dict[str, Tensor]]:
    return [batch for step in loader for batch in (step if isinstance(step, list) else [step])]


def same(a: list[dict[str, Tensor]], b: list[dict[str, Tensor]]) -> bool:
    return len(a) == len(b) and all(
        x.keys() == y.keys() and all(torch.equal(x[name], y[name]) for name in x) for x, y in zip(a, b, strict=True)
    )


def test_batches_are_what_gathering_the_keyed_order_gives():
    examples = make(23)
    loader = MemoryLoader(examples, 5, seed=3)
    for epoch in (0, 4):
        loader.set_epoch(epoch)
        expected = [examples.gather(part) for part in order(3, epoch, 23).split(5)]
        assert same(flat(loader), expected)


def test_every_example_once_an_epoch_and_another_order_each():
    loader = MemoryLoader(make(23), 4, seed=0)
    seen = []
    for epoch in range(2):
        loader.set_epoch(epoch)
        seen.append(torch.cat([batch["index"] for batch in flat(loader)]).tolist())
        assert sorted(seen[-1]) == list(range(23))
    assert seen[0] != seen[1]


def test_blocks_of_memory_change_no_batch(monkeypatch):
    whole = flat(MemoryLoader(make(50), 4, seed=1))
    monkeypatch.setattr(loaders, "BLOCK_BYTES", 200)
    assert same(flat(MemoryLoader(make(50), 4, seed=1)), whole)
    monkeypatch.setattr(loaders, "BLOCK_BYTES", 1)
    assert same(flat(MemoryLoader(make(50), 4, seed=1)), whole)


def test_a_last_single_example_joins_the_batch_before_it_in_training_only():
    assert [len(batch["index"]) for batch in flat(MemoryLoader(make(9), 4, seed=0))] == [4, 5]
    assert [len(batch["index"]) for batch in flat(MemoryLoader(make(9), 4, accumulate=None))] == [4, 4, 1]
    assert [len(batch["index"]) for batch in flat(MemoryLoader(make(10), 4, seed=0))] == [4, 4, 2]
    assert [len(batch["index"]) for batch in flat(MemoryLoader(make(1), 4, seed=0))] == [1]
    assert [len(batch["index"]) for batch in flat(MemoryLoader(make(3), 1, seed=0))] == [1, 1, 1]


def test_accumulation_groups_the_same_batches_into_steps():
    single = flat(MemoryLoader(make(23), 3, seed=1))
    loader = MemoryLoader(make(23), 3, seed=1, accumulate=3)
    steps = list(loader)
    assert [len(step) for step in steps] == [3, 3, 2]
    assert len(loader) == len(steps)
    assert same(flat(loader), single)


def test_full_batch_and_evaluation_order():
    (step,) = MemoryLoader(make(7), "full", seed=1)
    assert len(step[0]["index"]) == 7
    batches = list(MemoryLoader(make(7), 3, accumulate=None))
    assert torch.cat([batch["index"] for batch in batches]).tolist() == [6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("kind", ["memory", "files"])
def test_starting_at_a_step_gives_the_rest_of_the_epoch(accumulate, kind):
    if kind == "memory":
        loader = MemoryLoader(make(23), 3, seed=5, accumulate=accumulate)
    else:
        loader = WorkerLoader(make(23, "files"), 3, seed=5, accumulate=accumulate, workers=0)
    loader.set_epoch(2)
    steps = list(loader)
    for start in range(len(steps) + 1):
        loader.start = start
        rest = list(loader)
        assert same([b for step in rest for b in step], [b for step in steps[start:] for b in step])
        assert loader.start == 0
    assert len(list(loader)) == len(steps)


def test_an_iterator_that_is_dropped_does_not_use_up_the_start():
    loader = MemoryLoader(make(23), 3, seed=5)
    loader.start = 4
    iter(loader)  # as Lightning does before the first epoch
    assert len(list(loader)) == len(loader) - 4


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_give_the_same_batches_bit_for_bit(workers):
    state = torch.get_rng_state()
    memory = MemoryLoader(make(23), 4, seed=7, accumulate=2)
    files = WorkerLoader(make(23, "files"), 4, seed=7, accumulate=2, workers=workers)
    assert len(memory) == len(files)
    for epoch in (0, 1):
        memory.set_epoch(epoch)
        files.set_epoch(epoch)
        assert same(flat(memory), flat(files))
    next(iter(files))  # left in the middle
    assert same(flat(memory), flat(files))
    assert torch.equal(torch.get_rng_state(), state)


class Twice:
    """Some examples twice, some never; fewer or more than there are."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def positions(self, epoch: int) -> Tensor:
        return (torch.arange(self.length) // 2 * 3 + epoch) % 11


@pytest.mark.parametrize("length", [9, 30])
def test_a_sampler_says_who_comes(length):
    examples, sampler = make(23), Twice(length)
    memory = MemoryLoader(examples, 4, sampler=sampler, accumulate=2)
    files = WorkerLoader(make(23, "files"), 4, sampler=sampler, accumulate=2, workers=1)
    for epoch in (0, 3):
        for loader in (memory, files):
            loader.set_epoch(epoch)
        steps = list(memory)
        assert len(memory) == len(files) == len(steps)
        joined = torch.cat([batch["index"] for step in steps for batch in step])
        assert torch.equal(joined, examples.index[sampler.positions(epoch)])
        assert same(flat(files), flat(memory))
        parts = [MemoryLoader(examples, 4, sampler=sampler, part=Part(rank, 2)) for rank in range(2)]
        for part in parts:
            part.set_epoch(epoch)
        shared = zip(*map(flat, parts), strict=True)
        own = [torch.cat([batch["index"][: batch["share"].shape[1]] for batch in batches]) for batches in shared]
        assert torch.equal(torch.cat(own), joined)
        for loader in (memory, files):
            loader.start = 1
        assert same(flat(files), [batch for step in steps[1:] for batch in step])
        assert same(flat(memory), [batch for step in steps[1:] for batch in step])


def test_a_refusal_in_a_worker_stays_one_line():
    loader = WorkerLoader(make(8, "files", bad=6), 4, accumulate=None, workers=1)
    with pytest.raises(ConfigError) as refusal:
        list(loader)
    assert str(refusal.value) == "bad is not an image"


def test_the_transform_sees_batch_and_epoch():
    def transform(batch, epoch):
        return {**batch, "epoch": torch.full_like(batch["index"], epoch)}

    for loader in (
        MemoryLoader(make(5), 2, seed=0, transform=transform),
        WorkerLoader(make(5, "files"), 2, seed=0, transform=transform, workers=0),
    ):
        loader.set_epoch(3)
        assert all((batch["epoch"] == 3).all() for batch in flat(loader))


def test_lightning_reaches_set_epoch_and_takes_no_evaluation_loader_for_shuffled():
    from lightning_fabric.utilities.data import _set_sampler_epoch
    from pytorch_lightning.utilities.data import _is_dataloader_shuffled

    for train, evaluation in (
        (MemoryLoader(make(5), 2, seed=0), MemoryLoader(make(5), 2, accumulate=None)),
        (WorkerLoader(make(5, "files"), 2, workers=0), WorkerLoader(make(5, "files"), 2, accumulate=None, workers=0)),
    ):
        _set_sampler_epoch(train, 6)
        assert train.epoch == 6
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not _is_dataloader_shuffled(evaluation)


@pytest.mark.parametrize("size", [0, -3, "half"])
def test_batch_sizes_that_are_none_are_refused(size):
    with pytest.raises(ConfigError, match=r"data.batch_size=.* is neither"):
        MemoryLoader(make(5), size)


def test_an_accumulation_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="accumulate=0"):
        MemoryLoader(make(5), 2, accumulate=0)
