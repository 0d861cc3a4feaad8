"""Teachers: what answers beside the label."""

from __future__ import annotations

import torch

from assay import artifacts
from assay.contracts import Batch, DataSpec, Output
from assay.errors import ConfigError
from assay.folder import find_artifact


class Checkpoint:
    """The trained model of a run: frozen, in eval mode, without gradients.

    Args:
        run: a run folder, an artifact, or ``latest``.
    Raises:
        ConfigError: there is no such run, or it was trained on other fields than the student's.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.artifact = artifacts.load(find_artifact(run))
        self.network = self.artifact.network.requires_grad_(False)
        self._device = torch.device("cpu")

    def fit(self, spec: DataSpec) -> None:
        """Refuses data whose input or classes are not the teacher's."""
        for name in ("source", "label"):
            ours, theirs = spec.fields[name], self.artifact.spec.fields[name]
            if (ours.kind, ours.size, ours.names) != (theirs.kind, theirs.size, theirs.names):
                raise ConfigError(
                    f"distillation.teacher.run={self.run} was trained on {name} {theirs.kind} of {theirs.size}, "
                    f"this data has {ours.kind} of {ours.size}: name a run on the same data"
                )

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Output:
        device = batch["source"].device
        if device != self._device:
            self.network.to(device)
            self._device = device
        source = batch["source"]
        if source.is_floating_point():  # a student in another precision
            source = source.to(next(self.network.parameters()).dtype)
        return self.network({**batch, "source": source})
