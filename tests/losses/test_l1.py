"""The L1 term against a loop over weights; its gradient; micro-batches; what stays outside the module tree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch import nn

from assay.contracts import Output
from assay.engines.step import divide
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.l1 import L1
from assay.losses.mse import MeanSquaredError

B, C = 6, 3
LAMBDA = 0.3


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Conv1d(5, 2, 1), nn.Linear(1, C)).double()
    made.append(made[0])  # a shared layer counts once
    return made


def batch(rows=slice(None)):
    torch.manual_seed(1)
    logits = torch.randn(B, C, dtype=torch.float64)
    label, index = torch.randint(C, (B,)), torch.arange(B)
    return Output(logits[rows], logits[rows].log_softmax(-1)), {"label": label[rows], "index": index[rows]}


def summed(network):
    """Σ|w| over the entries of everything that is a matrix."""
    total = 0.0
    for array in {id(p): p.detach().numpy() for p in network.parameters()}.values():
        if array.ndim >= 2:
            for value in np.ravel(array):
                total += abs(value)
    return total


def test_against_a_loop(network):
    terms = L1(CrossEntropy(), network, LAMBDA)(*batch())
    plain = CrossEntropy()(*batch())
    assert list(terms) == ["cross_entropy", "l1"]
    assert terms["cross_entropy"] == plain["cross_entropy"]
    assert divide(terms).item() == pytest.approx(divide(plain).item() + LAMBDA * summed(network))


def test_the_gradient_is_the_sign_of_each_weight_and_nothing_elsewhere(network):
    with torch.no_grad():
        network[0].weight[0, 0] = 0
    divide(L1(CrossEntropy(), network, LAMBDA)(*batch())).backward()
    for parameter in network.parameters():
        if parameter.dim() >= 2:
            torch.testing.assert_close(parameter.grad, LAMBDA * parameter.detach().sign())
        else:
            assert parameter.grad is None


def test_micro_batches_add_up_to_one_penalty(network):
    loss = L1(CrossEntropy(), network, LAMBDA)
    whole = loss(*batch())
    parts = [loss(*batch(rows)) for rows in (slice(0, 2), slice(2, 6))]
    for name, term in whole.items():
        torch.testing.assert_close(term.total, sum(part[name].total for part in parts))
        assert float(term.weight) == sum(float(part[name].weight) for part in parts)


def test_nothing_is_penalised_at_zero_and_the_network_is_no_part_of_it(network):
    loss = L1(CrossEntropy(), network, 0.0)
    assert divide(loss(*batch())).item() == divide(CrossEntropy()(*batch())).item()
    assert not list(loss.parameters())
    assert not loss.state_dict()
    with pytest.raises(ConfigError, match=r"regularization\.strength=-1 is negative: use regularization=none"):
        L1(CrossEntropy(), network, -1.0)


def test_its_minimum_is_scikit_learns_lasso():
    """Whose objective is half the mean square and λ/2 of our term."""
    torch.manual_seed(2)
    x = torch.randn(60, 8, dtype=torch.float64)
    y = x @ torch.tensor([2.0, -1, 0, 0, 0, 0.05, 0, 0.5], dtype=torch.float64) + 0.1 * torch.randn(60) + 3
    expected = Lasso(alpha=LAMBDA / 2, tol=1e-10).fit(x.numpy(), y.numpy())
    layer = nn.Linear(8, 1).double()
    loss = L1(MeanSquaredError(), layer, LAMBDA)
    for rate in (0.1, 0.01, 1e-3, 1e-4, 1e-5):
        optimizer = torch.optim.SGD(layer.parameters(), lr=rate)
        for _ in range(300):
            optimizer.zero_grad()
            divide(loss(Output(layer(x).squeeze(-1)), {"label": y, "index": torch.arange(60)})).backward()
            optimizer.step()
    np.testing.assert_allclose(layer.weight.detach().numpy()[0], expected.coef_, atol=1e-3)
    assert layer.bias.item() == pytest.approx(expected.intercept_, abs=1e-3)
    assert (expected.coef_ == 0).sum() >= 4
