"""``hydra/sweeper=assay``: Hydra's own ``-m`` reaches the sweeps of :mod:`assay.sweeps`.

For an application of somebody's own that composes Assay's conf/ by ``@hydra.main``: its ``-m`` gives the same sweep as
``assay train -m`` with the same words, the same folder, ledger and numbers, so that either goes on with what the other
began. Points are checked first, as there. ``train.py`` needs none of this: it takes ``-m`` before Hydra starts, because
Hydra composes the options of a sweep before it asks a sweeper, and would refuse in its own words, over several lines,
what preflight refuses in one (a wrong option, a key under a condition as ``sgd.optim.momentum=0,0.9``).

What a sweeper of Hydra's does otherwise, and this one does not: the application's function is not called, since a job
is a process that trains one point from a snapshot of the source, resumes it, and reports to the ledger; nor are
Hydra's launchers and ``hydra.sweep.*`` used, which are refused. Hydra imports this module at every start: what it uses
is imported inside.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

TARGET = "hydra_plugins.assay_sweeper.AssaySweeper"
ConfigStore.instance().store(group="hydra/sweeper", name="assay", node={"_target_": TARGET}, provider="assay")


class AssaySweeper(Sweeper):
    """Hands the words of a multirun to ``assay train -m``."""

    def __init__(self) -> None:
        self.task_function: TaskFunction | None = None
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.task_function, self.config = task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Runs the sweep of these overrides, or what is left of it.

        Raises:
            SystemExit: points failed (1), it was refused (2) or stopped (128 + signal): Hydra looks at no return value.
        """
        from assay.errors import ConfigError
        from assay.launch import train

        assert self.config is not None
        try:
            places = _places(self.config)
            _refuse_hydras(self.config)
            print(_told(self.task_function), file=sys.stderr, flush=True)
            code = train(["-m", *places, *arguments])
        except ConfigError as error:
            print(error, file=sys.stderr)
            code = 2
        if code:
            raise SystemExit(code)


def _told(function: Any) -> str:
    """What somebody who wrote a function would else look for in vain."""
    name = getattr(function, "__name__", "the application's function")
    return f"hydra/sweeper=assay: each point is trained by Assay, in a process of its own; {name} is not called"


def _places(config: DictConfig) -> list[str]:
    """The flags of ``assay train`` that say where this application found its options.

    Raises:
        ConfigError: the application composes no folder of options that Assay could.
    """
    from assay.composition.locations import conf_folder
    from assay.errors import ConfigError

    found = {str(one.provider): one for one in config.hydra.runtime.config_sources}
    flags: list[str] = []
    if (own := found.get("command-line")) is not None:
        flags += ["--config-dir", str(own.path)]
    main = found.get("main")
    if main is None or not os.path.samefile(str(main.path) or ".", conf_folder()):
        where = "nothing" if main is None else str(main.path)
        raise ConfigError(
            f"hydra/sweeper=assay sweeps over Assay's options, and this application has config_path={where}: write "
            f"config_path={str(conf_folder())!r}, and name a folder of options of your own by --config-dir"
        )
    name = str(config.hydra.job.config_name)
    return [*flags, *([] if name == "config" else ["--config-name", name])]


def _refuse_hydras(config: DictConfig) -> None:
    """Settings of Hydra's sweeps that would have no effect here."""
    from assay.errors import ConfigError

    if (launcher := str(config.hydra.runtime.choices.get("hydra/launcher"))) != "basic":
        raise ConfigError(
            f"hydra/launcher={launcher} has no part in hydra/sweeper=assay; `assay switches launcher` lists what has"
        )
    typed = OmegaConf.to_container(config.hydra.overrides.hydra)
    for one in typed if isinstance(typed, list) else []:
        if str(one).lstrip("+~").startswith("hydra.sweep."):
            raise ConfigError(f"{one}: a sweep of Assay's lies in outputs/sweeps/<name>; write outputs=… or name=…")
