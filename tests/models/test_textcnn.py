"""TextCNN against a loop over windows, filters and examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from assay.errors import ConfigError
from assay.models.textcnn import TextCNN
from tests.references.textcnn import k_largest, windows

B, T, D, M = 5, 7, 3, 4
LENGTHS = torch.tensor([7, 4, 1, 3, 2])
WIDTHS = [1, 3, 5]


def make(pool="1max", k=2, widths=WIDTHS, activation=nn.Tanh) -> TextCNN:
    return TextCNN((None, D), widths, M, pool, k, activation, 0.0).double()


@pytest.mark.parametrize(("pool", "k"), [("1max", 2), ("average", 2), ("kmax", 1), ("kmax", 2), ("kmax", 9)])
@pytest.mark.parametrize("masked", [False, True])
def test_against_loops(pool, k, masked):
    model = make(pool, k)
    x = torch.randn(B, T, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    last = model(x, mask if masked else None).last
    assert last.shape == (B, model.output_size) == (B, len(WIDTHS) * M * (k if pool == "kmax" else 1))
    for b in range(B):
        sentence = x[b, : int(LENGTHS[b]) if masked else T].numpy()
        expected = []
        for convolution in model.convolutions:
            maps = windows(sentence, *(p.detach().numpy() for p in convolution.parameters()), math.tanh)
            if pool == "kmax":
                expected.append(np.array([k_largest(maps[:, m], k) for m in range(M)]).T.ravel())
            else:
                expected.append(maps.max(0) if pool == "1max" else maps.mean(0))
        np.testing.assert_allclose(last[b].detach().numpy(), np.concatenate(expected), atol=1e-12)


def test_a_batch_shorter_than_every_window():
    x = torch.randn(2, 2, D, dtype=torch.float64)
    model = make(widths=[4])
    (convolution,) = model.convolutions
    weight, bias = (p.detach().numpy() for p in convolution.parameters())
    expected = [windows(sentence, weight, bias, math.tanh)[0] for sentence in x.numpy()]
    np.testing.assert_allclose(model(x).last.detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("pool", ["1max", "kmax", "average"])
def test_equal_values_do_not_let_padding_choose(pool):
    """ReLU makes many zeros; the order of the k largest must not depend on how many of them padding adds."""
    model = make(pool, 3, activation=nn.ReLU)
    x = torch.randn(B, T, D, dtype=torch.float64)
    mask = torch.arange(T) < LENGTHS.unsqueeze(1)
    order = torch.tensor([3, 0, 4, 2, 1])
    last = model(x, mask).last
    torch.testing.assert_close(model(x[order], mask[order]).last, last[order], rtol=0, atol=1e-14)
    for b, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(model(x[b : b + 1, :length]).last, last[b : b + 1], rtol=0, atol=1e-14)


def test_refusals():
    with pytest.raises(ConfigError, match=r"model\.pool=median is not one of 1max, kmax, average"):
        make("median")
    for widths in ([], [3, 0]):
        with pytest.raises(ConfigError, match=r"model\.widths=.* are no widths of windows"):
            make(widths=widths)
    with pytest.raises(ConfigError, match="model=textcnn carries no state"):
        make()(torch.randn(2, 9, D).double(), None, (torch.zeros(2, 1, M),))
