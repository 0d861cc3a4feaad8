"""Reading a delimited text file: encoding and delimiter found, every bad row named by its line. No torch here.

One reader serves the checks before training, training itself and prediction.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from assay.errors import ConfigError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SAMPLE_LINES = 400  # looked at to find the delimiter
_CHUNK_ROWS = 4096

csv.field_size_limit(2**31 - 1)  # the default refuses cells over 131,072 characters; a text may be longer


@dataclass(frozen=True)
class Columns:
    """Some columns of one file.

    lines: (N) the line each row starts on.
    cells: column name -> (N) cells, white space around them taken off.
    header: all column names, in the file's order.
    notes: what was found.
    """

    path: str
    lines: list[int]
    cells: dict[str, list[str]]
    header: list[str]
    notes: list[str]

    def at(self, row: int) -> str:
        """Where a row is, as a message begins."""
        return f"{self.path}, line {self.lines[row]}"


def read_columns(
    path: str,
    wanted: Sequence[str] | None = None,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    keys: dict[str, str] | None = None,
    least: int = 2,
) -> Columns:
    """Reads the wanted columns of a file with a header line; None: all that have a name.

    Blank lines are skipped; a column without a name (an exported row number) is left out, with a note.

    Args:
        keys: column -> the switch that named it, for the refusal of an unknown one.
        least: columns that the file must have; one is enough for texts to predict.
    Raises:
        ConfigError: anything wrong with the file, with the line.
    """
    path = open_path(path)
    encoding = find_encoding(path, encoding)
    delimiter = find_delimiter(path, encoding, delimiter, wanted or ())
    rows = _rows(path, encoding, delimiter)
    _, header = next(rows, (0, []))
    if not header:
        raise ConfigError(f"{path} is empty: the first line must name the columns")
    header = [name.strip() for name in header]
    notes = [f"{path}: {DELIMITERS.get(delimiter, repr(delimiter))}-separated, {encoding}"]
    for name in header:
        if name and header.count(name) > 1:
            raise ConfigError(f"{path}, line 1: the column {name!r} appears {header.count(name)} times; rename one")
    if len(header) < least:
        raise ConfigError(
            f"{path}, line 1: only one column, {_short(header[0])}; if its cells are separated by something other than "
            f"{', '.join(DELIMITERS.values())}, name it with data.delimiter="
        )
    for number, name in enumerate(header, 1):
        if not name:
            notes.append(f"{path}: column {number} has no name and is left out")
    names = [name for name in header if name] if wanted is None else list(dict.fromkeys(wanted))
    for name in names:
        if name not in header:
            raise ConfigError(f"{path} has no column {name!r}{nearest(name, header, (keys or {}).get(name))}")
    places = [header.index(name) for name in names]
    lines: list[int] = []
    cells: list[list[str]] = [[] for _ in names]
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        for line, row in chunk:
            if len(row) != len(header):
                raise ConfigError(
                    f"{path}, line {line}: expected {len(header)} cells, found {len(row)}; "
                    f"quote cells that hold a {DELIMITERS.get(delimiter, repr(delimiter))}"
                )
            lines.append(line)
        across = list(zip(*(row for _, row in chunk), strict=True))
        for column, place in zip(cells, places, strict=True):
            column.extend(map(str.strip, across[place]))
    if not lines:
        raise ConfigError(f"{path} holds a header and no rows")
    return Columns(path, lines, dict(zip(names, cells, strict=True)), header, notes)


def open_path(path: str) -> str:
    """The path of a readable, non-empty file, ``~`` expanded."""
    path = os.path.expanduser(str(path))
    if os.path.isdir(path):
        raise ConfigError(f"{path} is a folder, not a file of rows")
    if not os.path.isfile(path):
        raise ConfigError(f"{path} is not there{_nearest_file(path)}")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"{path} may not be read: its permissions forbid it")
    if os.path.getsize(path) == 0:
        raise ConfigError(f"{path} is empty: the first line must name the columns")
    return path


def _nearest_file(path: str) -> str:
    folder, name = os.path.split(path)
    if not os.path.isdir(folder or "."):
        return f", nor is its folder {folder}; name a file that exists"
    close = difflib.get_close_matches(name, os.listdir(folder or "."), 1)
    return f"; did you mean {os.path.join(folder, close[0])}?" if close else "; name a file that exists"


def nearest(name: str, known: Sequence[str], key: str | None = None, noun: str = "columns") -> str:
    """How a refusal of an unknown name ends: the nearest one, and all of them if they are few."""
    by_case = {option.lower(): option for option in known if option}
    close = difflib.get_close_matches(name.lower(), by_case, 1)
    switch = f"{key}=" if key else ""
    guess = f"; did you mean {switch}{by_case[close[0]]}?" if close else ""
    listed = ", ".join(option for option in known[:12] if option) + (", …" if len(known) > 12 else "")
    return f"{guess} ({noun}: {listed})"


def find_encoding(path: str, given: str | None = None) -> str:
    """The encoding of a file: the one given, a byte order mark's, UTF-8 if all of it decodes, else Windows-1252.

    A file that is mostly UTF-8 with a broken byte is refused, not read as Windows-1252, which would garble the rest.

    Raises:
        ConfigError: an unknown encoding; bytes that do not decode, or NUL, with the line; a binary file.
    """
    with open(path, "rb") as file:
        start = file.read(4)
    for magic, what in {
        b"PK\x03\x04": "a zip archive or Excel workbook: save the sheet as CSV",
        b"\x1f\x8b": "compressed by gzip: unpack it first",
        b"PAR1": "a Parquet file: save it as CSV",
    }.items():
        if start.startswith(magic):
            raise ConfigError(f"{path} is {what}")
    if given is not None:
        try:
            codecs.lookup(given)
        except LookupError:
            raise ConfigError(f"data.encoding={given} is unknown; usual ones: utf-8, cp1252, latin-1, utf-16") from None
        encoding = given
    elif start.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        encoding = "utf-8"
    bad = _first_bad_byte(path, encoding)
    if bad is None:
        return encoding
    line, byte = bad
    if given is not None:
        raise ConfigError(
            f"{path}, line {line}: the byte 0x{byte:02x} is not {given}; without data.encoding it is found"
        )
    with open(path, "rb") as file:
        text = file.read().decode("utf-8", "surrogateescape")
    broken = sum("\udc80" <= letter <= "\udcff" for letter in text)
    whole = sum(letter > "\x7f" for letter in text) - broken
    if encoding != "utf-8" or whole > broken:
        raise ConfigError(
            f"{path}, line {line}: the byte 0x{byte:02x} is not UTF-8, as the rest of the file is; "
            f"mend the line, or name another encoding with data.encoding="
        )
    if bad := _first_bad_byte(path, "cp1252"):
        raise ConfigError(
            f"{path}, line {bad[0]}: the byte 0x{bad[1]:02x} is neither UTF-8 nor Windows-1252; "
            f"name the encoding with data.encoding= (latin-1, utf-16, …)"
        )
    return "cp1252"


def _first_bad_byte(path: str, encoding: str) -> tuple[int, int] | None:
    """(line, byte) that does not decode, or None. NUL bytes are refused here."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with open(path, "rb") as file:
        while True:
            block = file.read(1 << 20)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n"), error.object[error.start]
            if (nul := text.find("\0")) >= 0:
                raise ConfigError(
                    f"{path}, line {line + text[:nul].count(chr(10))}: a NUL byte: this is not a table of text, "
                    f"or it is UTF-16 (data.encoding=utf-16-le)"
                )
            line += text.count("\n")
            if not block:
                return None


