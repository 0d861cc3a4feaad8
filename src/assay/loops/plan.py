"""What a loop over runs is made of, before any of them begins: stages, each by its overrides. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.composition.quoting import quote
from assay.errors import ConfigError

LOOPS = "assay.loops."
"""Where the ``_target_`` of an option lies that makes a loop of a run."""

GROUPS = ("compression", "distillation")
"""The groups that have such options."""

OF_THE_LOOP = ("name", "plan", "seeds")
"""Typed keys that are about the loop, not about its stages."""


@dataclass(frozen=True)
class Stage:
    """One run of a loop.

    Attributes:
        name: of its folder, such as ``2-distil``.
        overrides: all of them. ``<1-train>`` stands for the folder of another stage.
        own: of them, those that make it what it is; for the eye.
        after: the stages, or runs that were there before, whose artifacts it reads.
        trains: False for one that writes files from the artifact of the stage before it.
    """

    name: str
    overrides: tuple[str, ...]
    own: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    trains: bool = True

    def filled(self, folder_of: Callable[[str], Path]) -> list[str]:
        """The overrides with the folders of other stages in them."""
        found = list(self.overrides)
        for stage in self.after:
            folder = quote(str(folder_of(stage)))
            found = [one.replace(f"<{stage}>", folder) for one in found]
        return found


def loop_of(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The node of the option that makes a loop of this config; None for a plain run."""
    for group in GROUPS:
        node = config.get(group)
        if isinstance(node, Mapping) and str(node.get("_target_", "")).startswith(LOOPS):
            return dict(node)
    return None


def made(node: Mapping[str, Any]) -> Any:
    """The loop that a node of the config describes: it has ``plan(overrides, seed) -> [Stage]``.

    Raises:
        ConfigError: its settings do not go together.
    """
    from assay.targets import build

    return build(dict(node))


def key_of(override: str) -> str:
    """``+model.x=1``, ``~model.x`` and ``model@place=…``: the key or group that it is about."""
    return override.partition("=")[0].lstrip("+~").partition("@")[0].strip()


def base(overrides: Iterable[str], group: str) -> list[str]:
    """What was typed for a loop of this group, as far as it is about each of its runs."""
    return without(overrides, (group, *OF_THE_LOOP))


def without(overrides: Iterable[str], keys: Sequence[str]) -> list[str]:
    """Those that are about none of these keys or groups."""
    return [one for one in overrides if not any(_under(key_of(one), key) for key in keys)]


def joined(overrides: Sequence[str], new: Sequence[str]) -> list[str]:
    """The overrides with the new ones in force: one that chooses an option takes what was said of the one before it."""
    kept = list(overrides)
    for one in new:
        key, same = key_of(one), one in kept
        kept = [old for old in kept if key_of(old) != key and (same or not _under(key_of(old), key))]
        kept.append(one)
    return kept


def _under(key: str, of: str) -> bool:
    return key == of or key.startswith((f"{of}.", f"{of}/"))


def words(given: Sequence[Any], key: str) -> list[str]:
    """A list of overrides from a config, each checked for form.

    Raises:
        ConfigError: one is not key=value.
    """
    for one in given:
        if not isinstance(one, str) or not key_of(one) or ("=" not in one and not one.startswith("~")):
            raise ConfigError(f"{key}: '{one}' is not key=value; write {key}=[trainer.max_epochs=20,optim.lr=0.001]")
        if key_of(one).partition(".")[0] in ("data", "task", "fold", "outputs", "name", "plan", "monitor"):
            raise ConfigError(f"{key}: {key_of(one)} is of the whole loop; type it beside {key}")
    return list(given)
