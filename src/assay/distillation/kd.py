"""Knowledge distillation: an objective that wraps another and listens to a teacher."""

from __future__ import annotations

from typing import Literal

from torch import nn

from assay.contracts import Batch, Output, Term
from assay.distillation.listener import Listener, Teacher
from assay.distillation.soft import blended
from assay.errors import ConfigError


class KnowledgeDistillation(nn.Module):
    """(1-α)·CE(student, label) + α·T²·KL(softmax(teacher/T) ‖ softmax(student/T)), both as means over the batch; of a
    number (1-α)·loss + α·(student - teacher)².

    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, arXiv:1503.02531, section 2.
    Differs from the paper: the soft term is the KL divergence, their cross-entropy less the teacher's entropy, which
    has the same gradient and is zero for a perfect student. Labels are distilled each as its own two-way distribution.
    Weighted examples count in both terms; mixed labels (mixup, cutmix) are those of the first alone, and the teacher
    sees the mixed input. T cancels in what is learnt of a number (:func:`assay.distillation.soft.lesson`).

    Args:
        objective: the wrapped one; its terms are scaled by 1-α.
        teacher: see :class:`assay.distillation.listener.Teacher`.
        alpha: weight of the teacher; 0 is plain training, bit for bit.
        temperature: T.
        cache: whether the teacher's answers on the training split are kept: see :mod:`assay.distillation.cache`.
        cache_dtype: of what is kept.
    Raises:
        ConfigError: alpha is outside [0, 1], or the teacher answers with another shape than the student.
    """

    def __init__(
        self,
        objective: nn.Module,
        teacher: Teacher,
        alpha: float,
        temperature: float,
        cache: bool | str = False,
        cache_dtype: Literal["float32", "float16"] = "float32",
    ) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ConfigError(f"distillation.alpha={alpha:g} is not in [0, 1]")
        self.objective = objective
        self.alpha = alpha
        self.temperature = temperature
        self.listener = Listener(teacher)
        self.cache, self.cache_dtype = cache if alpha else False, cache_dtype

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(getattr(self.objective, "features", ()))

    @property
    def teacher(self) -> Teacher:
        return self.listener.teacher

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        terms = self.objective(output, batch)
        if self.alpha == 0:
            return terms
        taught = self.listener.answers(batch)
        return blended(terms, self.alpha, taught, output, self.temperature, batch.get("weight"))
