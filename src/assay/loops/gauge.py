"""What a network would cost, found without training it: an untrained one of the same shapes makes a file of the same
size, work and time."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay import preflight
from assay.artifacts import Artifact
from assay.assemble import assemble
from assay.compression import cost, words
from assay.compression import report as costs
from assay.compression.groups import groups_of
from assay.compression.narrow import narrow
from assay.compression.structured import Structured
from assay.contracts import Batch
from assay.errors import ConfigError
from assay.loops.plan import joined
from assay.loops.stages import Stages
from assay.targets import build

SIZES = ("channels", "hidden_sizes", "hidden_size", "width", "maps", "size", "feedforward_size", "embedding_size")
"""Keys of models that are widths; ``width_mult`` multiplies them all."""

NARROWEST = 1e-9


def scaled(model: Mapping[str, Any], factor: float) -> list[str]:
    """The overrides that make a model so many times as wide, no layer narrower than one unit.

    Raises:
        ConfigError: it has no width.
    """
    if "width_mult" in model:
        return [f"model.width_mult={max(model['width_mult'] * factor, 1e-6):.6g}"]
    heads = int(model.get("num_heads", 1))

    def wide(size: int) -> int:
        return max(round(size * factor / heads), 1) * heads

    found = []
    for key in SIZES:
        value = model.get(key)
        if isinstance(value, int):
            found.append(f"model.{key}={wide(value)}")
        elif isinstance(value, list) and all(isinstance(one, int) for one in value):
            found.append(f"model.{key}=[{','.join(str(wide(one)) for one in value)}]")
    if not found:
        raise ConfigError(
            "a budget searches widths, and this model has none: choose another with compression.student=… or model=…"
        )
    return found


class Gauge:
    """Untrained networks at any width and precision, each measured once.

    Args:
        stages: with the data.
        overrides: of the stage that trains the student.
        limits: {bytes, macs, latency_ms: the most allowed}.
    """

    def __init__(self, stages: Stages, overrides: Sequence[str], limits: Mapping[str, float]) -> None:
        self.stages, self.limits = stages, limits
        self.overrides = joined(overrides, ["distillation=none", "compression=none", "quantization=none"])
        self.model = self._config([])["model"]
        self.known: dict[tuple[float, str, float], dict[str, float]] = {}

    def _config(self, more: Sequence[str]) -> dict[str, Any]:
        return preflight.points(joined(self.overrides, more), self.stages.composer, False)[0].config

    def costs(self, factor: float, precision: Sequence[str], ratio: float = 0.0) -> dict[str, float]:
        """bytes, macs and, where it is limited, latency_ms of the exported file; a ratio of its units is cut before."""
        key = (factor, " ".join(precision), ratio)
        if key not in self.known:
            self.known[key] = self.of(self._untrained(factor, precision, ratio))
        return self.known[key]

    def of(self, artifact: Artifact) -> dict[str, float]:
        """The same of any artifact."""
        from assay.export import onnx_file
        from assay.export.session import Session
        from assay.export.whole import fields

        batch = costs.rows_of(self._batch(), 1)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, "model.onnx")
            onnx_file.write(artifact, path, prepared=False)
            found = {"bytes": float(path.stat().st_size), "macs": float(cost.macs(artifact.network, batch))}
            if "latency_ms" in self.limits:
                onnx_file.write(artifact, path)
                session, read = Session(path, costs.THREADS), fields(artifact)

                def answer(batch: Batch) -> Any:
                    return session.answers(*(batch[name] for name in read))

                found["latency_ms"] = cost.latency(answer, batch, costs.REPEATS)[0]
        return found

    def load(self, found: Mapping[str, float]) -> float:
        """The share of its limit that the tightest cost takes: at most 1 fits."""
        return max(found[name] / limit for name, limit in self.limits.items())

    def widest(self, precision: Sequence[str], ratio: float = 0.0, first: float = 1.0) -> float | None:
        """The largest factor found that fits, 16 at most; None where none did. Costs grow between linearly and with its
        square.

        Args:
            first: the guess to begin with.
        """
        factor, best, most = float(f"{min(first, 16.0):.3g}"), None, 16.0
        for _ in range(7):
            used = self.load(self.costs(factor, precision, ratio))
            if used <= 1 and (best is None or factor > best):
                best = factor
            if 0.93 <= used <= 1 or (used <= 1 and factor >= most):
                break
            factor = float(f"{min(factor * (0.97 / used) ** 0.55, most):.3g}")
        return best

    def _untrained(self, factor: float, precision: Sequence[str], ratio: float) -> Artifact:
        config = self._config([*scaled(self.model, factor), *precision])
        dataset = self.stages.dataset
        task, network = assemble(config, dataset.spec, build(config["loss"]))
        quantizer, found = build(config["quantization"]), None
        network.eval()
        _make_unlike(network)
        if ratio:  # which units leave is decided by training, how many is not
            groups = groups_of(network)
            narrow(network, Structured(ratio, "layer", 0.05, "l1", 1).kept(groups, network.state_dict(), []))
        if quantizer is not None and factor > NARROWEST:  # where layers are one unit wide there is nothing to round
            quantizer.begin(network, 0, "32-true")
            quantizer.release(network)
            found = quantizer(network, lambda: iter([self._batch()]))
        return Artifact(task, network, dataset.spec, dataset.preprocessing, config, {}, found)

    def _batch(self) -> dict[str, torch.Tensor]:
        """A few training examples, enough for every latency and for the ranges of inputs."""
        few = self.stages.dataset.splits["train"].few(max(words.SIZES))
        return few.gather(torch.arange(len(few)))


@torch.no_grad()
def _make_unlike(network: nn.Module) -> None:
    """No two vectors stay alike, as fresh zeros and ones are: a file would hold those once."""
    generator = torch.Generator().manual_seed(0)
    for tensor in network.state_dict().values():
        if tensor.dim() == 1 and tensor.is_floating_point():
            tensor.add_(0.01 * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype))
