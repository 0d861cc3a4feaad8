"""EDA without synonyms: a text loses words, has some exchanged, or repeats some."""

from __future__ import annotations

from assay.contracts import Batch, DataSpec
from assay.data.augment import edits
from assay.data.augment.draws import uniforms, whole
from assay.data.augment.kinds import needs_text, share
from assay.errors import ConfigError


class EDA:
    """One edit, chosen at random for each text: random deletion, random swap or random insertion.

    Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks", 2019,
    arXiv:1901.11196, section 2, with α of each edit: each token is deleted with probability α (one stays); or
    max(1, ⌊αl⌋) times two tokens change places; or as many tokens are inserted. Differs, all of it since there is no
    thesaurus for any language and vocabulary: no synonym replacement, and what is inserted is a token of the same text,
    at a random gap of the original; a text is changed anew each epoch with a probability, where the paper adds n
    changed copies of each to the training set once.

    Args:
        spec: of the data; the source must be token ids.
        seed: of the run.
        p: probability that a text is changed.
        delete, swap, insert: α of each; 0 leaves that edit out.
    Shape:
        batch["source"] (B, T) int64 -> (B, T + ⌊insert · T⌋), one more at least with insert, padded at the end
    Raises:
        ConfigError: the source is no text or is never padded, a value is outside [0, 1], or all edits are left out.
    """

    def __init__(
        self,
        spec: DataSpec,
        seed: int,
        p: float = 0.8,
        delete: float = 0.1,
        swap: float = 0.1,
        insert: float = 0.1,
    ) -> None:
        needs_text(spec, "eda")
        if spec.source.padding_id is None:
            raise ConfigError(
                "augment=eda makes texts shorter and longer, and these are never padded: use augment=swap"
            )
        self.seed, self.padding_id = seed, spec.source.padding_id
        self.p, self.delete = share("eda.p", p), share("eda.delete", delete)
        self.swap, self.insert = share("eda.swap", swap), share("eda.insert", insert)
        self.edits = [name for name in ("delete", "swap", "insert") if getattr(self, name)]
        if not self.edits:
            raise ConfigError("augment.eda with delete, swap and insert all 0 changes nothing: leave it out")

    def __call__(self, batch: Batch, epoch: int) -> Batch:
        x, index = batch["source"], batch["index"]
        rows, positions = x.shape
        changed, which = uniforms(self.seed, epoch, index, "eda", 2).unbind(1)
        chosen = whole(which, len(self.edits)).masked_fill(changed >= self.p, len(self.edits))  # (B,)
        for place, name in enumerate(self.edits):
            mine = chosen == place
            length = edits.lengths(x, self.padding_id)
            if name == "delete":
                u = uniforms(self.seed, epoch, index, "eda delete", positions)
                x = edits.deleted(x, length, (u < self.delete) & mine[:, None], u, self.padding_id)
                continue
            alpha = getattr(self, name)
            times = edits.most(alpha, positions)
            u = uniforms(self.seed, epoch, index, f"eda {name}", 2 * times).view(rows, times, 2)
            count = edits.number(alpha, length) * mine
            if name == "swap":
                x = edits.exchanged(x, length, count, u, adjacent=False)
            else:
                x = edits.inserted(x, length, count, u, self.padding_id)
        return {**batch, "source": x}
