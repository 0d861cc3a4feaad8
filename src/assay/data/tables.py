"""What the two CSV data sets share: files that were given, splits that are cut, labels as tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate, chain

import torch
from torch import Tensor

from assay.contracts import Field
from assay.data.dataset import label_tensor
from assay.data.groups import grouped, merged
from assay.data.split import FRACTIONS, copies_of, groups_of, notes_of, strata_of, stratified
from assay.data.targets import Target


def joined_labels(target: Target, order: Sequence[str]) -> tuple[Tensor, Field]:
    """Labels of the files in ``order``, one after the other, and their field."""
    label = label_tensor(target.kind, chain.from_iterable(target.values[split] for split in order))
    shape = (len(target.names),) if target.kind == "labels" else ()
    return label, Field(target.kind, shape, size=len(target.names) or None, names=target.names)


def positions_of(
    sources: Mapping[str, Sequence[Hashable]],
    label: Tensor,
    field: Field,
    split_seed: int,
    given: Mapping[str, Sequence[Hashable]] | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
) -> tuple[dict[str, Tensor], list[str]]:
    """Splits of examples numbered file after file: those with a file of their own as they are, the rest cut from
    training.

    Args:
        sources: split -> its examples' inputs; "train" comes first.
        label, field: of all examples.
        given: split -> the user's groups of its examples, which never straddle what is cut.
        fractions: of all training examples, by the split that may be cut from them.
    """
    ends = [0, *accumulate(len(source) for source in sources.values())]
    positions = {split: torch.arange(start, end) for split, start, end in zip(sources, ends, ends[1:], strict=False)}
    trained = ends[1]
    groups = groups_of(chain.from_iterable(sources.values()))
    strata = strata_of(label[:trained], field)
    fractions = {split: share for split, share in fractions.items() if split not in sources}
    if fractions:
        copies = groups[:trained]
        if given is None:
            positions |= stratified(strata, split_seed, copies, fractions)
        else:
            positions |= grouped(strata, merged(copies, groups_of(given["train"])), split_seed, fractions)
    notes = notes_of(strata, groups[:trained], field) if fractions and given is None else []
    if given is not None:
        notes += [f"{len(set(given['train'])):,} groups, each whole in one split", *copies_of(groups[:trained])]
    known = set(groups[:trained])
    for split, start, end in list(zip(sources, ends, ends[1:], strict=False))[1:]:
        if shared := sum(group in known for group in groups[start:end]):
            notes.append(f"{shared:,} of {end - start:,} {split} examples are copies of training examples")
    mine, *others = (given or {"train": ()}).items()
    for split, theirs in others:
        if shared := len(set(theirs) & set(mine[1])):
            notes.append(f"{shared:,} groups of the {split} file are in the training file too")
    return positions, notes
