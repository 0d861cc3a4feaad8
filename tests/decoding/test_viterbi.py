"""The best sequences against enumeration, a NumPy loop and pytorch-crf."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.contracts import Chain, Output
from assay.decoding.viterbi import best, n_best, several, viterbi
from assay.layers import crf
from tests.layers.test_crf import INF, LENGTHS, arrays, made
from tests.references import crf as reference


@pytest.mark.parametrize("number", [1, 4, 200])
@pytest.mark.parametrize("forbidden", [(), ((0, 1), (1, 1), (2, 0))])
def test_the_best_of_all_sequences(forbidden, number):
    logits, mask, chain, _ = made(forbidden=forbidden)
    chain.start[2] = -INF
    tags = viterbi(logits, mask, chain)
    found, scores = n_best(logits, mask, chain, number)
    assert found.shape == (5, number, 4)
    for b, length in enumerate(LENGTHS):
        assert (tags[b, length:] == -1).all()
        if length == 0:
            assert scores[b, 0] == 0
            assert (scores[b, 1:] == -INF).all()
            assert (found[b] == -1).all()
            continue
        want = reference.best(*arrays(logits[b], chain, length), number=number)
        assert tuple(tags[b, :length].tolist()) == want[0][1]
        for k, (value, sequence) in enumerate(want):
            np.testing.assert_allclose(scores[b, k], value, atol=1e-12)
            assert tuple(found[b, k, :length].tolist()) == sequence
            assert (found[b, k, length:] == -1).all()
        assert (scores[b, len(want) :] == -INF).all()
        assert (found[b, len(want) :] == -1).all()


def test_the_loop_agrees_on_long_sequences_of_any_spread():
    lengths = [300, 1000]
    logits, mask, chain, _ = made(lengths, size=7, dtype=torch.float32, spread=1000.0, forbidden=((0, 1), (2, 1)))
    tags = viterbi(logits, mask, chain)
    for b, length in enumerate(lengths):
        _, want = reference.viterbi(*arrays(logits[b], chain, length))
        assert tuple(tags[b, :length].tolist()) == want


def test_company_and_padding_change_nothing():
    logits, mask, chain, _ = made([5, 3, 4], size=4, dtype=torch.float32)
    tags = viterbi(logits, mask, chain)
    several, scores = n_best(logits, mask, chain, 3)
    for b, length in enumerate([5, 3, 4]):
        row = logits[b : b + 1, :length]
        assert torch.equal(viterbi(row, None, chain)[0], tags[b, :length])
        alone, own = n_best(row, None, chain, 3)
        assert torch.equal(alone[0], several[b, :, :length])
        torch.testing.assert_close(own[0], scores[b])


def test_of_equals_the_lowest_tag():
    chain = Chain(torch.zeros(3, 3), torch.zeros(3), torch.zeros(3))
    assert not viterbi(torch.zeros(2, 4, 3), None, chain).any()


def test_all_probabilities_of_n_best_add_up():
    logits, mask, chain, _ = made([4, 2], size=3)
    _, scores = n_best(logits, mask, chain, 81)
    total = (scores - crf.log_partition(logits, mask, chain).unsqueeze(1)).exp().sum(1)
    torch.testing.assert_close(total, torch.ones(2, dtype=torch.float64))


def test_best_is_the_argmax_without_a_chain_and_viterbi_with_one():
    logits, mask, chain, _ = made()
    tags, log_prob = best(Output(logits, mask=mask))
    assert torch.equal(tags, logits.nan_to_num().argmax(-1).masked_fill(~mask, -1))
    each = logits.log_softmax(-1).amax(-1).masked_fill(~mask, 0)
    torch.testing.assert_close(log_prob, each.sum(1))
    tags, log_prob = best(Output(logits, mask=mask, chain=chain))
    assert torch.equal(tags, viterbi(logits, mask, chain))
    torch.testing.assert_close(log_prob, crf.log_likelihood(logits, mask, chain, tags))
    whole, alone = best(Output(logits[:1]))
    assert torch.equal(whole, logits[:1].argmax(-1))
    torch.testing.assert_close(alone, each[:1].sum(1))


def test_several_with_and_without_a_chain():
    logits, mask, chain, _ = made()
    for output in (Output(logits, None, mask), Output(logits, None, mask, chain=chain)):
        tags, log_probs = several(output, 81)
        first, sure = best(output)
        torch.testing.assert_close(tags[:, 0], first)
        torch.testing.assert_close(log_probs[:, 0], sure)
        torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(len(logits), dtype=logits.dtype))
    for b, length in enumerate(LENGTHS):  # without a chain each position by itself
        alone = logits[b, :length].log_softmax(-1)
        tags, log_probs = several(Output(logits[b : b + 1], None, mask[b : b + 1]), 5)
        for tagging, sure in zip(tags[0, :, :length], log_probs[0], strict=True):
            if sure > -INF:
                torch.testing.assert_close(alone.gather(1, tagging.unsqueeze(1)).sum(), sure)


def test_against_pytorch_crf():
    torchcrf = pytest.importorskip("torchcrf", reason="pytorch-crf is a test oracle: pip install pytorch-crf")
    lengths = [50, 31, 44, 27, 50, 38]
    logits, mask, _, _ = made(lengths, size=127, dtype=torch.float32)
    theirs = torchcrf.CRF(127, batch_first=True)
    chain = Chain(theirs.transitions, theirs.start_transitions, theirs.end_transitions)
    found = viterbi(logits, mask, chain)
    for b, tags in enumerate(theirs.decode(logits.nan_to_num(), mask=mask)):
        assert found[b, : lengths[b]].tolist() == tags
