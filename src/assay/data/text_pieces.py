"""Text files read piece by piece, whatever their size. No torch here."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.data.text_files import Region, Split
from assay.errors import ConfigError

Breaks = Literal["none", "files", "blank_lines"]
BLOCK = 1 << 20  # bytes read at a time
_LONGEST = 1 << 22  # characters of a line; a longer one is cut behind a space


@dataclass(frozen=True)
class Piece:
    """Whole lines of a document, the last of which may go on in the next piece; ``opens``: a document begins here."""

    text: str
    opens: bool


def pieces(regions: Split, breaks: Breaks, encoding: str, end_lines: bool) -> Iterator[Piece]:
    """The text of a split. ``\\r\\n`` is read as a line break.

    Args:
        breaks: where a document ends: nowhere, with its file, or with that and at blank lines, which are left out.
        end_lines: the last line of a file has an end, though the file does not write it; otherwise only where the text
            goes on in the next file.
    Raises:
        ConfigError: a file is no text in this encoding; its byte is named.
    """
    opens = True
    for number, region in enumerate(regions):
        open_line = False
        for text in _texts(region, encoding):
            open_line = not text.endswith("\n")
            if breaks == "blank_lines":
                for part in _documents(text):
                    opens = opens or part is None
                    if part is not None:
                        yield Piece(part, opens)
                        opens = False
            else:
                yield Piece(text, opens)
                opens = False
        goes_on = breaks == "none" and number + 1 < len(regions)
        if open_line and region.stop == region.size and (end_lines or goes_on):
            yield Piece("\n", False)
        opens = opens or breaks != "none"


def _texts(region: Region, encoding: str) -> Iterator[str]:
    """Runs of whole lines of a file."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if _is_utf8(encoding) and not region.begin else encoding)()
    kept, at = "", region.begin
    with open(region.path, "rb") as file:
        file.seek(at)
        while block := file.read(min(BLOCK, region.stop - at)):
            at += len(block)
            kept += _decoded(decoder, block, at == region.stop, region, at)
            cut = kept.rfind("\n") + 1
            if not cut and len(kept) > _LONGEST:
                cut = kept.rfind(" ") + 1 or len(kept) - kept.endswith("\r")
            if cut:
                yield kept[:cut].replace("\r\n", "\n")
                kept = kept[cut:]
    if kept:
        yield kept.replace("\r\n", "\n")


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, final: bool, region: Region, end: int) -> str:
    waiting = len(decoder.getstate()[0])
    try:
        text = decoder.decode(block, final)
    except UnicodeDecodeError as error:
        where = end - len(block) - waiting + error.start
        raise ConfigError(
            f"{region.path}, byte {where:,}: no text in this encoding; name it with data.encoding=latin-1 or another, "
            "or unpack the file"
        ) from None
    if "\0" in text:
        raise ConfigError(f"{region.path} holds a character 0, so it is no text: unpack it, or name another file")
    return text


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def _documents(text: str) -> Iterator[str | None]:
    """Runs of lines that are not blank; None where a blank one stands."""
    for run in re.split(r"(^[^\S\n]*\n)", text, flags=re.MULTILINE):
        if run.strip():
            yield run
        elif run:
            yield None


def refuse_encoding(encoding: str) -> None:
    """Raises ConfigError if there is no such encoding, or a line break is not a single byte in it."""
    try:
        plain = "\n ".encode(encoding) == b"\n "
    except LookupError:
        raise ConfigError(f"data.encoding={encoding} is unknown; write utf-8, latin-1 or cp1252") from None
    if not plain:
        raise ConfigError(f"data.encoding={encoding} cannot be cut at lines: convert the files to utf-8")


def first_piece(regions: Sequence[Region], encoding: str) -> None:
    """Reads the beginning of each file, so that what is no text is refused before anything else is done."""
    for region in regions:
        next(_texts(region, encoding), None)
