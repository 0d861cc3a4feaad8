"""The options of conf/, listed and built as a run builds them: what batteries over all options go through."""

from __future__ import annotations

import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from assay.targets import build

CONF = Path(__file__).resolve().parent.parent / "conf"


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


@cache
def header(group: str, name: str) -> dict[str, list[str]]:
    """{"reads": ["ids"], "one of": ["pool = max | average"], …}: what an option's first comment lines declare."""
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
    return OmegaConf.to_container(config[group], resolve=True)


def node(group: str, name: str, *overrides: str) -> dict[str, Any]:
    """The option's resolved node within the whole configuration. Composing takes a quarter of a second, so overrides of
    the node's own keys are set in a copy of one composed node."""
    own = [override for override in overrides if override.startswith(f"{group}.")]
    found = copy.deepcopy(_node(group, (f"{group}={name}", *(o for o in overrides if o not in own))))
    for override in own:
        key, _, value = override.removeprefix(f"{group}.").partition("=")
        assert key in found, override
        found[key] = yaml.safe_load(value)
    return found


def option(group: str, name: str, *overrides: str) -> Any:
    """The option, built as a run builds it: a partial where its yaml says so."""
    found = node(group, name, *overrides)
    if group == "optim":  # what run.py reads itself
        found = {key: value for key, value in found.items() if key not in ("layer_decay", "groups")}
    return build(found)


def encoders() -> list[str]:
    """The models that are encoders: those that are fitted by counting are whole networks."""
    return [name for name in options("model") if "estimator" not in header("model", name).get("gives", [])]
