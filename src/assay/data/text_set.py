"""Texts and their labels, once they are read: what every set of texts does alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from torch import Tensor

from assay.contracts import DataSpec, Field
from assay.data.dataset import cut, sha256
from assay.data.download import Download
from assay.data.examples import Dense, Examples
from assay.data.folds import Cut
from assay.data.preprocessing.text import TextPreprocessing
from assay.data.tables import joined_labels, positions_of
from assay.data.targets import Target
from assay.data.tokenizers import Tokenizer
from assay.errors import ConfigError

Texts = Mapping[str, tuple[list[str], list[int]]]
"""split -> texts and class numbers; "train" comes first."""


@dataclass(frozen=True)
class Prepared:
    """What ``setup`` of a data set publishes."""

    preprocessing: TextPreprocessing
    spec: DataSpec
    digest: str
    splits: dict[str, Examples]


def prepared(
    texts: Sequence[str],
    label: Tensor,
    field: Field,
    positions: Mapping[str, Tensor],
    preprocessing: TextPreprocessing,
    fit: bool,
) -> Prepared:
    """Texts as ids, by a vocabulary fitted on the training split if asked to.

    Args:
        texts, label, field: of all examples.
        positions: of each split.
    """
    if fit:
        preprocessing.fit([texts[number] for number in positions["train"].tolist()])
    columns = {**preprocessing(texts), "label": Dense(label)}
    spec = DataSpec({"source": preprocessing.field(), "label": field})
    digest = sha256(texts, label.numpy().tobytes(), field.names)
    return Prepared(preprocessing, spec, digest, cut(columns, positions))


class TextSet:
    """A published set of texts, each of one class. Splits that it lacks are cut from training, stratified.

    Args:
        files: published.
        read: root -> the texts of each split.
        names: of the classes.
        source_name, licence: for the data card.
        root: above the files' folder.
        tokenizer: fitted on the training split.
        max_length: tokens kept of a text.
        batch_size: examples per batch, or "full".
        epochs: passes over the training split that the trainer makes by default.
        split_seed: of what is cut.
        cutting: how splits are made of what was read.
    Raises:
        ConfigError: files are absent and no source answers, or they are not the published ones.
    """

    workers = 0
    fitted: TextPreprocessing | None = None

    def __init__(
        self,
        files: Download,
        read: Callable[[str], Texts],
        names: tuple[str, ...],
        source_name: str,
        licence: str,
        root: str,
        tokenizer: Tokenizer,
        max_length: int,
        batch_size: int | str,
        epochs: int,
        split_seed: int = 0,
        cutting: Cut = positions_of,
    ) -> None:
        self.files, self.read, self.names, self.cutting = files, read, names, cutting
        self.source_name, self.licence, self.root = source_name, licence, root
        self.tokenizer, self.max_length = tokenizer, max_length
        self.batch_size, self.split_seed, self.epochs = batch_size, split_seed, epochs
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        self.files.ensure(self.root)
        held = self.read(self.root)
        sources = {split: texts for split, (texts, _) in held.items()}
        target = Target("class", self.names, {split: numbers for split, (_, numbers) in held.items()}, "")
        label, field = joined_labels(target, list(held))
        positions, self.notes = self.cutting(sources, label, field, self.split_seed)
        preprocessing = self.fitted or TextPreprocessing(self.tokenizer, self.max_length)
        texts = list(chain.from_iterable(sources.values()))
        made = prepared(texts, label, field, positions, preprocessing, self.fitted is None)
        self.preprocessing, self.spec, self.digest = made.preprocessing, made.spec, made.digest
        self.splits = made.splits


def labelled_lines(data: bytes, encoding: str, name: str, number: Mapping[str, int]) -> tuple[list[str], list[int]]:
    """Lines of "label text" -> texts and class numbers.

    Raises:
        ConfigError: a line without a text, or with an unknown label.
    """
    texts, numbers = [], []
    for line, content in enumerate(data.decode(encoding).rstrip("\n").split("\n"), 1):
        label, _, text = content.strip().partition(" ")
        if label not in number or not text.strip():
            what = f"the label {label!r} is unknown" if label not in number else "no text follows the label"
            raise ConfigError(f"{name}, line {line}: {what}; known are {', '.join(list(number)[:8])}")
        texts.append(text.strip())
        numbers.append(number[label])
    return texts, numbers
