"""Words of a text dropped at random."""

from __future__ import annotations

import torch

from assay.contracts import Batch, DataSpec
from assay.data.augment import edits
from assay.data.augment.draws import uniforms
from assay.data.augment.kinds import needs_text
from assay.data.tokenizers.vocabulary import UNKNOWN_ID
from assay.errors import ConfigError

_BECOMES = ("unknown", "nothing")


class WordDropout:
    """Each token is dropped with probability p: it becomes the unknown token, or it is deleted.

    ``unknown``: Bowman et al., "Generating Sentences from a Continuous Space", 2016, arXiv:1511.06349, section 3.1.
    ``nothing``: Iyyer, Manjunatha, Boyd-Graber and Daumé III, "Deep Unordered Composition Rivals Syntactic Methods for
    Text Classification", 2015, section 3.1. Differs: a text that would lose all its tokens keeps one.

    Args:
        spec: of the data; the source must be token ids.
        seed: of the run.
        p: probability that a token is dropped.
        becomes: ``unknown`` or ``nothing``.
    Shape:
        batch["source"] (B, T) int64 -> the same, padded at the end
    Raises:
        ConfigError: the source is no text, p is outside [0, 1), becomes is something else, or nothing where texts are
            never padded.
    """

    def __init__(self, spec: DataSpec, seed: int, p: float = 0.1, becomes: str = "unknown") -> None:
        needs_text(spec, "word_dropout")
        if not 0 <= p < 1:
            raise ConfigError(f"augment.word_dropout.p={p:g} is not in [0, 1)")
        if becomes not in _BECOMES:
            raise ConfigError(f"augment.word_dropout.becomes={becomes} is not one of {', '.join(_BECOMES)}")
        if becomes == "nothing" and spec.source.padding_id is None:
            raise ConfigError("augment.word_dropout.becomes=nothing makes texts shorter, and these are never padded")
        self.seed, self.p, self.padding_id = seed, p, spec.source.padding_id
        self.deletes = becomes == "nothing"

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x = batch["source"]
        length = edits.lengths(x, self.padding_id)
        u = uniforms(self.seed, epoch, batch["index"], "word_dropout", x.shape[1])  # (B, T)
        drop = u < self.p
        if self.deletes and self.padding_id is not None:
            x = edits.deleted(x, length, drop, u, self.padding_id)
        else:
            x = torch.where(drop & edits.within(x, length), UNKNOWN_ID, x)
        return {**batch, "source": x}
