"""Tagged sentences, once they are read: what every set of them does alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, chain, pairwise

import torch

from assay.contracts import DataSpec, Field
from assay.data import tag_schemes
from assay.data.dataset import cut, sha256
from assay.data.download import Download
from assay.data.examples import Column, Dense, Examples, Ragged
from assay.data.folds import Cut
from assay.data.preprocessing.tagged import TaggedPreprocessing
from assay.data.preprocessing.tagger import Tagger
from assay.data.tables import positions_of
from assay.data.tagged import Sentence, Tagged
from assay.data.tagged_columns import Name

Read = Callable[[], tuple[Mapping[str, Tagged], list[str]]]
"""() -> (split -> its sentences, training first; notes)."""
PADDING = -1  # of tags, in a batch of sentences of several lengths


class TaggedSet:
    """Sentences of tagged words. Splits that have no file of their own are cut from training.

    Fields: ``source`` (words), ``characters`` of each word, what else is known of it by name, ``label`` (its tags,
    padded by -1) and, where sentences have one, ``intent``. The tags are those of all splits: one that training does
    not hold can be asked for and never rightly answered, and a note says so.

    Args:
        read: the files.
        source_name, licence: for the data card.
        lowercase, digits, min_count: see :class:`TaggedPreprocessing`.
        tagger: a run whose tags of the words are the feature ``tagger``; None: there is none.
        batch_size: sentences per batch, or "full".
        epochs: passes over the training split that the trainer makes by default.
        split_seed: of what is cut.
        cutting: how splits are made of what was read.
        files: published, made sure of before they are read.
        root: above the files' folder.
        columns: see :class:`TaggedPreprocessing`; a function of what was read where the file says it.
    Raises:
        ConfigError: files are absent, or anything wrong with one, with its line.
    """

    workers = 0
    fitted: TaggedPreprocessing | None = None

    def __init__(
        self,
        read: Read,
        source_name: str,
        licence: str,
        lowercase: bool,
        digits: str,
        min_count: int,
        tagger: str | None,
        batch_size: int | str,
        epochs: int,
        split_seed: int = 0,
        cutting: Cut = positions_of,
        files: Sequence[Download] = (),
        root: str = "",
        columns: Callable[[], Mapping[str, Name]] = dict,
    ) -> None:
        self.read, self.files, self.root, self.columns, self.cutting = read, files, root, columns, cutting
        self.source_name, self.licence = source_name, licence
        self.lowercase, self.digits, self.min_count, self.tagger = lowercase, digits, min_count, tagger
        self.batch_size, self.epochs, self.split_seed = batch_size, epochs, split_seed
        self.notes: list[str] = []
        self.splits: dict[str, Examples] = {}

    def setup(self) -> None:
        if self.splits:
            return
        for download in self.files:
            download.ensure(self.root)
        held, notes = self.read()
        sources = {split: [tuple(words) for words in file.words] for split, file in held.items()}
        count = sum(map(len, sources.values()))
        one = Field("class", (), size=1, names=("sentence",))
        positions, found = self.cutting(sources, torch.zeros(count, dtype=torch.int64), one, self.split_seed)
        whole = joined(list(held.values()))
        sentences = [
            Sentence(words, {name: values[place] for name, values in whole.features.items()})
            for place, words in enumerate(whole.words)
        ]
        preprocessing, sentences, tagged = self._preprocessing(sentences, positions["train"].tolist(), whole)
        fields, columns = targets(whole)
        columns = {**preprocessing(sentences), **columns}
        inputs = preprocessing.fields()
        self.spec = DataSpec({"source": inputs.pop("source"), **fields, **inputs})
        self.digest = digest(whole)
        notes = [*notes, *found, *unseen(whole, positions), *tagged, *preprocessing.notes]
        preprocessing.notes.clear()
        self.preprocessing, self.notes = preprocessing, notes
        self.splits = cut(columns, positions)

    def _preprocessing(
        self, sentences: list[Sentence], training: Sequence[int], whole: Tagged
    ) -> tuple[TaggedPreprocessing, list[Sentence], list[str]]:
        """Fitted; the sentences with all its features; notes."""
        made = self.fitted
        if made is None:
            tagger = None if self.tagger is None else Tagger(self.tagger)
            features = list(whole.features)
            made = TaggedPreprocessing(
                self.lowercase, self.digits, self.min_count, features, dict(self.columns()), tagger
            )
        sentences = made.tagged(sentences)
        if self.fitted is None:
            made.fit([sentences[place] for place in training])
        if made.tagger is None:
            return made, sentences, []
        where = made.tagger.trained_on
        notes = [
            f"the tags of {made.tagger.run}, trained on {where}, are the feature {made.tagger.name} of each word; on "
            "sentences that it was trained on they are better than on others"
        ]
        return made, sentences, notes


def joined(files: Sequence[Tagged]) -> Tagged:
    """The sentences of all files, one after the other."""
    first = files[0]

    def all_of(values: Callable[[Tagged], list]) -> list:
        return list(chain.from_iterable(map(values, files)))

    features = {name: all_of(lambda file, name=name: file.features[name]) for name in first.features}
    return replace(
        first,
        words=all_of(lambda file: file.words),
        tags=all_of(lambda file: file.tags),
        lines=all_of(lambda file: file.lines),
        features=features,
        intents=None if first.intents is None else all_of(lambda file: file.intents or []),
    )


def targets(whole: Tagged) -> tuple[dict[str, Field], dict[str, Column]]:
    """The fields ``label`` and, where there are intents, ``intent``, and their columns."""
    names = tag_schemes.order(chain.from_iterable(whole.tags))
    number = {tag: place for place, tag in enumerate(names)}
    fields = {"label": Field("tags", (None,), size=len(names), padding_id=PADDING, names=names)}
    columns: dict[str, Column] = {
        "label": Ragged.join(([number[tag] for tag in tags] for tags in whole.tags), padding_id=PADDING)
    }
    if whole.intents is not None:
        intents = tuple(sorted(set(whole.intents)))
        place = {intent: number for number, intent in enumerate(intents)}
        fields["intent"] = Field("class", (), size=len(intents), names=intents)
        columns["intent"] = Dense(torch.tensor([place[intent] for intent in whole.intents]))
    return fields, columns


def unseen(whole: Tagged, positions: Mapping[str, torch.Tensor]) -> list[str]:
    """Notes of tags and intents that are only outside of training."""

    def held(values: Sequence[Sequence[str]], split: str) -> set[str]:
        return {one for place in positions[split].tolist() for one in values[place]}

    notes = []
    kinds = [("tags", whole.tags)] + ([] if whole.intents is None else [("intents", [[i] for i in whole.intents])])
    for what, values in kinds:
        known = held(values, "train")
        for split in ("val", "test"):
            new = sorted(held(values, split) - known)
            if new:
                shown = ", ".join(new[:5]) + (", …" if len(new) > 5 else "")
                are = f"{what} of the {split} split are" if len(new) > 1 else f"{what[:-1]} of the {split} split is"
                notes.append(f"{len(new)} {are} not in training: {shown}")
    return notes


def digest(whole: Tagged) -> str:
    """sha256 of words, tags, features and intents."""
    ends = [0, *accumulate(len(words) for words in whole.words)]
    features = [f"{name}\t{value}" for name, values in whole.features.items() for value in chain.from_iterable(values)]
    words, tags = chain.from_iterable(whole.words), chain.from_iterable(whole.tags)
    lengths = (str(b - a) for a, b in pairwise(ends))
    return sha256(lengths, words, tags, features, whole.intents or [])
