"""A sentence a line: its words, then its tags, in one file or in two. No torch here."""

from __future__ import annotations

from assay.data.tagged import Tagged, refuse_empty
from assay.errors import ConfigError

BEGIN, END = "BOS", "EOS"


def read_parallel(words: str, tags: str, intents: str | None, names: tuple[str, str, str]) -> Tagged:
    """Files that go together line by line: words (``seq.in``), tags (``seq.out``) and what the sentence asks for
    (``label``). Lines without words and tags are left out.

    Args:
        words, tags, intents: the texts of the files; intents None where there is no such file.
        names: as messages name them.
    Raises:
        ConfigError: with the line: files of different lengths, or another number of tags than of words.
    """
    held, answers = _rows(words), _rows(tags)
    asked = None if intents is None else _rows(intents)
    for name, rows in ((names[1], answers), *(() if asked is None else ((names[2], asked),))):
        if len(rows) != len(held):
            raise ConfigError(
                f"{names[0]} has {len(held):,} lines and {name} {len(rows):,}: they go together line by line"
            )
    found = Tagged(names[1], [], [], [], intents=None if asked is None else [])  # what may be wrong later are tags
    for number, (row, answer) in enumerate(zip(held, answers, strict=True), 1):
        _add(found, row.split(), answer.split(), number, f"{names[1]}, line {number}")
        if asked is not None and found.intents is not None and row.split():
            intent = asked[number - 1].strip()
            if not intent:
                raise ConfigError(f"{names[2]}, line {number}: no intent for {row[:40]!r}")
            found.intents.append(intent)
    refuse_empty(found)
    return found


def read_lines(text: str, path: str) -> Tagged:
    """``words<tab>tags`` a line, with an intent as a third cell, or as one tag more than there are words.

    Where all sentences stand between ``BOS`` and ``EOS``, these are no words: their tags are left out, and the tag of
    ``EOS`` is the intent where it is not O (the ATIS files of Chen et al. 2016).

    Raises:
        ConfigError: with the line: other cells, another number of tags than of words, an intent that is missing.
    """
    rows = [(number, line) for number, line in enumerate(_rows(text), 1) if line.strip()]
    cells = [(number, [cell.split() for cell in line.split("\t")]) for number, line in rows]
    for number, found in cells:
        if len(found) not in (2, 3):
            raise ConfigError(f"{path}, line {number}: {len(found)} cells; words, a tab and their tags are expected")
    framed = bool(cells) and all(found[0][:1] == [BEGIN] and found[0][-1:] == [END] for _, found in cells)
    tagged, intents = Tagged(path, [], [], []), []
    for number, found in cells:
        words, tags = found[0], found[1]
        intent = " ".join(found[2]) if len(found) == 3 else None
        if intent is None and len(tags) == len(words) + 1:
            intent = tags.pop()
        if framed and len(words) == len(tags) and len(words) >= 2:
            intent = tags[-1] if intent is None and tags[-1] != "O" else intent
            words, tags = words[1:-1], tags[1:-1]
        _add(tagged, words, tags, number, f"{path}, line {number}")
        if words:
            intents.append(intent)
    refuse_empty(tagged)
    said = [intent for intent in intents if intent]
    if not said:
        return _noted(tagged, framed, None)
    if len(said) < len(intents):
        place = next(place for place, intent in enumerate(intents) if not intent)
        raise ConfigError(f"{tagged.at(place)}: no intent, where other lines have one")
    return _noted(tagged, framed, said)


def _rows(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [line.rstrip("\r") for line in lines]


def _add(found: Tagged, words: list[str], tags: list[str], number: int, where: str) -> None:
    if len(words) != len(tags):
        raise ConfigError(
            f"{where}: {len(words)} word{'' if len(words) == 1 else 's'} and {len(tags)} "
            f"tag{'' if len(tags) == 1 else 's'}"
        )
    if words:
        found.words.append(words)
        found.tags.append(tags)
        found.lines.append([number] * len(words))


def _noted(tagged: Tagged, framed: bool, intents: list[str] | None) -> Tagged:
    what = "a sentence a line, words and tags" + ("" if intents is None else ", and its intent")
    marks = f"; {BEGIN} and {END} are left out" if framed else ""
    return Tagged(
        tagged.path,
        tagged.words,
        tagged.tags,
        tagged.lines,
        tagged.features,
        intents,
        (f"{tagged.path}: {what}{marks}",),
    )
