"""What preflight asks of ``init_from`` before torch is loaded: are the weights there, and of what?"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from assay.data.download import Download, File
from assay.errors import ConfigError
from assay.folder import find_artifact

TORCHVISION = "torchvision:"
_FOLDER = "hub/checkpoints"  # torch.hub's layout: data_dir=~/.cache/torch finds what it has loaded
_MEBIBYTE = 1 << 20


def check(config: dict[str, Any]) -> set[str]:
    """The facts of ``init_from``: ``initial_weights`` where there are any; refuses what holds no trained network, and
    downloads torchvision's weights.

    Raises:
        ConfigError: there is no such run, its artifact cannot be read, the model is not torchvision's of this name, or
            its weights are neither there nor to be had.
    """
    source = config.get("init_from")
    if source is None:
        return set()
    if str(source).startswith(TORCHVISION):
        name = str(source).removeprefix(TORCHVISION)
        files = published(name)
        if config["switches"]["model"] != "torchvision" or config["model"]["name"] != name:
            raise ConfigError(f"init_from={source} are weights of one model: add model=torchvision model.name={name}")
        files.ensure(str(config["data_dir"]))
        return {"initial_weights"}
    try:
        path = find_artifact(str(source)) / "artifact.json"
    except ConfigError as error:
        raise ConfigError(f"init_from: {error}") from error
    try:
        json.loads(path.read_text(encoding="utf-8"))["spec"]["source"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"init_from={source}: {path} cannot be read ({error}); name a finished run") from error
    return {"initial_weights"}


def published(name: str) -> Download:
    """The weights that torchvision holds for the best of a network, as its own source names them: read, not imported.

    Raises:
        ConfigError: torchvision is not installed, or publishes none of this name.
    """
    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"init_from={TORCHVISION}{name} needs torchvision, which is not installed: uv sync --extra vision"
        )
    folder = Path(spec.submodule_search_locations[0], "models")
    for path in sorted(folder.glob("*.py")):
        tree = _tree(path)
        enums = {one.name: one for one in tree.body if isinstance(one, ast.ClassDef)}
        for function in tree.body:
            if isinstance(function, ast.FunctionDef) and function.name == name:
                words = {node.id for node in ast.walk(function.args) if isinstance(node, ast.Name)}
                for enum in words & enums.keys():
                    return _download(name, *_best(enums[enum]))
    raise ConfigError(f"init_from={TORCHVISION}{name}: torchvision.models publishes no weights of that name")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _best(enum: ast.ClassDef) -> tuple[str, float]:
    """(address, mebibytes) of the member that ``DEFAULT`` names."""
    members = {
        target.id: one.value
        for one in enum.body
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    constants = dict(_constants(members[ast.unparse(members["DEFAULT"])]))
    return str(constants["url"]), float(constants["_file_size"])


def _constants(call: ast.AST) -> Iterator[tuple[str, Any]]:
    """Keywords and dictionary entries with plain values, at any depth."""
    for node in ast.walk(call):
        if isinstance(node, ast.keyword) and node.arg and isinstance(node.value, ast.Constant):
            yield node.arg, node.value.value
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                    yield str(key.value), value.value


def _download(name: str, address: str, mebibytes: float) -> Download:
    mirror, _, file = address.rpartition("/")
    digest = file.rpartition("-")[2].partition(".")[0]  # torch.hub's convention: the beginning of its sha256
    most = int((mebibytes + 1) * _MEBIBYTE)
    return Download(f"torchvision's {name}", _FOLDER, (File(file, "", most, sha256=digest),), (f"{mirror}/",))
