"""Layers of a teacher beside layers of a student: what objectives that compare them have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Batch, Output, Term
from assay.distillation.listener import Listener, Teacher
from assay.distillation.soft import blended
from assay.errors import ConfigError
from assay.layers.features import observed

_KINDS = {2: "a vector", 3: "a state for each position", 4: "maps"}


def weighed(alpha: float, beta: float) -> None:
    """The weights of the answers and of the layers. Raises ConfigError: one is outside its range."""
    if not 0 <= alpha <= 1 or not beta >= 0:
        raise ConfigError(f"distillation.alpha={alpha:g} is in [0, 1] and distillation.beta={beta:g} at least 0")


def beside(
    teacher: Teacher,
    network: nn.Module,
    batch: Batch,
    pairs: Sequence[tuple[str, str]],
    keys: tuple[str, str],
    *,
    padded: bool,
) -> list[tuple[Tensor, Tensor]]:
    """What the teacher's layer and the student's give of a batch, of each pair, as both do in evaluation; checked.

    Args:
        pairs: (teacher's layer, student's).
        keys: where the user names them, for the refusals.
        padded: whether some positions of an example are padding.
    Raises:
        ConfigError: no layer has such a name, or the two of a pair do not compare.
    """
    theirs = teacher.hidden(batch, [name for name, _ in pairs]).features
    was_training = network.training
    with torch.no_grad():
        ours = observed(network.eval(), batch, [name for _, name in pairs]).features
    network.train(was_training)
    found = [(theirs[one], ours[other]) for one, other in pairs]
    for (one, other), (a, b) in zip(pairs, found, strict=True):
        _compare(a, b, f"{keys[0]}={one}", f"{keys[1]}={other}", padded)
    return found


def _compare(theirs: Tensor, ours: Tensor, named: str, own: str, padded: bool) -> None:
    if theirs.dim() != ours.dim() or ours.dim() not in _KINDS:
        what = [_KINDS.get(x.dim(), f"{x.dim()} dimensions") for x in (theirs, ours)]
        raise ConfigError(f"{named} gives {what[0]}, {own} {what[1]}: name two layers of one kind, or both encoder")
    if ours.dim() != 3:
        return
    if padded:
        raise ConfigError(
            f"{own} gives a state for each position, some of which are padding here: name layers that give one "
            "vector, as encoder"
        )
    if ours.shape[1] != theirs.shape[1]:
        raise ConfigError(
            f"{named} has {theirs.shape[1]} positions, {own} {ours.shape[1]}: name layers of one length, or both "
            "encoder"
        )


def heard(
    terms: Mapping[str, Term],
    listener: Listener,
    names: Sequence[str],
    output: Output,
    batch: Batch,
    alpha: float,
    temperature: float,
) -> tuple[dict[str, Term], Mapping[str, Tensor]]:
    """The label's terms blended with the teacher's answers, and its layers of these names. With none and α = 0 the
    terms as they are, and no teacher is asked."""
    if not names and alpha == 0:
        return dict(terms), {}
    taught = listener.hidden(batch, names) if names else listener.answers(batch)
    return blended(terms, alpha, taught, output, temperature, batch.get("weight")), taught.features


def smaller(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps (B, C, H, W) averaged over as many pixels as the smaller has."""
    size = (min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3]))
    return F.adaptive_avg_pool2d(a, size), F.adaptive_avg_pool2d(b, size)
