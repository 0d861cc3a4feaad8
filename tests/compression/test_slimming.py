"""Channels go by |γ|: against a loop, in a chain and where shortcuts join."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from assay.compression.groups import groups_of
from assay.compression.slimming import Slimming
from assay.errors import ConfigError
from tests.compression.test_narrow import network
from tests.models.encoders import Case
from tests.references import pruning


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_against_a_loop_over_scales(scope):
    net = network(Case("cnn", "image", ("normalization=batch", "model.channels=[8,12]")))
    norms = {"encoder.blocks.0": net.encoder.blocks[1], "encoder.blocks.4": net.encoder.blocks[5]}
    for norm in norms.values():
        nn.init.uniform_(norm.weight, -1, 1)
    scores = {name: norm.weight.detach().abs().tolist() for name, norm in norms.items()}
    found = Slimming(0.5, scope, 0.2).kept(groups_of(net), net.state_dict(), [])
    assert found == pruning.kept(scores, 0.5, 0.2, scope == "global")  # the hidden layer has no scale, and stays


@pytest.mark.parametrize("shortcut", ["pad", "projection"])
def test_maps_that_shortcuts_join_go_by_the_largest_of_their_scales(shortcut):
    net = network(Case("resnet", "image", (f"model.shortcut={shortcut}", "model.width=4")))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, -0.5, 0.5)
    writers = ["first.1", "blocks.0.body.4"]  # all that write the first stage's maps; padding hands them on
    if shortcut == "pad":
        writers += ["blocks.1.body.4", "blocks.2.body.4"]
    scales = np.abs([net.encoder.get_submodule(name).weight.detach().numpy()[:4] for name in writers])
    (joined,) = [group for group in groups_of(net) if group.name == "encoder.first.0"]
    found = Slimming(0.5, "layer", 1).kept([joined], net.state_dict(), [])
    assert found == {"encoder.first.0": sorted(np.argsort(scales.max(0), kind="stable")[2:].tolist())}


def test_a_network_without_such_scales_is_refused():
    for form in ("normalization=none", "normalization=instance"):
        net = network(Case("resnet", "image", (form,)))
        with pytest.raises(
            ConfigError, match=r"^compression=slimming ranks by the scales of batch normalisations, and"
        ):
            Slimming(0.5, "global", 0.1).kept(groups_of(net), net.state_dict(), [])


def test_equal_scales_leave_from_the_first():
    net = network(Case("mlp", "vector", ("model.hidden_sizes=[4]", "normalization=batch")))
    with torch.no_grad():
        net.encoder.layers[1].weight.copy_(torch.tensor([-0.5, 0.5, 0.5, -0.7]))
    assert Slimming(0.5, "global", 1).kept(groups_of(net), net.state_dict(), []) == {"encoder.layers.0": [2, 3]}
