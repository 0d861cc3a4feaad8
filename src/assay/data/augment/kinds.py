"""What an augmentation works on, checked when it is made: preflight's rules say the same before torch is loaded."""

from __future__ import annotations

from assay.contracts import DataSpec
from assay.errors import ConfigError

IMAGES = "flip, crop, affine, color_jitter, erasing, mixup or cutmix"
TEXTS = "word_dropout, rare_words, swap or eda"


def needs_image(spec: DataSpec, name: str) -> None:
    """Raises ConfigError if the data hold something else."""
    if spec.source.kind != "image":
        raise ConfigError(f"augment={name} changes images, and this data holds {spec.source.kind}: {_instead(spec)}")


def needs_text(spec: DataSpec, name: str) -> None:
    """Raises ConfigError if the data hold something else."""
    if spec.source.kind != "ids":
        raise ConfigError(f"augment={name} changes texts, and this data holds {spec.source.kind}: {_instead(spec)}")


def share(key: str, value: float, least: float = 0.0) -> float:
    """The value; raises ConfigError if it is outside [least, 1]."""
    if not least <= value <= 1:
        raise ConfigError(f"augment.{key}={value:g} is not in [{least:g}, 1]")
    return value


def interval(key: str, values: list[float], low: float, high: float) -> tuple[float, float]:
    """The two ends of a range; raises ConfigError if they are no range within [low, high]."""
    if len(values) != 2 or not low <= values[0] <= values[1] <= high:
        raise ConfigError(f"augment.{key}={values} is no range: write [LOW,HIGH], within {low:g} and {high:g}")
    return values[0], values[1]


def _instead(spec: DataSpec) -> str:
    return {"image": f"use augment={IMAGES}", "ids": f"use augment={TEXTS}"}.get(spec.source.kind, "use augment=[]")
