"""Every init of conf/ against its formula, and which parameters it reaches."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from assay.contracts import Field
from assay.layers import initialization
from assay.layers.attention import SelfAttention
from assay.layers.initialization import initialize
from assay.layers.lstm_cell import NormalizedLSTM
from assay.layers.normalization import layer
from assay.layers.stems.columns import Columns
from tests.options import option, options

ROWS, COLUMNS = 400, 300


def standard_normal(std):
    return lambda w: abs(w.std() / std - 1) < 0.02 and abs((w**4).mean() / std**4 - 3) < 0.15


def even(bound):
    return lambda w: bound * 0.999 < abs(w).max() <= bound and abs(w.std() / (bound / math.sqrt(3)) - 1) < 0.02


FORMULAS = {
    "default": lambda w: (w == 5).all(),
    "xavier_uniform": even(math.sqrt(6 / (ROWS + COLUMNS))),
    "xavier_normal": standard_normal(math.sqrt(2 / (ROWS + COLUMNS))),
    "kaiming": standard_normal(math.sqrt(2 / COLUMNS)),
    "uniform": even(0.07),
    "normal": standard_normal(0.01),
    "orthogonal": lambda w: np.allclose(w.T @ w, np.eye(COLUMNS), atol=1e-4),
    "identity": lambda w: (w == np.eye(ROWS, COLUMNS)).all(),
}


@pytest.mark.parametrize("name", options("init"))
def test_formula(name):
    torch.manual_seed(0)
    weight = torch.full((ROWS, COLUMNS), 5.0)
    option("init", name)(weight)
    assert FORMULAS[name](weight.numpy())


def test_identity_of_a_convolution_hands_on_its_input():
    conv = nn.Conv2d(3, 4, 3, padding=1)
    initialize(conv, initialization.identity)
    x = torch.randn(2, 3, 5, 5)
    assert torch.equal(conv(x)[:, :3], x)
    assert not conv(x)[:, 3].any()


def network():
    return nn.ModuleDict(
        {
            "linear": nn.Linear(6, 5),
            "conv": nn.Conv2d(2, 3, 3),
            "norm": nn.BatchNorm1d(5),
            "layer_norm": nn.LayerNorm(5),
            "prelu": nn.PReLU(),
            "embedding": nn.Embedding(7, 4, padding_idx=2),
            "lstm": nn.LSTM(4, 3),
            "gru": nn.GRU(4, 3),
            "cell": NormalizedLSTM(4, 3, layer),
            "attention": SelfAttention(4, 2),
            "columns": Columns(Field("table", (2,), cardinalities=(0, 3)), 4),
        }
    )


def test_default_changes_nothing():
    net = network()
    before = copy.deepcopy(net.state_dict())
    initialize(net, option("init", "default"))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_weights_are_set_biases_zeroed_and_normalisations_left():
    net = network()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(5.0)
    initialize(net, lambda tensor: nn.init.constant_(tensor, 2.0))
    for name, parameter in net.named_parameters():
        if name == "embedding.weight":
            assert (parameter[2] == 0).all()
            assert (parameter[[0, 1, 3, 4, 5, 6]] == 2).all()
        elif name == "columns.embedding.weight":
            assert (parameter[0] == 0).all()
            assert (parameter[1:] == 2).all()
        elif "norm" in name or "prelu" in name:
            assert (parameter == 5).all(), name
        else:
            assert (parameter == (2 if parameter.dim() > 1 else 0)).all(), name


@pytest.mark.parametrize(
    ("part", "parameter", "blocks"),
    [
        ("lstm", "weight_hh_l0", 4),
        ("lstm", "weight_ih_l0", 4),
        ("gru", "weight_hh_l0", 3),
        ("cell", "weight_h", 4),
        ("cell", "weight_x", 4),
        ("attention", "weight", 3),
    ],
)
def test_each_stacked_matrix_is_one_matrix(part, parameter, blocks):
    net = network()
    initialize(net, initialization.identity)
    weight = getattr(net[part], parameter)
    for block in weight.chunk(blocks):
        assert torch.equal(block, torch.eye(*block.shape))