def find_delimiter(path: str, encoding: str, given: str | None, wanted: Sequence[str] = ()) -> str:
    """The delimiter of a file: the one given (a character or its name), else the best of comma, semicolon, tab, bar.

    Each is tried on the first rows. The best gives a header with the columns the user named; then the largest share of
    rows as long as the header; then the most columns. (``csv.Sniffer`` takes letters for delimiters in prose.)
    """
    if given is not None:
        named = {name: sign for sign, name in DELIMITERS.items()} | {"\\t": "\t"}
        given = named.get(given, given)
        if len(given) != 1 or given in '"\r\n':
            raise ConfigError(f"data.delimiter={given!r} is not one character, nor {', '.join(DELIMITERS.values())}")
        return given
    with open(path, encoding=encoding, newline="") as file:
        sample = list(islice(file, _SAMPLE_LINES + 1))

    def score(sign: str) -> tuple[bool, float, int]:
        rows = [row for row in csv.reader(sample[:_SAMPLE_LINES], delimiter=sign) if row]
        if len(sample) > _SAMPLE_LINES:
            rows = rows[:-1]  # may be cut within a quoted cell
        if not rows or len(rows[0]) < 2:
            return False, 0.0, 1
        header = [name.strip() for name in rows[0]]
        alike = sum(len(row) == len(header) for row in rows[1:]) / max(len(rows) - 1, 1)
        return set(wanted) <= set(header), alike, len(header)

    return max(DELIMITERS, key=score)


def _rows(path: str, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line a row starts on, cells), without blank lines."""
    with open(path, encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        line = 1
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                what = (
                    "the quote opened in this row never closes"
                    if "end of data" in str(error)
                    else "a quoted cell goes on after its closing quote"
                )
                raise ConfigError(f'{path}, line {line}: {what}; inside a quoted cell a quote is written ""') from None
            if row:
                yield line, row
            line = reader.line_num + 1


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:39] + "…")
