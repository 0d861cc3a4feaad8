"""The image classifiers of torchvision, without their classifiers and with the preprocessing of their weights."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.contracts import Encoded
from assay.errors import ConfigError
from assay.layers.channels import OUTPUT, Group, Slice, chain
from assay.layers.random import Dropout, uniform


class StochasticDepth(nn.Module):
    """x ∘ m / (1 - p), one m ~ Bernoulli(1 - p) for each example (``row``) or for all (``batch``) while training.

    Huang et al., "Deep Networks with Stochastic Depth", 2016, arXiv:1603.09382, scaled as torchvision does. Differs
    from torchvision's in where m comes from: the stream of this layer.
    """

    key: int = 0

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self.p >= 1:
            return x * 0
        ones = [1] * (x.dim() - 1)
        keep = uniform(self.key, x.new_empty([len(x) if self.mode == "row" else 1, *ones])) >= self.p
        return x * keep / (1 - self.p)


class TorchVision(nn.Module):
    """Resize, crop, standardise, and a network of ``torchvision.models`` up to what its last linear layer would read.

    The steps before it are those of the network's published weights (``weights.transforms()``): the shorter side to
    ``resize_size``, the middle ``crop_size`` square, then (x - mean) / std; they are part of the network, so that
    `assay predict` takes them too. A grey image is repeated to three channels; channels that are neither grey nor
    colour are averaged to grey, since the weights know no others. Differs from torchvision: dropout and
    stochastic depth draw from keyed streams. ``init_from=torchvision:NAME`` gives it the published weights.

    Args:
        input_size: (C, H or None, W or None) of an example, in [0, 1].
        name: as ``torchvision.models.list_models`` spells it.
        size: side of the square; null: the weights' own, at which they are best. The side before the crop keeps its
            share.
    Shape:
        x (B, C, H, W) -> last (B, output_size)
    Raises:
        ConfigError: there is no such network, it ends in no linear layer, it cannot read this size, or the number of
            channels varies.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, input_size: tuple[int | None, ...], name: str, size: int | None) -> None:
        super().__init__()
        from torchvision import models

        if input_size[0] is None:
            raise ConfigError("model=torchvision needs images of one number of channels")
        known = models.list_models(module=models)
        if name not in known:
            near = get_close_matches(name, known, 1) or ["resnet18"]
            raise ConfigError(f"model.name={name} is no classifier of torchvision.models: did you mean {near[0]}?")
        published: Any = models.get_model_weights(name)
        preset = published.DEFAULT.transforms()
        side, before = preset.crop_size[0], preset.resize_size[0]
        self.size, self.trained_size = size or side, side
        self.before = round(before * self.size / side)
        self.mode = preset.interpolation.value
        self.register_buffer("mean", torch.tensor(preset.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preset.std).view(3, 1, 1), persistent=False)
        auxiliary = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
        self.network = models.get_model(name, weights=None, **auxiliary)
        self.output_size = _behead(self.network, name)
        _draw_from_streams(self.network)
        if self.size != side:
            self._try(name)

    def _try(self, name: str) -> None:
        training = self.network.training
        try:
            with torch.no_grad():
                self.network.eval()(torch.zeros(1, 3, self.size, self.size))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise ConfigError(f"model.name={name} cannot read model.size={self.size}: leave model.size out") from error
        self.network.train(training)

    def prepared(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [0, 1] -> (B, 3, size, size), standardised."""
        kind = x.dtype
        x = x if x.shape[1] in (1, 3) else x.mean(1, keepdim=True)
        x = x.expand(-1, 3, -1, -1).to(torch.promote_types(kind, torch.float32))
        height, width = x.shape[2:]
        scale = self.before / min(height, width)
        sides = [
            self.before if n == min(height, width) else int(self.before * n / min(height, width))
            for n in (height, width)
        ]
        if scale != 1:
            x = F.interpolate(x, sides, mode=self.mode, antialias=True)
        top, left = (round((side - self.size) / 2) for side in sides)
        x = x[:, :, top : top + self.size, left : left + self.size]  # (B, 3, size, size)
        return ((x - self.mean) / self.std).to(kind)

    def forward(self, x: Tensor, mask: Tensor | None = None, state: None = None) -> Encoded:
        assert mask is None, "an image has no padded positions"
        return Encoded(None, self.network(self.prepared(x)))

    def channel_groups(self) -> list[Group]:
        """Those of the nets that are one chain of layers (VGG, AlexNet), and of the residual nets what lies within a
        block; of the others none are known."""
        named = {f"network.{name}": module for name, module in self.network.named_modules()}
        if type(self.network).__name__ in ("VGG", "AlexNet"):
            parts = ("network.features.", "network.classifier.")
            return chain([one for one in named.items() if one[0].startswith(parts)], Slice(OUTPUT))
        found = []
        for name, module in named.items():
            if type(module).__name__ in ("BasicBlock", "Bottleneck"):
                own = ("conv1", "bn1", "conv2", "bn2", "conv3")
                found += chain([(f"{name}.{one}", module.get_submodule(one)) for one in own if hasattr(module, one)])
            elif type(module).__name__ == "InvertedResidual" and isinstance(
                getattr(module, "conv", None), nn.Sequential
            ):
                leaves = [(n, m) for n, m in module.conv.named_modules() if next(m.children(), None) is None]
                found += chain([(f"{name}.conv.{n}", m) for n, m in leaves])
        return found


def _behead(network: nn.Module, name: str) -> int:
    """Takes the last linear layer out, and returns what it read."""
    linear = [(place, module) for place, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear or linear[-1][1].out_features != 1000:
        raise ConfigError(f"model.name={name} ends in no linear classifier: choose another, such as resnet18")
    place, last = linear[-1]
    parent, _, own = place.rpartition(".")
    setattr(network.get_submodule(parent), own, nn.Identity())
    return last.in_features


def _draw_from_streams(network: nn.Module) -> None:
    """Every layer that draws from the global generator becomes ours."""
    for module in list(network.modules()):
        children: list[tuple[str, Any]] = list(module.named_children())
        for name, child in children:
            kind = type(child).__name__
            if kind == "Dropout" and not isinstance(child, Dropout):
                setattr(module, name, Dropout(child.p))
            elif kind == "StochasticDepth" and not isinstance(child, StochasticDepth):
                setattr(module, name, StochasticDepth(child.p, child.mode))
