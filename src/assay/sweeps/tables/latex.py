"""A sheet as LaTeX that compiles as it is printed, in any document: booktabs' rules where that package is loaded, plain
lines where it is not. Nothing a user may have named can break it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from assay.sweeps.tables.sheet import Sheet, Text

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': r"\char34{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "…": r"\ldots{}",
    "·": r"$\cdot$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
_LINE = 345
"""Points of a line of the class article."""
_SIZES = (("", 5.0, 6.0), (r"\footnotesize", 4.4, 3.0))
"""How a table that is wider is set, with the width of a digit and what stands beside each column: of ten, of eight
points; of seven where that is too wide still."""

_RULES = r"""\providecommand{\toprule}{\hline}
\providecommand{\midrule}{\hline}
\providecommand{\bottomrule}{\hline}"""
_LAST_LATIN = 0x17F  # letters up to here are set by every LaTeX since 2018


def latex(sheet: Sheet, label: str) -> Iterator[str]:
    """A floating table with its caption above and what is to be said below.

    Args:
        label: of ``\\label``, of letters, digits, hyphens and colons.
    """
    yield from _RULES.splitlines()
    yield r"\begin{table}"
    yield r"  \centering"
    yield f"  \\caption{{{escaped(sheet.title)}.}}"
    yield f"  \\label{{{re.sub(r'[^A-Za-z0-9:-]+', '-', label)}}}"
    if size := next((size for size, *widths in _SIZES if _points(sheet, *widths) <= _LINE), r"\scriptsize"):
        yield f"  {size}\\setlength{{\\tabcolsep}}{{3pt}}"
    yield f"  \\begin{{tabular}}{{{''.join('r' if numeric else 'l' for numeric in sheet.numeric)}}}"
    yield r"    \toprule"
    yield f"    {' & '.join(_cell(Text(name)) for name in sheet.names)} \\\\"
    yield r"    \midrule"
    for row in sheet.rows:
        yield f"    {' & '.join(map(_cell, row))} \\\\"
    yield r"    \bottomrule"
    yield r"  \end{tabular}"
    yield f"  \\par\\medskip\\parbox{{\\linewidth}}{{\\footnotesize {escaped(' '.join(sheet.notes))}}}"
    yield r"\end{table}"


def _points(sheet: Sheet, digit: float, beside: float) -> float:
    """About how wide the tabular is, with so much on each side of a column."""
    cells = [[Text(name) for name in sheet.names], *sheet.rows]
    return sum(2 * beside + digit * max(len(cell.text) for cell in column) for column in zip(*cells, strict=True))


def escaped(text: str) -> str:
    """Any text as LaTeX prints it; a character that not every LaTeX has is named by its number."""
    return "".join(_ESCAPED.get(mark) or _printable(mark) for mark in " ".join(text.split()))


def _printable(mark: str) -> str:
    if mark.isascii():
        return mark if mark.isprintable() else ""
    if unicodedata.category(mark).startswith("L") and ord(mark) <= _LAST_LATIN:
        return mark
    return f"[U+{ord(mark):04X}]"


def _cell(text: Text) -> str:
    """A number and its interval, of which bold sets the number; a minus as one.

    What begins with [ or * would, after the end of a row or a rule, be taken for an option of that."""
    said = escaped(text.text)
    if re.match(r"[+-]?[\d.]", text.text):
        mean, sign, half = said.partition(r" $\pm$ ")
        said = f"{_bold(re.sub('^-', '$-$', mean), text.bold)}{sign}{half}"
        return re.sub(r"\*$", r"\\textsuperscript{*}", said)
    return f"{{}}{_bold(said, text.bold)}" if said.startswith(("[", "*")) else _bold(said, text.bold)


def _bold(text: str, bold: bool) -> str:
    return f"\\textbf{{{text}}}" if bold and text else text
