"""What the comment lines on top of ``conf/<group>/<option>.yaml`` declare; the only source of rules, titles and facts.

The first line is the option's title. Then, any of:

- ``reads: vector, sequence``  kinds a model reads, in order of preference
- ``gives: image, class``  facts that hold when this option is chosen
- ``needs: TERM [or TERM …] -- REASON``  refused otherwise, as "<group>=<option> REASON"; a TERM is a fact,
  ``group=option``, ``group!=option`` or ``key.path OP number``
- ``takes: normalization=none|layer, init``  the part groups that reach this option
- ``range: dropout >= 0, dropout < 1``, ``one of: pool = max | average``, ``match: every = REGEX -- REASON``
- ``paths: path`` and ``columns: label``  keys whose values are file and column names, quoted before Hydra reads them
- ``overrides: train``  keys whose values are lists of overrides, each quoted before Hydra reads them
- ``checked by: package.module.function``  ``function(node) -> facts``, raising ConfigError; imports no torch
- ``one each: dropout = channels + 1 -- OF WHAT``  a list here has as many values: lengths of lists and numbers, summed
- ``extra: vision = torchvision``  the optional dependency, and what is imported of it
- ``inert: REASON``  why it changes nothing observable
- ``published: test/accuracy 0.761 -- Kim 2014, table 2``  what an experiment is held against; ``ours: …`` what it gave

Keys are relative to the option's node; those of ``needs`` are whole. Everything else in a header is prose.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from assay.composition.published import Figure, figure
from assay.errors import ConfigError

WORDS = (
    "reads",
    "gives",
    "needs",
    "takes",
    "range",
    "one of",
    "match",
    "one each",
    "paths",
    "columns",
    "overrides",
    "checked by",
    "extra",
    "inert",
    "published",
    "ours",
)
_LINE = re.compile(rf"({'|'.join(WORDS)}):\s*(.*)")
_RANGE = re.compile(r"([\w.]+)\s*(>=|<=|!=|==|>|<)\s*([-+.\w]+)")
_WHOLE = re.compile(r":\s*\$\{(\w+)\}")
_SIBLINGS = re.compile(r"^defaults:\s*\[([\w, ]*)\]", re.MULTILINE)


@dataclass(frozen=True)
class Bound:
    """``key OP number``, one end of a range or a term of a rule."""

    key: str
    sign: str
    number: float

    def holds(self, value: float) -> bool:
        number = self.number
        match self.sign:
            case ">=":
                return value >= number
            case "<=":
                return value <= number
            case ">":
                return value > number
            case "<":
                return value < number
            case "==":
                return value == number
        return value != number

    def __str__(self) -> str:
        return f"{self.sign} {self.number:g}"


@dataclass(frozen=True)
class Rule:
    """``needs:`` any of the terms, else the reason."""

    terms: tuple[str, ...]
    reason: str


@dataclass
class Option:
    """One YAML file and what its header declares."""

    group: str
    name: str
    path: Path
    title: str = ""
    global_: bool = False
    reads: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    needs: list[Rule] = field(default_factory=list)
    takes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bounds: list[Bound] = field(default_factory=list)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    matches: dict[str, tuple[str, str]] = field(default_factory=dict)
    counts: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    extra: str = ""
    libraries: tuple[str, ...] = ()
    inert: str = ""
    published: list[Figure] = field(default_factory=list)
    ours: list[Figure] = field(default_factory=list)
    parts: frozenset[str] = frozenset()
    siblings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.group}={self.name}" if self.group else self.name

    @property
    def node(self) -> str:
        """Where its keys lie in the config: '' is the top."""
        return "" if self.global_ else self.group.replace("/", ".")

    def key(self, relative: str) -> str:
        return f"{self.node}.{relative}" if self.node else relative


def read(path: Path, group: str, name: str) -> Option:
    """The option of one file. A header that cannot be read is refused by name: it may be the user's own."""
    text = path.read_text(encoding="utf-8")
    option = Option(group, name, path)
    option.parts = frozenset(_WHOLE.findall(text))
    if group and (found := _SIBLINGS.search(text)):
        option.siblings = tuple(word.strip() for word in found[1].split(",") if word.strip())
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        words = line[1:].strip()
        if words.startswith("@package"):
            option.global_ = words.split()[1] == "_global_"
        elif not option.title:
            option.title = words
        elif found := _LINE.match(words):
            try:
                _declare(option, found[1], found[2])
            except ValueError as error:
                raise ConfigError(f"{path}: the header line '{words}' cannot be read: {error}") from error
    return option


