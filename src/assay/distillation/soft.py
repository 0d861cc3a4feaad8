"""What is learnt of another's answers: a divergence of softened distributions, or of numbers a squared distance."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from assay.contracts import Output, Term
from assay.errors import ConfigError
from assay.losses.terms import term


def lesson(teacher: Output, student: Output, temperature: float) -> Tensor:
    """T²·KL(softmax(z_t/T) ‖ softmax(z_s/T)) of each distribution; (z_s - z_t)² of a number.

    Hinton, Vinyals and Dean 2015, arXiv:1503.02531, section 2: T² makes the gradient as large at every T. A number is
    the mean of a normal distribution of deviation T, say: its divergence (z_s - z_t)² / 2T², times T², has no T in it;
    it is taken twice, as loss=mse is. Computed in float32 at least: at T = 20 half precision rounds it away.

    Shape:
        log_probs (B, C) -> (B,); (B, L, 2) -> (B, L); logits (B,) of numbers -> (B,)
    Raises:
        ConfigError: the two answer with other shapes.
    """
    ours, theirs = student.log_probs, teacher.log_probs
    if ours is None:
        _same(teacher.logits, student.logits)
        return (wide(student.logits) - wide(teacher.logits)).square()
    if theirs is None:
        raise ConfigError("the teacher predicts a number, the student has classes: use a teacher of the same classes")
    _same(theirs, ours)
    # softmax(z / T) = softmax(log p / T): the normaliser of log p cancels
    target = (wide(theirs) / temperature).log_softmax(-1)
    own = (wide(ours) / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(own, target, reduction="none", log_target=True).sum(-1)


def blended(
    terms: Mapping[str, Term], alpha: float, taught: Output, student: Output, temperature: float, weight: Tensor | None
) -> dict[str, Term]:
    """(1-α) of the terms, and α of the lesson as ``distillation``; α = 0 leaves the terms, bit for bit."""
    if alpha == 0:
        return dict(terms)
    soft = term(lesson(taught, student, temperature), student.mask, weight)
    scaled = {name: Term((1 - alpha) * one.total, one.weight) for name, one in terms.items()}
    return {**scaled, "distillation": Term(alpha * soft.total, soft.weight)}


def wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _same(theirs: Tensor, ours: Tensor) -> None:
    if theirs.shape != ours.shape:
        raise ConfigError(
            f"the teacher answers with {tuple(theirs.shape[1:])}, the student with {tuple(ours.shape[1:])}: use a "
            "teacher trained on the same classes"
        )
