"""Attention transfer: the student learns where the teacher looks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, DataSpec, Output, Term
from assay.distillation import stages
from assay.distillation.beside import beside, heard, smaller, weighed
from assay.distillation.listener import Listener, Teacher
from assay.distillation.soft import wide
from assay.errors import ConfigError
from assay.layers.features import shapes
from assay.losses.terms import term


class AttentionTransfer(nn.Module):
    """(1-α)·loss + α·T²·KL + β/2 Σ_j ‖Q_S^j/‖Q_S^j‖ - Q_T^j/‖Q_T^j‖‖² / N_j: Q^j = Σ_c A_c² of the j-th pair of layers,
    A its maps, N_j the number of its places (pixels, or positions).

    Zagoruyko and Komodakis, "Paying More Attention to Attention", 2017, arXiv:1612.03928, eq. 2 with F_sum^2, whose β
    is 1000 divided by the number of places, as it is here; the square of the distance is that of their code (eq. 2 has
    the distance itself, whose slope at 0 is none), which has the same mean and leaves out the half. The smaller the
    map, the more a distance weighs: β = 1000, theirs for maps of 8x8 to 32x32 pixels, drowns the label on smaller ones.
    On digits (8x8 and less; model=student of 8, 16 and 32 maps, a resnet as teacher, no answers) val/accuracy after 2
    epochs was 0.69 without, 0.68 at β = 1, 0.57 at 10 and 0.32 at 100 (means of 3 seeds); after 12, of one seed, 0.93,
    0.90, 0.88, 0.74, and 0.38 at 1000: hence the default 1. α = 0 is their student without distillation; α > 0
    adds it as they do in table 1. Where two maps differ in size, attention is averaged over as many pixels as the
    smaller has; theirs are interpolated. Of one state per position (lstm, transformer) the positions are the places.

    Args:
        objective: of the label; its term is scaled by 1-α.
        teacher: see :class:`assay.distillation.listener.Teacher`.
        teacher_layers, student_layers: pairs; None: where the maps of both change their size, at the same sizes.
        beta: β.
        alpha: weight of the teacher's answers; with both 0 it is plain training, bit for bit.
        temperature: T.
    Raises:
        ConfigError: a weight is outside its range, a layer has no such name, or the lists do not pair.
    """

    def __init__(
        self,
        objective: nn.Module,
        teacher: Teacher,
        teacher_layers: list[str] | None,
        student_layers: list[str] | None,
        beta: float,
        alpha: float,
        temperature: float,
    ) -> None:
        super().__init__()
        weighed(alpha, beta)
        if len(teacher_layers or ()) != len(student_layers or ()):
            raise ConfigError(
                "distillation.teacher_layers and distillation.student_layers are pairs: name as many of both, or none"
            )
        self.objective = objective
        self.pairs = list(zip(teacher_layers or (), student_layers or (), strict=True))
        self.beta = beta
        self.alpha = alpha
        self.temperature = temperature
        self.listener = Listener(teacher)
        self._padded = False

    @property
    def features(self) -> tuple[str, ...]:
        own = [name for _, name in self.pairs] if self.beta else []
        return (*getattr(self.objective, "features", ()), *own)

    def fit(self, spec: DataSpec, preprocessing: Any) -> None:
        self._padded = None in spec.source.shape

    def meet(self, network: nn.Module, batch: Batch, seed: int) -> None:
        """Pairs the layers, where nobody has, and looks whether they compare."""
        if not self.beta:
            return
        teacher = self.listener.teacher
        if not self.pairs:
            self.pairs = stages.matched(teacher.shapes(batch), shapes(network, batch))
        keys = "distillation.teacher_layers", "distillation.student_layers"
        for (theirs, own), (a, b) in zip(
            self.pairs, beside(teacher, network, batch, self.pairs, keys, padded=self._padded), strict=True
        ):
            if b.dim() == 2:
                raise ConfigError(
                    f"{keys[0]}={theirs} gives {tuple(a.shape[1:])}, {keys[1]}={own} {tuple(b.shape[1:])}: attention "
                    "is over pixels, or over positions"
                )

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        names = [name for name, _ in self.pairs] if self.beta else []
        terms = self.objective(output, batch)
        terms, layers = heard(terms, self.listener, names, output, batch, self.alpha, self.temperature)
        if not names:
            return terms
        each = [apart(layers[theirs], output.features[own]) for theirs, own in self.pairs]
        looks = term(torch.stack(each).sum(0), None, batch.get("weight"))
        return {**terms, "attention": Term(0.5 * self.beta * looks.total, looks.weight)}


def apart(theirs: Tensor, ours: Tensor) -> Tensor:
    """‖Q_S/‖Q_S‖ - Q_T/‖Q_T‖‖² / N: (B, C, H, W) of both, or (B, T, D) -> (B,)."""
    looks = [wide(x).square().sum(1 if x.dim() == 4 else 2) for x in (theirs, ours)]  # (B, H, W) or (B, T)
    if ours.dim() == 4 and looks[0].shape != looks[1].shape:
        looks = [one.squeeze(1) for one in smaller(*(one.unsqueeze(1) for one in looks))]
    a, b = (F.normalize(one.flatten(1), dim=1) for one in looks)  # (B, N)
    return (a - b).square().mean(1)