def _declare(option: Option, word: str, text: str) -> None:
    match word:
        case "reads" | "gives" | "paths" | "columns" | "overrides":
            setattr(option, word, _list(text))
        case "inert":
            option.inert = text
        case "published" | "ours":
            getattr(option, word).append(figure(text))
        case "extra":
            extra, sign, libraries = text.partition("=")
            option.extra, option.libraries = extra.strip(), _list(libraries)
            if not sign or not option.libraries:
                raise ValueError("write EXTRA = MODULE")
        case "checked by":
            option.checks += _list(text)
        case "needs":
            terms, dash, reason = text.partition(" -- ")
            if not dash:
                raise ValueError("write TERM -- REASON")
            option.needs.append(Rule(tuple(term.strip() for term in terms.split(" or ")), reason.strip()))
        case "takes":
            for part in _list(text):
                group, _, allowed = part.partition("=")
                option.takes[group] = tuple(allowed.split("|")) if allowed else ()
        case "range":
            option.bounds += [bound(part) for part in _list(text)]
        case "one of":
            key, sign, values = text.partition("=")
            if not sign:
                raise ValueError("write key = one | other")
            option.choices[key.strip()] = tuple(value.strip() for value in values.split("|"))
        case "match":
            rule, dash, reason = text.partition(" -- ")
            key, sign, pattern = rule.partition("=")
            if not dash or not sign:
                raise ValueError("write key = REGEX -- REASON")
            option.matches[key.strip()] = (pattern.strip(), reason.strip())
        case "one each":
            rule, dash, what = text.partition(" -- ")
            key, sign, terms = rule.partition("=")
            if not dash or not sign:
                raise ValueError("write key = OTHER + NUMBER -- OF WHAT")
            option.counts[key.strip()] = (tuple(term.strip() for term in terms.split("+")), what.strip())


def bound(text: str) -> Bound:
    found = _RANGE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is not key OP number")
    return Bound(found[1], found[2], float(found[3]))


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


class Catalogue:
    """Every option of the folders, in the order in which Hydra searches them: the first of a name wins.

    Attributes:
        groups: {group: {name: Option}}.
        top: what ``config.yaml`` declares of the keys that belong to no group.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.groups: dict[str, dict[str, Option]] = {}
        self.top = Option("", "config", folders[0] / "config.yaml")
        for number, folder in enumerate(folders):
            for path, group in _files(folder):
                name = path.stem
                if group:
                    options = self.groups.setdefault(group, {})
                    if name not in options:
                        options[name] = read(path, group, name)
                elif number == 0 and name == "config":
                    self.top = read(path, "", name)
                    self.top.global_ = True

    @cached_property
    def parts(self) -> frozenset[str]:
        """The groups that reach a run only through an option that takes them."""
        named = {group for option in self for group in (*option.takes, *option.parts)}
        return frozenset(group for group in named if group in self.groups)

    def __iter__(self) -> Iterator[Option]:
        for options in self.groups.values():
            yield from options.values()

    def chosen(self, group: str, name: str) -> list[Option]:
        """The option and those of its own group that it starts from (``defaults: [auto]``)."""
        option = self.groups.get(group, {}).get(name)
        if option is None:
            return []
        return [option, *(base for sibling in option.siblings for base in self.chosen(group, sibling))]


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for place, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if name not in ("hydra", "__pycache__"))
        group = os.path.relpath(place, folder).replace(os.sep, "/")
        for name in sorted(names):
            if name.endswith(".yaml"):
                yield Path(place, name), "" if group == "." else group
