"""``train.py`` and ``assay train``: preflight, then a folder, then Hydra, then a run. Torch loads in the last step.

Hydra alone would make the run folder before it calls us, print an error over several lines and exit with 1.
"""

from __future__ import annotations

import itertools
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.main import main as hydra_main
from omegaconf import DictConfig

from assay import preflight
from assay.cli import refusal_in
from assay.composition.compose import VERSION_BASE, Composer, composer_of
from assay.composition.points import is_hydra, quote_all
from assay.composition.quoting import quote
from assay.errors import ConfigError
from assay.folder import write_config
from assay.follow import following
from assay.loops import start


def train(argv: Sequence[str]) -> int:
    """Trains what the command line says; Hydra's own flags (``--help``, ``--cfg job``, …) work too.

    Returns:
        The exit code: 0 done, 1 if points of a sweep failed.
    Raises:
        ConfigError: the command was refused; nothing was created.
    """
    flags = preflight.parse(argv)
    composer = composer_of(flags.config_dir, flags.config_path, flags.config_name)
    asks = flags.help or flags.hydra_help or flags.shell_completion or flags.info is not None
    if asks or flags.cfg:
        arguments = quote_all(flags.overrides, composer.catalogue, flags.multirun)
        if flags.cfg:
            preflight.drafts(arguments, composer, flags.multirun)
        return _enter(_arguments(argv, flags.overrides, arguments), composer, _nothing)
    points = preflight.points(flags.overrides, composer, flags.multirun)
    if any(point.config["plan"] for point in points):
        show_plan(points)
        return 0
    if (code := following(points[0].config["trainer"])) is not None:
        return code
    rest = [one for one in flags.overrides if is_hydra(one)]
    places = [text for flag in ("config-dir", "config-name") for text in _flag(flag, flags)]
    if flags.multirun:
        return _sweep(points, [*places, "-m", *rest], composer)
    return _single(points[0], [*places, *rest], composer)


def _flag(flag: str, flags: Any) -> list[str]:
    value = getattr(flags, flag.replace("-", "_"))
    return [] if value is None else [f"--{flag}", value]


def _single(point: preflight.Point, arguments: list[str], composer: Composer) -> int:
    if not any(one.startswith("hydra.run.dir=") for one in arguments):  # a distributed child is told its folder
        folder = make_folder(point.config)
        arguments = [*arguments, f"hydra.run.dir={quote(str(folder))}"]
    job = _Job(composer)
    code = _enter([*arguments, *point.overrides], composer, job)
    if job.failures:
        raise job.failures[0]
    return code


def _sweep(points: list[preflight.Point], arguments: list[str], composer: Composer) -> int:
    folder = make_sweep_folder(points[0].config)
    told = ",".join(f"[{','.join(quote(one) for one in point.overrides)}]" for point in points)
    job = _Job(composer, several=True)
    code = _enter(
        [*arguments, f"hydra.sweep.dir={quote(str(folder))}", f"hydra.sweeper.points=[{told}]"], composer, job
    )
    if job.failures:
        print(f"{len(job.failures)} of {len(points)} runs failed; the others are in {folder}", file=sys.stderr)
    return code or int(bool(job.failures))


class _Job:
    """What Hydra calls for each job. Failures are kept from it: it would print them its own way and cut their trace."""

    def __init__(self, composer: Composer, several: bool = False) -> None:
        self.composer, self.catalogue = composer, composer.catalogue
        self.several = several
        self.failures: list[Exception] = []

    def __call__(self, config: DictConfig) -> Any:
        hydra = HydraConfig.get()
        choices = {
            group: name for group, name in hydra.runtime.choices.items() if name and not group.startswith("hydra/")
        }
        overrides = list(hydra.overrides.task)
        folder = Path(hydra.runtime.output_dir)
        plain = preflight.plain(config, choices, self.catalogue)
        write_config(folder, plain, overrides)  # before torch loads: a run that is killed then can be resumed
        from assay.run import Failed, Stopped  # run first: it puts off the imports that a step does not need

        try:
            return start.run(plain, overrides, folder, self.composer)
        except Stopped as stopped:
            raise SystemExit(128 + int(stopped.args[0])) from stopped
        except Failed as failed:
            if not self.several:
                print(failed, file=sys.stderr)
                raise SystemExit(1) from failed
            print(f"run {hydra.job.num} ({' '.join(overrides)}): {failed}", file=sys.stderr)
            self.failures.append(failed)
        except Exception as error:
            self.failures.append(error)
            if self.several:
                report(error, f"run {hydra.job.num} ({' '.join(overrides)}): ")
        return None


def _nothing(config: DictConfig) -> None:
    """For the flags that only show: Hydra answers before it would call us."""


def _enter(arguments: Sequence[str], composer: Composer, job: Any) -> int:
    """``@hydra.main`` with these arguments."""

    def task(config: DictConfig) -> Any:
        return job(config)

    before = sys.argv
    sys.argv = [before[0] if before else "assay", *arguments]
    try:
        hydra_main(version_base=VERSION_BASE, config_path=str(composer.folders[0]), config_name=composer.name)(task)()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    finally:
        sys.argv = before
    return 0


def _arguments(argv: Sequence[str], typed: Sequence[str], quoted: Sequence[str]) -> list[str]:
    """The flags of the command line, then its overrides, quoted."""
    left = list(argv)
    for one in typed:
        left.remove(one)
    return [*left, *quoted]


def make_folder(config: dict[str, Any]) -> Path:
    """``outputs/<date>/<time>-<name>/``, which no other run has.

    Raises:
        ConfigError: it cannot be made.
    """
    from assay.folder import create

    switches = config["switches"]
    name = config["name"] or f"{switches.get('model', 'run')}-{switches.get('data', 'data')}"
    try:
        return create(os.path.abspath(config["outputs"]), str(name))
    except OSError as error:
        raise _no_folder(config, error) from error


def make_sweep_folder(config: dict[str, Any]) -> Path:
    """``outputs/sweeps/<name>``, numbered where it exists; unnamed sweeps are named by the time.

    Raises:
        ConfigError: it cannot be made.
    """
    place = Path(os.path.abspath(config["outputs"]), "sweeps")
    name = config["name"] or datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for attempt in itertools.count(1):
            folder = place / (f"{name}-{attempt}" if attempt > 1 else str(name))
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise _no_folder(config, error) from error
    raise AssertionError("counting ended")


def _no_folder(config: dict[str, Any], error: OSError) -> ConfigError:
    return ConfigError(f"outputs={config['outputs']} takes no run folder ({error.strerror}); name another")


def show_plan(points: Sequence[preflight.Point]) -> None:
    """``plan=true``: every point by its overrides, and how many there are."""
    width = len(str(len(points) - 1))
    for number, point in enumerate(points):
        shown = [one for one in point.overrides if not one.startswith("plan=")]
        defaults = " ".join(f"{group}={point.config['switches'].get(group)}" for group in ("model", "data"))
        print(f"{number:>{width}}  {' '.join(shown) or defaults}")
        for line in start.show(point.config, point.overrides):
            print(line)
    print(f"{len(points)} run{'s' if len(points) > 1 else ''}, all checks passed; leave out plan=true to train")


def report(error: Exception, prefix: str) -> None:
    """What became of one run of a sweep: a refusal as its line, anything else with its trace."""
    refusal = refusal_in(error)
    if refusal is None:
        traceback.print_exception(error)
    print(f"{prefix}{refusal or type(error).__name__}", file=sys.stderr)
