"""``train.py`` and ``assay train``: preflight, then a folder, then Hydra, then a run. Torch loads in the last step.

Hydra alone would make the run folder before it calls us, print an error over several lines and exit with 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.main import main as hydra_main
from omegaconf import DictConfig

from assay import preflight
from assay.composition.compose import VERSION_BASE, Composer, composer_of
from assay.composition.points import is_hydra, quote_all
from assay.composition.quoting import quote
from assay.errors import ConfigError
from assay.folder import write_config
from assay.follow import following
from assay.loops import start
from assay.sweeps.axes import implied


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
            preflight.drafts(flags.overrides, composer, flags.multirun or implied(flags.overrides))
        return _enter(_arguments(argv, flags.overrides, arguments), composer, _nothing)
    if flags.multirun or implied(flags.overrides):
        from assay.sweeps.start import train as sweep

        return sweep(flags, composer, argv)
    (point,) = preflight.points(flags.overrides, composer, multirun=False)
    if point.config["plan"]:
        show_plan([point])
        print("1 run, all checks passed; leave out plan=true to train")
        return 0
    if (code := following(point.config["trainer"])) is not None:
        return code
    rest = [one for one in flags.overrides if is_hydra(one)]
    places = [text for flag in ("config-dir", "config-name") for text in _flag(flag, flags)]
    return _single(point, [*places, *rest], composer)


def _flag(flag: str, flags: Any) -> list[str]:
    value = getattr(flags, flag.replace("-", "_"))
    return [] if value is None else [f"--{flag}", value]


def _single(point: preflight.Point, arguments: list[str], composer: Composer) -> int:
    if not any(one.startswith("hydra.run.dir=") for one in arguments):  # a distributed child is told its folder
        folder = make_folder(point.config)
        arguments = [*arguments, f"hydra.run.dir={quote(str(folder))}"]
    job = _Job(composer)
    code = _enter([*arguments, *point.overrides], composer, job)
    if job.failure is not None:
        raise job.failure
    return code


class _Job:
    """What Hydra calls. A failure is kept from it: it would print it its own way and cut its trace."""

    def __init__(self, composer: Composer) -> None:
        self.composer, self.catalogue = composer, composer.catalogue
        self.failure: Exception | None = None

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
            print(failed, file=sys.stderr)
            raise SystemExit(1) from failed
        except Exception as error:
            self.failure = error
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


def _no_folder(config: dict[str, Any], error: OSError) -> ConfigError:
    return ConfigError(f"outputs={config['outputs']} takes no run folder ({error.strerror}); name another")


def show_plan(points: Sequence[preflight.Point]) -> None:
    """``plan=true``: every point by its overrides."""
    width = len(str(len(points) - 1))
    for number, point in enumerate(points):
        shown = [one for one in point.overrides if not one.startswith("plan=")]
        defaults = " ".join(f"{group}={point.config['switches'].get(group)}" for group in ("model", "data"))
        print(f"{number:>{width}}  {' '.join(shown) or defaults}")
        for line in start.show(point.config, point.overrides):
            print(line)
