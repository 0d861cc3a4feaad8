"""Examples as rows that a linear classifier reads: what ``shift`` compares training and target inputs by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from assay.contracts import Field
from assay.data.examples import Examples
from assay.data.tokenizers.vocabulary import SPECIAL
from assay.errors import ConfigError

SIDE = 32  # pixels; a larger image is averaged down to it
_CHUNK = 512  # examples held dense at a time: images may be large


def features(field: Field, examples: Examples) -> Any:
    """Rows (n, D) as a SciPy sparse matrix, in the order of the examples.

    ids: 1 for each token of the vocabulary that occurs; padding and unknown tokens are none, since a vocabulary fitted
    on training texts makes the unknown one a mark of all others. image: the pixels, averaged down to 32 a side at most.
    table: numbers as the data set scales them, categories one-hot; one unseen in training is a row of zeros. vector:
    as it is.

    Raises:
        ConfigError: the source is of another kind.
    """
    from scipy import sparse

    if field.kind not in ("ids", "image", "table", "vector"):
        raise ConfigError(f"shift compares ids, images and tables; this data holds {field.kind}: use shift=none")
    source = examples.columns["source"]
    rows = [_rows(source.gather(chosen), field) for chosen in examples.index.split(_CHUNK)]
    return sparse.vstack(rows, format="csr")


def _rows(x: Tensor, field: Field) -> Any:
    from scipy import sparse

    if field.kind == "ids":
        return _words(x, int(field.size or 0))
    if field.kind == "image":
        height, width = x.shape[-2:]
        if max(height, width) > SIDE:
            x = adaptive_avg_pool2d(x, (min(height, SIDE), min(width, SIDE)))
        return sparse.csr_array(x.flatten(1).double().numpy())
    if field.kind == "vector":
        return sparse.csr_array(x.double().numpy())
    sizes = torch.tensor(field.cardinalities)
    parts = [sparse.csr_array(x[:, sizes == 0].double().numpy())]
    parts += [_one_hot(x[:, column].long(), int(sizes[column])) for column in torch.nonzero(sizes)[:, 0].tolist()]
    return sparse.hstack(parts, format="csr")


def _words(ids: Tensor, size: int) -> Any:
    """(B, T) -> (B, V): 1 where a token occurs."""
    from scipy import sparse

    known = ids >= len(SPECIAL)
    row = torch.arange(len(ids))[:, None].expand_as(ids)[known]
    where = torch.stack([row, ids[known]]).unique(dim=1)  # each once
    ones = torch.ones(where.shape[1], dtype=torch.float64).numpy()
    return sparse.csr_array((ones, (where[0].numpy(), where[1].numpy())), shape=(len(ids), size))


def _one_hot(codes: Tensor, size: int) -> Any:
    """(B,) codes counted from 1 -> (B, size - 1); 0, a category unseen in training, has no column."""
    from scipy import sparse

    row = torch.nonzero(codes)[:, 0]
    ones = torch.ones(len(row), dtype=torch.float64).numpy()
    return sparse.csr_array((ones, (row.numpy(), (codes[row] - 1).numpy())), shape=(len(codes), max(size - 1, 0)))
