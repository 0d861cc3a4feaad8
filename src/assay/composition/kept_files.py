"""Hydra's YAML files, each read once and by libyaml: reading them anew in Python is half the time of a composition.

Of the rest a third went into a map of all choices that Hydra makes anew for every file, for interpolations in its
defaults list; here it is made where there is one.
"""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hydra._internal import defaults_list as hydra_defaults
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.config_source import ConfigLoadError, ConfigResult
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

try:
    from yaml import CParser
except ImportError:  # a yaml built without libyaml: slower, the same
    CParser = None


_map_of_choices = hydra_defaults._create_interpolation_map


def _map_if_asked(overrides: Any, defaults: Any, self_added: bool) -> Any:
    asked = any(not default.is_self() and default.is_interpolation() for default in defaults)
    return _map_of_choices(overrides, defaults, self_added) if asked else None


setattr(hydra_defaults, "_create_interpolation_map", _map_if_asked)  # noqa: B010 -- a private name of Hydra's


def _loader() -> Any:
    """OmegaConf's loader, with its rules for numbers and double keys, on libyaml's parser."""
    base = get_yaml_loader()
    if CParser is None:
        return base

    class FastLoader(CParser, base):
        def __init__(self, stream: Any) -> None:
            CParser.__init__(self, stream)  # ty: ignore[too-many-positional-arguments]
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    return FastLoader


class _FileSource(FileConfigSource):
    """Hydra's source of files, but for the parser."""

    loader = _loader()

    def load_config(self, config_path: str) -> ConfigResult:
        path = f"{self.path}/{self._normalize_file_name(config_path)}"
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError as error:
            raise ConfigLoadError(f"Config not found : {path}") from error
        config = OmegaConf.create(yaml.load(text, Loader=self.loader) or {})
        header = self._get_header_dict(text[:512])
        return ConfigResult(config=config, path=f"file://{self.path}", provider=self.provider, header=header)


class KeptFiles(ConfigRepository):
    """Hydra's repository of options, which keeps what it has read."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)
        self.loaded: dict[str, ConfigResult | None] = {}
        self.sources = [
            _FileSource(source.provider, f"file://{source.path}") if source.scheme() == "file" else source
            for source in self.sources
        ]

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self.loaded:
            self.loaded[config_path] = super().load_config(config_path)
        return copy.deepcopy(self.loaded[config_path])  # a composition changes what it was given

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptFiles:
        return self  # Hydra copies its repository for every composition
