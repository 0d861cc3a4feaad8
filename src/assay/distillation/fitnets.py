"""Hints: a layer of the student learns to give what a layer of the teacher gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, DataSpec, Output, Term
from assay.distillation import stages
from assay.distillation.listener import Listener, Teacher
from assay.distillation.soft import blended, wide
from assay.errors import ConfigError
from assay.layers.features import observed, shapes
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
        if not 0 <= alpha <= 1 or not beta >= 0:
            raise ConfigError(f"distillation.alpha={alpha:g} is in [0, 1] and distillation.beta={beta:g} at least 0")
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
        theirs = teacher.hidden(batch, (self.hint,)).features[self.hint]
        was_training = network.training
        with torch.no_grad():
            ours = observed(network.eval(), batch, (self.guided,)).features[self.guided]
        network.train(was_training)
        comparable(theirs, ours, f"distillation.hint={self.hint}", f"distillation.guided={self.guided}", self._padded)
        if ours.dim() == 3 and ours.shape[1] != theirs.shape[1]:
            raise ConfigError(
                f"distillation.hint={self.hint} has {theirs.shape[1]} positions, distillation.guided={self.guided} "
                f"{ours.shape[1]}: name layers of one length, or both encoder"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            maps = ours.dim() == 4
            wide_in, wide_out = (x.shape[1 if maps else -1] for x in (ours, theirs))
            self.regressor = nn.Conv2d(wide_in, wide_out, 1) if maps else nn.Linear(wide_in, wide_out)

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        terms = self.objective(output, batch)
        if self.alpha == 0 and self.beta == 0:
            return terms
        weight = batch.get("weight")
        if self.beta == 0:
            return blended(terms, self.alpha, self.listener.answers(batch), output, self.temperature, weight)
        assert self.hint is not None
        assert self.guided is not None
        assert self.regressor is not None
        taught = self.listener.hidden(batch, (self.hint,))
        terms = blended(terms, self.alpha, taught, output, self.temperature, weight)
        own = self.regressor(output.features[self.guided])
        apart = term(distance(taught.features[self.hint], own), None, weight)
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


def smaller(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps (B, C, H, W) averaged over as many pixels as the smaller has."""
    size = (min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3]))
    return F.adaptive_avg_pool2d(a, size), F.adaptive_avg_pool2d(b, size)


def comparable(theirs: Tensor, ours: Tensor, hint: str, guided: str, padded: bool) -> None:
    """Raises ConfigError if one has maps and the other none, or if some of their positions are padding."""
    kinds = {2: "a vector", 3: "a state for each position", 4: "maps"}
    if theirs.dim() != ours.dim() or ours.dim() not in kinds:
        what = [kinds.get(x.dim(), f"{x.dim()} dimensions") for x in (theirs, ours)]
        raise ConfigError(f"{hint} gives {what[0]}, {guided} {what[1]}: name two layers of one kind, or both encoder")
    if ours.dim() == 3 and padded:
        raise ConfigError(
            f"{guided} gives a state for each position, some of which are padding here: name layers that give one "
            "vector, as encoder"
        )
