"""The options of conf/, listed and built as a run builds them: what batteries over all options go through."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

CONF = Path(__file__).resolve().parent.parent / "conf"


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def header(group: str, name: str) -> dict[str, list[str]]:
    """{"reads": ["ids"], "one of": ["pool = max | average"], …}: the declarations of an option's first comment lines."""
    found: dict[str, list[str]] = {}
    for line in (CONF / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        match = re.match(r"# (reads|gives|takes|one of): (.*)", line)
        if match:
            separator = "; " if match[1] == "one of" else ", "
            found.setdefault(match[1], []).extend(match[2].split(separator))
    return found


@cache
def _node(group: str, overrides: tuple[str, ...]) -> Any:
    with initialize_config_dir(version_base=None, config_dir=str(CONF)):
        config = compose("config", overrides=list(overrides))
    return OmegaConf.to_container(config, resolve=False), OmegaConf.to_container(config[group], resolve=True)


def node(group: str, name: str, *overrides: str) -> dict[str, Any]:
    """The option's resolved node within the whole configuration."""
    return _node(group, (f"{group}={name}", *overrides))[1]


def option(group: str, name: str, *overrides: str) -> Any:
    """The option, instantiated: a partial where its yaml says so."""
    return instantiate(node(group, name, *overrides), _convert_="all")
