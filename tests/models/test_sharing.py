"""One layer used several times: the gradient of its parameters is the sum over the uses; nothing counts it twice."""

from __future__ import annotations

import copy
import csv

import pytest
import torch
from torch import nn

from assay import artifacts
from assay.contracts import DataSpec, Field
from assay.data.examples import Dense, Examples
from assay.data.loaders import MemoryLoader
from assay.engines.step import Step
from assay.errors import ConfigError
from assay.layers import normalization
from assay.layers.random import KeyedStreams, name_layers
from assay.layers.stems.identity import Identity
from assay.losses.cross_entropy import CrossEntropy
from assay.models.highway import HighwayNet
from assay.models.transformer import Transformer
from assay.optim.clip import ClipNorm
from assay.optim.ema import ExponentialAverage
from assay.preflight import compose
from assay.run import run
from assay.targets import build
from assay.tasks.classification import Classification

LAYERS = 3
X = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def highway(shared, norm=normalization.none, dropout=0.0):
    return HighwayNet((5,), 4, LAYERS, shared, -1.0, nn.Tanh, norm, dropout)


def transformer(shared, norm=normalization.layer, dropout=0.0):
    return Transformer((None, 1), 8, 2, LAYERS, shared, 12, "none", 9, True, False, nn.Tanh, norm, dropout)


MODELS = {"highway": (highway, "layers", X), "transformer": (transformer, "blocks", X.unsqueeze(-1))}
EVERY = pytest.mark.parametrize("name", MODELS)


def tied_and_untied(name):
    """A shared net in float64, and one whose every layer is a copy of its own."""
    make, stack, x = MODELS[name]
    torch.manual_seed(0)
    shared, untied = make(True).double(), make(False).double()
    layer = getattr(shared, stack)[0]
    others = {key: value for key, value in shared.state_dict().items() if not key.startswith(stack)}
    untied.load_state_dict({**untied.state_dict(), **others})
    for place in range(LAYERS):
        getattr(untied, stack)[place].load_state_dict(layer.state_dict())
    return shared, untied, stack, x.double()


@EVERY
def test_the_gradient_is_the_sum_over_the_uses(name):
    shared, untied, stack, x = tied_and_untied(name)
    weight = torch.randn_like(shared(x).last)
    torch.testing.assert_close(shared(x).last, untied(x).last)
    for model in (shared, untied):
        (model(x).last * weight).sum().backward()
    copies = getattr(untied, stack)
    for key, parameter in getattr(shared, stack)[0].named_parameters():
        apart = [copies[place].get_parameter(key).grad for place in range(LAYERS)]
        assert not torch.allclose(apart[0], apart[1])
        torch.testing.assert_close(parameter.grad, torch.stack(apart).sum(0))


@EVERY
def test_it_has_the_parameters_of_one_layer(name):
    shared, untied, stack, _ = tied_and_untied(name)
    one = sum(p.numel() for p in getattr(untied, stack)[0].parameters())
    count = {model: sum(p.numel() for p in model.parameters()) for model in (shared, untied)}
    assert count[untied] - count[shared] == (LAYERS - 1) * one
    assert sum(value.numel() for value in shared.state_dict().values()) == count[shared]  # stored once


def make_step(name, **parts):
    make, _, x = MODELS[name]
    spec = DataSpec(
        {"source": Field("vector", tuple(x.shape[1:])), "label": Field("class", (), 3, names=("a", "b", "c"))}
    )
    task = Classification(spec, CrossEntropy())
    torch.manual_seed(0)
    network = task.network(Identity(spec.source), make(True, dropout=0.2))
    name_layers(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    average = ExponentialAverage(network, 0.9)
    step = Step(task, network, optimizer, streams=KeyedStreams(0), clip=ClipNorm(0.01), average=average, **parts)
    data = Examples({"source": Dense(x), "label": Dense(torch.arange(6) % 3)}, torch.arange(6))
    return step, next(iter(MemoryLoader(data, 6, accumulate=None)))


@EVERY
def test_clipping_averaging_and_resuming_see_it_once(name):
    step, batch = make_step(name)
    for number in range(3):
        step([batch], 0, number)
    norm = torch.stack([p.grad.norm() for p in step.network.parameters()]).norm()
    assert float(norm) == pytest.approx(0.01, rel=1e-3)  # the norm over each parameter once
    assert len(step.parameters) == len({id(p) for p in step.parameters}) == len(list(step.network.parameters()))
    held = step.capture()
    assert sum(key.startswith("ema.average.") for key in held) == len(step.parameters)
    expected = copy.deepcopy({key: value.clone() for key, value in held.items()})
    after = [step([batch], 1, number) for number in (3, 4)]
    again, _ = make_step(name)
    again.restore(expected)
    assert torch.equal(torch.stack([again([batch], 1, number) for number in (3, 4)]), torch.stack(after))
    left, right = step.capture(), again.capture()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize(
    "words",
    [
        ["model=highway", "data=digits", "model.num_layers=3"],
        ["model=transformer", "data=digits", "model.num_layers=3"],
    ],
)
def test_a_run_of_it_leaves_an_artifact_that_answers_alike(words, tmp_path):
    more = ["model.shared=true", "ema=exponential", "clip=norm", "debug=fast", "logger=none"]
    point = compose([*words, *more, f"outputs={tmp_path}"])
    (tmp_path / "run").mkdir()
    run(point.config, list(point.overrides), tmp_path / "run")
    loaded = artifacts.load(tmp_path / "run" / "artifact")
    assert loaded.config["model"]["shared"] is True
    data = build(point.config["data"])
    data.setup()
    rows = list(csv.DictReader((tmp_path / "run" / "predictions" / "test.csv").read_text().splitlines()))
    batch = data.splits["test"].gather(torch.arange(len(rows)))
    assert [str(number) for number in batch["index"].tolist()] == [row["id"] for row in rows]
    answers, probabilities = loaded.task.table(loaded.network(batch).log_probs.detach())
    assert answers == [row["prediction"] for row in rows]
    assert probabilities == pytest.approx([float(row["probability"]) for row in rows], abs=1e-4)


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ConfigError, match=r"model\.shared=true with normalization=batch would mix"):
        highway(True, normalization.batch)
    with pytest.raises(ConfigError, match="one rate for every use of it"):
        transformer(True, dropout=[0.1, 0.1, 0.2, 0.1])
    assert transformer(True, dropout=[0.1, 0.2, 0.2, 0.2])
