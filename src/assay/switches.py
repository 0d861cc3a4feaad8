"""``assay switches``: what can be chosen, and what is refused, as the headers of conf/ say it."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from assay.composition.headers import Catalogue, Option
from assay.composition.locations import conf_folder, declared_folders
from assay.composition.nearest import listed, near
from assay.errors import ConfigError

_DEFAULT = re.compile(r"^  - (?:optional )?([\w/]+): *([\w\[\], ]+?) *(?:#.*)?$")


def catalogue() -> Catalogue:
    return Catalogue([conf_folder(), *(folder for _, folder in declared_folders())])


def switches_command(group: str | None, rules: bool, markdown: bool, write: str | None) -> int:
    """Prints the table of switches or rules, or brings those of a Markdown file up to date."""
    found = catalogue()
    if group is not None and group not in found.groups:
        nearest = near(group, found.groups)
        holding = [option.label for option in found if option.name == group]
        hint = f"did you mean {nearest[0]}?" if nearest else f"{listed(holding)} is an option" if holding else ""
        raise ConfigError(f"'{group}' is not a group; {hint or 'groups are ' + ', '.join(found.groups)}")
    if write is not None:
        path = Path(write)
        if not path.is_file():
            raise ConfigError(f"--write {write} is not a file")
        text = path.read_text(encoding="utf-8")
        path.write_text(filled(text, found), encoding="utf-8")
    elif markdown:
        print(rules_markdown(found) if rules else switches_markdown(found))
    elif rules:
        _print_rows((option.label, line) for option in _of(found, group) for line in rule_lines(option))
    else:
        _print_groups(found, group)
    return 0


def _of(found: Catalogue, group: str | None) -> Iterable[Option]:
    return found if group is None else found.groups[group].values()


def _print_groups(found: Catalogue, group: str | None) -> None:
    chosen = defaults()
    for name, options in sorted(found.groups.items()):
        if group in (None, name):
            print(name)
            mark = chosen.get(name)
            _print_rows((f"  {one}{' *' if one == mark else ''}", _told(option)) for one, option in options.items())
    print("* the default; another option may choose for you, and what you type wins")


def _told(option: Option) -> str:
    """The title, and of an experiment what it is held against."""
    return " ".join([option.title, *(f"Published: {one.metric} {one.value:g}." for one in option.published[:1])])


def _print_rows(rows: Iterable[tuple[str, str]]) -> None:
    """Two columns, the second wrapped to the terminal; a pipe gets each row on one line."""
    rows = list(rows)
    left = max((len(word) for word, _ in rows), default=0) + 2
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for word, text in rows:
        if wide >= left + 20:
            text = textwrap.fill(text, wide - left).replace("\n", "\n" + " " * left)
        print(f"{word:<{left}}{text}".rstrip())


def defaults() -> dict[str, str]:
    """{group: option} of config.yaml's defaults list."""
    lines = (conf_folder() / "config.yaml").read_text(encoding="utf-8").splitlines()
    return {found[1]: found[2] for line in lines if (found := _DEFAULT.match(line))}


def rule_lines(option: Option) -> list[str]:
    """What an option refuses, in the words of the refusals."""
    lines = [rule.reason for rule in option.needs]
    if option.reads:
        lines.append(f"reads {listed(option.reads)}")
    lines += [f"takes {group}={listed(allowed)}" for group, allowed in option.takes.items() if allowed]
    lines += [f"{option.key(limit.key)} {limit}" for limit in option.bounds]
    lines += [f"{option.key(key)} is one of {', '.join(allowed)}" for key, allowed in option.choices.items()]
    lines += [f"{option.key(key)} must match {pattern}" for key, (pattern, _) in option.matches.items()]
    return lines


def switches_markdown(found: Catalogue) -> str:
    """One row a group: its options, the default in bold."""
    chosen = defaults()
    rows = ["| switch | options |", "| --- | --- |"]
    for name, options in sorted(found.groups.items()):
        words = (f"**`{one}`**" if one == chosen.get(name) else f"`{one}`" for one in options)
        rows.append(f"| `{name}` | {', '.join(words)} |")
    return "\n".join(rows)


def rules_markdown(found: Catalogue) -> str:
    """One row for each rule between options; ranges are in the YAML files."""
    rows = ["| option | |", "| --- | --- |"]
    for option in sorted(found, key=lambda one: one.label):
        lines = [rule.reason for rule in option.needs]
        lines += [f"reads {listed(option.reads)}"] if option.reads else []
        lines += [f"takes {group}={listed(allowed)}" for group, allowed in option.takes.items() if allowed]
        rows += [f"| `{option.label}` | {line.replace('|', chr(92) + '|')} |" for line in lines]
    parts: Mapping[str, list[str]] = {part: _takers(part, found) for part in sorted(found.parts)}
    rows += [f"| `{part}=…` | reaches {listed(takers, 'and')} alone |" for part, takers in parts.items()]
    return "\n".join(rows)


def _takers(part: str, found: Catalogue) -> list[str]:
    return [f"`{option.label}`" for option in found if part in option.takes or part in option.parts]


def filled(text: str, found: Catalogue) -> str:
    """A Markdown text with its tables between ``<!-- switches -->`` and ``<!-- rules -->`` markers made anew.

    Raises:
        ConfigError: the markers are not there.
    """
    for name, table in (("switches", switches_markdown(found)), ("rules", rules_markdown(found))):
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1 or text.index(start) > text.index(end):
            raise ConfigError(f"the text has no {start} … {end}; put both markers where the table belongs")
        before, rest = text.split(start)
        text = f"{before}{start}\n{table}\n{end}{rest.split(end)[1]}"
    return text
