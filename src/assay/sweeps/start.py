"""What ``assay train -m`` does with its points: makes the sweep, or goes on with it, and runs what is left of it.

The same command goes on; more values, seeds or folds extend it. Everything is refused before anything is made.
"""

from __future__ import annotations

import errno
import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import preflight
from assay.composition.compose import Composer
from assay.composition.points import Command, read
from assay.errors import ConfigError
from assay.folder import is_sweep
from assay.screens import shown
from assay.sweeps.axes import WORDS
from assay.sweeps.ledger import place, snapshot
from assay.sweeps.ledger.identity import identity, is_own
from assay.sweeps.ledger.ledger import Entry, Ledger, Planned
from assay.sweeps.opening import Sweep, opened
from assay.sweeps.strategy import Compose, Grid, Strategy


def train(flags: Namespace, composer: Composer, argv: Sequence[str]) -> int:
    """``assay train`` with several points: checks them, shows what would run, or runs them.

    Returns:
        The exit code: 0 all done, 1 some failed or the disk is full, 130 or 143 stopped by a signal.
    Raises:
        ConfigError: it was refused; nothing was started, and an earlier sweep is as it was.
    """
    from assay.follow import following

    typed = flags.overrides
    enter_snapshot(typed, composer, flags, argv)
    points = preflight.points(typed, composer, multirun=True)
    if any(point.config["plan"] for point in points):
        from assay.sweeps.outlook import show

        show(points, read(typed, composer, multirun=True), composer, flags)
        return 0
    if (code := following(points[0].config["trainer"])) is not None:
        return code
    return start(points, typed, composer, flags, argv)


def start(
    points: Sequence[preflight.Point], typed: Sequence[str], composer: Composer, flags: Namespace, argv: Sequence[str]
) -> int:
    """Runs a sweep, or what is left of it.

    Args:
        points: of the command, checked.
        typed: its overrides.
        argv: all of it.
    Returns:
        The exit code: 0 all done, 1 some failed or the disk is full, 130 or 143 stopped by a signal.
    Raises:
        ConfigError: it was refused; nothing was started, and an earlier sweep is as it was.
    """
    command = read(typed, composer, multirun=True)
    sweep = Sweep(folder_of(command, composer, flags), points, typed, command, composer, flags, argv)
    configs = {identity(one.config): one.config for one in planned(sweep.points)}

    def compose(overrides: Sequence[str]) -> list[Planned]:
        made = planned(preflight.points(_of_points(overrides), composer, multirun=True))
        configs.update((identity(one.config), one.config) for one in made)
        return made

    def config_of(entry: Entry) -> dict[str, Any]:
        if entry.digest not in configs:  # of an earlier process: a trial that nobody has asked for in this one
            compose(entry.overrides)
        return configs[entry.digest]

    strategy = strategy_of(sweep, compose)
    try:
        ledger = opened(sweep)
        from assay.sweeps import course

        orders = course.Orders(
            config=points[0].config,
            config_of=config_of,
            paths=snapshot.paths(sweep.folder),
            command=["assay", "train", *argv],
            jobs=sweep.settings["sweep"]["jobs"],
            on_error=sweep.settings["sweep"]["on_error"],
        )
        return launched(sweep.settings, ledger, strategy, orders)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = shown(sweep.folder)
        print(f"the disk is full: nothing of {where} is lost; free some, and the same command goes on", file=sys.stderr)
        return 1


def launched(settings: Mapping[str, Any], ledger: Ledger, strategy: Strategy, orders: Any) -> int:
    """By whom the points are run: this process, or what ``launcher`` names."""
    if settings["launcher"] is None:
        from assay.review import wandb_sweep
        from assay.sweeps.course import run

        code = run(ledger, strategy, orders)
        if code < 128 and (line := wandb_sweep.finish(ledger.folder, orders.config)):
            print(line, flush=True)
        return code
    from assay.targets import build

    return build(settings["launcher"]).run(ledger, strategy, orders)


def strategy_of(sweep: Sweep, compose: Compose) -> Strategy:
    """Which points run, and in which order."""
    settings = sweep.settings
    if settings["search"] is None and not settings["sweep"]["tune"]:
        return Grid(planned(sweep.points))
    from assay.sweeps.search.made import strategy

    return strategy(settings, sweep.arguments, sweep.composer, compose, sweep.folder)


def planned(points: Sequence[preflight.Point]) -> list[Planned]:
    """As the ledger takes them; the name, which is the sweep's, is not theirs."""
    return [
        Planned(
            {**point.config, "name": None},
            tuple(one for one in point.overrides if not one.startswith("name=")),
            point.cell,
            int(point.config["seed"] or 0),
            point.config["fold"],
        )
        for point in points
    ]


def _of_points(overrides: Sequence[str]) -> list[str]:
    """Without what is the sweep's, but for its own axes."""
    return [one for one in overrides if not is_own(one) or one.partition("=")[0] in WORDS]


def folder_of(command: Command, composer: Composer, flags: Namespace) -> Path:
    """Where the sweep of a command lies: ``outputs/sweeps/<name>``."""
    config, _ = composer.compose(command.chosen)

    def value(key: str) -> Any:
        text = command.text(key)
        return composer.parse(text).value() if text else config[key]

    name = value("name") or place.name_of(command, {"dir": flags.config_dir, "name": flags.config_name})
    return Path(os.path.abspath(str(value("outputs"))), "sweeps", str(name))


def enter_snapshot(typed: Sequence[str], composer: Composer, flags: Namespace, argv: Sequence[str]) -> None:
    """``sweep.source=snapshot``: this process becomes one that runs the sweep's snapshot, unless it is that already.

    Raises:
        ConfigError: there is no such sweep yet.
    """
    command = read(typed, composer, multirun=True)
    text = command.text("sweep.source")
    if not text or composer.parse(text).value() != "snapshot":
        return
    folder = folder_of(command, composer, flags)
    if not is_sweep(folder):
        raise ConfigError(f"{text}: there is no sweep {folder.name} whose source could run; leave it out to begin one")
    if not snapshot.runs_here(folder):
        snapshot.enter(folder, argv)
