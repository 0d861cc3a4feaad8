"""Wrapping an objective: the formula of Hinton et al., and what α = 0 must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.contracts import Output
from assay.distillation.kd import KnowledgeDistillation
from assay.distillation.soft import lesson
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.mse import MeanSquaredError
from tests.distillation.teachers import Fixed, loss, of_classes, of_labels
from tests.references import distillation as reference


def drawn(*shape, seed=0, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
@pytest.mark.parametrize("alpha", [0.5, 0.9, 1.0])
def test_equals_the_formula_in_numpy(alpha, temperature):
    student, teacher, label = drawn(6, 5), drawn(6, 5, seed=1, scale=3), torch.tensor([0, 1, 2, 3, 4, 0])
    kd = KnowledgeDistillation(CrossEntropy(), Fixed(teacher, teacher.log_softmax(-1)), alpha, temperature)
    found = loss(kd(of_classes(student), {"label": label}))
    ce = np.mean([-np.log(reference.softmax(z)[y]) for z, y in zip(student.numpy(), label.tolist(), strict=True)])
    soft = reference.hinton(teacher.numpy(), student.numpy(), temperature).mean()
    assert found == pytest.approx((1 - alpha) * ce + alpha * soft, rel=1e-10)


@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_labels_are_distilled_one_by_one(temperature):
    student, teacher = drawn(4, 3), drawn(4, 3, seed=1)
    kd = KnowledgeDistillation(CrossEntropy(), Fixed(teacher, of_labels(teacher).log_probs), 1.0, temperature)
    term = kd(of_labels(student), {"label": torch.ones(4, 3)})["distillation"]
    expected = reference.hinton_labels(teacher.numpy(), student.numpy(), temperature)
    assert float(term.total) == pytest.approx(expected.sum(), rel=1e-9)
    assert term.weight == 12


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_a_number_is_compared_with_the_teachers(temperature):
    student, teacher, label = drawn(6), drawn(6, seed=1), drawn(6, seed=2)
    kd = KnowledgeDistillation(MeanSquaredError(), Fixed(teacher), 0.25, temperature)
    found = loss(kd(Output(student), {"label": label}))
    s, t, y = (x.numpy() for x in (student, teacher, label))
    assert found == pytest.approx(0.75 * np.mean((s - y) ** 2) + 0.25 * np.mean((s - t) ** 2), rel=1e-12)


def test_weighted_examples_count_in_both_terms():
    student, teacher, label = drawn(4, 3), drawn(4, 3, seed=1), torch.tensor([0, 1, 2, 0])
    weight = torch.tensor([2.0, 0.0, 1.0, 0.5], dtype=torch.float64)
    kd = KnowledgeDistillation(CrossEntropy(), Fixed(teacher, teacher.log_softmax(-1)), 0.5, 4.0)
    terms = kd(of_classes(student), {"label": label, "weight": weight})
    soft = reference.hinton(teacher.numpy(), student.numpy(), 4.0)
    assert float(terms["distillation"].total) == pytest.approx(0.5 * (soft * weight.numpy()).sum(), rel=1e-10)
    assert float(terms["distillation"].weight) == 3.5 == float(terms["cross_entropy"].weight)


def test_a_mixed_label_changes_the_label_term_only():
    student, teacher = drawn(4, 3), drawn(4, 3, seed=1)
    kd = KnowledgeDistillation(CrossEntropy(), Fixed(teacher, teacher.log_softmax(-1)), 0.5, 4.0)
    plain, mixed = (
        kd(of_classes(student), {"label": label})
        for label in (torch.tensor([0, 1, 2, 0]), drawn(4, 3, seed=2).softmax(-1))
    )
    assert float(plain["distillation"].total) == float(mixed["distillation"].total)
    assert float(plain["cross_entropy"].total) != float(mixed["cross_entropy"].total)


def test_a_perfect_student_learns_nothing():
    z = drawn(4, 3).requires_grad_()
    term = lesson(of_classes(z.detach()), of_classes(z), 20.0).sum()
    (gradient,) = torch.autograd.grad(term, z)
    assert float(term.detach()) == pytest.approx(0, abs=1e-12)
    assert float(gradient.abs().max()) < 1e-12


def test_half_precision_keeps_what_a_high_temperature_says():
    student, teacher = drawn(16, 10), drawn(16, 10, seed=1, scale=4)
    exact = lesson(of_classes(teacher), of_classes(student), 20.0)
    half = lesson(of_classes(teacher), Output(student.bfloat16(), student.log_softmax(-1).bfloat16()), 20.0)
    torch.testing.assert_close(half, exact, rtol=0.02, atol=0.02)


def test_alpha_zero_is_plain_training_and_never_asks_the_teacher():
    student, label = torch.randn(6, 5), torch.randint(0, 5, (6,))
    teacher = Fixed(torch.randn(6, 5))
    batch, output = {"label": label}, of_classes(student)
    plain = CrossEntropy(label_smoothing=0.1)
    wrapped = KnowledgeDistillation(CrossEntropy(label_smoothing=0.1), teacher, 0.0, 20.0)
    assert {k: float(t.total) for k, t in wrapped(output, batch).items()} == {
        k: float(t.total) for k, t in plain(output, batch).items()
    }
    assert teacher.asked == 0


def test_answers_that_were_kept_are_not_asked_for():
    student, teacher = drawn(4, 3), drawn(4, 3, seed=1)
    live, kept = (Fixed(teacher, teacher.log_softmax(-1)) for _ in range(2))
    batch = {"label": torch.tensor([0, 1, 2, 0])}
    a = KnowledgeDistillation(CrossEntropy(), live, 0.5, 4.0)(of_classes(student), batch)
    b = KnowledgeDistillation(CrossEntropy(), kept, 0.5, 4.0)(
        of_classes(student), {**batch, "teacher": teacher.log_softmax(-1)}
    )
    assert (live.asked, kept.asked) == (1, 0)
    assert loss(a) == loss(b)


def test_the_teacher_is_not_part_of_the_student():
    kd = KnowledgeDistillation(CrossEntropy(), torch.nn.Linear(3, 3), 0.5, 2.0)  # ty: ignore
    assert list(kd.parameters()) == []
    assert all(not isinstance(m, torch.nn.Linear) for m in kd.modules())
    assert kd.state_dict() == {}


def test_other_classes_are_refused():
    teacher = torch.randn(6, 7)
    kd = KnowledgeDistillation(CrossEntropy(), Fixed(teacher, teacher.log_softmax(-1)), 0.5, 2.0)
    with pytest.raises(ConfigError, match=r"teacher answers with \(7,\), the student with \(5,\)"):
        kd(of_classes(torch.randn(6, 5)), {"label": torch.zeros(6, dtype=torch.long)})
    number = KnowledgeDistillation(CrossEntropy(), Fixed(torch.randn(6)), 0.5, 2.0)
    with pytest.raises(ConfigError, match="the teacher predicts a number"):
        number(of_classes(torch.randn(6, 5)), {"label": torch.zeros(6, dtype=torch.long)})


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_and_1_is_refused(alpha):
    with pytest.raises(ConfigError, match="is not in"):
        KnowledgeDistillation(CrossEntropy(), Fixed(torch.zeros(1)), alpha, 2.0)
