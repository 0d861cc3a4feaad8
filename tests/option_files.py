"""What the files of conf/ say of a choice of options, without Hydra, which takes 80 ms to compose it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from hydra.core.default_element import GroupDefault
from omegaconf import OmegaConf

from assay.composition import rules
from assay.composition.compose import Composer, missing
from assay.composition.headers import Option
from assay.composition.points import quote_all
from assay.errors import ConfigError


class OptionFiles:
    """The files of a composer, each asked once.

    Attributes:
        top: what config.yaml says, unresolved.
        defaults: {group: option} that it chooses.
        labelled: {"group=option": what its header declares}.
    """

    def __init__(self, composer: Composer) -> None:
        self.composer, self.catalogue = composer, composer.catalogue
        self.load = composer.loader.repository.load_config
        top = self.load(composer.name)
        self.top = _plain(top.config)
        self.defaults = {
            str(d.group): f"[{','.join(d.value)}]" if isinstance(d.value, list) else str(d.value)
            for d in top.defaults_list or []
            if isinstance(d, GroupDefault) and not d.is_override() and d.value is not None
        }
        self.labelled = {option.label: option for option in self.catalogue}
        for name in ("options_of", "asks", "node", "missing", "installed", "parsed"):
            setattr(self, name, cache(getattr(self, name)))  # of this object, and forgotten with it

    def complete(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """The option of every group: what is chosen, else what another option asks for, else the default."""
        implied: dict[str, str] = {}
        found: dict[str, str] = {}
        for group in reversed(self.defaults):
            name = chosen.get(group) or implied.get(group) or self.defaults[group]
            found[group] = name
            for other, wanted, override in self.asks(group, name):
                if override:
                    implied.setdefault(other, wanted)
                else:
                    found[other] = chosen.get(other, wanted)
        return found

    def config(self, option: Option, choices: Mapping[str, str], words: Mapping[str, Any]) -> dict[str, Any]:
        """The option's node, resolved, in its place."""
        config = OmegaConf.create(self.top)
        for group, name in choices.items():
            where = "" if any(one.global_ for one in self.options_of(group, name)) else group.replace("/", ".")
            for key, value in self.node(group, name).items():
                OmegaConf.update(config, f"{where}.{key}" if where else key, value)
        for key, value in words.items():
            OmegaConf.update(config, key, value, force_add=True)
        if not option.node:
            return {**_plain(config, resolve=True), "switches": dict(choices)}
        found: Any = OmegaConf.to_container(OmegaConf.select(config, option.node), resolve=True)
        for part in reversed(option.node.split(".")):
            found = {part: found}
        return found

    def written(self, option: Option) -> str:
        return f"[{option.name}]" if option.group in self.composer.lists else option.name

    def options_of(self, group: str, name: str) -> list[Option]:
        names = name.strip("[]").split(",") if name.startswith("[") else [name]
        return [option for one in names for option in self.catalogue.chosen(group, one)]

    def asks(self, group: str, name: str) -> list[tuple[str, str, bool]]:
        """(group, option, whether it is of another group) that an option's defaults choose."""
        found = []
        for option in self.options_of(group, name):
            for d in self.load(f"{group}/{option.name}").defaults_list or []:
                if isinstance(d, GroupDefault) and d.group and d.value is not None:
                    override = bool(d.is_override())
                    other = d.group.lstrip("/") if override or d.group.startswith("/") else f"{group}/{d.group}"
                    found.append((other, str(d.value), override))
        return found

    def node(self, group: str, name: str) -> dict[str, Any]:
        """What the files of an option say, unresolved."""
        found: dict[str, Any] = {}
        for option in reversed(self.options_of(group, name)):
            found |= _plain(self.load(f"{group}/{option.name}").config)
        return found

    def missing(self, label: str) -> set[str]:
        """The keys that an option leaves to be given."""
        option = self.labelled[label]
        node = OmegaConf.create(self.node(option.group, self.written(option)))
        return {f"{option.node}.{key}" if option.node else key for key in missing(node)}

    def installed(self, label: str) -> bool:
        try:
            rules.check_extras([self.labelled[label]])
        except ConfigError:
            return False
        return True

    def parsed(self, word: str) -> tuple[str, Any]:
        """(key, value) of a word; the value of one that chooses an option is its text."""
        (text,) = quote_all([word], self.catalogue, multirun=False)
        override = self.composer.parse(text)
        key = override.key_or_group
        return key, word.partition("=")[2] if key in self.catalogue.groups else override.value()


def _plain(config: Any, resolve: bool = False) -> dict[str, Any]:
    found = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items() if key not in ("defaults", "hydra")}
