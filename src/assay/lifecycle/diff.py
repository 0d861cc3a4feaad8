"""``assay diff``: what differs between two runs (typed, resolved, made with, measured), and whether their scores can be
compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay import folder as run_folder
from assay.errors import ConfigError
from assay.lifecycle import records as reading
from assay.lifecycle.listing import cell, plain
from assay.lifecycle.records import Record
from assay.lifecycle.table import Column, colour, lines, terminal_width, total
from assay.screens import lower_is_better, shown

ABSENT = "–"
_MADE_WITH = ("device", "cpu_capability", "machine", "platform", "world_size", "threads", "commit", "source_digest")
_ALWAYS = ("test/", "val/")  # shown even where they are equal
_NO_CONFIG = ("format", "switches", "reads")
_NO_SCORE = ("best_epoch",)


@dataclass(frozen=True)
class Pair:
    """One thing that two runs say, perhaps differently; ``there``: which of them say it at all."""

    key: str
    first: Any
    second: Any
    there: tuple[bool, bool] = (True, True)

    def cells(self) -> tuple[str, str]:
        return self.cell(0), self.cell(1)

    def cell(self, side: int, form: str | None = None) -> str:
        return cell((self.first, self.second)[side], form) if self.there[side] else ABSENT


@dataclass(frozen=True)
class Difference:
    """All that differs. ``apart`` says why the scores cannot be compared, in a few words each; empty: they can."""

    overrides: list[Pair]
    config: list[Pair]
    made_with: list[Pair]
    metrics: list[Pair]
    apart: list[str]


def diff_command(first: str, second: str, format: str) -> int:
    """Prints what differs between two runs.

    Raises:
        ConfigError: one of them is no run.
    """
    a, b = (_record(run) for run in (first, second))
    found = difference(a, b)
    if format == "json":
        print(json.dumps(_as_json(a, b, found), indent=2, ensure_ascii=False), flush=True)
        return 0
    names = shown(a.folder), shown(b.folder)
    print(f"A  {names[0]}  {_ended(a)}\nB  {names[1]}  {_ended(b)}")
    if a.folder == b.folder:
        print("A and B are one run.")
        return 0
    for title, pairs in (("typed", found.overrides), ("config", found.config), ("made with", found.made_with)):
        if pairs:
            print()
            _print_pairs(title, pairs)
    if not found.config:
        print("\nThe resolved configs are the same" + (", under other words." if found.overrides else "."))
    if found.metrics:
        print()
        _print_metrics(found.metrics)
    print()
    print(verdict(a, found.apart), flush=True)
    return 0


def verdict(record: Record, apart: Sequence[str]) -> str:
    if apart:
        return f"Not comparable: {'; '.join(apart)}."
    return f"Comparable: the same data, split and monitor ({record.summary.get('monitor')})."


def difference(a: Record, b: Record) -> Difference:
    """Everything in which two runs differ, metrics side by side."""
    typed = _pairs(_typed(a), _typed(b))
    config = [pair for pair in _pairs(_config(a), _config(b)) if not _implied(pair.key, a, b)]
    environments = [_read_json(one.folder / "environment.json") for one in (a, b)]
    cards = [_data_card(one.folder) for one in (a, b)]
    digests = [env.get("data_digest") or card.get("digest") for env, card in zip(environments, cards, strict=True)]
    made = [
        {
            **env.get("versions", {}),
            **{key: env[key] for key in _MADE_WITH if key in env},
            **({"data digest": digest} if digest else {}),
        }
        for env, digest in zip(environments, digests, strict=True)
    ]
    metrics = [pair for pair in _pairs(_scores(a), _scores(b), equal=True) if _tells(pair)]
    metrics.sort(key=lambda pair: _place(pair.key))
    return Difference(
        typed, config, [_short(pair) for pair in _pairs(made[0], made[1])], metrics, _apart(a, b, digests, cards)
    )


def _record(run: str) -> Record:
    folder = run_folder.find(run)
    if folder.name == "artifact" and (folder / "artifact.json").is_file():
        folder = folder.parent
    try:
        return reading.read(folder)
    except ConfigError as error:
        raise ConfigError(f"{run} is not a run that can be read: {error}; name a run folder, or latest") from error


def _apart(a: Record, b: Record, digests: Sequence[str | None], cards: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    if None in digests:
        known = "neither says" if digests == [None, None] else f"{'A' if digests[0] is None else 'B'} does not say"
        found.append(f"{known} what data it saw")
    elif digests[0] != digests[1]:
        found.append("the data differ")
    sizes = [card.get("sizes") for card in cards]
    split = [one.config("data.split_seed") for one in (a, b)]
    if split[0] != split[1] or (None not in sizes and sizes[0] != sizes[1]):
        found.append("the splits differ")
    watched = [one.summary.get("monitor") or one.config("monitor")[1] for one in (a, b)]
    if None not in watched and watched[0] != watched[1]:
        found.append(f"A watches {watched[0]}, B {watched[1]}")
    verb = {"failed": "failed", "running": "is running"}
    ends = [(name, one.status) for name, one in (("A", a), ("B", b)) if one.status != "done"]
    return [*found, *(f"{name} {verb.get(status, f'was {status}')}" for name, status in ends)]


def _data_card(folder: Path) -> dict[str, Any]:
    """What the data were: from data.json, or of an older run from its artifact."""
    return _read_json(folder / "data.json") or _read_json(folder / "artifact" / "artifact.json").get("card", {})


def _typed(record: Record) -> dict[str, str]:
    found = {}
    for override in record.overrides:
        key, sign, value = override.partition("=")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and value[0] not in value[1:-1]
        found[key] = value[1:-1] if quoted else value if sign else "(left out)"
    return found


def _config(record: Record) -> dict[str, Any]:
    rest = {key: value for key, value in reading.parse(record.text).items() if key not in _NO_CONFIG}
    found: dict[str, Any] = dict(record.switches)
    return {**found, **{key: value for key, value in reading.leaves(rest) if key not in found}}  # off: a null node


def _implied(key: str, a: Record, b: Record) -> bool:
    """Whether a key only says once more which option was chosen."""
    if not key.endswith(("._target_", "._partial_")):
        return False
    parts = key.split(".")[:-1]
    groups = ["/".join(parts[:size]) for size in range(1, len(parts) + 1)] + parts
    return any(a.switches.get(group) != b.switches.get(group) for group in groups)


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any], equal: bool = False) -> list[Pair]:
    keys = dict.fromkeys([*a, *b])
    made = [Pair(key, a.get(key), b.get(key), (key in a, key in b)) for key in keys]
    return [pair for pair in made if equal or pair.there[0] != pair.there[1] or _other(pair.first, pair.second)]


def _other(a: Any, b: Any) -> bool:
    return a != b and not (a != a and b != b)  # NaN is as NaN


def _short(pair: Pair) -> Pair:
    """Digests and commits by their first letters."""
    if not pair.key.endswith(("digest", "commit")):
        return pair
    a, b = (value[:12] if isinstance(value, str) else value for value in (pair.first, pair.second))
    return Pair(pair.key.replace("_", " "), a, b, pair.there)


def _scores(record: Record) -> dict[str, float]:
    return {key: value for key, value in record.summary.items() if _is_number(value) and key not in _NO_SCORE}


def _tells(pair: Pair) -> bool:
    return pair.key.startswith(_ALWAYS) or (all(pair.there) and _other(pair.first, pair.second))


def _place(key: str) -> int:
    """Test and validation first, then training, then what it cost."""
    order = ("test/", "val/", "train/", "baseline/")
    return next((place for place, start in enumerate(order) if key.startswith(start)), len(order))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_json(path: Path) -> dict[str, Any]:
    """What the file holds; nothing where there is none, or a broken one: the rest can still be told."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _ended(record: Record) -> str:
    return colour(record.status, {"done": "green", "failed": "red"}.get(record.status, "yellow"))


