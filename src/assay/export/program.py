"""The same network as a ``torch.export`` program: a graph of torch's operators that needs none of our classes."""

from __future__ import annotations

import copy
import io
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from assay.artifacts import Artifact
from assay.errors import ConfigError
from assay.export import onnx_file
from assay.export.traceable import afresh, traceable
from assay.export.whole import Whole, example, ports


def write(artifact: Artifact, path: Path) -> None:
    """Writes the program; quantised networks with their dequantised weights and their rounding of inputs."""
    whole = Whole(artifact, prepared=False).eval()
    if next(whole.network.parameters()).dtype != torch.float32:
        whole.network = copy.deepcopy(whole.network).float()
    into = ports(artifact, prepared=False)
    sample = example(artifact, 3, min(9, onnx_file.longest(artifact.network) or 9), prepared=False)
    afresh()
    with traceable(whole, onnx=False), onnx_file.quiet():
        dimensions = onnx_file.dimensions(into, artifact)
        program = torch.export.export(whole, sample, dynamic_shapes=(dimensions,), strict=False)
        torch.export.save(program, path)
    refuse_pickles(path)


def load(path: Path) -> Callable[..., Tensor]:
    """The program as a function of a batch. Raises ConfigError: the file could run code when opened."""
    refuse_pickles(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.export.load(path).module()

    def run(*inputs: Tensor) -> Tensor:
        with torch.inference_mode():
            return module(*inputs)

    return run


_PLAIN = re.compile(
    r"[^/]+/(data/(weights/weight_\d+|weights/\w+_config\.json|constants/tensor_\d+|constants/\w+_config\.json"
    r"|sample_inputs/\w+\.pt)|models/\w+\.json|archive_format|archive_version|byteorder|version|\.data/\w+)"
)
"""The members of an archive that hold bytes of tensors and JSON; the example inputs are looked at."""


def refuse_pickles(path: Path) -> None:
    """Raises ConfigError unless opening the archive can run no code.

    ``torch.export.load`` opens tensors that the archive's index calls pickled, custom objects, and example inputs with
    ``weights_only=False`` where plain opening fails (found by reading torch 2.15). What it writes for our networks has
    none of that: tensors are raw bytes, and the example inputs open as plain tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if not _PLAIN.fullmatch(name):
                    raise ConfigError(f"{path} holds {name}, which could run code when opened")
                if name.endswith("_config.json"):
                    index = json.loads(archive.read(name))["config"].values()
                    if any(one.get("use_pickle") for one in index):
                        raise ConfigError(f"{path} holds pickled tensors, which could run code when opened")
                if name.endswith(".pt"):
                    torch.load(io.BytesIO(archive.read(name)), weights_only=True)
    except ConfigError:
        raise
    except pickle.UnpicklingError:
        raise ConfigError(f"{path} holds example inputs that could run code when opened") from None
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} is no program of torch.export ({' '.join(str(error).split())[:120]})") from error
