"""Cross-validation: one fold of several is the test split, stratified, copies kept together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor

from assay.contracts import Field
from assay.data.split import groups_of, notes_of, strata_of, stratified
from assay.errors import ConfigError
from assay.layers.random import example_uniform


def folds_of(strata: Sequence[int], groups: Sequence[int], folds: int, seed: int) -> Tensor:
    """The fold of each example (N,) int64: groups of a stratum are dealt in drawn order, each to the fold that holds
    least of its stratum, then least in all. A group's stratum is that of its first example."""
    members: dict[int, list[int]] = defaultdict(list)
    for position, group in enumerate(groups):
        members[group].append(position)
    draws = example_uniform(seed, 0, torch.arange(len(strata)), "folds").tolist()
    held: dict[int, list[int]] = defaultdict(lambda: [0] * folds)
    total = [0] * folds
    fold = torch.empty(len(strata), dtype=torch.int64)
    for positions in sorted(members.values(), key=lambda positions: draws[positions[0]]):
        mine = held[strata[positions[0]]]
        chosen = min(range(folds), key=lambda number: (mine[number], total[number], number))
        fold[positions] = chosen
        mine[chosen] += len(positions)
        total[chosen] += len(positions)
    return fold


class OneFold:
    """Fold ``fold`` of ``folds`` is tested on; a tenth of the others validates, as in Kim 2014.

    Args:
        fold: from 0.
        folds: two or more.
    Raises:
        ConfigError: there is no such fold.
    """

    def __init__(self, fold: int, folds: int) -> None:
        if folds < 2 or not 0 <= fold < folds:
            raise ConfigError(f"data.fold={fold} is none of 0 to {folds - 1} (data.folds={folds}, two or more)")
        self.fold, self.folds = fold, folds

    def __call__(
        self, sources: Mapping[str, Sequence[Hashable]], label: Tensor, field: Field, split_seed: int
    ) -> tuple[dict[str, Tensor], list[str]]:
        """Positions of train, val and test among the training examples of ``sources``, and notes."""
        groups, strata = groups_of(sources["train"]), strata_of(label, field)
        fold = folds_of(strata, groups, self.folds, split_seed)
        rest = torch.nonzero(fold != self.fold)[:, 0]
        inner = stratified(
            [strata[i] for i in rest.tolist()], split_seed, [groups[i] for i in rest.tolist()], {"val": 0.1}
        )
        positions = {split: rest[places] for split, places in inner.items()}
        positions["test"] = torch.nonzero(fold == self.fold)[:, 0]
        notes = [f"fold {self.fold} of {self.folds} is the test split", *notes_of(strata, groups, field)]
        return positions, notes
