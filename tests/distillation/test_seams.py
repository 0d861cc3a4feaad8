"""Whatever an objective is wrapped in, its parts are reached, inner ones first; features are asked for likewise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import assay
from assay.contracts import Output, Term
from assay.distillation import seams
from assay.engines import checkpoint
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.l1 import L1
from tests.distillation.test_fitnets import made


class Part(nn.Module):
    features = ("layer",)

    def __init__(self, said, name, inner=None):
        super().__init__()
        self.said, self.name, self.inner = said, name, inner

    def fit(self, spec, preprocessing):
        self.said.append((self.name, "fit", spec, preprocessing))

    def assembled(self, network, make):
        return nn.Sequential(network, make(1))

    def meet(self, network, batch, seed):
        self.said.append((self.name, "meet", len(batch["source"]), seed))

    def stepped(self, network):
        self.said.append((self.name, "stepped", network))

    def forward(self, output, batch):
        return {"none": Term(output.logits.sum(), 1.0)}


def test_a_wrapper_needs_to_know_of_none_of_it():
    said: list = []
    network = nn.Linear(3, 4)
    wrapped = L1(Part(said, "outer", Part(said, "inner")), network, 0.1)
    seams.fit(wrapped, "spec", "preprocessing")  # ty: ignore
    seams.meet(wrapped, network, {"source": torch.zeros(9, 3)}, 5)
    for call in seams.followers(wrapped):
        call("network")  # ty: ignore
    assert said == [
        (name, *what)
        for what in (("fit", "spec", "preprocessing"), ("meet", 2, 5), ("stepped", "network"))
        for name in ("inner", "outer")
    ]
    assert wrapped.features == ("layer",)
    assert len(seams.assembled(Part(said, "one"), network, lambda number: nn.Linear(3, number))) == 2
    assert seams.assembled(CrossEntropy(), network, lambda number: nn.Linear(3, number)) is network
    assert seams.followers(CrossEntropy()) == []


def test_features_are_asked_for_through_a_wrapper():
    objective = made({"h": torch.randn(2, 7)}, guided="encoder")
    assert L1(objective, nn.Linear(2, 2), 0.1).features == ("encoder",)


METHODS = {
    "fitnets": ["distillation=fitnets"],
    "mutual": ["distillation=mutual"],
    "self": ["distillation=kd", "distillation/teacher=self", "distillation.temperature=2"],
}


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    """A run of a network with maps."""
    outputs = tmp_path_factory.mktemp("pixels")
    words = ["model=cnn", "model.channels=[4]", "model.hidden_size=8", "trainer=cpu", "trainer.max_steps=20"]
    return assay.train(*words, "logger=none", f"outputs={outputs}").folder


@pytest.mark.parametrize("method", METHODS)
def test_a_step_in_parts_is_the_step_of_a_whole_batch(tmp_path, pixels, method):
    words = ["model=student", "model.channels=[4,6]", "normalization=none", "trainer.precision=64-true", "trainer=cpu"]
    words += [
        "trainer.max_steps=6",
        "scheduler=none",
        "logger=none",
        f"outputs={tmp_path / 'outputs'}",
        *METHODS[method],
    ]
    if method not in ("mutual", "self"):
        words.append(f"distillation.teacher.run={pixels}")
    large = assay.train(*words, "data.batch_size=64")
    small = assay.train(*words, "data.batch_size=16", "accumulate=4")
    a, b = (checkpoint.read(run.folder / "checkpoints" / "last.ckpt")[0] for run in (large, small))
    trained = [name for name in a if name.startswith(("network.", "objective."))]
    assert any(name.startswith("objective.regressor") for name in trained) == (method == "fitnets")
    for name in trained:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=1e-9)


def test_a_regressor_is_trained_and_neither_counted_nor_kept(tmp_path, pixels):
    words = ["model=student", "model.channels=[4,6]", "trainer=cpu", "logger=none", f"outputs={tmp_path / 'outputs'}"]
    taught = ["distillation=fitnets", f"distillation.teacher.run={pixels}"]
    plain = assay.train(*words, "trainer.max_steps=2")
    short, long = (assay.train(*words, *taught, f"trainer.max_steps={steps}") for steps in (2, 5))
    a, b = (checkpoint.read(run.folder / "checkpoints" / "last.ckpt")[0] for run in (short, long))
    assert not torch.equal(a["objective.regressor.weight"], b["objective.regressor.weight"])
    assert short.summary["parameters"] == plain.summary["parameters"]
    assert (
        assay.load(short.folder).artifact.network.state_dict().keys()
        == assay.load(plain.folder).artifact.network.state_dict().keys()
    )


def test_output_has_no_peers_where_there_is_no_cohort():
    assert Output(torch.zeros(1)).peers == ()
