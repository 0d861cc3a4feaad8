"""Shapes that no choice of units gives are refused, whoever wrote them; a narrow run's are found again."""

from __future__ import annotations

import pytest
import torch

from assay.compression.groups import groups_of
from assay.compression.narrow import narrow
from assay.compression.refit import narrowed_as, refit
from assay.errors import ConfigError
from tests.compression.test_narrow import chosen, network
from tests.models.encoders import Case

MLP = Case("mlp", "vector", ("model.hidden_sizes=[6,5]", "normalization=batch"))


def shapes(net):
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "shape", "line"),
    [
        ("encoder.layers.0.weight", (5, 16), "encoder.layers.0.bias|encoder.layers.1|encoder.layers.4"),
        ("encoder.layers.0.weight", (7, 16), r"encoder.layers.0.weight is 7×16, which no units taken out of"),
        ("encoder.layers.0.weight", (0, 16), r"encoder.layers.0.weight is 0×16, which no units taken out of"),
        ("encoder.layers.0.weight", (6, 12), r"encoder.layers.0.weight is 6×12, which .* leave of 6×16"),
        ("encoder.layers.0.weight", (6, 16, 1), r"encoder.layers.0.weight is 6×16×1, which no units"),
        ("encoder.layers.1.running_mean", (3,), "encoder.layers"),
        ("encoder.layers.1.num_batches_tracked", (1,), "num_batches_tracked is 1, which .* leave of a number"),
        ("head.weight", (4, 5), r"head.weight is 4×5, which no units taken out of this network leave of 3×5"),
        ("head.bias", (2,), r"head.bias is 2, which"),
    ],
)
def test_one_shape_changed_is_refused_in_a_line(name, shape, line):
    wanted = {**shapes(network(MLP)), name: shape}
    net = network(MLP)
    with pytest.raises(ConfigError, match=line) as refusal:
        refit(net, wanted)
    assert "\n" not in str(refusal.value)
    assert shapes(net) == shapes(network(MLP))  # it is as it was


@pytest.mark.parametrize(
    "case",
    [
        Case("lstm", "sequence", ("model.hidden_size=6", "model.num_layers=2", "model.bidirectional=true")),
        Case("resnet", "image", ("model.width=3",)),
        Case("textcnn", "sequence", ("model.pool=kmax", "model.maps=7")),
    ],
    ids=str,
)
def test_every_tensor_changed_alone_is_refused(case):
    """Where several groups share a dimension too: each shape hangs on the others."""
    slim = network(case)
    narrow(slim, chosen(groups_of(slim)))
    whole = shapes(slim)
    net = network(case)
    for name, shape in whole.items():
        for dim in range(len(shape)):
            wrong = tuple(size - (place == dim) for place, size in enumerate(shape))
            with pytest.raises(ConfigError, match="which no units taken out of this network leave of"):
                refit(net, {**whole, name: wrong})
    refit(net, whole)
    assert shapes(net) == whole
    assert net.narrowed == slim.narrowed


def test_weights_as_wide_as_the_network_change_nothing():
    net = network(MLP)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    refit(net, shapes(net))
    narrowed_as(net, {}, "RUN")
    assert not hasattr(net, "narrowed")
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_parameters_stay_the_objects_they_are_and_frozen():
    net = network(MLP)
    net.encoder.requires_grad_(False)
    before = dict(net.named_parameters())
    narrow(net, {"encoder.layers.0": [0, 2]})
    assert all(p is before[name] for name, p in net.named_parameters())
    assert [name for name, p in net.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]


def test_a_run_that_began_with_another_network_is_refused():
    net = network(MLP)
    line = r"^init_from=RUN was narrowed from 9 units of encoder.layers.0, of which this network has 6: give the model"
    with pytest.raises(ConfigError, match=line):
        narrowed_as(net, {"encoder.layers.0": [3, 9]}, "RUN")
    with pytest.raises(
        ConfigError, match=r"from 6 units of encoder.layers.8, of which this network has none: give the"
    ):
        narrowed_as(net, {"encoder.layers.8": [3, 6]}, "RUN")
    with pytest.raises(ConfigError, match="was narrowed from"):
        narrowed_as(net, {"encoder.layers.0": [0, 6]}, "RUN")
    narrowed_as(net, {"encoder.layers.0": [3, 6], "encoder.layers.4": [5, 5]}, "RUN")
    assert net.narrowed == {"encoder.layers.0": (3, 6), "encoder.layers.4": (5, 5)}
