"""Several networks of one kind that are trained as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from assay.contracts import Batch, Output


class Cohort(nn.Module):
    """While training, the first member's output with the others' as its ``peers``; else the first member's alone.

    The first is what is validated, tested and saved (``deployed``): an ordinary network. A layer that draws (dropout)
    has one key in all members and draws for each in turn, so that the first draws what it would alone.

    Args:
        members: of one architecture, the answering one first.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def deployed(self) -> nn.Module:
        return self.members[0]

    def forward(self, batch: Batch) -> Output:
        output: Output = self.members[0](batch)
        if not self.training:
            return output
        peers = [member(batch) for member in self.members[1:]]
        return replace(output, peers=tuple(peers))
