"""What an output computes for those who ask, and for nobody else."""

from __future__ import annotations

from dataclasses import replace

import torch

from assay.contracts import DataSpec, Field, Output


def test_log_probs_are_made_when_they_are_first_asked_for():
    calls = []

    def make():
        calls.append(1)
        return torch.zeros(2, 3)

    output = Output(torch.ones(2, 3), make)
    assert output.logits.sum() == 6
    assert calls == []
    assert output.log_probs is output.log_probs
    assert calls == [1]
    assert torch.equal(replace(output, features={"a": torch.ones(1)}).log_probs, torch.zeros(2, 3))
    assert calls == [1]


def test_log_probs_may_be_a_tensor_or_none():
    given = torch.zeros(2, 3)
    assert Output(torch.ones(2, 3), given).log_probs is given
    assert Output(torch.ones(2)).log_probs is None


def test_inputs_beside_the_source():
    fields = {
        "source": Field("ids", (None,), 9, 0),
        "characters": Field("characters", (None, None), 30, 0),
        "pos": Field("feature", (None,), 5, 0),
        "label": Field("tags", (None,), 7, -1),
    }
    assert list(DataSpec(fields).inputs) == ["characters", "pos"]
