"""The one place that calls Hydra's composition: overrides in, OmegaConf out, every error as one line.

Hydra composes in two steps, of which the first costs 80 ms and depends on the chosen options alone: so it is kept per
choice of options, and the values of a sweep's numeric axes are applied to copies, by Hydra's own function.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.default_element import GroupDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from assay.composition.headers import Catalogue, Option
from assay.composition.kept_files import KeptFiles
from assay.composition.locations import conf_folder
from assay.errors import ConfigError

VERSION_BASE = "1.3"


class UnknownKey(Exception):
    """A value override names a key that the config does not have; the caller knows what is near."""


class Composer:
    """Hydra's loader over our conf/ and the user's.

    Attributes:
        folders: every folder of options, in search order.
        catalogue: their headers.
    """

    def __init__(
        self, config_dir: str | None = None, config_path: str | None = None, config_name: str | None = None
    ) -> None:
        version.setbase(VERSION_BASE)
        setup_globals()
        main = Path(config_path).resolve() if config_path else conf_folder()
        search_path = create_config_search_path(str(main))
        if config_dir is not None:
            folder = os.path.abspath(config_dir)
            if not os.path.isdir(folder):
                raise ConfigError(f"--config-dir {config_dir} is not a folder")
            anchor = SearchPathQuery(provider="schema")
            search_path.prepend(provider="command-line", path=f"file://{folder}", anchor=anchor)
        places = [(item.path or "").removeprefix("file://") for item in search_path.get_path()]
        self.folders = [Path(place) for place in places if "://" not in place]
        if config_dir is not None:
            _refuse_hidden(self.folders)
        self.name = config_name or "config"
        self.catalogue = Catalogue(self.folders)
        self.loader = ConfigLoaderImpl(search_path)
        self.loader.repository = KeptFiles(search_path)
        self._parser = OverridesParser.create(config_loader=self.loader)
        self._composed: dict[tuple[str, ...], tuple[DictConfig, dict[str, str]]] = {}

    def parse(self, argument: str) -> Override:
        """One override by Hydra's grammar.

        Raises:
            ConfigError: it is none, with the mend.
        """
        try:
            return self._parser.parse_overrides([argument])[0]
        except HydraException as error:
            raise ConfigError(_unreadable(argument, error)) from error

    def compose(self, chosen: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
        """The config of these options (and ``hydra.…`` settings), unresolved, and {group: option} of our groups,
        those of a list aside."""
        key = tuple(chosen)
        if key not in self._composed:
            try:
                config = self.loader.load_configuration(self.name, list(key), RunMode.RUN, from_shell=False)
                found = {
                    str(group): str(name) for group, name in config.hydra.runtime.choices.items() if name is not None
                }
            except (HydraException, OmegaConfBaseException, ValueError) as error:
                hint = "; `assay train --cfg hydra` shows Hydra's settings" if "'hydra." in str(error) else ""
                raise ConfigError(one_line(error).rstrip(".") + hint) from error
            choices = {
                group: name
                for group, name in found.items()
                if not group.startswith("hydra/") and group not in self.lists
            }
            with open_dict(config):
                del config["hydra"]
            self._composed[key] = config, choices
        config, choices = self._composed[key]
        return copy.deepcopy(config), dict(choices)

    @cached_property
    def lists(self) -> frozenset[str]:
        """The groups of which several options may be chosen: their default in config.yaml is a list."""
        top = self.loader.repository.load_config(self.name)
        found = (top.defaults_list or []) if top else []
        return frozenset(
            d.group for d in found if isinstance(d, GroupDefault) and isinstance(d.value, list) and d.group
        )

    def unasked(self, group: str, options: Iterable[Option]) -> set[str]:
        """What a group may be set to without being typed: by config.yaml, or by an ``override`` of these options."""
        found = set()
        for path in (self.name, *(f"{option.group}/{option.name}" for option in options)):
            result = self.loader.repository.load_config(path)
            for default in (result.defaults_list or []) if result else []:
                if isinstance(default, GroupDefault) and (default.group or "").lstrip("/") == group:
                    found.add(str(default.value))
        return found

    def apply(self, config: DictConfig, override: Override) -> None:
        """Sets one value, as Hydra does.

        Raises:
            UnknownKey: the config has no such key.
            ConfigError: anything else that Hydra refuses.
        """
        try:
            self.loader._apply_overrides_to_config([override], config)
        except HydraException as error:
            if str(error).startswith("Could not override"):
                raise UnknownKey from error
            raise ConfigError(f"{override.input_line}: {one_line(error)}") from error
        except (OmegaConfBaseException, ValueError) as error:
            raise ConfigError(f"{override.input_line}: {one_line(error)}") from error


def _refuse_hidden(folders: Sequence[Path]) -> None:
    """Hydra searches the folder of ``--config-dir``, the last, after all others: a file of theirs hides one of its.

    Raises:
        ConfigError: one would never be read, and says something else.
    """
    own = folders[-1]
    for path in sorted(own.rglob("*.yaml")):
        name = path.relative_to(own)
        for folder in folders[:-1]:
            other = folder / name
            if other.is_file() and other.read_bytes() != path.read_bytes():
                is_option = len(name.parts) > 1
                what = f"{name.parent.as_posix()}={name.stem}" if is_option else name.name
                mend = "rename the file" + ("" if is_option else ", and name it with --config-name")
                article = "an" if what[0] in "aeiou" else "a"
                raise ConfigError(f"{path} would never be read: assay has {article} {what} of its own; {mend}")


_composers: dict[tuple[str | None, ...], tuple[int, Composer]] = {}


def composer_of(
    config_dir: str | None = None, config_path: str | None = None, config_name: str | None = None
) -> Composer:
    """The composer of these flags, kept until one of its files changes: a notebook or battery composes many points."""
    key = (config_dir and os.path.abspath(config_dir), config_path and os.path.abspath(config_path), config_name)
    if key in _composers:
        stamp, composer = _composers[key]
        if stamp == _newest(composer.folders):
            return composer
    composer = Composer(config_dir, config_path, config_name)
    _composers[key] = _newest(composer.folders), composer
    return composer


def _newest(folders: Iterable[str | os.PathLike[str]]) -> int:
    """When a file or folder of options last changed."""
    newest = 0
    for folder in folders:
        newest = max(newest, os.stat(folder).st_mtime_ns)
        with os.scandir(folder) as entries:
            for entry in entries:
                newest = max(newest, _newest([entry.path]) if entry.is_dir() else entry.stat().st_mtime_ns)
    return newest


def resolve(config: DictConfig) -> dict[str, Any]:
    """The plain config: no interpolation is left, nothing is missing.

    Raises:
        ConfigError: an interpolation leads nowhere.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = str(error.full_key or "")
        text = raw(config, key) if key else None
        reads = f"{key} reads {text}" if isinstance(text, str) else key or "the config"
        raise ConfigError(f"{reads}: {one_line(error)}; set {key or 'it'}=…") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def missing(config: DictConfig) -> list[str]:
    """The full keys that are still ``???``."""
    return [key for key in leaves(config) if raw(config, key) == "???"]


