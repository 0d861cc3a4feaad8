"""``quantization=…`` in a run: between the last step and the test, the network that is tested and saved becomes one of
few bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assay.contracts import Batch
from assay.data.loaders import to_device
from assay.distillation.seams import deployed
from assay.evaluation import evaluate
from assay.targets import build


def begin_quantizing(parts: Any) -> Any:
    """What ``quantization=…`` names, told of the network before its first step; None where it is none.

    Raises:
        ConfigError: the network has nothing to quantise, or not as asked.
    """
    node = parts.config.get("quantization")
    if node is None:
        return None
    quantizer = build(node)
    quantizer.begin(deployed(parts.network), parts.total, parts.trainer_keys["precision"])
    return quantizer


def quantize(parts: Any) -> dict[str, float]:
    """Quantises ``parts.network`` in place, its best weights loaded, and sets ``parts.quantization``.

    Returns:
        {"float/NAME": score} of the network before, on the test split, and its monitored metric on the validation
        split, "float/val/NAME"; nothing where there is nothing to quantise.
    """
    quantizer, network = parts.quantizer, parts.network
    if quantizer is None:
        return {}
    quantizer.release(network)
    device = parts.trainer.strategy.root_device
    splits = parts.dataset.splits

    def scored(split: str) -> tuple[dict[str, float], Any]:
        return evaluate(parts.task, network, parts.data.loader(splits[split]), device)

    parts.task.settle(lambda: scored("val")[1])  # as it would have been tested
    before = {f"float/{name}": value for name, value in scored("test")[0].items()}
    before |= {f"float/val/{name}": value for name, value in scored("val")[0].items()}
    few = splits["train"].few(quantizer.calibration_examples)

    def batches() -> Iterator[Batch]:
        yield from to_device(parts.data.loader(few), device) if len(few) else ()

    home = next(network.parameters()).device
    network.to(device).eval()
    parts.quantization = quantizer(network, batches).cpu()
    network.to(home)
    name = parts.monitor.removeprefix("val/")
    kept = {f"float/{parts.monitor}": before[f"float/val/{name}"]} if f"float/val/{name}" in before else {}
    return {**{key: value for key, value in before.items() if not key.startswith("float/val/")}, **kept}
