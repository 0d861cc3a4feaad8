"""Batches and facts that the tests of augmentations share."""

from __future__ import annotations

import torch

from assay.contracts import DataSpec, Field

CLASS = Field("class", size=3, names=("a", "b", "c"))


def images(channels=3, height=9, width=7):
    return DataSpec({"source": Field("image", (channels, height, width)), "label": CLASS})


def texts(size=30):
    return DataSpec({"source": Field("ids", (None,), size=size, padding_id=0), "label": CLASS})


def batch_of_images(count=6, channels=3, height=9, width=7):
    generator = torch.Generator().manual_seed(count)
    return {
        "source": torch.rand(count, channels, height, width, generator=generator),
        "label": torch.arange(count) % 3,
        "index": torch.arange(count) * 7 + 2,
    }


def batch_of_texts(lengths=(6, 1, 11, 3, 2, 8), size=30):
    """Ids from 2 on, padded with 0."""
    generator = torch.Generator().manual_seed(len(lengths))
    source = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in zip(source, lengths, strict=True):
        row[:length] = torch.randint(2, size, (length,), generator=generator)
    return {"source": source, "label": torch.arange(len(lengths)) % 3, "index": torch.arange(len(lengths)) * 5 + 1}


def tokens(source):
    """Rows without their padding, which stands at the end or the test fails."""
    rows = []
    for row in source.tolist():
        length = len(row) - row.count(0)
        assert 0 not in row[:length], row
        rows.append(row[:length])
    return rows
