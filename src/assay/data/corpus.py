"""A user's own text, of any size."""

from __future__ import annotations

from functools import partial

from assay.data.corpus_switches import is_mapped
from assay.data.examples import Examples
from assay.data.preprocessing.stream import StreamPreprocessing
from assay.data.stream_set import Order, Reading, windowed
from assay.data.text_files import splits_of
from assay.data.text_pieces import Breaks, pieces
from assay.data.token_file import opened
from assay.data.tokenised import in_memory
from assay.data.tokenising import Progress
from assay.data.tokenizers import Tokenizer


class Corpus:
    """Running text from files: one, the .txt files of a folder, or what a glob matches.

    Splits without files of their own are cut from the end of the training text, at the end of a line. A text of less
    than 64 MB is tokenised by each run and held in memory; of a larger one the ids are written once, to
    ``data_dir/tokens``, and mapped into memory: pages are read when a batch needs them, and many runs share them. What
    is held in memory is then a few numbers for each window and document, and the tokenizer's counts while it is fitted.

    Args:
        path: of the text.
        tokenizer: fitted on the training split.
        root: where token files lie, below ``tokens``.
        val_path, test_path: text of these splits.
        val_share, test_share: of the bytes, where a split is cut.
        breaks: where the text breaks, and a carried state starts anew: ``none``, ``files``, or ``blank_lines``, which
            are not read then, besides.
        encoding: of the files.
        mapped: whether ids are in a file; ``auto``: from 64 MB of text.
        length, order, evaluation_tracks, stride, batch_size: see :class:`assay.data.stream_set.Reading`.
        epochs: passes over the training split that the trainer makes by default.
    Attributes:
        counts: split -> tokens to predict, characters, documents, types and unknown tokens.
    Raises:
        ConfigError: anything wrong with a file.
    """

    workers = 0
    licence = "the user's own"
    fitted: StreamPreprocessing | None = None

    def __init__(
        self,
        path: str,
        tokenizer: Tokenizer,
        root: str = "data",
        val_path: str | None = None,
        test_path: str | None = None,
        val_share: float = 0.05,
        test_share: float = 0.05,
        breaks: Breaks = "files",
        encoding: str = "utf-8",
        mapped: bool | str = "auto",
        length: int = 64,
        order: Order = "stream",
        evaluation_tracks: int = 1,
        stride: int | None = None,
        batch_size: int | str = 16,
        epochs: int = 5,
    ) -> None:
        self.tokenizer, self.root, self.breaks, self.encoding, self.mapped = tokenizer, root, breaks, encoding, mapped
        self.files = (path, val_path, test_path, val_share, test_share)
        self.reading = Reading(length, order, batch_size, evaluation_tracks, stride)
        self.batch_size, self.epochs = batch_size, epochs
        self.ordered, self.evaluation_batch_size = self.reading.ordered, self.reading.evaluation_batch_size
        self.source_name = path
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        regions, notes = splits_of(*self.files)
        preprocessing, fitted = self.fitted or StreamPreprocessing(self.tokenizer), self.fitted is not None
        ends = not preprocessing.keeps_lines
        texts = {split: partial(pieces, held, self.breaks, self.encoding, ends) for split, held in regions.items()}
        if is_mapped(self.mapped, regions):
            how = {"breaks": self.breaks, "encoding": self.encoding, "ends": ends}
            found = opened(self.root, regions, texts, how, preprocessing, fitted)
            ids, facts, preprocessing = found.ids, found.facts, found.preprocessing
            notes = [*notes, *found.notes]
        else:
            size = sum(one.stop - one.begin for held in regions.values() for one in held)
            told = Progress("tokenising", size if fitted else 2 * size)
            ids, facts = in_memory(texts, preprocessing, fitted, told)
            told.ended()
        made = windowed(ids, facts, preprocessing, self.reading)
        self.preprocessing, self.digest, self.counts = preprocessing, facts.digest, facts.counts
        self.spec, self.splits = made.spec, made.splits
        self.notes = [*notes, *made.notes]
