"""Words of a text exchanged at random."""

from __future__ import annotations

from assay.contracts import Batch, DataSpec
from assay.data.augment import edits
from assay.data.augment.draws import uniforms
from assay.data.augment.kinds import needs_text
from assay.data.augment.kinds import share as checked


class Swap:
    """max(1, ⌊share · length⌋) times, two tokens change places.

    The random swap of Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
    Classification Tasks", 2019, arXiv:1901.11196, section 2. With ``adjacent`` only neighbours, which keeps most of the
    order: Artetxe et al. 2018, arXiv:1710.11041, section 3.2.3. A text of one token stays. Differs: the two are always
    different places, where the published code gives up after three tries.

    Args:
        spec: of the data; the source must be token ids.
        seed: of the run.
        share: exchanges, as a share of the text's length.
        adjacent: neighbours only.
    Shape:
        batch["source"] (B, T) int64 -> the same
    Raises:
        ConfigError: the source is no text, or share is outside [0, 1].
    """

    def __init__(self, spec: DataSpec, seed: int, share: float = 0.1, adjacent: bool = False) -> None:
        needs_text(spec, "swap")
        self.seed, self.adjacent, self.padding_id = seed, adjacent, spec.source.padding_id
        self.share = checked("swap.share", share)

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x = batch["source"]
        length = edits.lengths(x, self.padding_id)
        times = edits.most(self.share, x.shape[1])
        u = uniforms(self.seed, epoch, batch["index"], "swap", 2 * times).view(len(x), times, 2)
        return {**batch, "source": edits.exchanged(x, length, edits.number(self.share, length), u, self.adjacent)}
