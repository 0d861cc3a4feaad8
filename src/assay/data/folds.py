"""Cross-validation: one fold of several is the test split; stratified, groups and copies kept together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from assay.contracts import Field
from assay.data.fold_numbers import check_fold
from assay.data.groups import grouped, merged
from assay.data.split import FRACTIONS, copies_of, groups_of, strata_of, stratified
from assay.data.tables import positions_of
from assay.errors import ConfigError
from assay.layers.random import example_uniform

Cut = Callable[..., tuple[dict[str, Tensor], list[str]]]
"""(split -> sources, label, field, seed, split -> the user's groups or None) -> positions of train, val and test, and
notes."""


def cutting(fold: int | None, folds: int | None, fractions: Mapping[str, float] = FRACTIONS) -> Cut:
    """How a data set with these keys is cut: without ``folds`` as published, or by ``fractions`` where it is not, else
    by :class:`OneFold`."""
    check_fold(fold, folds)
    return partial(positions_of, fractions=fractions) if folds is None else OneFold(fold or 0, folds)


def folds_of(strata: Sequence[int], groups: Sequence[int], folds: int, seed: int) -> Tensor:
    """The fold of each example (N,) int64.

    Groups are dealt in drawn order, those larger than a hundredth of a fold first, the largest at the start; each to
    the fold where Σ_s (examples of stratum s)² / (all of stratum s) grows least, then to that which holds least in all.
    For groups of one class this deals every class out evenly; for mixed ones it is the aim of scikit-learn's
    ``StratifiedGroupKFold``, reached greedily too.

    Raises:
        ConfigError: there are fewer groups than folds.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for position, group in enumerate(groups):
        members[group].append(position)
    if len(members) < folds:
        raise ConfigError(
            f"data.folds={folds} needs as many examples or groups that differ; there are {len(members)}: use fewer"
        )
    draws = example_uniform(seed, 0, torch.arange(len(strata)), "folds").tolist()
    large = len(strata) / (100 * folds)
    whole = Counter(strata)
    held: dict[int, list[int]] = defaultdict(lambda: [0] * folds)
    total = [0] * folds
    fold = torch.empty(len(strata), dtype=torch.int64)
    for positions in sorted(
        members.values(), key=lambda unit: (-len(unit) if len(unit) > large else 0, draws[unit[0]])
    ):
        counts = Counter(strata[position] for position in positions)
        growth = [sum(n * held[s][k] / whole[s] for s, n in counts.items()) for k in range(folds)]
        chosen = min(range(folds), key=lambda k: (growth[k], total[k], k))
        fold[positions] = chosen
        for stratum, count in counts.items():
            held[stratum][chosen] += count
        total[chosen] += len(positions)
    return fold


class OneFold:
    """Fold ``fold`` of ``folds`` is tested on; a tenth of the others validates, as in Kim 2014.

    Folds are cut of the training examples. A validation or test split that was published, or has a file of its own, is
    left out: it stays unseen, to be scored once when all choices have been made.

    Args:
        fold: from 0.
        folds: two or more.
    Raises:
        ConfigError: there is no such fold.
    """

    def __init__(self, fold: int, folds: int) -> None:
        check_fold(fold, folds)
        self.fold, self.folds = fold, folds

    def __call__(
        self,
        sources: Mapping[str, Sequence[Hashable]],
        label: Tensor,
        field: Field,
        split_seed: int,
        given: Mapping[str, Sequence[Hashable]] | None = None,
    ) -> tuple[dict[str, Tensor], list[str]]:
        """Positions of train, val and test among the training examples of ``sources``, and notes.

        Args:
            sources: split -> its examples' inputs; "train" comes first.
            label, field: of all examples.
            given: split -> the user's groups of its examples.
        """
        groups = copies = groups_of(sources["train"])
        if given is not None:
            groups = merged(copies, groups_of(given["train"]))
        strata = strata_of(label[: len(groups)], field)
        fold = folds_of(strata, groups, self.folds, split_seed)
        rest = torch.nonzero(fold != self.fold)[:, 0]
        kept = [strata[place] for place in rest.tolist()], [groups[place] for place in rest.tolist()]
        tenth = {"val": 0.1}
        inner = stratified(kept[0], split_seed, kept[1], tenth) if given is None else grouped(*kept, split_seed, tenth)
        positions = {split: rest[places] for split, places in inner.items()}
        positions["test"] = torch.nonzero(fold == self.fold)[:, 0]
        notes = [f"fold {self.fold} of {self.folds} is the test split"]
        for split in list(sources)[1:]:
            notes.append(
                f"the {len(sources[split]):,} examples of the {split} split are left out: folds are of training"
            )
        if given is not None:
            notes.append(f"{len(set(groups)):,} groups stay whole")
        return positions, [*notes, *_rare(strata, field, self.folds), *copies_of(copies)]


def _rare(strata: Sequence[int], field: Field, folds: int) -> list[str]:
    """Classes that are not in every fold."""
    if field.kind == "number":
        return []
    counts = Counter(strata)
    rare = sorted(stratum for stratum, count in counts.items() if count < folds and stratum < len(field.names))
    if not rare:
        return []
    names = ", ".join(field.names[stratum] for stratum in rare[:5]) + (" …" if len(rare) > 5 else "")
    return [f"fewer than {folds} examples of {names}: not in every fold"]
