"""Decoupled knowledge distillation: what a teacher says of the label's class, and what of the others, weighed apart."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, DataSpec, Output, Term
from assay.distillation.listener import Listener, Teacher
from assay.distillation.soft import wide
from assay.errors import ConfigError
from assay.losses.terms import term


class DecoupledDistillation(nn.Module):
    """loss + T²·(α·KL(b_t ‖ b_s) + β·KL(p̂_t ‖ p̂_s)), b = (p_y, 1 - p_y) the probability of the label's class y against
    all others, p̂ that of the others among themselves, p = softmax(z / T).

    Zhao, Cui, Song, Qiu and Liang, "Decoupled Knowledge Distillation", 2022, arXiv:2203.08679, eq. 7 and algorithm 1;
    T² and the weight 1 of the label's loss as in their code. α = 1 with β = 1 - p_y of the teacher, example by example,
    would be kd's term (their eq. 6). Differs from them: no warm-up of the sum over the first epochs (optim's schedule
    has one); where labels are mixed, y is the class of the greater share in this term, and the label's loss has the
    mixture. Computed from log-probabilities: 1 - p_y is a sum of the others, never a difference.

    Args:
        objective: of the label.
        teacher: see :class:`assay.distillation.listener.Teacher`.
        alpha: weight of the label's class.
        beta: weight of the others; with both 0 it is plain training, bit for bit.
        temperature: T.
        cache, cache_dtype: as of kd.
    Raises:
        ConfigError: a weight is negative, labels are no classes or of two classes only, or the teacher has others.
    """

    def __init__(
        self,
        objective: nn.Module,
        teacher: Teacher,
        alpha: float,
        beta: float,
        temperature: float,
        cache: bool | str = False,
        cache_dtype: Literal["float32", "float16"] = "float32",
    ) -> None:
        super().__init__()
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not value >= 0:
                raise ConfigError(f"distillation.{name}={value:g} is negative: write 0 to leave that part out")
        self.objective = objective
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.listener = Listener(teacher)
        self.cache, self.cache_dtype = cache if alpha or beta else False, cache_dtype

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(getattr(self.objective, "features", ()))

    @property
    def teacher(self) -> Teacher:
        return self.listener.teacher

    def fit(self, spec: DataSpec, preprocessing: Any) -> None:
        if spec.label.kind != "class" or (spec.label.size or 0) < 3:
            raise ConfigError(
                f"distillation=dkd parts the label's class from the others, and this data has {spec.label.kind} of "
                f"{spec.label.size}: three classes or more have others to tell apart; use distillation=kd"
            )

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        terms = self.objective(output, batch)
        if self.alpha == 0 and self.beta == 0:
            return terms
        taught = self.listener.answers(batch)
        ours, theirs = output.log_probs, taught.log_probs
        if ours is None or theirs is None or ours.shape != theirs.shape:
            raise ConfigError("distillation=dkd needs a teacher of the same classes: name a run on the same data")
        label = batch["label"]
        label = label.argmax(-1) if label.is_floating_point() else label
        target, others = decoupled(theirs, ours, label, self.temperature)
        each = self.temperature**2 * (self.alpha * target + self.beta * others)
        return {**terms, "distillation": term(each, output.mask, batch.get("weight"))}


def decoupled(teacher: Tensor, student: Tensor, label: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """KL of the label's class against the rest, and KL among the rest, both at the temperature.

    Shape:
        log-probabilities or logits (B, C) of both, label (B,) int64 -> (B,), (B,)
    """
    label = label.unsqueeze(-1)  # (B, 1)
    rest = torch.arange(teacher.shape[-1] - 1, device=label.device).expand(len(label), -1)
    rest = rest + (rest >= label)  # (B, C - 1): every class but the label's
    binary, among = [], []
    for z in (teacher, student):
        log_p = (wide(z) / temperature).log_softmax(-1)  # (B, C)
        others = log_p.gather(-1, rest)  # (B, C - 1)
        binary.append(torch.cat([log_p.gather(-1, label), others.logsumexp(-1, keepdim=True)], -1))  # (B, 2)
        among.append(others.log_softmax(-1))
    first, second = (F.kl_div(own, theirs, reduction="none", log_target=True) for theirs, own in (binary, among))
    return first.sum(-1), second.sum(-1)
