"""Behind the Python door: training from a notebook, and the table of runs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import ConfigError
from assay.folder import write_config
from assay.sweeps.axes import implied


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies, what it scored, and its model."""

    folder: Path
    summary: dict[str, Any]

    def predict(self, inputs: Any) -> list[dict[str, Any]]:
        from assay.predict import load

        return load(self.folder).predict(inputs)


def train(overrides: Sequence[str]) -> Run:
    from assay.preflight import check, parse

    if other := [one for one in overrides if not isinstance(one, str)]:
        raise ConfigError(f"{other[0]!r} is not text; assay.train takes overrides, as 'model=lstm', 'optim.lr=0.01'")
    flags = parse(overrides)
    if flags.cfg or flags.help or flags.hydra_help or flags.shell_completion or flags.info is not None:
        raise ConfigError("assay.train trains; what only shows something is a flag of `assay train`")
    if flags.multirun or implied(flags.overrides):
        words = " ".join(one for one in overrides if one not in ("-m", "--multirun"))
        raise ConfigError(f"assay.train gives back one run, and a sweep has many: use `assay train -m {words}`")
    points = check(list(overrides))
    (point,) = points
    if point.config["plan"]:
        raise ConfigError("plan=true only shows what would run: use `assay train … plan=true`, or leave it out")
    from assay.follow import following
    from assay.launch import make_folder

    if (code := following(point.config["trainer"])) is not None:  # under torchrun: the first process has the run
        raise SystemExit(code)
    folder = make_folder(point.config)
    write_config(folder, point.config, point.overrides)
    import assay.run  # noqa: F401 (after every check: torch, and first what puts off its imports)
    from assay.composition.compose import composer_of
    from assay.loops import start

    composer = composer_of(flags.config_dir, flags.config_path, flags.config_name)
    return Run(folder, start.run(point.config, list(point.overrides), folder, composer))


def runs(path: Path) -> list[dict[str, Any]]:
    from assay.lifecycle import records

    found, bad = records.read_all(records.folders(path))
    if bad:
        warnings.warn(records.bad_line(bad), stacklevel=3)
    keys = records.told(found)
    return [records.row(one, keys) for one in found]
