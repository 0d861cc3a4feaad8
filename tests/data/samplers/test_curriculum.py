from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.data.samplers.curriculum import Curriculum, Pacing
from assay.data.samplers.oversample import Oversample
from assay.data.samplers.plain import Shuffled
from assay.errors import ConfigError
from assay.layers.random import example_uniform
from tests.references import sampling

HARD = torch.tensor([5.0, -1.0, 2.5, 9.0, 3.0, 0.0, 7.0, 4.0, 8.0, 1.0, 6.0, 2.0])
RANK = np.argsort(np.argsort(HARD.numpy())).tolist()


@pytest.mark.parametrize("kind", ["root", "linear", "geometric"])
def test_competence_is_that_of_the_papers(kind):
    pacing = Pacing(kind, 0.05, 0.4)
    t = torch.linspace(0, 1, 41, dtype=torch.float64)
    expected = [sampling.competence(kind, float(value), 0.05, 0.4) for value in t]
    assert np.allclose(pacing.competence(t).numpy(), expected, atol=1e-12)
    assert pacing.competence(t)[0] == pytest.approx(0.05)


@pytest.mark.parametrize("kind", ["root", "linear", "geometric"])
@pytest.mark.parametrize("label", [None, [0] * 8 + [1] * 4])
def test_visits_are_those_of_the_loop_whatever_the_sampler(kind, label):
    inner = Shuffled(12, 4) if label is None else Oversample(torch.tensor(label), 4)
    sampler = Curriculum(inner, HARD, Pacing(kind, 0.1, 0.5), 5.0, 4)
    assert len(sampler) == len(inner)
    for epoch in range(5):
        draws = example_uniform(4, epoch, torch.arange(len(inner)), "curriculum").numpy()
        visits = inner.positions(epoch).tolist()
        expected = sampling.paced(visits, RANK, draws, epoch, 5.0, kind, 0.1, 0.5)
        assert sampler.positions(epoch).tolist() == expected


def test_early_visits_are_easy_and_later_epochs_plain():
    inner = Shuffled(12, 0)
    sampler = Curriculum(inner, HARD, Pacing("linear", 0.25, 0.5), 4.0, 0)
    assert HARD[sampler.positions(0)[:2]].max() <= 1  # of the easiest quarter
    assert HARD[sampler.positions(0)].mean() < HARD[sampler.positions(1)].mean()
    for epoch in (2, 3):
        assert torch.equal(sampler.positions(epoch), inner.positions(epoch))


def test_equally_hard_examples_are_not_ordered_as_they_stand():
    sampler = Curriculum(Shuffled(100, 0), torch.zeros(100), Pacing("linear", 0.1, 1.0), 10.0, 0)
    first = sampler.positions(0)[:20].unique()
    assert (first > 50).any()
    assert (first < 50).any()


def test_a_start_that_is_less_than_one_example_draws_the_easiest():
    sampler = Curriculum(Shuffled(12, 0), HARD, Pacing("root", 1e-6, 1.0), 1e9, 0)
    assert sampler.positions(0).tolist() == [1] * 12


@pytest.mark.parametrize("wrong", [{"start": 0.0}, {"until": 1.2}, {"start": -1.0}])
def test_what_is_no_share_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"is not a share in \(0, 1\]"):
        Pacing(**wrong)
