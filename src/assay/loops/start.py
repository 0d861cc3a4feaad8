"""Where a run is told from a loop over runs: all stages are checked before the first begins. Imports no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.composition.compose import Composer
from assay.errors import ConfigError
from assay.folder import find, write_json
from assay.loops.plan import Stage, loop_of, made

KINDS = ("class", "labels", "number", "tags", "tokens")


def stages_of(config: Mapping[str, Any], overrides: Sequence[str]) -> list[Stage]:
    """What a checked point would run; one that is no loop has no stages.

    Raises:
        ConfigError: the loop's settings do not go together.
    """
    node = loop_of(config)
    return [] if node is None else made(node).plan(overrides, config["seed"])


def check(config: Mapping[str, Any], overrides: Sequence[str], composer: Composer, facts: Collection[str]) -> None:
    """Composes and checks every stage, as far as can be known without the artifacts of earlier ones: in their place
    stand empty ones, which tell the config that they will have been trained with.

    Raises:
        ConfigError: a stage was refused; the line names it.
    """
    from assay import preflight

    stages = stages_of(config, overrides)
    if not stages:
        return
    if config["trainer"].get("num_nodes", 1) != 1:
        raise ConfigError("a loop over runs goes on one machine: use trainer.num_nodes=1, or run its stages by hand")
    label = {"kind": next((kind for kind in KINDS if kind in facts), "class")}
    with tempfile.TemporaryDirectory() as scratch:

        def folder_of(name: str) -> Path:
            place = Path(scratch, name)
            return place if place.is_dir() else find(name)

        for stage in stages:
            place = Path(scratch, stage.name)
            if not stage.trains:
                continue
            try:
                (point,) = preflight.points(stage.filled(folder_of), composer, False)
            except ConfigError as error:
                raise ConfigError(f"stage {stage.name}: {str(error).replace(f'{scratch}/', '')}") from error
            spec = {"fields": {}, "source": {"kind": ""}, "label": label}
            facts_ = {"format": 1, "config": point.config, "spec": spec, "preprocessing": {}, "card": {}, "digest": ""}
            write_json(place / "artifact" / "artifact.json", facts_)


def run(
    config: dict[str, Any], overrides: Sequence[str], where: Path, composer: Composer, *, resume: bool = False
) -> dict[str, Any]:
    """Trains a point, be it one run or a loop of them; as :func:`assay.run.run`, which see."""
    if loop_of(config) is None:
        from assay.run import run as one

        return one(config, overrides, where, resume=resume)
    from assay.loops.loop import Loop

    return Loop(config, overrides, where, composer).run(resume=resume)


def show(config: Mapping[str, Any], overrides: Sequence[str]) -> list[str]:
    """``plan=true``: a line for each stage."""
    stages = stages_of(config, overrides)
    width = max((len(stage.name) for stage in stages), default=0)
    return [f"   {stage.name:<{width}}  {' '.join(stage.own)}".rstrip() for stage in stages]
