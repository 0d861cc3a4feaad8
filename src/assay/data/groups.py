"""Groups of examples that never straddle splits: copies, and whatever a user's column names (a patient, an author)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from assay.errors import ConfigError
from assay.layers.random import example_uniform


def merged(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """The finest groups that hold together what either does, counted from 0 in order of appearance.

    A copy of one patient's row in another's file makes one group of both patients.
    """
    parent: dict[tuple[int, int], tuple[int, int]] = {}

    def root(node: tuple[int, int]) -> tuple[int, int]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(first, second, strict=True):
        parent[root((0, a))] = root((1, b))
    seen: dict[tuple[int, int], int] = {}
    return [seen.setdefault(root((0, a)), len(seen)) for a in first]


def grouped(
    strata: Sequence[int], groups: Sequence[int], seed: int, fractions: Mapping[str, float]
) -> dict[str, Tensor]:
    """Positions of each split, sorted: "train" and the names of ``fractions``; groups of any size, never divided.

    In drawn order, a group joins a split while that brings the split's counts of each stratum nearer (squared distance)
    to its fraction of them; so its size and its class shares are both about right. Where the first group is too large
    already, the one that comes nearest is taken.

    Args:
        strata: of each example; see :func:`assay.data.split.strata_of`.
        groups: of each example.
        seed: ``data.split_seed``.
        fractions: of all examples, by split.
    Raises:
        ConfigError: there are fewer groups than splits.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for position, group in enumerate(groups):
        members[group].append(position)
    if len(members) <= len(fractions):
        raise ConfigError(
            f"data.groups gives {len(members)} groups; {len(fractions) + 1} are the least, one for each split, since "
            f"none is divided: give more, or files of their own with data.val_path and data.test_path"
        )
    draws = example_uniform(seed, 0, torch.arange(len(strata)), "split").tolist()
    free = sorted(members.values(), key=lambda positions: draws[positions[0]])
    whole = Counter(strata)
    taken: dict[str, list[int]] = {}
    for place, (name, fraction) in enumerate(fractions.items()):
        lacking = {stratum: fraction * number for stratum, number in whole.items()}
        spare = len(free) - (len(fractions) - place)  # one for each later split and for training
        chosen: list[int] = []
        for number, unit in enumerate(free):
            if len(chosen) < spare and _gain(lacking, strata, unit) > 0:
                chosen.append(number)
                for stratum, count in Counter(strata[position] for position in unit).items():
                    lacking[stratum] -= count
        if not chosen:
            chosen = [max(range(len(free)), key=lambda number: _gain(lacking, strata, free[number]))]
        held = set(chosen)
        taken[name] = [position for number in chosen for position in free[number]]
        free = [unit for number, unit in enumerate(free) if number not in held]
    taken["train"] = [position for unit in free for position in unit]
    return {name: torch.tensor(sorted(taken[name])) for name in ("train", *fractions)}


def _gain(lacking: Mapping[int, float], strata: Sequence[int], unit: Sequence[int]) -> float:
    """By how much the squared distance to what is lacking falls if the unit is taken."""
    counts = Counter(strata[position] for position in unit)
    return sum(count * (2 * lacking[stratum] - count) for stratum, count in counts.items())
