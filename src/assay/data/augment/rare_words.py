"""Rare words made unknown at random, so that the unknown word's vector is learnt."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from assay.contracts import Batch, DataSpec
from assay.data.augment.draws import uniforms
from assay.data.augment.kinds import needs_text
from assay.data.examples import Examples
from assay.data.tokenizers.vocabulary import UNKNOWN_ID
from assay.errors import ConfigError

_BLOCK = 4096  # sentences counted at a time


class RareWords:
    """Each word that the training split holds ``count`` times at most becomes the unknown word with probability p.

    Lample, Ballesteros, Subramanian, Kawakami and Dyer, "Neural Architectures for Named Entity Recognition", 2016,
    arXiv:1603.01360, section 4.3: words seen once, p = 0.5. Its characters and features stay as they are.

    Args:
        spec: of the data; the source must be token ids.
        seed: of the run.
        splits: of the data, of which "train" is counted.
        p: probability that such a word becomes unknown.
        count: occurrences of a rare word, at most.
    Attributes:
        rare: (V,) bool, the words that are.
    Shape:
        batch["source"] (B, T) int64 -> the same
    Raises:
        ConfigError: the source is no text, p is outside (0, 1], count is below 1, or no word is so rare.
    """

    def __init__(
        self, spec: DataSpec, seed: int, splits: Mapping[str, Examples], p: float = 0.5, count: int = 1
    ) -> None:
        needs_text(spec, "rare_words")
        if not 0 < p <= 1:
            raise ConfigError(f"augment.rare_words.p={p:g} is not in (0, 1]")
        if count < 1:
            raise ConfigError(f"augment.rare_words.count={count} is below 1")
        size, train = spec.source.size or 0, splits["train"]
        seen = torch.zeros(size, dtype=torch.int64)
        for rows in train.index.split(_BLOCK):
            seen += torch.bincount(train.columns["source"].gather(rows).flatten(), minlength=size)
        self.rare = seen <= count
        self.rare[: UNKNOWN_ID + 1] = False
        self.rare &= seen > 0
        if not self.rare.any():
            raise ConfigError(
                f"augment=rare_words: no word of the vocabulary stands {count} times or fewer in training; give a "
                "larger augment.rare_words.count, or use augment=[word_dropout]"
            )
        self.seed, self.p = seed, p

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x = batch["source"]
        self.rare = self.rare.to(x.device)
        u = uniforms(self.seed, epoch, batch["index"], "rare_words", x.shape[1])  # (B, T)
        return {**batch, "source": torch.where(self.rare[x] & (u < self.p), UNKNOWN_ID, x)}
