"""What Hydra must know of Assay: whose conf/ folders to search, and how ``-m`` becomes points.

Hydra takes plugins only from ``hydra_plugins`` and imports this module at every start, so everything else is imported
where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class DeclaredConf(SearchPathPlugin):
    """Adds the conf/ folders of the entry point group ``assay.conf`` after our own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        from assay.composition.locations import declared_folders

        for name, folder in declared_folders():
            search_path.append(provider=f"assay.conf:{name}", path=str(folder))


class PointsSweeper(Sweeper):
    """Runs the points that preflight has made of the command line: every job's overrides, written out.

    Hydra's own sweeper cannot know keys that only some options of a swept group have, nor check points before the
    first job; here both are done already (:mod:`assay.composition.points`), so nothing is left but to launch.

    Args:
        points: each job's overrides.
    """

    def __init__(self, points: Sequence[Sequence[str]]) -> None:
        self.points = [list(point) for point in points]
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        assert self.launcher is not None, "Hydra calls setup first"
        return self.launcher.launch(self.points, initial_job_idx=0)
