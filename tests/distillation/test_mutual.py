"""Networks that teach each other, and of which one is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import assay
from assay.contracts import Output
from assay.distillation import seams
from assay.distillation.cohort import Cohort
from assay.distillation.mutual import MutualLearning
from assay.engines import checkpoint
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.mse import MeanSquaredError
from tests.distillation.teachers import loss, of_classes
from tests.distillation.test_kd import drawn
from tests.references import distillation as reference

LABEL = torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize("members", [2, 3])
def test_equals_the_formula_in_numpy(members):
    logits = [drawn(4, 3, seed=k) for k in range(members)]
    first, *peers = map(of_classes, logits)
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    objective = MutualLearning(CrossEntropy(), members, 0.5)
    found = loss(objective(replace(first, peers=tuple(peers)), {"label": LABEL, "weight": weight}))
    each = reference.mutual([z.numpy() for z in logits], 0.5)
    for z in logits:
        each -= [np.log(reference.softmax(row)[y]) for row, y in zip(z.numpy(), LABEL.tolist(), strict=True)]
    assert found == pytest.approx((each * weight.numpy()).sum() / 4, rel=1e-9)


def test_a_member_has_no_gradient_by_what_the_others_learn_of_it():
    a, b = drawn(4, 3).requires_grad_(), drawn(4, 3, seed=1).requires_grad_()
    objective = MutualLearning(CrossEntropy(), 2, 1.0)
    terms = objective(replace(of_classes(a), peers=(of_classes(b),)), {"label": LABEL})
    terms["mutual"].total.backward()
    expected = (a.detach().softmax(-1) - b.detach().softmax(-1)).numpy()  # of KL(p_b ‖ p_a) by a's logits
    np.testing.assert_allclose(a.grad.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(b.grad.numpy(), -expected, atol=1e-12)


def test_numbers_are_compared_by_their_squared_distance():
    a, b, label = drawn(4), drawn(4, seed=1), drawn(4, seed=2)
    terms = MutualLearning(MeanSquaredError(), 2, 1.0)(Output(a, peers=(Output(b),)), {"label": label})
    torch.testing.assert_close(terms["mutual"].total, 2 * (a - b).square().sum())
    torch.testing.assert_close(terms["mse"].total, ((a - label) ** 2 + (b - label) ** 2).sum())


def test_a_cohort_answers_as_its_first_member():
    members = [nn.Linear(3, 2) for _ in range(3)]
    outputs = [nn.Sequential(one) for one in members]
    for one in outputs:
        one.forward = lambda batch, one=one: of_classes(one[0](batch["source"]))
    cohort, batch = Cohort(outputs), {"source": torch.randn(4, 3)}
    trained, asked = cohort(batch), cohort.eval()(batch)
    assert len(trained.peers) == 2
    assert asked.peers == ()
    assert torch.equal(trained.logits, asked.logits)
    assert torch.equal(trained.peers[1].logits, members[2](batch["source"]))
    assert seams.deployed(cohort) is outputs[0]
    assert seams.deployed(outputs[0]) is outputs[0]


def test_too_few_members_are_refused():
    with pytest.raises(ConfigError, match="members=1 is at least 2"):
        MutualLearning(CrossEntropy(), 1, 1.0)


def train(tmp_path, *words):
    always = ["trainer=cpu", "logger=none", "trainer.max_steps=12", f"outputs={tmp_path / 'outputs'}"]
    return assay.train("model=mlp", "model.dropout=0.2", *words, *always)


def test_the_first_member_alone_is_the_run_without_the_others(tmp_path):
    """With β = 0 the members do not hear each other, and what is kept is the run without them, bit for bit."""
    plain, alone, taught = (
        train(tmp_path, *words)
        for words in ([], ["distillation=mutual", "distillation.beta=0"], ["distillation=mutual"])
    )
    a, b, c = (assay.load(run.folder).artifact.network.state_dict() for run in (plain, alone, taught))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])
    assert a.keys() == c.keys()
    assert taught.summary["parameters"] == plain.summary["parameters"]
    assert "distillation" not in assay.load(taught.folder).artifact.config
    state, _ = checkpoint.read(taught.folder / "checkpoints" / "last.ckpt")
    first, second = (state[f"network.members.{k}.head.weight"] for k in (0, 1))
    assert not torch.equal(first, second)


def test_a_cohort_may_begin_with_another_run(tmp_path, digits_run):
    run = train(tmp_path, "distillation=mutual", f"init_from={digits_run.folder}", "model.dropout=0", "optim.lr=1e-12")
    mine, theirs = (assay.load(one).artifact.network.state_dict() for one in (run.folder, digits_run.folder))
    torch.testing.assert_close(mine["head.weight"], theirs["head.weight"], rtol=0, atol=1e-6)


NAMED = {
    "frozen": ["freeze=[encoder]"],
    "named rates": ["optim.groups=[head:0.1,encoder*:2]"],
    "rates by depth": ["optim.layer_decay=0.5"],
}


@pytest.mark.parametrize("kind", NAMED)
def test_parts_are_named_as_without_it_and_are_those_of_each_member(kind, tmp_path):
    """With β = 0 the first member is the run without the others, bit for bit; of the second as many weights train."""
    words = NAMED[kind]
    plain = train(tmp_path, *words)
    alone = train(tmp_path, "distillation=mutual", "distillation.beta=0", *words)
    a, b = (assay.load(run.folder).artifact.network.state_dict() for run in (plain, alone))
    assert all(torch.equal(a[name], b[name]) for name in a)
    states = [checkpoint.read(run.folder / "checkpoints" / "last.ckpt")[0] for run in (plain, alone)]
    one, both = (sum(key.startswith("optimizer.moment.") for key in state) for state in states)
    assert both == 2 * one > 0


def test_names_within_the_cohort_are_refused_with_those_of_a_member(tmp_path):
    with pytest.raises(
        ConfigError, match=r"freeze names members\.0\.stem, which this network does not have: .*encoder"
    ):
        train(tmp_path, "distillation=mutual", "freeze=[members.0.stem]")
