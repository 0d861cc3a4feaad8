"""Running text, once it is tokenised: what every set of it does alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.contracts import DataSpec
from assay.data.download import Download
from assay.data.examples import Examples
from assay.data.preprocessing.stream import StreamPreprocessing
from assay.data.stream_switches import check
from assay.data.text_pieces import Piece
from assay.data.tokenised import Facts, in_memory
from assay.data.tokenizers import Tokenizer
from assay.data.windows import Layout, examples_of
from assay.errors import ConfigError

Order = Literal["stream", "shuffled"]


@dataclass(frozen=True)
class Reading:
    """How windows are read, by the keys that all sets of running text have.

    Args:
        length: tokens of a window.
        order: ``stream``: each batch goes on from the one before, in as many tracks as it has rows, so that states can
            be carried (truncated back-propagation). ``shuffled``: the same windows in a new order each epoch, none
            knowing of another.
        batch_size: windows per batch, or "full".
        evaluation_tracks: of validation and test under ``stream``. One reads them from beginning to end, as published
            perplexities do; k are k times as fast, and begin without context at k places.
        stride: under ``shuffled``, tokens that a window of validation and test scores (the first of a document scores
            all): the rest is context. None: all.
    Raises:
        ConfigError: they do not go together.
    """

    length: int
    order: Order
    batch_size: int | str
    evaluation_tracks: int
    stride: int | None

    def __post_init__(self) -> None:
        check(vars(self))

    @property
    def ordered(self) -> bool:
        return self.order == "stream"

    @property
    def evaluation_batch_size(self) -> int | None:
        return self.evaluation_tracks if self.ordered else None

    def layouts(self, facts: Facts) -> dict[str, Layout]:
        """Of each split.

        Raises:
            ConfigError: the training text has fewer windows than a batch.
        """
        tracks = int(self.batch_size) if self.ordered else 0
        found = {"train": Layout(facts.of("train"), self.length, tracks)}
        if found["train"].windows < tracks:
            raise ConfigError(
                f"the training text has {found['train'].windows:,} windows of data.length={self.length}, fewer than "
                f"data.batch_size={tracks}: make either smaller"
            )
        own = self.evaluation_tracks if self.ordered else 0
        for split in ("val", "test"):
            found[split] = Layout(facts.of(split), self.length, own, self.stride)
        return found

    def notes(self, facts: Facts, layouts: Mapping[str, Layout], preprocessing: StreamPreprocessing) -> list[str]:
        counts = facts.counts
        told = ", ".join(f"{counts[split]['tokens']:,} {split}" for split in counts)
        unknown = " / ".join(f"{counts[split]['unknown'] / max(counts[split]['tokens'], 1):.2%}" for split in counts)
        marks = "" if preprocessing.keeps_lines else ", the end of each line among them"
        found = [
            f"tokens to predict: {told}{marks}; {counts['train']['types']:,} types; unknown {unknown}",
            f"every token is scored once; the first of a text is predicted from {self._start(preprocessing)}",
            self._windows(layouts, counts),
        ]
        documents = {split: held["documents"] for split, held in counts.items()}
        if sum(documents.values()) > len(documents):
            told = ", ".join(f"{number:,} {split}" for split, number in documents.items())
            found.append(f"documents: {told}; each begins anew, and no window holds two")
        return found

    def _start(self, preprocessing: StreamPreprocessing) -> str:
        name = preprocessing.vocabulary[preprocessing.start_id]
        return "a line break" if name == "\n" else name

    def _windows(self, layouts: Mapping[str, Layout], counts: Mapping[str, Mapping[str, int]]) -> str:
        train, length = layouts["train"], self.length
        empty = train.rows * length - counts["train"]["tokens"]
        padded = f", {empty:,} of {train.rows * length:,} places padded" if empty else ""
        if not self.ordered:
            scored = f"the last {self.stride}" if self.stride and self.stride < length else "all"
            return f"{train.rows:,} windows of {length} tokens, shuffled{padded}; val and test score {scored} of each"
        steps, tracks = train.rows // train.tracks, self.evaluation_tracks
        told = "one track" if tracks == 1 else f"{tracks} tracks"
        return f"{train.tracks} tracks of {steps:,} windows of {length} tokens{padded}; val and test in {told}"


@dataclass(frozen=True)
class Windowed:
    """What ``setup`` of a set of running text publishes."""

    spec: DataSpec
    splits: dict[str, Examples]
    notes: list[str]


def windowed(ids: np.ndarray, facts: Facts, preprocessing: StreamPreprocessing, reading: Reading) -> Windowed:
    """The windows of each split, numbered one after the other.

    Args:
        ids, facts: of the text; see :mod:`assay.data.tokenised`.
    """
    layouts = reading.layouts(facts)
    splits, first = {}, 0
    for split, layout in layouts.items():
        splits[split] = examples_of(ids, layout, preprocessing.start_id, first)
        first += layout.rows
    spec = DataSpec({"source": preprocessing.field(), "label": preprocessing.target()})
    return Windowed(spec, splits, reading.notes(facts, layouts, preprocessing))


class StreamSet:
    """A published text, held in memory.

    Args:
        files: published.
        read: root -> the text of each split.
        tokenizer: fitted on the training split.
        source_name, licence: for the data card.
        root: above the files' folder.
        reading: how.
        epochs: passes over the training split that the trainer makes by default.
        notes: what a reader should know of the splits.
    Attributes:
        counts: split -> tokens to predict, characters, documents, types and unknown tokens.
    Raises:
        ConfigError: files are absent and no source answers, or they are not the published ones.
    """

    workers = 0
    fitted: StreamPreprocessing | None = None

    def __init__(
        self,
        files: Download,
        read: Callable[[str], Mapping[str, str]],
        tokenizer: Tokenizer,
        source_name: str,
        licence: str,
        root: str,
        reading: Reading,
        epochs: int,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.files, self.read, self.tokenizer = files, read, tokenizer
        self.source_name, self.licence, self.root, self.reading = source_name, licence, root, reading
        self.batch_size, self.epochs = reading.batch_size, epochs
        self.ordered, self.evaluation_batch_size = reading.ordered, reading.evaluation_batch_size
        self.notes: list[str] = list(notes)
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        self.files.ensure(self.root)
        texts = {split: _whole(text) for split, text in self.read(self.root).items()}
        preprocessing = self.fitted or StreamPreprocessing(self.tokenizer)
        ids, facts = in_memory(texts, preprocessing, self.fitted is not None)
        made = windowed(ids, facts, preprocessing, self.reading)
        self.preprocessing, self.digest, self.counts = preprocessing, facts.digest, facts.counts
        self.spec, self.splits = made.spec, made.splits
        self.notes += made.notes


def _whole(text: str) -> Callable[[], list[Piece]]:
    return lambda: [Piece(text, True)]
