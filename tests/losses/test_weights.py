"""Every objective obeys ``batch["weight"]``: an example of weight 3 counts as three of weight 1."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.contracts import Output, Term
from assay.distillation.kd import KnowledgeDistillation
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.l1 import L1
from tests.options import option, options

COPIES = torch.tensor([1, 3, 2, 1])
NUMBERS = {"mse", "mae", "huber"}
CHAINED = {"sequence_likelihood"}  # of sequences of tags: tests/losses/test_sequence_likelihood.py


def batch_of(number: bool) -> tuple[Output, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    if number:
        output = Output(torch.randn(4, generator=generator, dtype=torch.float64))
        return output, {"index": torch.arange(4), "label": torch.randn(4, generator=generator, dtype=torch.float64)}
    logits = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    return Output(logits, logits.log_softmax(-1)), {"index": torch.arange(4), "label": torch.tensor([2, 0, 1, 1])}


def repeated(output: Output) -> Output:
    log_probs = None if output.log_probs is None else output.log_probs.repeat_interleave(COPIES, 0)
    return Output(output.logits.repeat_interleave(COPIES, 0), log_probs)


def mean(term: Term) -> float:
    return float(term.total.detach()) / float(term.weight)


class Teacher:
    def __call__(self, batch):
        logits = torch.stack([torch.sin(batch["index"] * k + k) for k in (1.0, 2.0, 3.0)], -1).double()
        return Output(logits, logits.log_softmax(-1))


OBJECTIVES = {
    **{name: lambda name=name: option("loss", name) for name in options("loss") if name not in CHAINED},
    "kd": lambda: KnowledgeDistillation(CrossEntropy(), Teacher(), 0.3, 2.0),
    "l1": lambda: L1(CrossEntropy(), nn.Linear(3, 2).double(), 0.1),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_weight_counts_as_copies(name):
    objective = OBJECTIVES[name]()
    output, batch = batch_of(name in NUMBERS)
    plain = objective(output, batch)
    weighed = objective(output, {**batch, "weight": COPIES.float()})
    copies = objective(repeated(output), {key: value.repeat_interleave(COPIES, 0) for key, value in batch.items()})
    assert plain.keys() == weighed.keys() == copies.keys()
    for term in weighed:
        assert mean(weighed[term]) == pytest.approx(mean(copies[term]), rel=1e-12)
        if term != "l1":  # of the network, not of the examples
            assert float(weighed[term].weight) == pytest.approx(7)
            assert mean(weighed[term]) != pytest.approx(mean(plain[term]), rel=1e-3)
