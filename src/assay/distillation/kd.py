"""Knowledge distillation: an objective that wraps another and listens to a teacher."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, DataSpec, Output, Term
from assay.errors import ConfigError
from assay.losses.terms import term


class Teacher(Protocol):
    """``fit(spec)`` refuses data it was not trained on; ``teacher(batch) -> Output`` has no gradients, is in eval mode
    and on the batch's device. It is not part of the student's module tree: never counted, moved or saved with it."""

    def fit(self, spec: DataSpec) -> None: ...
    def __call__(self, batch: Batch) -> Output: ...


class KnowledgeDistillation(nn.Module):
    """(1-α)·CE(student, label) + α·T²·KL(softmax(teacher/T) ‖ softmax(student/T)), both as means over the batch.

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531, section 2.
    Differs from the paper: the soft term is the KL divergence, their cross-entropy less the teacher's entropy, which
    has the same gradient and is zero for a perfect student. Labels are distilled each as its own two-way distribution.
    Weighted examples count in both terms.

    Args:
        objective: the wrapped one; its terms are scaled by 1-α.
        teacher: see :class:`Teacher`.
        alpha: weight of the teacher; 0 is plain training, bit for bit.
        temperature: T.
    Raises:
        ConfigError: the student has no distribution, or the teacher's has another size.
    """

    def __init__(self, objective: nn.Module, teacher: Teacher, alpha: float, temperature: float) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ConfigError(f"distillation.alpha={alpha:g} is not in [0, 1]")
        self.objective = objective
        self.alpha = alpha
        self.temperature = temperature
        self._teacher = [teacher]  # in a list it is outside the module tree
        self.features: tuple[str, ...] = tuple(getattr(objective, "features", ()))

    def fit(self, spec: DataSpec) -> None:
        """Called once the data are known: the teacher refuses what it was not trained on."""
        self._teacher[0].fit(spec)

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        terms = self.objective(output, batch)
        if self.alpha == 0:
            return terms
        scaled = {name: Term((1 - self.alpha) * one.total, one.weight) for name, one in terms.items()}
        divergence = kl(self._teacher[0](batch), output, self.temperature)
        soft = term(divergence, None, batch.get("weight"))
        return {**scaled, "distillation": Term(self.alpha * self.temperature**2 * soft.total, soft.weight)}


def kl(teacher: Output, student: Output, temperature: float) -> Tensor:
    """KL(teacher/T ‖ student/T) for each distribution: (B,) for classes, (B, L) for labels."""
    if teacher.log_probs is None or student.log_probs is None:
        raise ConfigError("distillation=kd compares distributions; a number has none: use task=classification")
    if teacher.log_probs.shape != student.log_probs.shape:
        raise ConfigError(
            f"the teacher answers with {tuple(teacher.log_probs.shape[1:])}, the student with "
            f"{tuple(student.log_probs.shape[1:])}: use a teacher trained on the same classes"
        )
    # softmax(z / T) = softmax(log p / T): the normaliser of log p cancels
    target = (teacher.log_probs.to(student.log_probs.dtype) / temperature).log_softmax(-1)
    own = (student.log_probs / temperature).log_softmax(-1)
    return F.kl_div(own, target, reduction="none", log_target=True).sum(-1)
