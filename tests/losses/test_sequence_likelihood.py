"""The loss of whole sequences: enumeration, shares of a batch, targets that the chain forbids."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from assay.contracts import Chain, Output
from assay.layers import crf
from assay.losses.sequence_likelihood import SequenceLikelihood, negative_log_likelihood
from tests.layers.test_crf import INF, arrays, made
from tests.references import crf as reference


def output_of(logits, mask, chain):
    return Output(logits.nan_to_num(), mask=mask, chain=chain)


def test_against_enumeration_counted_by_the_tag():
    lengths = [4, 1, 3]
    logits, mask, chain, tags = made(lengths)
    weight = torch.tensor([1.0, 2.0, 0.5])
    loss = SequenceLikelihood()(output_of(logits, mask, chain), {"label": tags, "weight": weight})
    total, count = loss["sequence_likelihood"]
    want = 0.0
    for b, length in enumerate(lengths):
        one = arrays(logits[b], chain, length)
        log_p = reference.score(*one, tags[b, :length].tolist()) - reference.log_sum(reference.every(*one).values())
        want -= float(weight[b]) * log_p
    np.testing.assert_allclose(total, want, atol=1e-12)
    assert count == 4 + 2 + 1.5


def test_parts_of_a_batch_add_up_and_padding_changes_nothing():
    logits, mask, chain, tags = made([4, 2, 3])
    loss = SequenceLikelihood()
    total, weight = loss(output_of(logits, mask, chain), {"label": tags})["sequence_likelihood"]
    parts = []
    for b, length in enumerate([4, 2, 3]):
        output = output_of(logits[b : b + 1, :length], None, chain)
        parts.append(loss(output, {"label": tags[b : b + 1, :length]})["sequence_likelihood"])
    torch.testing.assert_close(sum(one.total for one in parts), total)
    assert sum(one.weight for one in parts) == weight == 9


def test_without_a_chain_it_is_cross_entropy():
    logits, mask, _, tags = made([4, 2, 3])
    each = negative_log_likelihood(Output(logits.nan_to_num(), mask=mask), tags)
    want = torch.nn.functional.cross_entropy(logits[mask], tags[mask], reduction="sum")
    torch.testing.assert_close(each.sum(), want)


def test_a_forbidden_target_is_one_more_sequence():
    logits, mask, chain, tags = made([3, 3], seed=2)
    chain.transitions[0, 1] = -INF
    tags = torch.tensor([[2, 0, 1], [1, 0, 0]])
    logits.requires_grad_()
    each = negative_log_likelihood(Output(logits, mask=mask, chain=chain), tags)
    one = arrays(logits[0].detach(), chain, 3)
    left_out = (one[0], np.where(np.isinf(one[1]), 0, one[1]), *one[2:])
    s = reference.score(*left_out, (2, 0, 1))
    want = np.logaddexp(reference.log_sum(reference.every(*one).values()), s) - s
    np.testing.assert_allclose(each[0].detach(), want, atol=1e-12)
    torch.testing.assert_close(each[1], -crf.log_likelihood(logits, mask, chain, tags)[1])
    (gradient,) = torch.autograd.grad(each[0], logits)
    assert torch.isfinite(gradient).all()
    assert gradient[0, 2, 1] < 0  # more of the target is better


def test_it_is_learnt_although_it_is_forbidden():
    torch.manual_seed(0)
    logits = torch.zeros(1, 3, 3, requires_grad=True)
    chain = Chain(torch.tensor([[0, -INF, 0], [0, 0, 0], [0, 0, 0]]), torch.zeros(3), torch.zeros(3))
    tags = torch.tensor([[0, 1, 2]])
    losses = []
    for _ in range(60):
        loss = negative_log_likelihood(Output(logits, chain=chain), tags).sum()
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - gradient).detach().requires_grad_()
        losses.append(loss.item())
    assert all(b <= a for a, b in pairwise(losses))
    assert 0 < losses[-1] < 0.2
