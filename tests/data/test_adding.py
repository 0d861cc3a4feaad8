"""The adding problem against the arithmetic and the chances of its definition."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy import stats

from assay.data.adding import Adding
from assay.errors import ConfigError


def everything(dataset: Adding) -> tuple[np.ndarray, np.ndarray]:
    dataset.setup()
    batches = [part.gather(torch.arange(len(part))) for part in dataset.splits.values()]
    return tuple(torch.cat([batch[name] for batch in batches]).numpy() for name in ("source", "label"))


def test_two_steps_are_marked_and_the_label_is_their_sum():
    for length in (2, 3, 17):
        x, y = everything(Adding(length=length, examples=300))
        assert x.shape == (300, length, 2)
        assert set(np.unique(x[..., 1])) <= {0.0, 1.0}
        for row, answer in zip(x, y, strict=True):
            marked = [t for t in range(length) if row[t, 1] == 1]
            assert len(marked) == 2
            assert row[marked[0], 0] + row[marked[1], 0] == pytest.approx(answer, abs=1e-6)
        assert 0 <= x[..., 0].min() < x[..., 0].max() <= 1


def test_numbers_are_uniform_and_every_pair_of_steps_is_as_likely():
    x, y = everything(Adding(length=6, examples=6000, split_seed=3))
    assert stats.kstest(x[..., 0].ravel()[:20000], "uniform").pvalue > 1e-3
    pairs = np.array([np.flatnonzero(row) for row in x[..., 1]])
    counts = np.bincount(pairs[:, 0] * 6 + pairs[:, 1], minlength=36)
    assert np.count_nonzero(counts) == 15
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-3
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.05)  # of always answering 1
    order = [x[:, t, 0] for t in range(6)]
    assert abs(np.corrcoef(order) - np.eye(6)).max() < 0.06


def test_sequences_are_a_function_of_the_seed_alone():
    a, b, c = (everything(Adding(length=5, examples=100, split_seed=seed)) for seed in (0, 0, 1))
    assert np.array_equal(a[0], b[0])
    assert not np.array_equal(np.sort(a[1]), np.sort(c[1]))
    few, many = Adding(length=5, examples=50), Adding(length=5, examples=5000)  # over a chunk of those drawn at once
    few.setup()
    many.setup()
    rows = torch.arange(50)
    assert torch.equal(
        few.splits["train"].columns["source"].gather(rows), many.splits["val"].columns["source"].gather(rows)
    )


@pytest.mark.parametrize("keys", [{"length": 1}, {"length": 70000}, {"examples": 9}])
def test_what_cannot_be_is_refused(keys):
    with pytest.raises(ConfigError, match=next(iter(keys))):
        Adding(**keys)


def test_the_sum_is_read_back_from_tables_and_json_lines(tmp_path):
    dataset = Adding(length=4, examples=40)
    dataset.setup()
    x = dataset.splits["test"].gather(torch.arange(2))["source"]
    (tmp_path / "a.csv").write_text("marker,number,note\n" + "".join(f"{m:g},{v!r},x\n" for v, m in x[0].tolist()))
    (tmp_path / "b.jsonl").write_text(json.dumps(x[1].tolist()) + "\n")
    ids, raws = dataset.preprocessing.read([str(tmp_path / "a.csv"), str(tmp_path / "b.jsonl")])
    assert ids == [str(tmp_path / "a.csv"), f"{tmp_path / 'b.jsonl'}:1"]
    assert torch.equal(dataset.preprocessing(raws)["source"].gather(torch.arange(2)), x)
