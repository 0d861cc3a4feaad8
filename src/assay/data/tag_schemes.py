"""How tags mark spans: IOB2, IOB1, or not at all. No torch here.

IOB2 (Ratnaparkhi 1998; CoNLL-2002): B-x begins a span of type x, I-x goes on with it, O is outside. IOB1 (Ramshaw and
Marcus 1995, "Text Chunking using Transformation-Based Learning"; CoNLL-2003): a span begins with I-x, and with B-x only
where it follows another span of its own type at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from assay.data.tagged import Tagged
from assay.errors import ConfigError

SCHEMES = ("auto", "iob2", "iob1", "none")


def is_span_tag(tag: str) -> bool:
    """O, or B- and I- with a type."""
    return tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2)


def goes_on(previous: str, tag: str) -> bool:
    """Whether I-x follows a tag of its own span."""
    return previous[:2] in ("B-", "I-") and previous[2:] == tag[2:]


def as_iob2(tags: Sequence[str]) -> list[str]:
    """IOB1 -> IOB2: an I-x that goes on with nothing begins a span. Legal IOB2 stays as it is."""
    found = []
    previous = "O"
    for tag in tags:
        found.append(f"B-{tag[2:]}" if tag.startswith("I-") and not goes_on(previous, tag) else tag)
        previous = tag
    return found


def begun_by_i(tags: Sequence[str]) -> list[int]:
    """Places where an I-x goes on with nothing, which IOB2 does not allow."""
    before = ["O", *tags]
    return [t for t, tag in enumerate(tags) if tag.startswith("I-") and not goes_on(before[t], tag)]


def begun_by_b(tags: Sequence[str]) -> list[int]:
    """Places where a B-x begins a span that follows none of its type, where IOB1 writes I-x."""
    before = ["O", *tags]
    return [t for t, tag in enumerate(tags) if tag.startswith("B-") and not goes_on(before[t], tag)]


def order(tags: Iterable[str]) -> tuple[str, ...]:
    """Distinct tags as a task lists them: O first, then by type, B before I."""
    return tuple(sorted(set(tags), key=lambda tag: (tag != "O", tag.partition("-")[2], tag)))


def in_scheme(files: dict[str, Tagged], scheme: str) -> tuple[dict[str, Tagged], str, list[str]]:
    """Files with tags as the scheme has them, converted where it is iob1; the scheme they are in then, iob2 or none;
    and what was found.

    Args:
        files: by split, training first, which ``auto`` looks at.
        scheme: of the files as they are; auto finds it: spans if every tag is O, B-x or I-x, IOB1 if there are spans
            that begin with I-x and none that begins with B-x where I-x would do, else IOB2.
    Raises:
        ConfigError: a tag or a sequence of tags that the scheme does not have, with its line.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"data.scheme={scheme} is none of {', '.join(SCHEMES)}")
    train = next(iter(files.values()))
    if scheme == "auto":
        scheme = _found(train)
        said = {
            "iob2": "tags mark spans as IOB2; data.scheme=none takes them as they are",
            "iob1": "tags mark spans as IOB1, and were converted to IOB2; data.scheme=none takes them as they are",
            "none": "tags mark no spans: each is a class of its word; data.scheme=iob2 holds them to spans",
        }[scheme]
    else:
        said = {"iob1": "tags were converted from IOB1 to IOB2", "iob2": "", "none": ""}[scheme]
    notes = [said] if said else []
    if scheme == "none":
        return files, "none", notes
    for file in files.values():
        _refuse_other_tags(file)
    if scheme == "iob1":
        converted = {split: _converted(file) for split, file in files.items()}
        begun = sum(len(begun_by_i(tags)) for file in files.values() for tags in file.tags)
        return converted, "iob2", [f"{notes[0]} ({begun:,} spans began with I-)"]
    for file in files.values():
        _refuse_begun_by_i(file)
    return files, "iob2", notes


def _found(train: Tagged) -> str:
    if not all(is_span_tag(tag) for tag in {tag for tags in train.tags for tag in tags}):
        return "none"
    by_i = any(begun_by_i(tags) for tags in train.tags)
    by_b = any(begun_by_b(tags) for tags in train.tags)
    return "iob1" if by_i and not by_b else "iob2"


def _converted(file: Tagged) -> Tagged:
    return replace(file, tags=[as_iob2(tags) for tags in file.tags])


def _refuse_other_tags(file: Tagged) -> None:
    for sentence, tags in enumerate(file.tags):
        for word, tag in enumerate(tags):
            if not is_span_tag(tag):
                raise ConfigError(
                    f"{file.at(sentence, word)}: the tag {tag!r} of {file.words[sentence][word]!r} is none of O, B-… "
                    "and I-…: mend it, or use data.scheme=none"
                )


def _refuse_begun_by_i(file: Tagged) -> None:
    """Raises ConfigError, naming the first of the places and how many there are."""
    places = [(sentence, word) for sentence, tags in enumerate(file.tags) for word in begun_by_i(tags)]
    if not places:
        return
    sentence, word = places[0]
    tag = file.tags[sentence][word]
    before = file.tags[sentence][word - 1] if word else "the beginning"
    more = f", and {len(places) - 1:,} more like it" if len(places) > 1 else ""
    raise ConfigError(
        f"{file.at(sentence, word)}: {tag} after {before} goes on with a span that has not begun{more}: mend it, use "
        "data.scheme=iob1 if I- may begin a span, or data.scheme=none"
    )
