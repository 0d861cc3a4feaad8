"""Windows against a list of them made by hand; every token is scored once; batches in order continue one another."""

from __future__ import annotations

from itertools import accumulate, pairwise, product

import numpy as np
import pytest
import torch

from assay.data import loaders
from assay.data.examples import Examples
from assay.data.loaders import MemoryLoader
from assay.data.samplers.plain import InOrder
from assay.data.share import Part
from assay.data.windows import Layout, examples_of
from tests.references import windows as reference

START = 60_000
TEXTS = [[[*range(1, 51)]], [[7], [8, 9], [*range(10, 31)], [5, 5, 5]], [[3, 4, 5, 6], [1, 2]], [[9]]]


def made(documents, length, tracks=0, stride=None, first=0) -> tuple[Layout, Examples]:
    tokens = np.array([token for one in documents for token in one], np.uint16)
    layout = Layout(torch.tensor([0, *accumulate(map(len, documents))]), length, tracks, stride)
    return layout, examples_of(tokens, layout, START, first)


def rows(examples) -> list[tuple[list[int], list[int], bool]]:
    batch = examples.gather(torch.arange(len(examples)))
    return list(zip(batch["source"].tolist(), batch["label"].tolist(), batch["fresh"].tolist(), strict=True))


@pytest.mark.parametrize(("documents", "length", "stride"), [*product(TEXTS, (1, 3, 4, 60), (None, 1, 2, 3))])
def test_rows_are_the_windows_of_the_text(documents, length, stride):
    if stride is not None and stride > length:
        return
    _, examples = made(documents, length, 0, stride)
    expected = reference.windows(documents, length, stride or length, START)
    assert rows(examples) == [(read, asked, True) for read, asked, _ in expected]


@pytest.mark.parametrize(("documents", "length", "tracks"), [*product(TEXTS, (1, 3, 4, 60), (1, 2, 3, 8))])
def test_tracks_are_runs_of_windows_side_by_side(documents, length, tracks):
    layout, examples = made(documents, length, tracks)
    held = rows(examples)
    runs = reference.tracks(reference.windows(documents, length, length, START), tracks)
    assert len(held) == layout.rows == tracks * max(map(len, runs))
    for track, run in enumerate(runs):
        own = held[track::tracks]
        expected = [(read, asked, opens or place == 0) for place, (read, asked, opens) in enumerate(run)]
        assert own[: len(run)] == expected
        for read, asked, fresh in own[len(run) :]:  # the track has ended
            assert fresh
            assert set(asked) == {-1}
            assert [token > 0 for token in read] == [True] + [False] * (length - 1)


@pytest.mark.parametrize(("tracks", "stride"), [(0, None), (0, 2), (1, None), (4, None)])
@pytest.mark.parametrize("documents", TEXTS)
def test_every_token_is_scored_once_and_read_right_before(documents, tracks, stride):
    _, examples = made(documents, 5, tracks, stride)
    seen = []
    for read, asked, _ in rows(examples):
        seen += [token for token in asked if token >= 0]
        for before, (token, after) in zip(read[1:], pairwise(asked), strict=False):
            assert token < 0 or after < 0 or before == token
    assert sorted(seen) == sorted(token for one in documents for token in one)


def test_a_token_of_a_sliding_window_has_at_least_the_context_that_is_promised():
    length, stride = 8, 3
    _, examples = made([[*range(1, 101)]], length, 0, stride)
    for read, asked, _ in rows(examples):
        first = next(place for place, token in enumerate(asked) if token >= 0)
        assert first == (0 if read[0] == START else length - stride)
        assert sum(token >= 0 for token in asked) <= (length if read[0] == START else stride)


def test_one_document_dealt_to_tracks_reads_on_from_batch_to_batch():
    """The state after a row's window is the one that its row in the next batch needs."""
    layout, examples = made([[*range(1, 200)]], 7, 5)
    batches = list(MemoryLoader(examples, 5, sampler=InOrder(len(examples))))
    for (first,), (second,) in pairwise(batches):
        for row in range(5):
            if not second["fresh"][row]:
                assert second["source"][row, 0] == first["label"][row, -1]
    assert all(torch.equal(step[0]["fresh"], torch.zeros(5, dtype=torch.bool)) for step in batches[1:-1])
    assert layout.rows == 30


