"""Everything that can be refused before torch is loaded or a folder made.

``check(argv)`` composes the points of a command and holds each against the headers of its options, the constructors'
annotations, the user's files and this machine. What passes can be trained; what does not is a line that names the mend.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig

from assay.composition import compose as composition
from assay.composition import points as expansion
from assay.composition import rules, values
from assay.composition.compose import Composer, UnknownKey, composer_of
from assay.composition.headers import Catalogue, Option
from assay.composition.nearest import unknown_key
from assay.composition.points import Draft
from assay.errors import ConfigError
from assay.loops import start as loops


@dataclass
class Point:
    """One run to be made.

    Attributes:
        config: plain and resolved, plus ``switches`` {group: option} and ``reads``, the kinds that the model reads.
        overrides: what gives this config again, in Hydra's grammar.
    """

    config: dict[str, Any]
    overrides: tuple[str, ...]


def parse(argv: Sequence[str]) -> Namespace:
    """The command line as Hydra's own parser reads it; flags may stand between overrides.

    Raises:
        ConfigError: a flag is unknown or lacks its value.
    """
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"{' '.join(message.split())}; `assay train --help` lists flags and switches")

    parser.error = refuse
    flags = parser.parse_intermixed_args(list(argv))
    if flags.experimental_rerun is not None:
        raise ConfigError(
            "--experimental-rerun opens a pickle, which can run code; give the overrides of overrides.yaml instead"
        )
    return flags


def check(argv: Sequence[str]) -> list[Point]:
    """The checked points of a command line.

    Raises:
        ConfigError: one line for one run; for a sweep a line for each refusal.
    """
    flags = parse(argv)
    composer = composer_of(flags.config_dir, flags.config_path, flags.config_name)
    return points(flags.overrides, composer, multirun=flags.multirun)


def compose(overrides: Sequence[str], rules: bool = True) -> Point:
    """One checked point from overrides alone: the Python door. Without ``rules``, whether options go together is left
    open: ``assay data`` shows a data set whatever the model.

    Raises:
        ConfigError: it was refused.
    """
    (point,) = points(overrides, composer_of(), multirun=False, together=rules)
    return point


def drafts(overrides: Sequence[str], composer: Composer, multirun: bool) -> list[Draft]:
    """The points of a command, composed but not checked further: enough to show a config.

    Raises:
        ConfigError: there is no such option or key.
    """
    found = expansion.expand(overrides, composer, multirun)
    for draft in found:
        _Check(draft, composer).apply()
    return found


def points(overrides: Sequence[str], composer: Composer, multirun: bool, together: bool = True) -> list[Point]:
    """Expands, composes and checks; refusals of several points are gathered, each line once."""
    found = expansion.expand(overrides, composer, multirun)
    passed: list[Point] = []
    refused: Counter[str] = Counter()
    facts: dict[str, set[str]] = {}
    everywhere = {text for draft in found for text in draft.chosen}
    for draft in found:
        try:
            passed.append(_Check(draft, composer, everywhere).point(together, facts))
        except ConfigError as error:
            refused[str(error)] += 1
    if refused and len(found) == 1:
        raise ConfigError(next(iter(refused)))
    if refused:
        counted = (f"{line} ({number} of {len(found)} points)" for line, number in refused.items())
        raise ConfigError("\n".join(counted))
    return passed


def plain(config: DictConfig, choices: Mapping[str, str], catalogue: Catalogue) -> dict[str, Any]:
    """A composed config as a run gets it: resolved, with ``switches`` and ``reads``."""
    resolved = composition.resolve(config)
    switches = dict(choices)
    for group, options in catalogue.groups.items():  # a list of options, as callbacks=[a,b], is no choice of Hydra's
        node = resolved.get(group)
        if group not in switches and "/" not in group and isinstance(node, Mapping):
            switches[group] = f"[{','.join(name for name in node if name in options)}]"
    reads = next((option.reads for option in chosen_options(switches, catalogue) if option.reads), ())
    return {**resolved, "switches": switches, "reads": list(reads)}


def chosen_options(switches: Mapping[str, str], catalogue: Catalogue) -> Iterator[Option]:
    """The options of a point, those in lists included, then what they start from, then the keys of no group."""
    for group, name in switches.items():
        for one in name.strip("[]").split(",") if name.startswith("[") else [name]:
            yield from catalogue.chosen(group, one)
    yield catalogue.top


class _Check:
    """The checks of one point, in the order in which a user would want to hear of them."""

    def __init__(self, draft: Draft, composer: Composer, sweep: Collection[str] = ()) -> None:
        self.sweep = sweep
        self.draft, self.composer, self.catalogue = draft, composer, composer.catalogue
        self.config, self.choices = composer.compose(draft.chosen)
        self.before, _ = composer.compose(draft.chosen)
        self.keys: list[str] = []

    def apply(self) -> None:
        for text in self.draft.values:
            self.assign(self.composer.parse(text))

    def point(self, together: bool, found: dict[str, set[str]]) -> Point:
        self.apply()
        self.refuse_missing()
        config = plain(self.config, self.choices, self.catalogue)
        options = list(chosen_options(config["switches"], self.catalogue))
        for option in options:
            values.check_header(option, config, self.keys)
        listed = {option.key(key) for option in options for key in (*option.choices, *option.matches)}
        for key in self.keys:
            there, value = values.select(config, key)
            if there:
                values.check_type(key, value, self.before, anything=key in listed)
        for option in options:
            values.check_header(option, config)
        rules.check_targets(config)
        rules.check_extras(options)
        if together:
            self.together(options, config, found)
        else:
            rules.gather(options, config, found)
        return Point(config, self.draft.overrides)

    def together(self, options: list[Option], config: dict[str, Any], found: dict[str, set[str]]) -> None:
        rules.check_kinds(options, config, self.choices, self.catalogue)
        for group in rules.idle(options, self.draft.typed, self.choices, self.catalogue):
            if self.choices[group] not in self.composer.unasked(group, options):
                raise ConfigError(rules.idle_line(group, self.choices, self.catalogue))
        facts = rules.gather(options, config, found)
        rules.check_rules(options, config, self.choices, facts)
        loops.check(config, self.draft.overrides, self.composer, facts)

    def assign(self, override: Override) -> None:
        """Applies one value; its own errors name what was probably meant."""
        key, value = override.key_or_group, override.value()
        if isinstance(value, dict) and value and override.type is OverrideType.CHANGE:
            for name, inner in value.items():
                self.admit(override, f"{key}.{name}", inner)
        else:
            self.admit(override, key, value)
        try:
            self.composer.apply(self.config, override)
        except UnknownKey as error:
            raise ConfigError(self.unknown(key, value)) from error

    def admit(self, override: Override, key: str, value: Any) -> None:
        exists = _has(self.config, key)
        if override.is_delete():
            self.delete(key, exists)
        elif exists:
            if key.rpartition(".")[2] == "_target_":
                rules.check_targets({"_target_": value}, key.rpartition(".")[0])
            values.check_part(key, value, self.config, self.catalogue)
            self.keys.append(key)
        elif override.is_add() or override.is_force_add():
            values.check_new(key, self.config)
            self.keys.append(key)
        else:
            raise ConfigError(self.unknown(key, value))

    def delete(self, key: str, exists: bool) -> None:
        if not exists:
            raise ConfigError(self.unknown(key, None))
        node, _, name = key.rpartition(".")
        target = values.target_of(composition.raw(self.config, node)) if node else None
        known = values.parameters(target) if target else None
        if node and target is None and key.partition(".")[0] in self.catalogue.groups:
            return
        if not known or name not in known or known[name].required:
            raise ConfigError(f"~{key}: {key} cannot be left out; set it, as {key}=…")

    def unknown(self, key: str, value: Any) -> str:
        shown = "" if value is None else values.show(value)
        return unknown_key(key, shown, self.config, self.choices, self.catalogue, self.sweep)

    def refuse_missing(self) -> None:
        """All that an option misses at once: ``data=text_csv needs data.path=…, data.text=…``."""
        owners: dict[str, list[str]] = {}
        for key in composition.missing(self.config):
            nodes = [o for o in chosen_options(self.choices, self.catalogue) if o.node and key.startswith(f"{o.node}.")]
            owner = max(nodes, key=lambda option: len(option.node)).label if nodes else "the command"
            owners.setdefault(owner, []).append(f"{key}=…")
        if owners:
            raise ConfigError("; ".join(f"{owner} needs {', '.join(keys)}" for owner, keys in owners.items()))


def _has(config: DictConfig, key: str) -> bool:
    """Whether the config has the key, be it null or missing."""
    node, _, name = key.rpartition(".")
    parent = composition.raw(config, node)
    return hasattr(parent, "_get_node") and hasattr(parent, "keys") and name in parent.keys()  # noqa: SIM118
