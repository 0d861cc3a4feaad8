"""The user's tagged sentences: which of the layouts a file has, and the files of the splits. No torch here.

:func:`read_files` is what preflight checks and what ``data=tagged_file`` trains on: one reading, one truth.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.data import tag_schemes, tagger_files
from assay.data.delimited import FEWEST_ROWS
from assay.data.table_file import find_encoding, open_path
from assay.data.tagged import Tagged
from assay.data.tagged_columns import Layout, Name, read_columns
from assay.data.tagged_lines import read_lines, read_parallel
from assay.errors import ConfigError

FORMATS = ("auto", "columns", "lines")
_PARALLEL = ("seq.in", "seq.out", "label")
_FOLDERS = {"train": ("train",), "val": ("dev", "valid", "val"), "test": ("test",)}


@dataclass(frozen=True)
class Files:
    """split -> sentences, training first; the splits that have a file of their own. ``scheme``: iob2 or none;
    ``layout``: of files of columns, None where a sentence is a line."""

    held: dict[str, Tagged]
    scheme: str
    layout: Layout | None
    notes: list[str]


def check_tagged(config: Mapping[str, Any]) -> set[str]:
    """Facts of ``data=tagged_file`` with these keys, or a refusal."""
    keys = ("path", "words", "tags", "features", "val_path", "test_path", "format", "scheme", "delimiter", "encoding")
    return facts(read_files(**{key: config[key] for key in keys}), config.get("tagger"))


def facts(files: Files, tagger: str | None) -> set[str]:
    """What rules between switches read: iob2, features, intent."""
    train = files.held["train"]
    found = {"iob2"} if files.scheme == "iob2" else set()
    found |= {"features"} if train.features else set()
    found |= tagger_files.check(tagger)
    return found | ({"intent"} if train.intents is not None else set())


def read_files(
    path: str,
    words: Name = 1,
    tags: Name = -1,
    features: Sequence[Name] = (),
    val_path: str | None = None,
    test_path: str | None = None,
    format: str = "auto",
    scheme: str = "auto",
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Files:
    """Reads tagged sentences; the arguments are keys of conf/data/tagged_file.yaml.

    Raises:
        ConfigError: in one line, with file and line number.
    """
    if format not in FORMATS:
        raise ConfigError(f"data.format={format} is none of {', '.join(FORMATS)}")
    held: dict[str, Tagged] = {}
    layout: Layout | None = None
    for split, name in _paths(path, val_path, test_path).items():
        held[split], layout = _read(name, words, tags, features, format, delimiter, encoding)
    _refuse_other_kinds(held)
    count = len(held["train"])
    if count < FEWEST_ROWS and not {"val", "test"} <= held.keys():
        raise ConfigError(
            f"{held['train'].path} has {count} sentence{'' if count == 1 else 's'}; at least {FEWEST_ROWS} are needed "
            "to cut validation and test sentences from: give more, or files of their own with data.val_path and "
            "data.test_path"
        )
    notes = [note for file in held.values() for note in file.notes]
    held, scheme, found = tag_schemes.in_scheme(held, scheme)
    distinct = {tag for tags_ in held["train"].tags for tag in tags_}
    if len(distinct) == 1:
        raise ConfigError(f"{held['train'].path}: every word has the tag {distinct.pop()}; two tags are the least")
    return Files(held, scheme, layout, [*notes, *found])


def _paths(path: str, val_path: str | None, test_path: str | None) -> dict[str, str]:
    """The path of each split; a folder with a folder for each is all of them."""
    given = {"train": path, "val": val_path, "test": test_path}
    folder = os.path.expanduser(str(path))
    if os.path.isdir(os.path.join(folder, "train")):
        for split, names in _FOLDERS.items():
            found = [name for name in names if os.path.isdir(os.path.join(folder, name))]
            if found and (split == "train" or given[split] is None):
                given[split] = os.path.join(str(path), found[0])
    return {split: str(name) for split, name in given.items() if name is not None}


def _read(
    path: str,
    words: Name,
    tags: Name | None,
    features: Sequence[Name],
    format: str,
    delimiter: str | None,
    encoding: str | None,
) -> tuple[Tagged, Layout | None]:
    if os.path.isdir(os.path.expanduser(path)):
        _refuse_columns(path, features, format)
        return _folder(path, encoding), None
    text = _text(path, encoding)
    if format == "auto":
        format = "lines" if looks_like_lines(text) else "columns"
    if format == "lines":
        _refuse_columns(path, features, "lines" if features else format)
        return read_lines(text, path), None
    return read_columns(text, path, words, tags, features, delimiter)


def _refuse_columns(path: str, features: Sequence[Name], format: str) -> None:
    if format == "columns":
        raise ConfigError(f"data.format=columns reads one file; {path} is a folder: name the file")
    if features:
        raise ConfigError(f"{path} has a sentence a line, and no columns: leave out data.features")


def _folder(path: str, encoding: str | None) -> Tagged:
    """A folder of seq.in, seq.out and, where the sentences have intents, label."""
    folder = os.path.expanduser(path)
    names = [os.path.join(path, name) for name in _PARALLEL]
    for name in names[:2]:
        if not os.path.isfile(os.path.expanduser(name)):
            raise ConfigError(
                f"{path} is a folder without {os.path.basename(name)}: seq.in holds a sentence a line, seq.out its tags"
            )
    texts = [_text(name, encoding) for name in names[:2]]
    intents = _text(names[2], encoding) if os.path.isfile(os.path.join(folder, _PARALLEL[2])) else None
    found = read_parallel(texts[0], texts[1], intents, (names[0], names[1], names[2]))
    what = "sentences in seq.in, tags in seq.out" + ("" if intents is None else ", intents in label")
    return replace(found, notes=(f"{path}: {what}",))


def _text(path: str, encoding: str | None) -> str:
    expanded = os.path.expanduser(path)
    if os.path.isfile(expanded) and os.path.getsize(expanded) == 0:
        raise ConfigError(f"{path} is empty: it holds no sentence")
    path = open_path(path)
    with open(path, encoding=find_encoding(path, encoding), newline="") as file:
        return file.read()


def looks_like_lines(text: str) -> bool:
    """Whether lines are sentences, ``words<tab>tags``: all have a tab, and at least half of them several words."""
    cells = [line.split("\t") for line in text.split("\n") if line.strip()]
    if not all(len(found) in (2, 3) for found in cells):
        return False
    return 2 * sum(len(found[0].split()) > 1 for found in cells) >= len(cells) > 0


def _refuse_other_kinds(held: Mapping[str, Tagged]) -> None:
    """Raises ConfigError if one file has intents and another has not."""
    for file in held.values():
        if (file.intents is None) != (held["train"].intents is None):
            has = "no intents" if file.intents is None else "intents"
            raise ConfigError(f"{file.path} has {has}, unlike {held['train'].path}: give all files the same form")
