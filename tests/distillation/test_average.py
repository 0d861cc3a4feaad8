"""The student as its own teacher: the average, what of it a checkpoint holds, and what nobody else gets."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

import assay
from assay.distillation import seams
from assay.distillation.average import Average, Self
from assay.distillation.kd import KnowledgeDistillation
from assay.engines import checkpoint
from assay.losses.cross_entropy import CrossEntropy
from tests.distillation.teachers import of_classes
from tests.references import distillation as reference


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 3)

    def forward(self, batch):
        return of_classes(self.head(self.encoder(batch["source"])))


def batch():
    return {"source": torch.randn(5, 3), "label": torch.tensor([0, 1, 2, 0, 1])}


def test_it_is_the_average_of_the_weights_and_has_the_buffers():
    network = Net().double()
    average = Average(network, 0.3)
    kept = [network.head.weight.detach().numpy().copy()]
    for _ in range(6):
        with torch.no_grad():
            network.head.weight.add_(torch.randn(3, 4))
            network.encoder[1].running_mean.add_(1)
        average.stepped(network)
        kept.append(network.head.weight.detach().numpy().copy())
        expected = reference.averages(kept, 0.3)[-1]
        np.testing.assert_allclose(average.network.head.weight.numpy(), expected, rtol=1e-12)
        assert torch.equal(average.network.encoder[1].running_mean, network.encoder[1].running_mean)


def test_it_answers_in_eval_mode_whatever_it_is_part_of():
    network, x = Net(), batch()
    kd = KnowledgeDistillation(CrossEntropy(), Self(0.9), 0.5, 2.0)
    seams.meet(kd, network, x, 0)
    before = {name: value.clone() for name, value in kd.state_dict().items()}
    kd.train()
    expected = network.eval()(x).logits.detach()
    assert torch.equal(kd.teacher(x).logits, expected)
    assert torch.equal(kd.teacher.hidden(x, ("head",)).features["head"], expected)
    assert not kd.teacher(x).logits.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in kd.state_dict().items())


def test_it_is_part_of_the_objective_s_state_and_nothing_of_it_trains():
    network, teacher = Net(), Self(0.9)
    kd = KnowledgeDistillation(CrossEntropy(), teacher, 0.5, 2.0)
    seams.meet(kd, network, batch(), 0)
    names = set(kd.state_dict())
    assert {"listener.memory.network.head.weight", "listener.memory._extra_state"} <= names
    assert [p for p in kd.parameters() if p.requires_grad] == []
    (stepped,) = seams.followers(kd)
    for _ in range(3):
        with torch.no_grad():
            network.head.weight.mul_(2)
        stepped(network)
    assert teacher.average.updates == 3
    other = KnowledgeDistillation(CrossEntropy(), Self(0.9), 0.5, 2.0)
    seams.meet(other, Net(), batch(), 0)
    other.load_state_dict(kd.state_dict())
    assert other.teacher.average.updates == 3
    x = batch()
    assert torch.equal(other.teacher(x).logits, kd.teacher(x).logits)


def test_a_copy_of_the_objective_has_its_own_average():
    """As a range test and the diagnostics make them."""
    network = Net()
    kd = KnowledgeDistillation(CrossEntropy(), Self(0.5), 0.5, 2.0)
    seams.meet(kd, network, batch(), 0)
    twin, other = copy.deepcopy((kd, network))
    with torch.no_grad():
        other.head.weight.add_(1)
    seams.followers(twin)[0](other)
    x = batch()
    assert twin.teacher.average is twin.listener.memory
    assert not torch.equal(twin.teacher(x).logits, kd.teacher(x).logits)


def test_a_run_teaches_itself(tmp_path):
    words = ["model=mlp", "trainer=cpu", "logger=none", "trainer.max_steps=12", f"outputs={tmp_path}"]
    words += ["distillation=kd", "distillation.temperature=2"]
    run = assay.train(*words, "distillation/teacher=self", "distillation.teacher.decay=0.5")
    state, _ = checkpoint.read(run.folder / "checkpoints" / "last.ckpt")
    assert int(state["objective.listener.memory._extra_state"]) == 12
    own, average = (state[f"{prefix}.head.weight"] for prefix in ("network", "objective.listener.memory.network"))
    assert not torch.equal(own, average)
    assert all("memory" not in name for name in assay.load(run.folder).artifact.network.state_dict())
