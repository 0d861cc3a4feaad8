"""``source/``: the package and every folder of options as they were when a sweep began, which its jobs run from.

It is laid out as a checkout (``src/assay``, ``src/hydra_plugins``, ``conf``), with the user's ``--config-dir`` beside
and the packages that declare trusted targets, so that Python and Hydra find in it what they find in one. Compiled
files come along with their times, or every job would compile anew. Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NoReturn

from assay.composition.locations import conf_folder, declared
from assay.composition.nearest import listed
from assay.errors import ConfigError
from assay.folder import write_json

FOLDER, MANIFEST = "source", "source.json"
NAMED = 3  # changed files in a line
MOST_BYTES = 50_000_000  # of a package of the user's; a larger one runs as it is installed
_PACKAGE = Path(__file__).resolve().parents[2]


def parts(config_dir: str | None) -> dict[str, Path]:
    """{place in the snapshot: folder} of all that a job is made of."""
    found = {"src/assay": _PACKAGE}
    plugins = _PACKAGE.parent / "hydra_plugins"
    for plugin in sorted(plugins.glob("assay*")) if plugins.is_dir() else ():
        found[f"src/hydra_plugins/{plugin.name}"] = plugin
    if not conf_folder().is_relative_to(_PACKAGE):  # a wheel has it inside
        found["conf"] = conf_folder()
    for group in ("assay.targets", "assay.conf"):
        for _, value in declared(group):
            name = value.partition(".")[0]
            if name != "assay" and (folder := _package(name)) is not None:
                found[f"src/{name}"] = folder
    if config_dir is not None:
        found["config_dir"] = Path(os.path.abspath(config_dir))
    return found


def manifest(config_dir: str | None) -> dict[str, str]:
    """{file: digest} of the source and options that this process runs with."""
    return dict(_digests(parts(config_dir)))


def digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


def take(sweep: Path, config_dir: str | None) -> dict[str, str]:
    """Makes the snapshot of a new sweep; its manifest.

    Raises:
        OSError: the disk is full; nothing stays of it.
    """
    place, temporary = sweep / FOLDER, sweep / f".{FOLDER}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        for name, folder in parts(config_dir).items():
            shutil.copytree(folder, temporary / name, ignore=_left_out)
    except shutil.Error as error:  # a list of what could not be copied, with reasons
        shutil.rmtree(temporary, ignore_errors=True)
        raise OSError(getattr(error, "errno", None) or 28, str(error.args[0][0][2]), str(temporary)) from error
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(place, ignore_errors=True)
    temporary.rename(place)
    files = dict(_digests({name: place / name for name in parts(config_dir)}))
    write_json(sweep / MANIFEST, files)
    return files


def edited(sweep: Path, config_dir: str | None) -> list[str]:
    """The files that are not as the sweep's snapshot has them: changed, new or gone."""
    then = read_manifest(sweep)
    now = manifest(config_dir)
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def edited_line(sweep: Path, changed: Sequence[str]) -> str:
    """The refusal to go on with a sweep after an edit."""
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    names = f"{', '.join(changed[:NAMED])}{more}" if more else listed(list(changed), "and")
    return (
        f"{names} changed since sweep {sweep.name} began, so its points would not compare: sweep.source=snapshot goes "
        f"on as it was then, name=… starts another sweep, sweep.fresh=true this one anew"
    )


def read_manifest(sweep: Path) -> dict[str, str]:
    """As kept, else of the snapshot itself; empty where there is none."""
    try:
        found = json.loads((sweep / MANIFEST).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(name): str(value) for name, value in found.items()}
    except (OSError, ValueError):
        pass
    place = sweep / FOLDER
    return dict(_digests({"": place})) if place.is_dir() else {}


def paths(sweep: Path) -> list[Path]:
    """Where the Python of a job looks first."""
    place = (sweep / FOLDER / "src").resolve()
    return [place] if place.is_dir() else []


def config_dir_of(sweep: Path) -> Path | None:
    place = (sweep / FOLDER / "config_dir").resolve()
    return place if place.is_dir() else None


def runs_here(sweep: Path) -> bool:
    """Whether this process runs with the sweep's snapshot."""
    return _PACKAGE.is_relative_to((sweep / FOLDER).resolve())


def enter(sweep: Path, arguments: Sequence[str]) -> NoReturn:
    """Becomes ``assay train`` with these arguments, from the sweep's snapshot.

    Raises:
        ConfigError: it has none.
    """
    places = paths(sweep)
    if not places:
        raise ConfigError(f"sweep {sweep.name} holds no snapshot of its source: leave sweep.source=snapshot out")
    told = _with_config_dir(arguments, config_dir_of(sweep))
    looked = [str(place) for place in places] + [one for one in [os.environ.get("PYTHONPATH")] if one]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(looked)}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-P", "-m", "assay.cli", "train", *told], environment)


def _with_config_dir(arguments: Sequence[str], folder: Path | None) -> list[str]:
    """The arguments, with the folder of own options that the snapshot holds in place of the one that was named."""
    if folder is None:
        return list(arguments)
    told: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in ("--config-dir", "-cd"):
            next(rest, None)
        elif not word.startswith(("--config-dir=", "-cd=")):
            told.append(word)
    return ["--config-dir", str(folder), *told]


def _package(name: str) -> Path | None:
    """The folder of a package of the user's, found without importing it; None where it is no folder, or a large one."""
    spec = PathFinder.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        return None
    folder = Path(places[0])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return folder if size <= MOST_BYTES else None


def _left_out(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in (".git", ".DS_Store", ".ipynb_checkpoints", ".pytest_cache")]


def _digests(places: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for name, folder in places.items():
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if path.suffix in (".pyc", ".pyo") or _left_out("", list(relative.parts)) or not path.is_file():
                continue
            text = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            yield f"{name}/{relative.as_posix()}".lstrip("/"), text
