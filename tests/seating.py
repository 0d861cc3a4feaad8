"""Where options can sit, by their headers alone: which others a choice needs, without composing it.

Hydra takes 80 ms to compose a point, a look at the headers of its options a tenth of one. Nothing here is believed: a
row that is found is composed before it is trained, and one that is not found must be refused by preflight itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

from assay.composition import rules
from assay.composition.compose import Composer
from assay.composition.headers import Option, bound
from assay.composition.values import as_number, select
from assay.errors import ConfigError
from tests.option_files import OptionFiles

_OTHER_KEY = re.compile(r"\$\{([\w.]+)\}")
Way = tuple[str, str]
"""A group and an option of it: one change of a choice."""


class Seating:
    """What headers say of choices of options.

    Args:
        groups: {group: options} that may be chosen; an option of a list is written as one.
        words: of a choice, all that is typed.
        must: "group=option" -> each (group, option) that it must be with.
    """

    def __init__(
        self,
        composer: Composer,
        groups: Mapping[str, Sequence[str]],
        words: Callable[[Mapping[str, str]], list[str]],
        must: Mapping[str, Sequence[Way]],
    ) -> None:
        self.composer, self.catalogue = composer, composer.catalogue
        self.groups, self.words, self.must = groups, words, must
        self.files = OptionFiles(composer)
        self._facts: dict[tuple, set[str] | None] = {}
        self._checked: dict[str, set[str]] = {}
        self._seats: dict[frozenset[Way], dict[str, str] | None] = {}
        for name in ("bringers", "givers", "takers"):
            setattr(self, name, cache(getattr(self, name)))  # of this object, and forgotten with it
        self.always = {self.files.parsed(word)[0] for word in words({})}
        self.implying = [
            (option.group, self.files.written(option), group, name)
            for option in self.catalogue
            for group, name, override in self.files.asks(option.group, self.files.written(option))
            if override and option.group in groups
        ]

    def seat(self, chosen: Mapping[str, str]) -> dict[str, str] | None:
        """The choice and what else it needs; None if no choice of the other groups lets it pass.

        Whatever passes differs from what fails in one of the ways out of each rule that refuses it: so each is tried
        of the rule that has the fewest, with what it needs in turn.
        """
        key = frozenset(chosen.items())
        if key not in self._seats:
            ways = self.ways(chosen)
            found = dict(chosen) if ways is None else None
            for group, name in ways or ():
                if (found := self.seat({**chosen, group: name})) is not None:
                    break
            self._seats[key] = found
        return self._seats[key]

    def ways(self, chosen: Mapping[str, str]) -> list[Way] | None:
        """None where no header refuses the choice; else changes of which it needs one at least."""
        typed, values = self._typed(chosen)
        choices = self.files.complete(typed)

        def free(way: Way) -> bool:
            group, name = way
            return group not in typed and name in self.groups.get(group, ()) and choices.get(group) != name

        out = [list(filter(free, dict.fromkeys(ways))) for ways in self._refusals(typed, choices, values)]
        return min(out, key=len) if out else None

    def _typed(self, chosen: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
        """The options and the values of keys that the words of a choice name."""
        words = [self.files.parsed(word) for word in self.words(chosen)]
        groups = self.catalogue.groups
        return {k: v for k, v in words if k in groups} | {**chosen}, {k: v for k, v in words if k not in groups}

    def _refusals(
        self, chosen: Mapping[str, str], choices: Mapping[str, str], words: Mapping[str, Any]
    ) -> Iterator[list[Way]]:
        """Of each rule that the choice breaks, the changes that might mend it."""
        options = [option for group, name in choices.items() for option in self.files.options_of(group, name)]
        plain = {group: name for group, name in choices.items() if group not in self.composer.lists}
        for group, name in chosen.items():
            for way in self.must.get(f"{group}={name}", ()):
                if choices[way[0]] != way[1]:
                    yield [way]
        taken = {group for option in (*options, self.catalogue.top) for group in (*option.takes, *option.parts)}
        for group, name in chosen.items():
            idle = group in self.catalogue.parts and group in plain and group not in taken
            if idle and name not in self._unasked(group, choices):
                yield self.takers(group)
        kinds = set(self.files.node("stem", choices["stem"])) if "stem" in choices else set()
        for option in options:
            if option.reads and kinds and not kinds & set(option.reads):
                yield self._readers(option, kinds)
            if not self.files.installed(option.label) or self.files.missing(option.label) - words.keys():
                yield self._others(option)
        facts: set[str] = set()
        for option in (*options, self.catalogue.top):
            given = self._given(option, choices, words)
            if given is None:
                yield [way for group in option.parts for way in self._all(group)] + self._others(option)
            facts |= given or set()
        for option in options:
            for rule in option.needs:
                if not any(self._holds(term, choices, facts, words) for term in rule.terms):
                    yield [way for term in rule.terms for way in self._mends(term)] + self._others(option)
            for group, allowed in option.takes.items():
                if allowed and group in plain and plain[group] not in allowed:
                    yield [(group, name) for name in allowed] + self._others(option)

    def _holds(self, term: str, choices: Mapping[str, str], facts: set[str], words: Mapping[str, Any]) -> bool:
        if not _is_of_number(term):
            return rules._term(term, {}, choices, facts)
        limit = bound(term)
        number = as_number(self._value(limit.key, choices, words))
        return number is not None and limit.holds(number)

    def _value(self, key: str, choices: Mapping[str, str], words: Mapping[str, Any]) -> Any:
        """What a key holds, followed through ``${other.key}``."""
        group = key.partition(".")[0]
        held = {group: self.files.node(group, choices[group])} if group in choices else {}
        found = [select(config, key) for config in (held, self.files.top)]
        value = words[key] if key in words else next((value for there, value in found if there), None)
        inner = _OTHER_KEY.fullmatch(value) if isinstance(value, str) else None
        return self._value(inner[1], choices, words) if inner else value

    def _mends(self, term: str) -> list[Way]:
        """The options that may make a term true."""
        if _is_of_number(term):
            return self._all(bound(term).key.partition(".")[0])
        if "=" in term:
            group, sign, name = term.partition("!=" if "!=" in term else "=")
            group, name = group.strip(), name.strip()
            return [(group, name)] if sign == "=" else [way for way in self._all(group) if way[1] != name]
        return self.givers(term)

    def givers(self, fact: str) -> list[Way]:
        """Who gives a fact: by the header, then those whose files may."""
        sure = [option for option in self.catalogue if fact in option.gives]
        return [way for option in (*sure, *self.perhaps) for way in self.bringers(option.label)]

    @cached_property
    def perhaps(self) -> list[Option]:
        """Options whose check gives facts, or refuses what it is given: so it may give others elsewhere."""
        found = []
        for option in self.catalogue:
            typed, values = self._typed({option.group: self.files.written(option)})
            if option.group not in self.groups:
                found += [option] * bool(option.checks)
            elif (given := self._given(option, self.files.complete(typed), values)) is None or given - {*option.gives}:
                found.append(option)
        return found

    def takers(self, part: str) -> list[Way]:
        """Who takes a part, or brings an option that does."""
        able = [option for option in self.catalogue if part in option.takes or part in option.parts]
        return [way for option in able for way in self.bringers(option.label)]

    def _readers(self, option: Option, kinds: set[str]) -> list[Way]:
        """Other models for these kinds, and data of which the stem makes what this one reads."""
        models = [(option.group, o.name) for o in self.catalogue.groups[option.group].values() if set(o.reads) & kinds]
        return models + [
            (group, name)
            for group, name, other, stem in self.implying
            if other == "stem" and set(self.files.node("stem", stem)) & set(option.reads)
        ]

    def bringers(self, label: str) -> list[Way]:
        """What makes an option chosen: itself, or one that asks for it."""
        option = self.files.labelled[label]
        own = self.files.written(option)
        if option.group in self.groups:
            return [(option.group, own)]
        if "/" in option.group:
            return self._all(option.group.partition("/")[0])
        return [(group, name) for group, name, other, wanted in self.implying if (other, wanted) == (option.group, own)]

    def _others(self, option: Option) -> list[Way]:
        """What may make an option not chosen."""
        group = option.group.partition("/")[0]
        return self._all(group) or [(g, n) for g, n, other, _ in self.implying if other == group]

    def _all(self, group: str) -> list[Way]:
        return [(group, name) for name in self.groups.get(group, ())]

    def _unasked(self, group: str, choices: Mapping[str, str]) -> set[str]:
        """Composer.unasked."""
        asked = {n for g, name in choices.items() for other, n, _ in self.files.asks(g, name) if other == group}
        return {self.files.defaults.get(group, ""), *asked}

    def _given(self, option: Option, choices: Mapping[str, str], words: Mapping[str, Any]) -> set[str] | None:
        """The facts of an option; None if what it checks refuses it."""
        if not option.checks:
            return set(option.gives)
        if option.node:
            own = {key: value for key, value in words.items() if key.startswith(f"{option.node}.")}
        else:  # keys of no group: at their defaults they give nothing
            own = {k: v for k, v in words.items() if k not in self.always and k.partition(".")[0] not in self.groups}
            if not own:
                return set(option.gives)
        parts = [choices.get(part) for part in sorted(option.parts if option.node else ("data", "model"))]
        key = (option.label, *parts, repr(own))
        if key not in self._facts:
            try:
                self._facts[key] = rules.gather([option], self.files.config(option, choices, words), self._checked)
            except ConfigError:
                self._facts[key] = None
        return self._facts[key]


def _is_of_number(term: str) -> bool:
    return any(sign in term for sign in "<>") or ("." in term and "=" in term)
