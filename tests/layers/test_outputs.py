"""Output layers: what they answer is what enumeration of the allowed sequences says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.contracts import Chain
from assay.decoding.viterbi import best
from assay.layers import initialization
from assay.layers.outputs import CRF, Softmax
from tests.references import crf as reference

NAMES = ("O", "B-a", "I-a", "B-b", "I-b")
INF = float("inf")


def allowed(tags):
    pairs = zip(("O", *(NAMES[i] for i in tags[:-1])), (NAMES[i] for i in tags), strict=True)
    return all(other[0] != "I" or one in (f"B{other[1:]}", f"I{other[1:]}") for one, other in pairs)


def inputs():
    torch.manual_seed(1)
    return torch.randn(3, 4, 6, dtype=torch.float64), torch.arange(4) < torch.tensor([[4], [2], [3]])


@pytest.mark.parametrize("constraints", ["auto", "none"])
@pytest.mark.parametrize("make", [Softmax, CRF])
def test_answers_are_those_of_enumeration(make, constraints):
    states, mask = inputs()
    layer = make(6, NAMES, constraints).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    output = layer(states, mask)
    tags, log_prob = best(output)
    zero = Chain(torch.zeros(5, 5), torch.zeros(5), torch.zeros(5))
    chain = Chain(layer.transitions, layer.start, layer.end) if make is CRF else zero
    for b, length in enumerate([4, 2, 3]):
        one = (output.logits[b, :length].detach().numpy(), *(part.detach().double().numpy() for part in chain))
        scores = {y: s for y, s in reference.every(*one).items() if constraints == "none" or allowed(y)}
        want = max(scores, key=scores.get)
        assert tuple(tags[b, :length].tolist()) == want
        np.testing.assert_allclose(log_prob[b].detach(), scores[want] - reference.log_sum(scores.values()), atol=1e-9)
        if make is CRF:
            log_z = reference.log_sum(scores.values())
            for t in range(length):
                share = [sum(np.exp(s - log_z) for y, s in scores.items() if y[t] == c) for c in range(5)]
                np.testing.assert_allclose(output.log_probs[b, t].exp().detach(), share, atol=1e-9)
    if make is Softmax:
        torch.testing.assert_close(output.log_probs, output.logits.log_softmax(-1))
        assert (output.chain is None) == (constraints == "none")


def test_a_new_chain_says_nothing_whatever_init_is_chosen():
    states, mask = inputs()
    crf, softmax = CRF(6, NAMES, "none").double(), Softmax(6, NAMES, "none").double()
    initialization.initialize(crf, nn.init.xavier_uniform_)
    softmax.linear.load_state_dict(crf.linear.state_dict())
    assert not crf.transitions.any()
    torch.testing.assert_close(crf(states, mask).log_probs[mask], softmax(states, mask).log_probs[mask])


def test_what_is_forbidden_is_not_saved_and_is_not_learnt():
    states, mask = inputs()
    layer = CRF(6, NAMES).double()
    assert set(layer.state_dict()) == {"linear.weight", "linear.bias", "transitions", "start", "end"}
    output = layer(states, mask)
    output.log_probs[mask].exp().square().sum().backward()
    barred = output.chain.transitions == -INF
    assert barred.sum() == 6
    assert not layer.transitions.grad[barred].any()
    assert torch.isfinite(layer.transitions.grad).all()
    assert layer.transitions.grad.any()
