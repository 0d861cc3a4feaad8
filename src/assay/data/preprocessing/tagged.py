"""Sentences of words -> ids of words, of their characters and of what else is known of each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from torch import Tensor

from assay.contracts import Field
from assay.data.examples import Column, Ragged
from assay.data.preprocessing.inputs import standard_input
from assay.data.preprocessing.tagger import Tagger
from assay.data.spelled import Spelled
from assay.data.table_file import find_encoding, open_path
from assay.data.tagged import Sentence
from assay.data.tagged_columns import DOCUMENT, Name, read_unlabelled
from assay.data.tagged_lines import BEGIN, END
from assay.data.tokenizers.vocabulary import PADDING_ID, SPECIAL, UNKNOWN_ID, most_common
from assay.errors import ConfigError

DIGITS = {"keep": None, "zero": "0", "mark": "DIGIT"}
MOST_LETTERS = 40  # of a word, as its characters are read: of a longer one the first and last 20
_COLUMN_SUFFIXES = (".conll", ".conllu", ".iob", ".iob1", ".iob2", ".bio", ".bio2", ".col", ".tsv")
_TEXT_SUFFIXES = (".txt", *_COLUMN_SUFFIXES)


class TaggedPreprocessing:
    """Words as they were typed -> one ragged column of word ids, one of characters, one of each feature.

    Words are looked up as ``lowercase`` and ``digits`` write them; characters are those that were typed. What the
    training split does not hold is unknown.

    Args:
        lowercase: whether words are looked up in lower case.
        digits: keep, zero (every digit is 0: 838 and 755 are the same word, 000) or mark (every digit is DIGIT).
        min_count: occurrences in the training split that a word needs to be in the vocabulary.
        features: names of what else is known of each word.
        columns: where files of columns keep the words and those features: "words" and the features' names -> column.
        tagger: a run that gives the feature ``tagger`` to any words; None where there is none.
    Attributes:
        vocabulary_, letters_: of words and characters; values_: of each feature. Padding and unknown come first.
    """

    def __init__(
        self,
        lowercase: bool = False,
        digits: str = "keep",
        min_count: int = 1,
        features: Sequence[str] = (),
        columns: Mapping[str, Name] | None = None,
        tagger: Tagger | None = None,
    ) -> None:
        if digits not in DIGITS:
            raise ConfigError(f"data.digits={digits} is none of {', '.join(DIGITS)}")
        self.lowercase, self.digits, self.min_count = lowercase, digits, min_count
        self.features = [*features, *([] if tagger is None else [tagger.name])]
        self.columns = {"words": 1, **(columns or {})}
        self.tagger = tagger
        self.notes: list[str] = []

    def fit(self, sentences: Sequence[Sentence]) -> TaggedPreprocessing:
        """On those of the training split."""
        forms: Counter[str] = Counter()
        letters: Counter[str] = Counter()
        for word, count in Counter(chain.from_iterable(one.words for one in sentences)).items():
            forms[self.form(word)] += count
            for letter in _spelling(word):
                letters[letter] += count
        self.vocabulary_, self.letters_ = most_common(forms, self.min_count), most_common(letters)
        self.values_ = {
            name: most_common(Counter(chain.from_iterable(one.features[name] for one in sentences)))
            for name in self.features
        }
        return self

    def form(self, word: str) -> str:
        """A word as it is looked up."""
        word = word.lower() if self.lowercase else word
        digit = DIGITS[self.digits]
        if digit is None or not any(letter.isdigit() for letter in word):
            return word
        return "".join(digit if letter.isdigit() else letter for letter in word)

    def fields(self) -> dict[str, Field]:
        """What the inputs are, after :meth:`fit`."""

        def field(kind: str, shape: tuple[None, ...], names: Sequence[str]) -> Field:
            return Field(kind, shape, size=len(names), padding_id=PADDING_ID, names=tuple(names))

        return {
            "source": field("ids", (None,), self.vocabulary_),
            "characters": field("characters", (None, None), self.letters_),
            **{name: field("feature", (None,), self.values_[name]) for name in self.features},
        }

    def sentence(self, raw: Any) -> Sentence:
        """A text, its words, a mapping with "words" and features, or a :class:`Sentence`.

        Raises:
            ConfigError: it is something else, holds no words, or another number of a feature's values.
        """
        if isinstance(raw, str):
            raw = Sentence(raw.split())
        elif isinstance(raw, Mapping) and "words" in raw:
            features = {name: list(map(str, values)) for name, values in raw.items() if name != "words"}
            raw = Sentence(list(map(str, raw["words"])), features)
        elif isinstance(raw, list | tuple):
            raw = Sentence(list(map(str, raw)))
        if not isinstance(raw, Sentence):
            raise ConfigError(
                f"{type(raw).__name__} is no sentence: give a text, a list of words, or words and features"
            )
        if not raw.words:
            raise ConfigError("an empty sentence was given; give one word at least")
        for name, values in raw.features.items():
            if len(values) != len(raw.words):
                raise ConfigError(f"{len(raw.words)} words and {len(values)} values of {name}: one for each is needed")
        return raw

    def words(self, raw: Any) -> list[str]:
        """The words of a raw input, as they were typed."""
        return self.sentence(raw).words

    def tagged(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """The same with the feature of the tagger, where one is used and it is not there yet."""
        if self.tagger is None:
            return list(sentences)
        name = self.tagger.name
        lacking = [place for place, one in enumerate(sentences) if name not in one.features]
        answers = dict(zip(lacking, self.tagger([sentences[place].words for place in lacking]), strict=True))
        return [
            Sentence(one.words, {**one.features, name: answers[place]}) if place in answers else one
            for place, one in enumerate(sentences)
        ]

    def __call__(self, raws: Sequence[Any]) -> dict[str, Column]:
        sentences = self.tagged([self.sentence(raw) for raw in raws])
        words = [one.words for one in sentences]
        distinct = dict.fromkeys(word for words_ in words for word in words_)
        number, letter = _numbers(self.vocabulary_), _numbers(self.letters_)
        known = {word: number.get(self.form(word), UNKNOWN_ID) for word in distinct}
        spell = {word: [letter.get(one, UNKNOWN_ID) for one in _spelling(word)] for word in distinct}
        if long := sum(len(word) > MOST_LETTERS for word in distinct):
            half = MOST_LETTERS // 2
            are = "word is" if long == 1 else "words are"
            self.notes.append(f"{long:,} {are} longer than {MOST_LETTERS} letters: {half} at either end are read")
        columns: dict[str, Column] = {
            "source": Ragged.join(([known[word] for word in words_] for words_ in words), PADDING_ID),
            "characters": Spelled.join(words, spell, PADDING_ID),
        }
        for name in self.features:
            columns[name] = Ragged.join(self._values(name, sentences), PADDING_ID)
        return columns

    def _values(self, name: str, sentences: Sequence[Sentence]) -> list[list[int]]:
        """Ids of a feature; of sentences without it unknown."""
        number = _numbers(self.values_[name])
        absent = sum(name not in one.features for one in sentences)
        if absent:
            count = "" if absent == len(sentences) else f" of {absent:,} of {len(sentences):,} sentences"
            self.notes.append(f"{name}{count} is not known: its words are read without it")
        new: dict[str, int] = {}
        found = []
        for one in sentences:
            values = one.features.get(name)
            if values is None:
                found.append([UNKNOWN_ID] * len(one.words))
                continue
            found.append([number.get(value, UNKNOWN_ID) for value in values])
            new |= {value: 0 for value in values if value not in number}
        if new:
            shown = ", ".join(list(new)[:5]) + (", …" if len(new) > 5 else "")
            what = f"value of {name} that training did not hold is" if len(new) == 1 else ""
            what = what or f"values of {name} that training did not hold are"
            self.notes.append(f"{len(new):,} {what} unknown: {shown}")
        return found

    def read(self, paths: Sequence[str]) -> tuple[list[str], list[Sentence]]:
        """A file with a sentence a line or a word a line, "-" for either on standard input, or the text itself."""
        ids: list[str] = []
        sentences: list[Sentence] = []
        for path in map(str, paths):
            suffix = os.path.splitext(path)[1].lower()
            if path == "-":
                with standard_input() as file:
                    lines, found = self._file(file, suffix)
            elif os.path.exists(path) or suffix in _TEXT_SUFFIXES:
                lines, found = self._file(path, suffix)
            elif not path.strip():
                raise ConfigError("an empty text was given; give a text, a file, or - for standard input")
            else:
                ids.append(str(len(ids) + 1))
                sentences.append(Sentence(path.split()))
                continue
            ids.extend(f"{path}:{line}" for line in lines)
            sentences.extend(found)
        return ids, sentences

    def _file(self, path: str, suffix: str) -> tuple[list[int], list[Sentence]]:
        path = open_path(path)
        with open(path, encoding=find_encoding(path), newline="") as file:
            text = file.read()
        if _is_columns(text, suffix):
            features = {name: column for name, column in self.columns.items() if name != "words"}
            held = read_unlabelled(text, path, self.columns["words"], features)
            each = [{name: values[place] for name, values in held.features.items()} for place in range(len(held))]
            return [lines[0] for lines in held.lines], list(map(Sentence, held.words, each))
        lines, sentences = [], []
        for number, line in enumerate(text.split("\n"), 1):
            words = line.partition("\t")[0].split()  # tags beside it are not asked for
            framed = len(words) > 2 and words[0] == BEGIN and words[-1] == END
            if words:
                lines.append(number)
                sentences.append(Sentence(words[1:-1] if framed else words))
        if not lines:
            raise ConfigError(f"{path} holds only blank lines")
        return lines, sentences

    def show(self, value: Tensor) -> str:
        """Words of one example's ids (T,)."""
        return " ".join(self.vocabulary_[number] for number in value.tolist() if number != PADDING_ID)

    @property
    def within(self) -> dict[str, Path]:
        """Artifacts that belong to this preprocessing, by the folder in which an artifact keeps them."""
        return {} if self.tagger is None else {"tagger": self.tagger.folder()}

    def opened(self, folder: Path) -> None:
        """What the artifact in ``folder`` keeps of them is used."""
        if self.tagger is not None:
            self.tagger.kept(folder / "tagger")

    def to_json(self) -> dict[str, Any]:
        given = [name for name in self.features if self.tagger is None or name != self.tagger.name]
        settings = {"lowercase": self.lowercase, "digits": self.digits, "min_count": self.min_count}
        fitted = {"vocabulary_": self.vocabulary_, "letters_": self.letters_, "values_": self.values_}
        tagger = None if self.tagger is None else self.tagger.to_json()
        return {"type": "tagged", **settings, "features": given, "columns": self.columns, "tagger": tagger, **fitted}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> TaggedPreprocessing:
        tagger = None if plain["tagger"] is None else Tagger.from_json(plain["tagger"])
        settings = (plain["lowercase"], plain["digits"], plain["min_count"], plain["features"], plain["columns"])
        made = cls(*settings, tagger)
        made.vocabulary_, made.letters_ = list(plain["vocabulary_"]), list(plain["letters_"])
        made.values_ = {name: list(values) for name, values in plain["values_"].items()}
        return made


def _spelling(word: str) -> str:
    half = MOST_LETTERS // 2
    return word if len(word) <= MOST_LETTERS else word[:half] + word[-half:]


def _numbers(names: Sequence[str]) -> dict[str, int]:
    """Names -> ids; of a word that is spelled like a special token, the word's."""
    return {name: number for number, name in enumerate(names) if number >= len(SPECIAL)}


def _is_columns(text: str, suffix: str) -> bool:
    """Whether a line is a word: by the file's name, or since lines of as many cells stand in blocks."""
    filled = [line for line in text.split("\n") if line.strip()]
    if suffix in _COLUMN_SUFFIXES:
        cells = [line.split("\t") for line in filled]
        return not all(len(found) in (2, 3) and len(found[0].split()) > 1 for found in cells)
    blocks = [block for block in text.replace("\r", "").split("\n\n") if block.strip()]
    rows = [line for line in filled if not line.startswith(("#", DOCUMENT))]
    alike = len({len(line.split()) for line in rows}) == 1
    return alike and len(blocks) > 1 and len(filled) > len(blocks)
