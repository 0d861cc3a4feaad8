"""The label's class and the others, weighed apart: Zhao et al. 2022."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.contracts import DataSpec, Field
from assay.distillation.dkd import DecoupledDistillation, decoupled
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from tests.distillation.teachers import Fixed, loss, of_classes
from tests.distillation.test_kd import drawn
from tests.references import distillation as reference

LABEL = torch.tensor([0, 1, 2, 3, 4, 0])


def made(teacher, alpha=1.0, beta=8.0, temperature=4.0):
    return DecoupledDistillation(CrossEntropy(), Fixed(teacher, teacher.log_softmax(-1)), alpha, beta, temperature)


@pytest.mark.parametrize(("alpha", "beta", "temperature"), [(1.0, 8.0, 4.0), (0.0, 2.0, 1.0), (3.0, 0.0, 2.0)])
def test_equals_the_formula_in_numpy(alpha, beta, temperature):
    student, teacher = drawn(6, 5), drawn(6, 5, seed=1, scale=3)
    found = loss(made(teacher, alpha, beta, temperature)(of_classes(student), {"label": LABEL}))
    rows = zip(student.numpy(), LABEL.tolist(), strict=True)
    ce = np.mean([-np.log(reference.softmax(z)[y]) for z, y in rows])
    soft = reference.decoupled(teacher.numpy(), student.numpy(), LABEL.tolist(), alpha, beta, temperature)
    assert found == pytest.approx(ce + soft.mean(), rel=1e-9)


def test_beta_of_one_less_the_teachers_answer_is_kd():
    """Equation 6 of the paper: KD = TCKD + (1 - p_y) NCKD."""
    student, teacher = drawn(6, 5), drawn(6, 5, seed=1, scale=3)
    target, others = decoupled(teacher, student, LABEL, 4.0)
    share = 1 - (teacher / 4).softmax(-1).gather(1, LABEL[:, None]).squeeze(1)
    expected = reference.hinton(teacher.numpy(), student.numpy(), 4.0)
    np.testing.assert_allclose((16 * (target + share * others)).numpy(), expected, rtol=1e-9)


def test_a_sure_teacher_has_finite_gradients():
    teacher = torch.tensor([[200.0, 0.0, -5.0]])
    student = torch.tensor([[150.0, 0.0, 1.0]], requires_grad=True)
    terms = made(teacher, temperature=1.0)(of_classes(student), {"label": torch.tensor([0])})
    sum(term.total for term in terms.values()).backward()
    assert torch.isfinite(student.grad).all()
    assert float(student.grad.abs().max()) > 0.1  # what the teacher says of the others is not lost


def test_nothing_asked_is_plain_training():
    teacher, student = drawn(6, 5, seed=1), drawn(6, 5)
    objective = made(teacher, 0.0, 0.0)
    terms = objective(of_classes(student), {"label": LABEL})
    plain = CrossEntropy()(of_classes(student), {"label": LABEL})
    assert {k: float(v.total) for k, v in terms.items()} == {k: float(v.total) for k, v in plain.items()}
    assert objective.teacher.asked == 0


def test_a_mixed_label_has_the_class_of_its_greater_share():
    teacher, student = drawn(6, 5, seed=1), drawn(6, 5)
    mixed = 0.7 * torch.nn.functional.one_hot(LABEL, 5).double()
    mixed[:, 2] += 0.3
    a = made(teacher)(of_classes(student), {"label": mixed})["distillation"]
    b = made(teacher)(of_classes(student), {"label": LABEL})["distillation"]
    assert float(a.total) == float(b.total)


@pytest.mark.parametrize("label", [Field("class", size=2), Field("labels", size=5), Field("number")])
def test_labels_without_others_are_refused(label):
    with pytest.raises(ConfigError, match="use distillation=kd"):
        made(drawn(6, 5)).fit(DataSpec({"label": label}), None)


def test_negative_weights_and_other_classes_are_refused():
    with pytest.raises(ConfigError, match="beta=-1 is negative"):
        made(drawn(6, 5), beta=-1.0)
    with pytest.raises(ConfigError, match="a teacher of the same classes"):
        made(drawn(6, 7))(of_classes(drawn(6, 5)), {"label": LABEL})
