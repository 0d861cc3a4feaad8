"""What stands between a layer and its activation: ``normalization(num_features, spatial_dims)`` makes a module.

``spatial_dims`` says where the features are: 0 for (B, C), 1 for sequences (B, T, C), features last, 2 for images
(B, C, H, W), features second.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

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
