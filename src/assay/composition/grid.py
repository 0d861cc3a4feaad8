"""The points of a sweep, checked without composing each: options once, values one by one, combinations by their rules.

Composing costs 60 ms, and a grid of 1000 points has few choices of options and few values of each key. So of the drafts
that choose the same options one is composed and checked in full, and each key is learned by composing a second value
of it: which places of the resolved config follow it. Where these simply hold the value (all but interpolations inside
a text), any other value is put there and checked alone, and combinations are made of what was learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from assay.errors import ConfigError

SEED = "seed"  # whatever it is, nothing follows from it
Path = tuple[str, ...]
Patch = dict[Path, Any]


class Values(Protocol):
    """Keys and texts of the values of a point."""

    @property
    def chosen(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> tuple[str, ...]: ...


D = TypeVar("D", bound=Values)


class Checked(Protocol):
    """One draft that was composed and checked in full.

    Attributes:
        whole: its resolved config.
        simple: whether values may be put into it; a loop over runs composes its stages anew.
    """

    whole: dict[str, Any]

    @property
    def simple(self) -> bool: ...

    def value_of(self, text: str) -> Any:
        """What an override sets its key to."""

    def check_value(self, text: str, config: Mapping[str, Any]) -> None:
        """Holds one other value, which the config has, against what can be said of its key alone.

        Raises:
            ConfigError: it was refused.
        """

    def check_rules(self, config: Mapping[str, Any]) -> None:
        """Holds the config against the rules between keys.

        Raises:
            ConfigError: it was refused.
        """


@dataclass
class _Learned:
    """A key of a group: the places that follow it, None where they do not simply hold its value."""

    places: list[Path] | None
    patches: dict[str, Patch | None] = field(default_factory=dict)
    """By text: what differs from the base; None: not to be said in places, so that its points are composed."""


class Group(Generic[D]):
    """Drafts that choose the same options and set the same keys.

    Args:
        drafts: of which the first is the base, unless it is refused.
        full: composes and checks a draft.
        with_values: a draft with other values.
    """

    def __init__(
        self, drafts: Sequence[D], full: Callable[[D], Checked], with_values: Callable[[D, tuple[str, ...]], D]
    ) -> None:
        self.drafts, self.full, self.with_values = drafts, full, with_values
        self.texts = [list(dict.fromkeys(texts)) for texts in zip(*(draft.values for draft in drafts), strict=True)]
        self.bad: dict[str, str] = {}
        self.current = drafts[0].values
        self.line = ""
        self.learned: dict[int, _Learned] = {}
        self.combined: dict[tuple[str, ...], str] = {}

    def run(self) -> Iterator[tuple[D, dict[str, Any] | str]]:
        """Each draft with its resolved config, or the line that refuses it."""
        base = self._base()
        if base is None:
            for draft in self.drafts:
                yield draft, next((self.bad[text] for text in draft.values if text in self.bad), self.line)
            return
        for place, texts in enumerate(self.texts):
            if len(texts) > 1:
                self._learn(base, place, texts)
        for draft in self.drafts:
            yield draft, self._one(base, draft)

    def _base(self) -> Checked | None:
        """The first draft that passes, changing one refused value after another; None where no change helps."""
        while True:
            try:
                return self._full(self.current)
            except ConfigError as error:
                self.line = str(error)
            if not self._another():
                return None

    def _another(self) -> bool:
        """Takes another value of some key, if that changes what is said; the value it had is to blame, then."""
        for place, texts in enumerate(self.texts):
            for text in texts:
                if text == self.current[place] or text in self.bad:
                    continue
                tried = (*self.current[:place], text, *self.current[place + 1 :])
                try:
                    self._full(tried)
                except ConfigError as error:
                    if str(error) == self.line:
                        continue
                self.bad[self.current[place]] = self.line
                self.current = tried
                return True
        return False

    def _full(self, texts: tuple[str, ...]) -> Checked:
        return self.full(self.with_values(self.drafts[0], texts))

    def _learn(self, base: Checked, place: int, texts: Sequence[str]) -> None:
        mine = self.current[place]
        learned = self.learned[place] = _Learned(None, {mine: {}})
        now = base.value_of(mine)
        for text in texts:
            if text == mine or text in self.bad:
                continue
            value = base.value_of(text)
            try:
                if learned.places is not None and _is_plain(value):
                    patch: Patch | None = dict.fromkeys(learned.places, value)
                    base.check_value(text, patched(base.whole, patch))
                else:
                    other = self._full((*self.current[:place], text, *self.current[place + 1 :]))
                    patch = difference(base.whole, other.whole)
                    if patch and base.simple and _follows(patch, base.whole, now, value):
                        learned.places = list(patch)
            except ConfigError as error:
                self.bad[text] = str(error)
                continue
            learned.patches[text] = patch

    def _one(self, base: Checked, draft: D) -> dict[str, Any] | str:
        if line := next((self.bad[text] for text in draft.values if text in self.bad), None):
            return line
        changed = [place for place, text in enumerate(draft.values) if text != self.current[place]]
        patches = [self.learned[place].patches[draft.values[place]] for place in changed]
        patch: Patch = {}
        for one in patches:
            if one is None or (patch.keys() & one.keys()) or (len(changed) > 1 and not base.simple):
                return self._composed(draft)
            patch |= one
        config = patched(base.whole, patch)
        if len([place for place in changed if _key(draft.values[place]) != SEED]) > 1:
            settled = tuple(text for text in draft.values if _key(text) != SEED)
            if settled not in self.combined:
                self.combined[settled] = _refusal(base.check_rules, config)
            if self.combined[settled]:
                return self.combined[settled]
        return config

    def _composed(self, draft: D) -> dict[str, Any] | str:
        try:
            return self.full(draft).whole
        except ConfigError as error:
            return str(error)


def groups(drafts: Sequence[D]) -> Iterator[list[D]]:
    """The drafts that choose the same options and set the same keys, in order."""
    found: dict[tuple[Any, ...], list[D]] = {}
    for draft in drafts:
        keys = tuple(_key(text) for text in draft.values)
        alone = draft.values if len(set(keys)) < len(keys) else ()  # a key that is set twice
        found.setdefault((draft.chosen, keys, alone), []).append(draft)
    yield from found.values()


def difference(a: Mapping[str, Any], b: Mapping[str, Any], above: Path = ()) -> Patch | None:
    """{place: value in b} of all that differs; None where one has keys that the other lacks."""
    if a.keys() != b.keys():
        return None
    found: Patch = {}
    for key, value in a.items():
        other = b[key]
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            inner = difference(value, other, (*above, key))
            if inner is None:
                return None
            found |= inner
        elif value != other or type(value) is not type(other):
            found[(*above, key)] = other
    return found


def patched(config: dict[str, Any], patch: Patch) -> dict[str, Any]:
    """The config with other values in these places; what is not changed is shared."""
    made = dict(config)
    for place, value in patch.items():
        node = made
        for key in place[:-1]:
            node[key] = node = dict(node[key])
        node[place[-1]] = value
    return made


def _follows(patch: Patch, config: Mapping[str, Any], before: Any, after: Any) -> bool:
    """Whether all that differs is the value itself."""
    return all(_is(value, after) and _is(_at(config, place), before) for place, value in patch.items())


def _is(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def _at(config: Mapping[str, Any], place: Path) -> Any:
    node: Any = config
    for key in place:
        node = node[key]
    return node


def _is_plain(value: Any) -> bool:
    """Whether a value is what it says, and is not looked up."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and "${" not in value)


def _key(text: str) -> str:
    return text.partition("=")[0]


def _refusal(check: Callable[[Mapping[str, Any]], None], config: Mapping[str, Any]) -> str:
    try:
        check(config)
    except ConfigError as error:
        return str(error)
    return ""
