"""The options of ``quantization=``: a trained network -> the same network on grids, and what the grids are.

torchao is the oracle of the tests and not the mechanism: it covers linear layers only, its tensors are subclasses that
plain safetensors does not hold, and a network of them cannot be exported or resumed as this one can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import torch
from torch import nn

from assay.compression.calibrate import calibrate
from assay.compression.fake import Clock, Fake, Fit
from assay.compression.grids import quantizable, weight_grid
from assay.compression.quantized import Grid, Quantization
from assay.compression.rounding import attach, readers, remove
from assay.contracts import Batch
from assay.errors import ConfigError

Batches = Callable[[], Iterable[Batch]]
"""Begins the calibration examples anew: of the training split, unaugmented, on the network's device."""


class Quantizer(Protocol):
    """``begin`` before the first step, ``release`` after the last, then a call, which gives what was done.

    calibration_examples: how many the call goes through; 0 for none.
    """

    calibration_examples: int

    def begin(self, network: nn.Module, total_steps: int, precision: str) -> None: ...
    def release(self, network: nn.Module) -> None: ...
    def __call__(self, network: nn.Module, batches: Batches) -> Quantization: ...


class SixteenBit:
    """Every parameter rounded to sixteen bits, which is how the artifact stores it; computed with in float32.

    Running statistics (buffers) stay float32: fp16 ends at 65504, which a variance may exceed.

    Args:
        kind: ``fp16`` (11 significant bits) or ``bf16`` (8, and the range of float32).
    Raises:
        ConfigError: a weight is too large for fp16.
    """

    calibration_examples = 0

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def begin(self, network: nn.Module, total_steps: int, precision: str) -> None:
        """Before the first step. Raises ConfigError: the network is not one of float32."""
        _refuse_precision(self.kind, precision)

    def release(self, network: nn.Module) -> None:
        """After the last step: the network computes with its float32 weights again."""

    @torch.no_grad()
    def __call__(self, network: nn.Module, batches: Batches) -> Quantization:
        dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}[self.kind]
        for name, weight in network.named_parameters():
            stored = weight.to(dtype)
            if not torch.isfinite(stored).all():
                raise ConfigError(
                    f"quantization=fp16 ends at 65504, and {name} has a weight of {float(weight.abs().max()):.3g}: "
                    "use quantization=bf16"
                )
            weight.copy_(stored)
        return Quantization(self.kind)


class Int8:
    """Weights in 8 bits, a symmetric grid for each output channel; biases and normalisations stay float32.

    Args:
        mode: ``weight_only``; ``dynamic``, which also rounds what convolutions and linear layers read, each by the
            range of what comes (:class:`~assay.compression.rounding.DynamicInput`); ``static``, by ranges found on
            examples (:mod:`assay.compression.calibrate`), asymmetric, as onnxruntime's.
        weights: how a weight's scale is found, see :func:`~assay.compression.grids.weight_grid`.
        inputs: how a range is found where it is static: minmax, percentile or mse.
        percentile: of the values that are within it, where inputs=percentile.
        calibration_examples: of the training split, where it is static.
    """

    def __init__(self, mode: str, weights: str, inputs: str, percentile: float, calibration_examples: int) -> None:
        self.mode, self.weights, self.inputs, self.percentile = mode, weights, inputs, percentile
        self.calibration_examples = calibration_examples if mode == "static" else 0

    def begin(self, network: nn.Module, total_steps: int, precision: str) -> None:
        _refuse_precision("int8", precision)
        _refuse_nothing("int8", network, self.mode)

    def release(self, network: nn.Module) -> None:
        pass

    def __call__(self, network: nn.Module, batches: Batches) -> Quantization:
        found = round_weights(network, Quantization("int8", self.mode), partial(weight_grid, fit=self.weights))
        if self.mode == "static":
            found.inputs = calibrate(network, batches, self.inputs, self.percentile)
        attach(network, found)
        return found


