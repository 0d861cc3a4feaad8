"""What stands between a layer and its activation: ``normalization(num_features, spatial_dims)`` makes a module.

``spatial_dims`` says where the features are: 0 for (B, C), 1 for sequences (B, T, C), features last, 2 for images
(B, C, H, W), features second.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.errors import ConfigError


def none(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """x -> x."""
    return nn.Identity()


def layer(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """y = γ ∘ (x - μ) / √(σ² + ε) + β, μ and σ² of each example (each position of a sequence) over its features.

    Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 3. For an image μ and σ² are over channels,
    rows and columns together, γ and β per channel: the one group of Wu and He, "Group Normalization", 2018. Statistics
    over the channels of one position alone, as in ConvNeXt, would be another layer.
    """
    return nn.GroupNorm(1, num_features) if spatial_dims == 2 else nn.LayerNorm(num_features)


def batch(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """y = γ ∘ (x - μ) / √(σ² + ε) + β, μ and σ² of each feature (each channel of an image) over the batch.

    Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167, algorithms 1 and 2. In evaluation μ and σ² are
    running averages of the training batches', as torch keeps them (momentum 0.1), where the paper averages at the end.

    Raises:
        ConfigError: for a sequence, whose padded positions would be counted; in training, for a batch that has one
            value per feature.
    """
    if spatial_dims == 1:
        raise ConfigError(
            "normalization=batch would count the padded positions of a sequence: use normalization=layer or none"
        )
    module = nn.BatchNorm2d(num_features) if spatial_dims == 2 else nn.BatchNorm1d(num_features)
    module.register_forward_pre_hook(_refuse_single_values)
    return module


def group(num_features: int, spatial_dims: int = 0, num_groups: int = 8) -> nn.Module:
    """y = γ ∘ (x - μ) / √(σ² + ε) + β, μ and σ² of each example over the features of a group, γ and β per feature.

    Wu and He, "Group Normalization", 2018, arXiv:1803.08494, eq. 1, 2 and 7: for an image over a group's channels, rows
    and columns. One group is ``layer``; as many groups as channels is ``instance``. Differs from the paper: a sequence
    has statistics of each position, not over time, where padding and the future would be counted; 8 groups, not 32,
    since nets here are narrower.

    Args:
        num_features: a multiple of num_groups.
        spatial_dims: 0, 1 or 2 (see the file's docstring).
        num_groups: of neighbouring features, equally many in each.
    Raises:
        ConfigError: num_groups does not divide num_features, or leaves one value to a group.
    """
    if num_features % num_groups:
        raise ConfigError(
            f"normalization.num_groups={num_groups} does not divide a layer of {num_features} features: "
            "use a divisor, or normalization=layer"
        )
    if spatial_dims != 2 and num_features == num_groups:
        raise ConfigError(
            f"normalization.num_groups={num_groups} leaves one of {num_features} features to a group, which has no "
            "deviation: use fewer groups, or normalization=layer"
        )
    module = GroupedFeatures(num_features, num_groups) if spatial_dims == 1 else nn.GroupNorm(num_groups, num_features)
    module.register_forward_pre_hook(_refuse_single_pixels)
    return module


def instance(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """y = γ ∘ (x - μ) / √(σ² + ε) + β, μ and σ² of each channel of each image over its rows and columns.

    Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016,
    arXiv:1607.08022, eq. 4 without a running average: training and evaluation compute the same. γ and β are those of
    their code, not of their equation.

    Raises:
        ConfigError: for a vector, which has one value per feature; for a sequence, whose padded positions would be
            counted; for an image of one pixel.
    """
    if spatial_dims == 0:
        raise ConfigError(
            "normalization=instance has no statistics in a vector, one value per feature: use normalization=layer"
        )
    if spatial_dims == 1:
        raise ConfigError(
            "normalization=instance would count the padded positions of a sequence: use normalization=layer or none"
        )
    module = nn.InstanceNorm2d(num_features, affine=True)
    module.register_forward_pre_hook(_refuse_single_pixels)
    return module


def rms(num_features: int, spatial_dims: int = 0) -> nn.Module:
    """y = γ ∘ x / √(mean(x²) + ε) of each example (each position of a sequence) over its features: no mean, no shift.

    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv:1910.07467, eq. 4. Differs from the paper:
    ε = 1e-6 under the root, as in T5, so that zero divides; for an image the mean is over channels, rows and columns
    together, as ``layer`` takes it, γ per channel.
    """
    return ImageRMS(num_features) if spatial_dims == 2 else nn.RMSNorm(num_features, eps=_RMS_EPS)


_RMS_EPS = 1e-6


class ImageRMS(nn.Module):
    """:func:`rms` of an image.

    Shape:
        x (B, C, H, W) -> the same
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[1:], eps=_RMS_EPS) * self.weight.view(-1, 1, 1)


class GroupedFeatures(nn.Module):
    """:func:`group` of each position of a sequence.

    Shape:
        x (…, C) -> the same
    """

    def __init__(self, num_features: int, num_groups: int) -> None:
        super().__init__()
        self.num_groups = num_groups
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, -2)  # (B·T, C)
        return F.group_norm(flat, self.num_groups, self.weight, self.bias).view(x.shape)


def _refuse_single_pixels(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    """One value has no deviation: what is left of it is β, whatever the network computed."""
    x: Tensor = inputs[0]
    groups = getattr(module, "num_groups", x.shape[1])
    if x.dim() == 4 and x[0].numel() == groups:
        raise ConfigError(
            f"normalization={'instance' if isinstance(module, nn.InstanceNorm2d) else 'group'} has no statistics in "
            "one pixel of one channel: use normalization=layer, or a larger data.size"
        )


def _refuse_single_values(module: nn.Module, inputs: tuple[Any, ...]) -> None:
    x: Tensor = inputs[0]
    if module.training and x.numel() == x.shape[1]:
        raise ConfigError(
            "normalization=batch has no statistics in a training batch of one value per feature: "
            "use normalization=layer, or a data.batch_size that leaves no last batch of one"
        )


def has_shift(module: nn.Module) -> bool:
    """Whether it adds β, which then stands for the bias just before it: batch norm would subtract that again."""
    return getattr(module, "bias", None) is not None
