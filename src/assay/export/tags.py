"""Tags in an export: the file scores each word by itself, and ``chain.npz`` beside it says which tag follows which.

The likeliest sequence is found outside the file, as in training: a search whose length is the sentence's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from assay.artifacts import Artifact
from assay.contracts import Chain, Output
from assay.errors import ConfigError
from assay.layers.outputs import CRF, Softmax, alone, together

NAME = "chain.npz"


def refuse(artifact: Artifact, source: Path | str) -> None:
    """Raises ConfigError: the tags are of a network that an export could not give back whole."""
    if artifact.spec.label.kind != "tags":
        return
    if not isinstance(getattr(artifact.network, "head", None), CRF | Softmax):
        raise ConfigError(
            f"{source} tags by counts, which stand in its artifact as tables and are not exported: use assay predict"
        )
    if hasattr(artifact.task, "intents"):
        raise ConfigError(
            f"{source} answers tags and an intent, of which a file would give one: use assay predict, or train "
            "task=tagging"
        )


def is_together(artifact: Artifact) -> bool:
    """Whether sequences of tags have the distribution, not each tag its own."""
    return isinstance(getattr(artifact.network, "head", None), CRF)


def write(artifact: Artifact, folder: Path) -> bool:
    """``chain.npz``: ``transitions`` (C, C) from row to column, ``start`` and ``end`` (C,). Not written, and False,
    where every tag may follow every other alike."""
    head: Any = artifact.network.head
    chain = head.chain()
    if chain is None:
        return False
    np.savez(folder / NAME, **{name: part.detach().float().numpy() for name, part in chain._asdict().items()})
    return True


class Chained:
    """From the file's scores to what the network itself would answer.

    Args:
        folder: of the export.
        together: whether the sequences have the distribution (``output=crf``), or each word (``output=softmax``).
    Raises:
        ConfigError: ``chain.npz`` cannot be read, or is missing.
    """

    def __init__(self, folder: Path, together: bool) -> None:
        self.together = together
        self.chain: Chain | None = None
        path = folder / NAME
        if not path.is_file():
            if together:
                raise ConfigError(f"{path} is not there, without which no sequence is found; export the run anew")
            return
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as held:
                self.chain = Chain(*(torch.from_numpy(held[name]) for name in Chain._fields))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile) as error:
            raise ConfigError(f"{path} cannot be read ({error}); export the run anew") from error

    def output(self, scores: Tensor, mask: Tensor | None) -> Output:
        """(B, T, C) and (B, T) -> what the task reads."""
        if self.together and self.chain is not None:
            return together(scores, mask, self.chain)
        return alone(scores, mask, self.chain)
