"""Where conf/ lies, and whose conf/ besides: checkout, wheel, ``--config-dir`` and the entry point ``assay.conf``."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from assay.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parents[1]


def conf_folder() -> Path:
    """The first existing of ``<package>/conf`` (wheel) and ``<checkout>/conf``, absolute."""
    for folder in (_PACKAGE / "conf", _PACKAGE.parents[1] / "conf"):
        if folder.is_dir():
            return folder
    raise ConfigError(f"there is no conf/ beside {_PACKAGE}; install assay again")


def checkout() -> Path | None:
    """The root of the source tree; None where assay runs from a wheel."""
    root = _PACKAGE.parents[1]
    return root if (root / "conf" / "config.yaml").is_file() and (root / "pyproject.toml").is_file() else None


@cache
def declared(group: str) -> tuple[tuple[str, str], ...]:
    """(name, value) of the entry points that installed packages declare in ``assay.conf`` or ``assay.targets``.

    importlib.metadata costs a tenth of a refusal, so it is asked only if some installed package names the group.
    """
    if not any(f"[{group}]" in text for text in _entry_point_files()):
        return ()
    from importlib.metadata import entry_points

    return tuple((point.name, point.value) for point in entry_points(group=group))


@cache
def _entry_point_files() -> tuple[str, ...]:
    texts = []
    for place in dict.fromkeys(sys.path):
        try:
            names = [name for name in os.listdir(place or ".") if name.endswith((".dist-info", ".egg-info"))]
        except OSError:
            continue
        for name in names:
            try:
                with open(os.path.join(place, name, "entry_points.txt"), encoding="utf-8") as file:
                    text = file.read()
            except (OSError, UnicodeDecodeError):
                continue
            if "[assay." in text:
                texts.append(text)
    return tuple(texts)


def declared_folders() -> list[tuple[str, Path]]:
    """(name, folder) of every conf/ that an entry point ``assay.conf`` names, as ``package`` or ``package.conf``."""
    return [(name, _folder(name, value)) for name, value in declared("assay.conf")]


def _folder(name: str, package: str) -> Path:
    """Found without importing: a package of the user's may load torch."""
    first, *rest = package.split(".")
    spec = PathFinder.find_spec(first)
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        folder = Path(place, *rest)
        for found in (folder / "conf", folder):
            if found.is_dir():
                return found
    raise ConfigError(f"entry point assay.conf: {name} = {package} is not a package with a conf/ folder")
