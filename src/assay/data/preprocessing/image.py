"""Pictures -> (C, H, W) in [0, 1]."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from assay.contracts import Field
from assay.data.examples import Column, Dense, Pixels, as_unit
from assay.data.image_files import SUFFIXES, image_kind
from assay.data.preprocessing.inputs import standard_input
from assay.errors import ConfigError

Picture = str | os.PathLike[str] | Image.Image | np.ndarray
"""A file, a Pillow image, or an array (H, W) or (H, W, C): bytes, or floats in [0, 1]."""


class ImagePreprocessing:
    """Turned upright (EXIF), converted to the channels, resized to the size, scaled to [0, 1].

    Shrinking averages areas, so that an enlarged picture comes back as it was; enlarging is bilinear. Transparent parts
    become white.

    Grey sets remember how bright the border of their pictures is (``background_``, the mean, and ``border_``, its range
    over the training split). A picture whose border lies outside that range and nearer when inverted is inverted, with
    a note: digits drawn dark on light, for a model trained on light on dark. No training picture is ever inverted.

    Args:
        size: (height, width) in pixels.
        channels: 1 grey, 3 colour.
    """

    def __init__(self, size: Sequence[int], channels: int) -> None:
        self.size, self.channels = (int(size[0]), int(size[1])), channels
        self.background_: float | None = None
        self.border_: tuple[float, float] = (0.0, 1.0)
        self.notes: list[str] = []

    def field(self) -> Field:
        return Field("image", (self.channels, *self.size))

    def fit(self, x: Tensor) -> ImagePreprocessing:
        """Learns the brightness of the border from the training split's pictures (N, C, H, W) float in [0, 1]."""
        if self.channels == 1:
            border = _border(x)
            self.background_ = border.mean().item()
            self.border_ = (border.min().item(), border.max().item())
        return self

    def decode(self, picture: Picture) -> Tensor:
        """One picture (C, H, W): uint8, or float32 where an array of floats was given."""
        if isinstance(picture, np.ndarray):
            return self._array(picture)
        if isinstance(picture, Image.Image):
            return self._image(picture, "the image given")
        path = os.path.expanduser(os.fspath(picture))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(path) as image:
                    return self._image(image, path)
        except FileNotFoundError:
            raise ConfigError(f"{path} is not there") from None
        except UnidentifiedImageError:
            raise ConfigError(f"{path} is not an image that can be read") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise ConfigError(f"{path} has more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels; make it smaller") from None
        except (OSError, SyntaxError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{path} cannot be decoded: it is truncated or damaged ({error})") from None

    def _image(self, image: Image.Image, shown: str) -> Tensor:
        if image.mode.startswith(("I", "F")):  # 16 bits and more: Pillow would clip them
            values = np.asarray(image, dtype=np.float64)
            top = 1 if image.mode == "F" else 65535
            if not (values.min() >= 0 and values.max() <= top):
                raise ConfigError(f"{shown} holds values outside 0 to {top}")
            image = Image.fromarray(np.round(values / top * 255).astype(np.uint8))
        image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = self._resized(image.convert("L" if self.channels == 1 else "RGB"))
        pixels = torch.from_numpy(np.array(image))  # (H, W) or (H, W, C)
        return pixels[None] if self.channels == 1 else pixels.permute(2, 0, 1).contiguous()

    def _resized(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        if image.size == (width, height):
            return image
        shrinks = image.width >= width and image.height >= height
        return image.resize((width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)

    def _array(self, values: np.ndarray) -> Tensor:
        if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[-1] not in (1, 3, 4)) or values.size == 0:
            raise ConfigError(f"an array of shape {tuple(values.shape)} is no image; give (H, W) or (H, W, 3)")
        if values.ndim == 3 and values.shape[-1] == 1:
            values = values[..., 0]
        if values.dtype == np.uint8:
            return self._image(Image.fromarray(values), "the array given")
        if not np.issubdtype(values.dtype, np.floating):
            raise ConfigError(f"an image of {values.dtype} is not known; give uint8 from 0 to 255, or floats in [0, 1]")
        if not (values.min() >= 0 and values.max() <= 1):
            raise ConfigError(f"pixels from {values.min():g} to {values.max():g}; floats lie in [0, 1]: divide them")
        layers = values[..., None] if values.ndim == 2 else values[..., :3]
        if layers.shape[-1] != self.channels:
            grey = layers @ np.array([0.299, 0.587, 0.114]) if layers.shape[-1] == 3 else layers[..., 0]  # ITU-R 601
            layers = np.repeat(grey[..., None], self.channels, axis=-1)
        planes = [self._resized(Image.fromarray(layers[..., c].astype(np.float32))) for c in range(self.channels)]
        return torch.from_numpy(np.stack([np.array(plane) for plane in planes]))

    def __call__(self, raws: Sequence[Picture | Tensor] | np.ndarray) -> dict[str, Column]:
        """Pictures, or tensors that ``decode`` gave, or one array (N, H, W) -> the source column."""
        whole = isinstance(raws, np.ndarray) and raws.dtype == np.uint8 and raws.shape[1:] == self.size
        if isinstance(raws, np.ndarray) and whole and self.channels == 1:
            stack = torch.from_numpy(raws)[:, None]  # (N, 1, H, W): a whole set at once
        else:
            decoded = [raw if isinstance(raw, Tensor) else self.decode(raw) for raw in raws]
            if any(picture.dtype != torch.uint8 for picture in decoded):
                decoded = [as_unit(picture) if picture.dtype == torch.uint8 else picture for picture in decoded]
            stack = torch.stack(decoded) if decoded else torch.zeros(0, self.channels, *self.size)
        stack = self._upright(stack)
        return {"source": Pixels(stack) if stack.dtype == torch.uint8 else Dense(stack)}

    def _upright(self, x: Tensor) -> Tensor:
        """Inverts the pictures (N, 1, H, W) whose border says that they are negatives."""
        if self.background_ is None or len(x) == 0:
            return x
        border = _border(as_unit(x) if x.dtype == torch.uint8 else x)  # (N,)
        outside = (border < self.border_[0]) | (border > self.border_[1])
        nearer = (1 - border - self.background_).abs() < (border - self.background_).abs()
        negative = outside & nearer
        if not negative.any():
            return x
        count = int(negative.sum())
        number = "1 image was inverted: its" if count == 1 else f"{count:,} images were inverted: their"
        side, other = ("light", "dark") if self.background_ < 0.5 else ("dark", "light")
        self.notes.append(f"{number} background is {side} where the training images' is {other}")
        top = 255 if x.dtype == torch.uint8 else 1
        return torch.where(negative[:, None, None, None], top - x, x)

    def read(self, paths: Sequence[str]) -> tuple[list[str], list[Tensor]]:
        """Image files, folders of them (searched through, by name), or "-" for one image on standard input. All that
        cannot be read are named together."""
        files: list[str] = []
        for path in map(str, paths):
            folder = os.path.expanduser(path)
            if not os.path.isdir(folder):
                files.append(path)
                continue
            found = sorted(
                os.path.join(place, name)
                for place, _, names in os.walk(folder)
                for name in names
                if name.lower().endswith(SUFFIXES) and not name.startswith(".")
            )
            if not found:
                raise ConfigError(f"{path} holds no image ({', '.join(SUFFIXES)})")
            files.extend(found)
        decoded, refused = [], []
        for file in files:
            try:
                decoded.append(self._read(file))
            except ConfigError as refusal:
                refused.append(str(refusal))
        if refused:
            more = f"; and {len(refused) - 5} more" if len(refused) > 5 else ""
            raise ConfigError("; ".join(refused[:5]) + more)
        return files, decoded

    def _read(self, file: str) -> Tensor:
        if file == "-":
            with standard_input() as held:
                return self._read(held)
        path = os.path.expanduser(file)
        if os.path.isfile(path) and image_kind(path) is None:
            raise ConfigError(f"{file} is not an image that can be read")
        return self.decode(file)

    def show(self, value: Tensor) -> str:
        """A picture (C, H, W) in shades of text, at most 28 rows; two letters a pixel keep its proportions."""
        grey = value.mean(0)[:: max(value.shape[1] // 28, 1), :: max(value.shape[2] // 28, 1)]
        shades = " .:-=+*#%@"
        return "\n".join("".join(shades[min(int(v * 10), 9)] * 2 for v in row).rstrip() for row in grey.tolist())

    def to_json(self) -> dict[str, Any]:
        settings = {"size": list(self.size), "channels": self.channels}
        return {"type": "image", **settings, "background_": self.background_, "border_": list(self.border_)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> ImagePreprocessing:
        made = cls(plain["size"], plain["channels"])
        made.background_ = plain["background_"]
        made.border_ = (plain["border_"][0], plain["border_"][1])
        return made


def _border(x: Tensor) -> Tensor:
    """Mean of the outermost pixels of each picture: (N, 1, H, W) -> (N,)."""
    inner = torch.zeros(x.shape[-2:], dtype=torch.bool)
    inner[1:-1, 1:-1] = True
    return x[:, 0][:, ~inner].mean(1)
