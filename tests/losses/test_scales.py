"""The L1 term of batch-norm scales against a loop; its gradient; micro-batches; what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.engines.step import divide
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.scales import Scales
from tests.losses.test_l1 import LAMBDA, batch


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.LayerNorm(5), nn.BatchNorm2d(3)).double()
    for norm in (made[1], made[3]):
        nn.init.uniform_(norm.weight, -1, 1)
    made.append(made[1])  # a shared layer counts once
    return made


def test_against_a_loop(network):
    total = 0.0
    for norm in (network[1], network[3]):
        for gamma in norm.weight.detach().tolist():
            total += abs(gamma)
    terms = Scales(CrossEntropy(), network, LAMBDA)(*batch())
    plain = CrossEntropy()(*batch())
    assert list(terms) == ["cross_entropy", "scales"]
    assert terms["cross_entropy"] == plain["cross_entropy"]
    assert divide(terms).item() == pytest.approx(divide(plain).item() + LAMBDA * total)


def test_the_gradient_is_the_sign_of_each_scale_and_nothing_elsewhere(network):
    with torch.no_grad():
        network[1].weight[0] = 0
    divide(Scales(CrossEntropy(), network, LAMBDA)(*batch())).backward()
    scales = (network[1].weight, network[3].weight)
    for parameter in network.parameters():
        if any(parameter is scale for scale in scales):
            torch.testing.assert_close(parameter.grad, LAMBDA * parameter.detach().sign())
        else:
            assert parameter.grad is None


def test_micro_batches_add_up_to_one_penalty(network):
    loss = Scales(CrossEntropy(), network, LAMBDA)
    whole = loss(*batch())
    parts = [loss(*batch(rows)) for rows in (slice(0, 2), slice(2, 6))]
    for name, term in whole.items():
        torch.testing.assert_close(term.total, sum(part[name].total for part in parts))
        assert float(term.weight) == sum(float(part[name].weight) for part in parts)


def test_nothing_at_zero_and_what_cannot_be(network):
    loss = Scales(CrossEntropy(), network, 0.0)
    assert divide(loss(*batch())).item() == divide(CrossEntropy()(*batch())).item()
    assert not loss.state_dict()
    with pytest.raises(ConfigError, match=r"regularization\.strength=-1 is negative: use regularization=none"):
        Scales(CrossEntropy(), network, -1.0)
    with pytest.raises(ConfigError, match=r"^regularization=scales sums the scales of batch normalisations, and this"):
        Scales(CrossEntropy(), nn.Linear(2, 2), 0.1)
