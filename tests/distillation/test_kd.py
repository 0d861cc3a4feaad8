"""Wrapping an objective: the formula of Hinton et al., and what α = 0 must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.contracts import Output
from assay.distillation.kd import KnowledgeDistillation
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy


class Fixed:
    """A teacher that always answers the same: the proof that wrapping needs no network."""

    def __init__(self, logits, fitted=None):
        self.logits = logits
        self.calls = 0

    def fit(self, spec):
        pass

    def __call__(self, batch):
        self.calls += 1
        return Output(self.logits, self.logits.log_softmax(-1))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize(("alpha", "temperature"), [(0.5, 20.0), (0.9, 4.0), (1.0, 1.0)])
def test_equals_the_formula_in_numpy(alpha, temperature):
    torch.manual_seed(0)
    student, teacher, label = torch.randn(6, 5).double(), 3 * torch.randn(6, 5).double(), torch.randint(0, 5, (6,))
    kd = KnowledgeDistillation(CrossEntropy(), Fixed(teacher), alpha, temperature)
    terms = kd(Output(student, student.log_softmax(-1)), {"label": label})
    loss = sum(term.total / term.weight for term in terms.values())
    ce = -np.log(softmax(student.numpy())[np.arange(6), label.numpy()]).mean()
    p, q = softmax(teacher.numpy() / temperature), softmax(student.numpy() / temperature)
    divergence = (p * (np.log(p) - np.log(q))).sum(-1).mean()
    assert float(loss) == pytest.approx((1 - alpha) * ce + alpha * temperature**2 * divergence, rel=1e-10)


def test_alpha_zero_is_plain_training_and_never_asks_the_teacher():
    student, label = torch.randn(6, 5), torch.randint(0, 5, (6,))
    teacher = Fixed(torch.randn(6, 5))
    batch, output = {"label": label}, Output(student, student.log_softmax(-1))
    plain = CrossEntropy(label_smoothing=0.1)
    wrapped = KnowledgeDistillation(CrossEntropy(label_smoothing=0.1), teacher, 0.0, 20.0)
    assert {k: float(t.total) for k, t in wrapped(output, batch).items()} == {
        k: float(t.total) for k, t in plain(output, batch).items()
    }
    assert teacher.calls == 0


def test_the_teacher_is_not_part_of_the_student():
    kd = KnowledgeDistillation(CrossEntropy(), torch.nn.Linear(3, 3), 0.5, 2.0)  # ty: ignore
    assert list(kd.parameters()) == []
    assert all(not isinstance(m, torch.nn.Linear) for m in kd.modules())
    assert kd.state_dict() == {}


def test_labels_are_distilled_one_by_one():
    z, t = torch.randn(4, 3), torch.randn(4, 3)
    pair = lambda x: torch.stack([torch.nn.functional.logsigmoid(-x), torch.nn.functional.logsigmoid(x)], -1)  # noqa: E731

    class Teacher(Fixed):
        def __call__(self, batch):
            return Output(t, pair(t))

    kd = KnowledgeDistillation(CrossEntropy(), Teacher(t), 1.0, 1.0)
    term = kd(Output(z, pair(z)), {"label": torch.ones(4, 3)})["distillation"]
    p, q = torch.sigmoid(t), torch.sigmoid(z)
    expected = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    torch.testing.assert_close(term.total, expected.sum())
    assert term.weight == 12


def test_other_classes_are_refused():
    kd = KnowledgeDistillation(CrossEntropy(), Fixed(torch.randn(6, 7)), 0.5, 2.0)
    student = torch.randn(6, 5)
    with pytest.raises(ConfigError, match=r"teacher answers with \(7,\), the student with \(5,\)"):
        kd(Output(student, student.log_softmax(-1)), {"label": torch.zeros(6, dtype=torch.long)})