def test_fields_have_their_types_and_a_rows_number_is_its_examples():
    _, examples = made(TEXTS[0], 4, 2, first=70)
    batch = examples.gather(torch.tensor([3, 0]))
    assert batch["index"].tolist() == [73, 70]
    assert (batch["source"].dtype, batch["label"].dtype) == (torch.int64, torch.int64)
    assert (batch["fresh"].dtype, batch["fresh"].tolist()) == (torch.bool, [False, True])
    assert all(column.uniform and not column.lazy for column in examples.columns.values())


@pytest.mark.parametrize("accumulate", [1, 2, 3])
@pytest.mark.parametrize("tracks", [0, 4])
@pytest.mark.parametrize("mapped", [False, True])
def test_starting_at_a_step_gives_the_batches_of_going_there(accumulate, tracks, mapped, tmp_path, monkeypatch):
    tokens = np.arange(1, 500, dtype=np.uint16)
    if mapped:
        (tmp_path / "ids").write_bytes(tokens.tobytes())
        tokens = np.memmap(tmp_path / "ids", np.uint16, mode="r")
    layout = Layout(torch.tensor([0, 120, 121, 499]), 6, tracks)
    examples = examples_of(tokens, layout, START)
    sampler = InOrder(len(examples)) if tracks else None
    monkeypatch.setattr(loaders, "BLOCK_BYTES", 3000)  # several blocks an epoch
    for part in (None, Part(0, 2), Part(1, 2)):
        loader = MemoryLoader(examples, 4, seed=3, sampler=sampler, accumulate=accumulate, part=part)
        loader.set_epoch(2)
        steps = list(loader)
        for start in range(0, len(steps) + 1, 5):
            loader.start = start
            rest = list(loader)
            assert len(rest) == len(steps) - start
            for ours, theirs in zip(rest, steps[start:], strict=True):
                for one, other in zip(ours, theirs, strict=True):
                    assert all(torch.equal(one[name], other[name]) for name in other)


def test_two_processes_have_the_rows_of_one_and_each_its_own_tracks():
    _, examples = made([[*range(1, 301)]], 5, 6)
    whole = list(MemoryLoader(examples, 6, sampler=InOrder(len(examples)), accumulate=None))
    parts = [
        list(MemoryLoader(examples, 6, sampler=InOrder(len(examples)), accumulate=None, part=Part(rank, 2)))
        for rank in (0, 1)
    ]
    for batch, *own in zip(whole, *parts, strict=True):
        for name in ("source", "label", "fresh", "index"):
            assert torch.equal(torch.cat([one[name] for one in own]), batch[name])


TAKEN: list[int] = []


class Counted(np.ndarray):
    """Notes how many tokens are taken at a time."""

    def __getitem__(self, key):
        found = super().__getitem__(key)
        TAKEN.append(np.size(found))
        return np.asarray(found)


def test_a_batch_takes_its_own_tokens_and_no_others():
    tokens = np.arange(1, 100_001, dtype=np.uint32).view(Counted)
    TAKEN.clear()
    examples = examples_of(tokens, Layout(torch.tensor([0, 100_000]), 20, 10), START)
    assert TAKEN == []
    examples.gather(torch.arange(10))
    assert TAKEN == [200, 200]  # what is read, and what comes next
    assert len(examples) == 5000


@pytest.mark.slow
def test_a_large_mapped_text_stays_on_the_disk(tmp_path):
    """Of 400 MB, sparse, an evaluation's beginning and a shuffled epoch's: the process keeps what it has touched."""
    import subprocess
    import sys

    path = tmp_path / "ids"
    with open(path, "wb") as file:
        file.truncate(400_000_000)
    code = f"""
import resource, numpy as np, torch
from assay.data.loaders import MemoryLoader
from assay.data.samplers.plain import InOrder
from assay.data.windows import Layout, examples_of
tokens = np.memmap({str(path)!r}, np.uint16, mode="r")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
examples = examples_of(tokens, Layout(torch.tensor([0, len(tokens)]), 1000, 20), 1)
for seed, sampler in ((None, InOrder(len(examples))), (0, None)):
    loader = iter(MemoryLoader(examples, 20, seed=seed, sampler=sampler))
    for _ in range(30):
        next(loader)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 330  # MB: two blocks of 64 MB, their positions and copies; the text alone is 381