class Int4:
    """Weights in 4 bits, 16 levels for each group of neighbours of an output channel; inputs stay float32.

    Args:
        group_size: weights that share a scale; a channel's last group may be shorter.
        weights: as :class:`Int8`'s.
    """

    calibration_examples = 0

    def __init__(self, group_size: int, weights: str) -> None:
        self.fit = partial(weight_grid, bits=4, group_size=group_size, fit=weights)

    def begin(self, network: nn.Module, total_steps: int, precision: str) -> None:
        _refuse_precision("int4", precision)
        _refuse_nothing("int4", network)

    def release(self, network: nn.Module) -> None:
        pass

    def __call__(self, network: nn.Module, batches: Batches) -> Quantization:
        return round_weights(network, Quantization("int4"), self.fit)


class QuantizationAware:
    """Training with the numbers that will be stored: weights are rounded at every step, and what layers read too.

    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018,
    arXiv:1712.05877, section 3: gradients go straight through the rounding to float32 weights, ranges of inputs are
    running averages. Converting is exact: what is tested and saved computes what was validated. Differs from the
    paper: a grid for each output channel (Krishnamoorthi 2018, arXiv:1806.08342); batch normalisation is not folded
    into the weights first, since a channel's γ/σ only rescales its grid; weights are symmetric about 0; layers'
    outputs are rounded where the next layer reads them, not before an addition; ranges are also used by the first
    step (the paper waits; ``begin`` does).

    Args:
        bits: of weights, 8 or 4.
        group_size: of weights that share a scale, with 4 bits.
        inputs: whether what convolutions and linear layers read is rounded to 8 bits.
        momentum: of the running ranges, per step.
        begin: share of training after which numbers are rounded; ranges are followed from the start.
        freeze: share of training after which ranges stand still.
    """

    calibration_examples = 0

    def __init__(self, bits: int, group_size: int, inputs: bool, momentum: float, begin: float, freeze: float) -> None:
        self.bits, self.inputs, self.momentum = bits, inputs, momentum
        self.shares = begin, freeze
        self.fit = partial(weight_grid, bits=bits, group_size=group_size if bits == 4 else None)

    def begin(self, network: nn.Module, total_steps: int, precision: str) -> None:
        _refuse_precision("qat", precision)
        _refuse_nothing("qat", network, "static" if self.inputs else "weight_only")
        first, last = (share * total_steps for share in self.shares)
        momentum = self.momentum if self.inputs else None
        self.fake = Fake(network, self.fit, Clock(int(first), last), momentum)

    def release(self, network: nn.Module) -> None:
        self.ranges = self.fake.remove(network)
        remove(network)

    def __call__(self, network: nn.Module, batches: Batches) -> Quantization:
        kind = Quantization(f"int{self.bits}", "static" if self.inputs else "weight_only", inputs=self.ranges)
        found = round_weights(network, kind, self.fit)
        attach(network, found)
        return found


@torch.no_grad()
def round_weights(network: nn.Module, found: Quantization, fit: Fit) -> Quantization:
    """Puts the numbers of their grids in the place of the weights, and the grids into ``found``, which is returned."""
    weights = dict(network.named_parameters(remove_duplicate=False))
    made: dict[int, Grid] = {}
    for name, axis in quantizable(network).items():
        weight = weights[name]
        if id(weight) not in made:  # else another name of one that is rounded
            grid = made[id(weight)] = fit(weight, axis)
            weight.copy_(grid.round(weight))
        found.weights[name] = made[id(weight)]
    return found


def _refuse_precision(name: str, precision: str) -> None:
    if precision in ("64-true", "bf16-true"):
        raise ConfigError(
            f"quantization={name} stands for float32 numbers, which trainer.precision={precision} does not train: use "
            "trainer.precision=32-true or bf16-mixed"
        )


def _refuse_nothing(name: str, network: nn.Module, mode: str = "weight_only") -> None:
    if not quantizable(network):
        raise ConfigError(f"quantization={name} finds no weights of two dimensions worth a scale: use fp16 or none")
    if mode != "weight_only" and not readers(network):
        raise ConfigError(
            f"quantization={name} finds no convolution or linear layer whose input it could round: use "
            "quantization=int8 with quantization.mode=weight_only"
        )
