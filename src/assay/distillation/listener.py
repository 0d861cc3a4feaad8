"""The way to a teacher: what objectives that listen to one have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import nn

from assay.contracts import Batch, DataSpec, Output
from assay.distillation.answers import answered
from assay.layers.carry import asked


class Teacher(Protocol):
    """What answers beside the label: in eval mode, without gradients, on the batch's device. It is not part of the
    student's module tree: never counted, moved or saved with it.

    fit(spec, preprocessing): refuses data it was not trained on.
    teacher(batch) -> Output: of numbers, in the units in which the student learns them.
    hidden(batch, names) -> Output: the same, with ``features`` of the layers named.
    shapes(batch): as :func:`assay.layers.features.shapes`.

    One whose answers are a function of its input also has ``artifacts``, the trained models it is made of, in order,
    and, where they are several, ``combination``, how their answers become one: what :mod:`assay.distillation.cache`
    knows it by; ``places`` and ``digests``, their folders and what those hold, tell `assay clean` whether kept answers
    are of use. One that learns with the student has none, and ``begin(network) -> nn.Module``: what of it belongs to
    the run's state.
    """

    def fit(self, spec: DataSpec, preprocessing: Any) -> None: ...
    def __call__(self, batch: Batch) -> Output: ...
    def hidden(self, batch: Batch, names: Sequence[str]) -> Output: ...
    def shapes(self, batch: Batch) -> dict[str, tuple[int, ...]]: ...


class Listener(nn.Module):
    """Holds a teacher outside the module tree, and within it what of the teacher a checkpoint must have.

    Args:
        teacher: see :class:`Teacher`.
    """

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self._teacher = [teacher]  # in a list it is no submodule
        self.memory: nn.Module | None = None
        self.carry = asked(one.network for one in getattr(teacher, "artifacts", ()))  # moves with the student's steps

    @property
    def teacher(self) -> Teacher:
        return self._teacher[0]

    def fit(self, spec: DataSpec, preprocessing: Any) -> None:
        self.teacher.fit(spec, preprocessing)

    def meet(self, network: nn.Module, batch: Batch, seed: int) -> None:
        begin = getattr(self.teacher, "begin", None)
        if begin is not None:
            self.memory = begin(network)
            asked([self.memory])

    def answers(self, batch: Batch) -> Output:
        """What the teacher says of a batch, or said when it was asked before."""
        return answered(self.teacher, batch)

    def hidden(self, batch: Batch, names: Sequence[str]) -> Output:
        """The same with hidden layers, for which it is asked anew."""
        return self.teacher.hidden(batch, names)
