"""The one place where a config's ``_target_`` becomes an object: plain containers in, allow-listed callables only.

Hydra's ``instantiate`` is not used: a run starts from the resolved plain config, and an artifact, which may come from
a stranger, is opened by the same function without Hydra. Imports no torch by itself.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.metadata import entry_points
from typing import Any

from assay.errors import ConfigError

ALLOWED = ("assay.", "torch.nn.", "torch.optim.", "pytorch_lightning.Trainer")
"""What a config may name. A user's trusted package adds its prefix by the entry point group ``assay.targets``."""

ARTIFACT_ALLOWED = (
    "assay.models.",
    "assay.estimators.",
    "assay.layers.",
    "assay.tasks.",
    "assay.losses.",
    "assay.data.preprocessing.",
    "assay.data.tokenizers.",
    "torch.nn.",
)
"""What an artifact may name: what computes an output, nothing that reads, writes or trains."""


@cache
def trusted() -> tuple[str, ...]:
    """Prefixes that installed packages of the user declare as trusted."""
    return tuple(point.value.rstrip(".") + "." for point in entry_points(group="assay.targets"))


def is_allowed(target: str, allowed: tuple[str, ...] = ALLOWED) -> bool:
    if not target.isascii() or any(not part.isidentifier() or part.startswith("_") for part in target.split(".")):
        return False
    return any(target == prefix or (prefix.endswith(".") and target.startswith(prefix)) for prefix in allowed)


def locate(target: str, allowed: tuple[str, ...] = ALLOWED) -> Callable[..., Any]:
    """The class or function behind a dotted name.

    Raises:
        ConfigError: the name lies outside the allow-list, does not exist, or leads to something defined elsewhere.
    """
    allowed = allowed + trusted()
    if not is_allowed(target, allowed):
        names = ", ".join(prefix.rstrip(".") for prefix in allowed)
        raise ConfigError(f"_target_={target} is not trusted; possible are names in {names}")
    module_name, _, name = target.rpartition(".")
    found: Any = None
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"_target_={target} does not exist: {error}") from error
    home = getattr(found, "__module__", "") or ""
    if not (inspect.isclass(found) or inspect.isfunction(found)) or not is_allowed(f"{home}.x", _roots(allowed)):
        raise ConfigError(f"_target_={target} is not a class or function of a trusted package")
    return found


def _roots(allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Where an allowed name may be defined: ``pytorch_lightning.Trainer`` comes from inside pytorch_lightning."""
    return tuple(prefix if prefix.endswith(".") else prefix.partition(".")[0] + "." for prefix in allowed)


def build(node: Any, *arguments: Any, allowed: tuple[str, ...] = ALLOWED, **keywords: Any) -> Any:
    """Builds a config node, inner nodes first; a ``_partial_`` one is completed by ``arguments`` and ``keywords`` where
    any are given, else returned as a partial. Anything without a ``_target_`` comes back as plain containers."""
    made = _build(node, allowed)
    if isinstance(made, partial) and (arguments or keywords):
        return made(*arguments, **keywords)
    return made


def _build(node: Any, allowed: tuple[str, ...]) -> Any:
    if isinstance(node, Mapping):
        inner = {key: _build(value, allowed) for key, value in node.items() if key not in ("_target_", "_partial_")}
        if "_target_" not in node:
            return inner
        maker = locate(node["_target_"], allowed)
        return partial(maker, **inner) if node.get("_partial_") else maker(**inner)
    if isinstance(node, list | tuple):
        return [_build(value, allowed) for value in node]
    return node


def accepted(maker: Callable[..., Any], **offered: Any) -> dict[str, Any]:
    """Those of ``offered`` that the maker's signature names: how sizes reach only the parts that ask for them."""
    names = inspect.signature(maker).parameters
    return {key: value for key, value in offered.items() if key in names}