def _print_pairs(title: str, pairs: Sequence[Pair]) -> None:
    cells = [pair.cells() for pair in pairs]
    columns = [
        Column(title, [pair.key for pair in pairs]),
        Column("A", [a for a, _ in cells]),
        Column("B", [b for _, b in cells]),
    ]
    _print(columns)


def _print_metrics(pairs: Sequence[Pair]) -> None:
    values = []
    for pair in pairs:
        form = ".4f" if "/" in pair.key else ".1f"
        values.append((pair.cell(0, form), pair.cell(1, form), _gap(pair, form), _better(pair)))
    names = ("A", "B", "B - A")
    columns = [Column("measured", [pair.key for pair in pairs])]
    columns += [Column(name, [row[place] for row in values], numeric=True) for place, name in enumerate(names)]
    _print([*columns, Column("better", [row[3] for row in values])])


def _gap(pair: Pair, form: str) -> str:
    if not all(pair.there):
        return ""
    gap = pair.second - pair.first
    return format(gap, "+d") if isinstance(gap, int) else format(gap, f"+{form}") if abs(gap) < 1e5 else f"{gap:+.3g}"


def _better(pair: Pair) -> str:
    if not all(pair.there) or not pair.key.startswith(_ALWAYS) or not _other(pair.first, pair.second):
        return ""
    return "A" if (pair.first < pair.second) == lower_is_better(pair.key) else "B"


def _print(columns: Sequence[Column]) -> None:
    """As a table, or where that is too wide, one thing a block."""
    width = terminal_width()
    if width is None or total(columns) <= width:
        for line in lines(columns):
            print(line)
        return
    print(colour(columns[0].name, "bold"))
    for place, key in enumerate(columns[0].cells):
        print(key)
        for column in columns[1:]:
            if column.cells[place]:
                print(f"  {column.name} {column.cells[place]}")


def _as_json(a: Record, b: Record, found: Difference) -> dict[str, Any]:
    def sides(pairs: Sequence[Pair]) -> dict[str, dict[str, Any]]:
        return {pair.key: dict(_present(pair)) for pair in pairs}

    metrics = sides(found.metrics)
    for pair in found.metrics:
        if all(pair.there):
            metrics[pair.key]["difference"] = pair.second - pair.first
    return plain(
        {
            "a": str(a.folder),
            "b": str(b.folder),
            "status": [a.status, b.status],
            "overrides": sides(found.overrides),
            "config": sides(found.config),
            "made_with": sides(found.made_with),
            "metrics": metrics,
            "comparable": not found.apart,
            "why_not": found.apart,
        }
    )


def _present(pair: Pair) -> Iterator[tuple[str, Any]]:
    for side, value, there in zip(("a", "b"), (pair.first, pair.second), pair.there, strict=True):
        if there:
            yield side, value
