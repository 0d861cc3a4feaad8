"""ATIS: queries about flights, with slots and intents."""

from __future__ import annotations

from functools import partial

from assay.data.folds import cutting
from assay.data.sources.atis import COMMIT, DOWNLOADS
from assay.data.tagged import Tagged
from assay.data.tagged_lines import read_parallel
from assay.data.tagged_set import TaggedSet


def atis(
    root: str,
    lowercase: bool = False,
    digits: str = "zero",
    min_count: int = 1,
    tagger: str | None = None,
    batch_size: int | str = 16,
    epochs: int = 20,
    fold: int | None = None,
    folds: int | None = None,
) -> TaggedSet:
    """4,478 training, 500 validation and 893 test queries; 127 slot tags in IOB2 and 26 intents over all.

    Hemphill, Godfrey and Doddington 1990; the split of Goo et al. 2018, "Slot-Gated Modeling for Joint Slot Filling and
    Intent Prediction". A query of several intents ("atis_flight#atis_airfare") has them as one intent of its own.

    Args:
        root: holds atis with train, dev and test, each of seq.in, seq.out and label.
        lowercase, digits, min_count, tagger, batch_size, epochs: see :class:`TaggedSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    return TaggedSet(
        partial(_read, root),
        f"ATIS (Hemphill et al. 1990), as github.com/monologg/JointBERT ({COMMIT[:8]}) holds it",
        "Apache-2.0 (of that repository); the data are the LDC's, and state no licence there",
        lowercase,
        digits,
        min_count,
        tagger,
        batch_size,
        epochs,
        cutting=cutting(fold, folds),
        files=list(DOWNLOADS.values()),
        root=root,
    )


def _read(root: str) -> tuple[dict[str, Tagged], list[str]]:
    held = {}
    for split, download in DOWNLOADS.items():
        words, tags, intents = (download.read(root, file).decode() for file in download.files)
        names = [f"{download.folder}/{file.name}" for file in download.files]
        held[split] = read_parallel(words, tags, intents, (names[0], names[1], names[2]))
    return held, []