def raw(config: Any, key: str) -> Any:
    """The unresolved value at a full key: an interpolation is its text, a missing value ``???``, absent is None."""
    node = config
    for part in key.split(".") if key else ():
        if not OmegaConf.is_config(node):
            return None
        if OmegaConf.is_list(node):
            node = node._get_node(int(part)) if part.isdigit() and int(part) < len(node) else None
        else:
            node = node._get_node(part, validate_access=False)
        if node is None:
            return None
    return node if OmegaConf.is_config(node) and not node._is_none() else getattr(node, "_value", lambda: node)()


def leaves(config: Any, prefix: str = "") -> Iterable[str]:
    """Every full key that ends in a value or a list."""
    for key in config:
        full = f"{prefix}{key}"
        node = config._get_node(key)
        inner = OmegaConf.is_dict(node) and not (node._is_none() or node._is_missing() or node._is_interpolation())
        if inner and len(node):
            yield from leaves(node, f"{full}.")
        else:
            yield full


def one_line(error: BaseException) -> str:
    """What an exception of Hydra's or OmegaConf's says, without its lists, links and markers."""
    kept = []
    for line in str(error if str(error) else error.__cause__).splitlines():
        text = line.strip()
        if text.startswith(("See http", "Config search path", "provider=", "full_key:", "object_type=", "To append")):
            continue
        if text and not set(text) <= set("^~ "):
            kept.append(text)
    return " ".join(kept) or type(error).__name__


def _unreadable(argument: str, error: HydraException) -> str:
    key, sign, value = argument.partition("=")
    if not sign:
        group, _, name = key.rpartition(".") if "." in key else key.rpartition("/")
        example = f"{group}={name}" if group else "model=lstm, or a number as optim.lr=0.01"
        return f"'{argument}' is not key=value; write {example}"
    if not key.lstrip("+~"):
        return f"'{argument}' has no key before the =; write key=value"
    said = one_line(error).removeprefix(f"Error parsing override '{argument}'").strip()
    said = "" if "NoViable" in said else f" ({said.partition(' expecting ')[0]})"
    plain = value.replace("'", "\\'")
    return f"'{argument}' cannot be read{said}: quote a value with special characters, \"{key}='{plain}'\""
