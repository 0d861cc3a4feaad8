"""Everything that can be refused before torch is loaded or a folder made.

``check(argv)`` composes the points of a command and holds each against the headers of its options, the constructors'
annotations, the user's files and this machine. What passes can be trained; what does not is a line that names the mend.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig

from assay.composition import compose as composition
from assay.composition import experiment, grid, rules, values
from assay.composition import points as expansion
from assay.composition.compose import Composer, UnknownKey, composer_of
from assay.composition.headers import Catalogue, Option
from assay.composition.nearest import unknown_key
from assay.composition.points import Draft
from assay.errors import ConfigError
from assay.loops import start as loops
from assay.sweeps.axes import implied
from assay.sweeps.ledger.identity import OWN_KEYS


@dataclass
class Point:
    """One run to be made.

    Attributes:
        config: plain and resolved, plus ``switches`` {group: option} and ``reads``, the kinds that the model reads.
        overrides: what gives this config again, in Hydra's grammar.
        cell: in a sweep, axis -> value as typed, without seed and fold.
        settings: what the command says to the sweep and not to its runs: ``sweep``, ``search``, ``launcher``, and the
            ``switches`` of the last two.
    """

    config: dict[str, Any]
    overrides: tuple[str, ...]
    cell: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


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
    return points(flags.overrides, composer, multirun=flags.multirun or implied(flags.overrides))


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
    """Expands, composes and checks, options once and values one by one (:mod:`assay.composition.grid`); refusals of
    several points are gathered, each line once."""
    found = expansion.expand(overrides, composer, multirun)
    facts: dict[str, set[str]] = {}
    everywhere = {text for draft in found for text in draft.chosen}

    def full(draft: Draft) -> _Check:
        check = _Check(draft, composer, everywhere)
        check.check(together, facts)
        return check

    answers: dict[Draft, dict[str, Any] | str] = {}
    for group in grid.groups(found):
        answers.update(grid.Group(group, full, lambda draft, texts: replace(draft, values=texts)).run())
    refused: Counter[str] = Counter()
    passed: list[Point] = []
    for draft in found:
        answer = answers[draft]
        if isinstance(answer, str):
            refused[experiment.blamed(answer, draft.chosen, draft.values, composer)] += 1
        else:
            passed.append(Point(of_a_run(answer), draft.overrides, dict(draft.cell), of_the_sweep(answer)))
    if refused and len(found) == 1:
        raise ConfigError(next(iter(refused)))
    if refused:
        counted = (f"{line} ({number} of {len(found)} points)" for line, number in refused.items())
        raise ConfigError("\n".join(counted))
    return passed


def of_a_run(whole: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved config without what is the sweep's: as a run gets and keeps it."""
    switches = {group: name for group, name in whole["switches"].items() if group not in OWN_KEYS}
    return {key: value for key, value in whole.items() if key not in OWN_KEYS} | {"switches": switches}


def of_the_sweep(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The rest."""
    switches = {group: name for group, name in whole["switches"].items() if group in OWN_KEYS}
    return {key: value for key, value in whole.items() if key in OWN_KEYS} | {"switches": switches}


def plain(config: DictConfig, choices: Mapping[str, str], catalogue: Catalogue) -> dict[str, Any]:
    """A composed config as a run gets it: resolved, with ``switches`` and ``reads``."""
    return of_a_run(_whole(config, choices, catalogue))


def _whole(config: DictConfig, choices: Mapping[str, str], catalogue: Catalogue) -> dict[str, Any]:
    resolved = composition.resolve(config)
    switches = dict(choices)
    for group, options in catalogue.groups.items():  # a list of options, as callbacks=[a,b], is no choice of Hydra's
        node = resolved.get(group)
        if group not in switches and "/" not in group and isinstance(node, Mapping):
            switches[group] = f"[{','.join(name for name in node if name in options)}]"
    reads = next((option.reads for option in chosen_options(switches, catalogue) if option.reads), ())
    return {**resolved, "switches": switches, "reads": list(reads), **experiment.described(switches, catalogue)}


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
        self.keys += experiment.check(self.draft.chosen, self.choices, self.composer)
        for text in self.draft.values:
            self.assign(self.composer.parse(text))

    def check(self, together: bool, found: dict[str, set[str]]) -> None:
        self.found = found
        self.apply()
        self.refuse_missing()
        self.whole = config = _whole(self.config, self.choices, self.catalogue)
        self.options = options = list(chosen_options(config["switches"], self.catalogue))
        for option in options:
            values.check_header(option, config, self.keys)
        self.listed = {option.key(key) for option in options for key in (*option.choices, *option.matches)}
        for key in self.keys:
            there, value = values.select(config, key)
            if there:
                values.check_type(key, value, self.before, anything=key in self.listed)
        for option in options:
            values.check_header(option, config)
        rules.check_targets(config)
        rules.check_extras(options)
        if together:
            self.together(options, config, found)
        else:
            rules.gather(options, config, found)

    @property
    def simple(self) -> bool:
        return loops.loop_of(self.whole) is None

    def value_of(self, text: str) -> Any:
        return self.composer.parse(text).value()

    def check_value(self, text: str, config: Mapping[str, Any]) -> None:
        """Holds another value of a key, in a config that is like this one but for that, against what is known of it."""
        key, value = (override := self.composer.parse(text)).key_or_group, override.value()
        if key.rpartition(".")[2] == "_target_":
            rules.check_targets({"_target_": value}, key.rpartition(".")[0])
        values.check_part(key, value, self.before, self.catalogue)
        for option in self.options:
            values.check_header(option, config, [key])
        values.check_type(key, value, self.before, anything=key in self.listed)
        if key != grid.SEED:
            self.check_rules(config)

    def check_rules(self, config: Mapping[str, Any]) -> None:
        """Holds a config that differs in values alone against ranges, and the rules between options and keys."""
        for option in self.options:
            values.check_header(option, config)
        facts = rules.gather(self.options, config, self.found)
        rules.check_rules(self.options, config, self.choices, facts)

    def together(self, options: list[Option], config: dict[str, Any], found: dict[str, set[str]]) -> None:
        rules.check_kinds(options, config, self.choices, self.catalogue)
        asked = self.draft.typed | experiment.asked(self.draft.chosen, self.composer)
        others = [option for option in options if option.group != experiment.GROUP]
        for group in rules.idle(options, asked, self.choices, self.catalogue):
            if self.choices[group] not in self.composer.unasked(group, others):
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
