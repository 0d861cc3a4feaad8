"""Deep mutual learning: networks that teach each other while they learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from assay.contracts import Batch, Output, Term
from assay.distillation.cohort import Cohort
from assay.distillation.soft import lesson
from assay.errors import ConfigError
from assay.losses.terms import term


class MutualLearning(nn.Module):
    """Σ_k [loss_k + β/(K-1) Σ_{l≠k} KL(p_l ‖ p_k)] over K members with the same layers and other first weights.

    Zhang, Xiang, Hospedales and Lu, "Deep Mutual Learning", 2018, arXiv:1706.00384, eq. 8; p_l is no function of member
    k's weights, and has no gradient. Differs from the paper: all members step together, each listening to the others as
    they were before the step (theirs take turns), and all are of one model. Numbers are compared by (z_l - z_k)².

    The first member, which begins with the weights that it would have alone, is the run's answer: validated, tested and
    saved as any other network. A part that is named, as in freeze=[stem] or optim.groups=[stem:0.1], is that of each
    member, and depths (optim.layer_decay) are counted in each.

    Args:
        objective: of the label, of each member.
        members: K.
        beta: weight of the others; 0 trains each member alone.
    Raises:
        ConfigError: there are fewer than two members, or beta is negative.
    """

    def __init__(self, objective: nn.Module, members: int, beta: float) -> None:
        super().__init__()
        if members < 2 or not beta >= 0:
            raise ConfigError(f"distillation.members={members} is at least 2 and distillation.beta={beta:g} at least 0")
        self.objective = objective
        self.members = members
        self.beta = beta

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(getattr(self.objective, "features", ()))

    def assembled(self, network: nn.Module, make: Callable[[int], nn.Module]) -> nn.Module:
        return Cohort([network, *(make(number) for number in range(1, self.members))])

    def forward(self, output: Output, batch: Batch) -> dict[str, Term]:
        """Of one member, as in evaluation, its own loss alone."""
        outputs = [replace(output, peers=()), *output.peers]
        each = [self.objective(one, batch) for one in outputs]
        terms = {name: Term(_sum(one[name].total for one in each), each[0][name].weight) for name in each[0]}
        if self.beta == 0 or len(outputs) == 1:
            return terms
        heard = [term(_heard(outputs, k), output.mask, batch.get("weight")) for k in range(len(outputs))]
        return {**terms, "mutual": Term(self.beta * _sum(one.total for one in heard), heard[0].weight)}


def _heard(outputs: Sequence[Output], k: int) -> Tensor:
    """The mean of what member k learns of each of the others."""
    others = [_still(one) for number, one in enumerate(outputs) if number != k]
    return _sum(lesson(other, outputs[k], 1.0) for other in others) / len(others)


def _still(output: Output) -> Output:
    """The same without a gradient."""
    log_probs = None if output.log_probs is None else output.log_probs.detach()
    return Output(output.logits.detach(), log_probs)


def _sum(values: Iterable[Tensor]) -> Tensor:
    first, *rest = values
    return sum(rest, first)
