"""Hints: a layer of the student learns to give what a layer of the teacher gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from assay.contracts import Batch, DataSpec, Output, Term
from assay.distillation import stages
from assay.distillation.beside import beside, heard, smaller, weighed
from assay.distillation.listener import Listener, Teacher
from assay.distillation.soft import wide
from assay.layers.features import shapes
from assay.losses.terms import term


class FitNets(nn.Module):
    """(1-α)·loss + α·T²·KL + β·½‖h - r(g)‖²: h the teacher's hint layer, g the student's guided layer, r a regressor
    that is trained with the student and thrown away after it.

    Romero, Ballas, Kahou, Chassang, Gatta and Bengio, "FitNets: Hints for Thin Deep Nets", 2015, arXiv:1412.6550, eq. 3
    and, for the rest, eq. 2. r is a 1x1 convolution of maps, else a linear map. Differs from the paper: hints are
    another term beside the rest, where the paper trains the student up to g by hints alone first; ‖·‖² is a mean over
    the layer's numbers, so that β means the same for every size; r is linear and of one pixel, where theirs may be
    wider and rectified: where the two maps differ in size, both are averaged over as many pixels as the smaller has;
    β stays as it is.

    Args:
        objective: of the label; its term is scaled by 1-α.
        teacher: see :class:`assay.distillation.listener.Teacher`.
        hint: the teacher's layer; None: the middle one of those at whose end maps change their size, or ``encoder``.
        guided: the student's, likewise.
        beta: weight of the hint.
        alpha: weight of the teacher's answers; with both 0 it is plain training, bit for bit.
        temperature: T.
    Raises:
        ConfigError: a weight is outside its range, no layer has that name, or the two do not compare.
    """

    def __init__(
        self,
        objective: nn.Module,
        teacher: Teacher,
        hint: str | None,
        guided: str | None,
        beta: float,
        alpha: float,
        temperature: float,
    ) -> None:
        super().__init__()
        weighed(alpha, beta)
        self.objective = objective
        self.hint = hint
        self.guided = guided
        self.beta = beta
        self.alpha = alpha
        self.temperature = temperature
        self.listener = Listener(teacher)
        self.regressor: nn.Module | None = None
        self._padded = False

    @property
    def features(self) -> tuple[str, ...]:
        own = (self.guided,) if self.beta and self.guided else ()
        return (*getattr(self.objective, "features", ()), *own)

    def fit(self, spec: DataSpec, preprocessing: Any) -> None:
        self._padded = None in spec.source.shape

    def meet(self, network: nn.Module, batch: Batch, seed: int) -> None:
        """Names the layers, where nobody has, and makes the regressor for their shapes."""
        if not self.beta:
            return
        teacher = self.listener.teacher
        if self.hint is None or self.guided is None:
            hint, guided = stages.middle(teacher.shapes(batch), shapes(network, batch))
            self.hint, self.guided = self.hint or hint, self.guided or guided
        keys = "distillation.hint", "distillation.guided"
        ((theirs, ours),) = beside(teacher, network, batch, [(self.hint, self.guided)], keys, padded=self._padded)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            maps = ours.dim() == 4
            wide_in, wide_out = (x.shape[1 if maps else -1] for x in (ours, theirs))
            self.regressor = nn.Conv2d(wide_in, wide_out, 1) if maps else nn.Linear(wide_in, wide_out)

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        names = [self.hint] if self.beta and self.hint is not None else []
        terms = self.objective(output, batch)
        terms, layers = heard(terms, self.listener, names, output, batch, self.alpha, self.temperature)
        if not names:
            return terms
        assert self.guided is not None
        assert self.regressor is not None
        own = self.regressor(output.features[self.guided])
        apart = term(distance(layers[names[0]], own), None, batch.get("weight"))
        return {**terms, "hint": Term(self.beta * apart.total, apart.weight)}


def distance(hint: Tensor, own: Tensor) -> Tensor:
    """½‖h - r‖², a mean over an example's numbers; maps of two sizes at the smaller one.

    Shape:
        (B, C, H, W), (B, C, H', W'), or two (B, T, D) or (B, D) -> (B,)
    """
    hint, own = wide(hint), wide(own)
    if own.dim() == 4 and hint.shape[2:] != own.shape[2:]:
        hint, own = smaller(hint, own)
    return 0.5 * (hint - own).square().flatten(1).mean(1)
