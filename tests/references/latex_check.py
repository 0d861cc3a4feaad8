"""A reader of LaTeX tables that takes nothing on trust: it tokenises as TeX does and refuses what would not compile.

It knows the commands that may stand there and how many arguments they take; anything else is an error. Imports nothing
of ours.
"""

from __future__ import annotations

import re

TAKES = {
    **dict.fromkeys(("textbf", "textsuperscript", "caption", "label", "begin", "end", "parbox"), 1),
    "providecommand": 2,
    "setlength": 2,
    **dict.fromkeys(("centering", "toprule", "midrule", "bottomrule", "hline", "par", "medskip", "footnotesize"), 0),
    "scriptsize": 0,
    **dict.fromkeys(
        ("textbackslash", "textasciitilde", "textasciicircum", "ldots", "linewidth", "char", "tabcolsep"), 0
    ),
    **dict.fromkeys(("pm", "times", "cdot"), 0),
}
MATH_ONLY = ("pm", "times", "cdot")
SPECIAL = set("&%$#_{}~^\\")


class WouldNotCompile(AssertionError):
    pass


def tokens(text: str) -> list[str]:
    found, place = [], 0
    while place < len(text):
        match = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL).match(text, place)
        assert match is not None
        found.append(match[0])
        place = match.end()
    return found


def check(text: str) -> dict:
    """The table that the text prints: its columns, its rows of plain text, its caption and label.

    Raises:
        WouldNotCompile: braces, environments or dollars that do not match, a character that means something else, an
            unknown command, a row with more or fewer columns than were declared.
    """
    _check_tokens(tokens(text))
    environments: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            environments.append(name)
        elif not environments or environments.pop() != name:
            raise WouldNotCompile(f"\\end{{{name}}} without its beginning")
    if environments:
        raise WouldNotCompile(f"{environments} is not ended")
    found = re.search(r"\\begin\{tabular\}\{([lr]+)\}(.*)\\end\{tabular\}", text, re.DOTALL)
    if found is None:
        raise WouldNotCompile("there is no tabular")
    columns, body = found[1], re.sub(r"\\(top|mid|bottom)rule", "", found[2])
    *rows, rest = re.split(r"\\\\", body)
    if rest.strip():
        raise WouldNotCompile(f"{rest.strip()!r} stands after the last row")
    cells = []
    for row in rows:
        if re.match(r"\s*[\[*]", row):
            raise WouldNotCompile(f"{row!r} is read as an option of the row before")
        parts = re.split(r"(?<!\\)&", row)
        if len(parts) != len(columns):
            raise WouldNotCompile(f"{len(parts)} columns in {row!r}; {len(columns)} were declared")
        cells.append([plain(part) for part in parts])
    caption = re.search(r"\\caption\{(.*)\}\n", text)
    label = re.search(r"\\label\{([^{}\\%#&$~^_ ]+)\}", text)
    if caption is None or label is None:
        raise WouldNotCompile("no caption, or a label that cannot be referred to")
    return {"columns": columns, "head": cells[0], "rows": cells[1:], "caption": plain(caption[1]), "label": label[1]}


def _check_tokens(found: list[str]) -> None:
    depth, math = 0, False
    for place, token in enumerate(found):
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
        elif token == "$":
            math = not math
        elif token in ("#", "%", "_", "~", "^") or (token == "&" and depth):
            raise WouldNotCompile(f"a bare {token} after {''.join(found[max(0, place - 20) : place])!r}")
        elif re.fullmatch(r"\\[A-Za-z]+", token):
            if token[1:] not in TAKES:
                raise WouldNotCompile(f"{token} is not known")
            if (token[1:] in MATH_ONLY) != math:
                raise WouldNotCompile(f"{token} in the wrong mode")
            if TAKES[token[1:]] and found[place + 1] != "{":
                raise WouldNotCompile(f"{token} lacks its argument")
        elif not token.isascii() and not (token.isalpha() and ord(token) <= 0x17F):
            raise WouldNotCompile(f"{token} (U+{ord(token):04X}) is not set up")
        if depth < 0:
            raise WouldNotCompile("a } too many")
    if depth or math:
        raise WouldNotCompile("a brace or dollar that is not closed")


def plain(text: str) -> str:
    """As a reader sees it."""
    text = re.sub(r"\\text(bf|superscript)\{((?:[^{}]|\{\})*)\}", r"\2", text.strip())
    words = {"pm": "±", "times": "×", "cdot": "·", "textbackslash": "\\", "textasciitilde": "~", "ldots": "…"}
    words |= {"textasciicircum": "^"}
    text = re.sub(r"\\char34(\{\})?", '"', text)
    text = re.sub(r"\\([A-Za-z]+)(\{\})?", lambda one: words[one[1]], re.sub(r"(?<!\\)\$", "", text))
    return re.sub(r"\\([&%$#_{}])", r"\1", re.sub(r"(?<!\\)\{\}", "", text)).replace("--", "–")
