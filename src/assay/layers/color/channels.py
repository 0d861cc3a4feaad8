"""Which images have colours to convert."""

from __future__ import annotations

from assay.contracts import Field
from assay.errors import ConfigError


def needs_color(field: Field, space: str) -> None:
    """Raises ConfigError unless the images have three channels: red, green and blue."""
    if field.shape[0] != 3:
        held = "a number of channels that varies" if field.shape[0] is None else field.shape[0]
        raise ConfigError(f"color_space={space} needs three channels; these images have {held}: use color_space=rgb")
