"""Cutting training, validation and test examples: stratified, keyed by a seed, copies kept together.

Torch and the keyed draws of :mod:`assay.layers.random` only, so that a split is the same with every version of NumPy or
scikit-learn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from assay.contracts import Field
from assay.errors import ConfigError
from assay.layers.random import example_uniform

FRACTIONS = {"val": 0.1, "test": 0.1}


def groups_of(sources: Iterable[Hashable]) -> list[int]:
    """Equal sources -> equal group numbers, counted from 0 in order of appearance."""
    seen: dict[Hashable, int] = {}
    return [seen.setdefault(source, len(seen)) for source in sources]


def strata_of(label: Tensor, field: Field) -> list[int]:
    """What each example counts as when its split is chosen.

    class: its class. number: which tenth of the values it lies in, by rank. labels: its rarest label, or none: the
    first round of iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), which keeps rare labels in every
    split; label pairs are not balanced.

    Shape:
        label (N,) int64, (N,) float or (N, L) float -> N numbers
    """
    if field.kind == "class":
        return label.tolist()
    if field.kind == "number":
        rank = torch.empty(len(label), dtype=torch.int64)
        rank[torch.argsort(label, stable=True)] = torch.arange(len(label))
        return (rank * min(10, max(len(label) // 10, 1)) // max(len(label), 1)).tolist()
    counts = label.sum(0)  # (L,)
    rarity = torch.where(label > 0, counts, torch.inf)  # (N, L)
    return torch.where(label.sum(1) > 0, rarity.argmin(1), label.shape[1]).tolist()


def stratified(
    strata: Sequence[int],
    seed: int,
    groups: Sequence[int] | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
) -> dict[str, Tensor]:
    """Positions of each split, sorted: "train" and the names of ``fractions``.

    Every stratum gives each split its share, rounded so that the totals are right (largest remainder). A stratum with
    fewer than three groups goes to training whole: it cannot be learnt from and tested on at once. Groups never
    straddle splits; one too large for what a split still lacks goes to training, and that split is a little smaller.

    Args:
        strata: of each example; see :func:`strata_of`.
        seed: ``data.split_seed``.
        groups: of each example; a group's stratum is that of its first example. None: all different.
        fractions: of all examples, by split.
    Raises:
        ConfigError: a split would be empty.
    """
    count = len(strata)
    members: dict[int, list[int]] = defaultdict(list)  # group -> positions
    for position, group in enumerate(range(count) if groups is None else groups):
        members[group].append(position)
    draws = example_uniform(seed, 0, torch.arange(count), "split").tolist()
    by_stratum: dict[int, list[list[int]]] = defaultdict(list)
    for positions in sorted(members.values(), key=lambda positions: draws[positions[0]]):
        by_stratum[strata[positions[0]]].append(positions)

    taken: dict[str, list[int]] = {"train": [], **{name: [] for name in fractions}}
    sizes = {stratum: sum(map(len, units)) for stratum, units in by_stratum.items() if len(units) > len(fractions)}
    wanted = {name: _shares(sizes, fraction, round(count * fraction)) for name, fraction in fractions.items()}
    for stratum, units in sorted(by_stratum.items()):
        free = list(units)
        for name in fractions:
            lacking = wanted[name].get(stratum, 0)
            kept = []
            for unit in free:
                if len(unit) <= lacking:
                    taken[name].extend(unit)
                    lacking -= len(unit)
                else:
                    kept.append(unit)
            free = kept
        for unit in free:
            taken["train"].extend(unit)
    for name, positions in taken.items():
        if not positions:
            raise ConfigError(
                f"{count} examples are too few, or too much alike, to cut a {name} split from: "
                f"give more, or name files with data.val_path and data.test_path"
            )
    return {name: torch.tensor(sorted(positions)) for name, positions in taken.items()}


def _shares(sizes: Mapping[int, int], fraction: float, total: int) -> dict[int, int]:
    """``fraction`` of each size, rounded so that they sum to ``total`` if the sizes allow: largest remainder first."""
    exact = {stratum: size * fraction for stratum, size in sizes.items()}
    shares = {stratum: int(value) for stratum, value in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: (shares[stratum] - exact[stratum], -sizes[stratum], stratum))
    for stratum in by_remainder[: max(total - sum(shares.values()), 0)]:
        shares[stratum] += 1
    return shares


def copies_of(groups: Sequence[int]) -> list[str]:
    """The note on copies, where there are any."""
    copies = len(groups) - len(set(groups))
    noun = "example is a copy" if copies == 1 else "examples are copies"
    return [f"{copies:,} {noun} of another; copies stay in one split"] if copies else []


def notes_of(strata: Sequence[int], groups: Sequence[int], field: Field) -> list[str]:
    """What a reader should know of a cut: copies, and classes too rare to be tested."""
    notes = copies_of(groups)
    if field.kind != "number":
        seen: dict[int, set[int]] = defaultdict(set)
        for stratum, group in zip(strata, groups, strict=True):
            seen[stratum].add(group)
        rare = sorted(stratum for stratum, units in seen.items() if len(units) < 3 and stratum < len(field.names))
        if rare:
            names = ", ".join(field.names[stratum] for stratum in rare[:5]) + (" …" if len(rare) > 5 else "")
            notes.append(f"fewer than three different examples of {names}: in training only, never tested")
    return notes
