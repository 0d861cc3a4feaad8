"""AG News: topics of news."""

from __future__ import annotations

import csv
import io

from assay.data.folds import cutting
from assay.data.sources.ag_news import DOWNLOAD
from assay.data.text_set import Texts, TextSet
from assay.data.tokenizers import Tokenizer
from assay.errors import ConfigError

_NAMES = ("World", "Sports", "Business", "Sci/Tech")


def ag_news(
    root: str,
    tokenizer: Tokenizer,
    max_length: int = 200,
    batch_size: int | str = 64,
    split_seed: int = 0,
    epochs: int = 3,
    fold: int | None = None,
    folds: int | None = None,
) -> TextSet:
    """120,000 training and 7,600 test news of four topics. Zhang, Zhao and LeCun 2015, arXiv:1509.01626.

    A text is title and description, with a space between; a backslash, which stands for a line break, is one too. A
    tenth of training validates.

    Args:
        root: holds AG_NEWS with train.csv and test.csv (torchtext's layout).
        tokenizer, max_length, batch_size, split_seed, epochs: see :class:`TextSet`.
        fold, folds: see :class:`assay.data.folds.OneFold`.
    """
    source = "AG's corpus of news articles, as Zhang, Zhao and LeCun 2015 cut it (arXiv:1509.01626)"
    licence = "non-commercial use, as its collector states"
    return TextSet(
        DOWNLOAD,
        _read,
        _NAMES,
        source,
        licence,
        root,
        tokenizer,
        max_length,
        batch_size,
        epochs,
        split_seed,
        cutting=cutting(fold, folds),
    )


def _read(root: str) -> Texts:
    splits = zip(("train", "test"), DOWNLOAD.files, strict=True)
    return {split: read_news(DOWNLOAD.read(root, file), file.name) for split, file in splits}


def read_news(data: bytes, name: str) -> tuple[list[str], list[int]]:
    """Lines of class (from 1), title and description, all in quotes -> texts and class numbers.

    Raises:
        ConfigError: a line of another form, or an unknown class.
    """
    texts, numbers = [], []
    rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    for row in rows:
        if len(row) != 3:
            raise ConfigError(f"{name}, line {rows.line_num}: expected 3 cells, found {len(row)}")
        if row[0] not in ("1", "2", "3", "4"):
            raise ConfigError(f"{name}, line {rows.line_num}: the class {row[0]!r} is none of 1 to 4")
        texts.append(f"{row[1]} {row[2]}".replace("\\", " ").strip())
        numbers.append(int(row[0]) - 1)
    return texts, numbers
