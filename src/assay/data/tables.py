"""What the two CSV data sets share: files that were given, splits that are cut, labels as tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate, chain

import torch
from torch import Tensor

from assay.contracts import Field
from assay.data.dataset import label_tensor
from assay.data.split import FRACTIONS, groups_of, notes_of, strata_of, stratified
from assay.data.targets import Target


def joined_labels(target: Target, order: Sequence[str]) -> tuple[Tensor, Field]:
    """Labels of the files in ``order``, one after the other, and their field."""
    label = label_tensor(target.kind, chain.from_iterable(target.values[split] for split in order))
    shape = (len(target.names),) if target.kind == "labels" else ()
    return label, Field(target.kind, shape, size=len(target.names) or None, names=target.names)


def positions_of(
    sources: Mapping[str, Sequence[Hashable]], label: Tensor, field: Field, split_seed: int
) -> tuple[dict[str, Tensor], list[str]]:
    """Splits of examples numbered file after file: those with a file of their own as they are, the rest cut from
    training.

    Args:
        sources: split -> its examples' inputs; "train" comes first.
        label, field: of all examples.
    """
    ends = [0, *accumulate(len(source) for source in sources.values())]
    positions = {split: torch.arange(start, end) for split, start, end in zip(sources, ends, ends[1:], strict=False)}
    trained = ends[1]
    groups = groups_of(chain.from_iterable(sources.values()))
    strata = strata_of(label[:trained], field)
    fractions = {split: share for split, share in FRACTIONS.items() if split not in sources}
    if fractions:
        positions |= stratified(strata, split_seed, groups[:trained], fractions)
    notes = notes_of(strata, groups[:trained], field) if fractions else []
    known = set(groups[:trained])
    for split, start, end in list(zip(sources, ends, ends[1:], strict=False))[1:]:
        if shared := sum(group in known for group in groups[start:end]):
            notes.append(f"{shared:,} of {end - start:,} {split} examples are copies of training examples")
    return positions, notes
