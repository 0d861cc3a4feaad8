"""A folder of images as a data set: which file is of which class, which split. No torch and no Pillow here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.data.table_file import nearest
from assay.errors import ConfigError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_IGNORED = {"thumbs.db", "desktop.ini"}
_SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True)
class Folder:
    """classes, in alphabetical order; split -> (file, class number), sorted."""

    classes: tuple[str, ...]
    files: dict[str, list[tuple[str, int]]]
    notes: list[str]


def image_kind(path: str) -> str | None:
    """The format that a file's first bytes tell, or None."""
    with open(path, "rb") as file:
        start = file.read(12)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    kinds = {
        b"\x89PNG\r\n\x1a\n": "png",
        b"\xff\xd8\xff": "jpeg",
        b"GIF8": "gif",
        b"BM": "bmp",
        b"II*\0": "tiff",
        b"MM\0*": "tiff",
    }
    pnm = start[:1] == b"P" and start[1:2] in b"123456" and start[2:3].isspace()
    return next((kind for magic, kind in kinds.items() if start.startswith(magic)), "pnm" if pnm else None)


def check(config: Mapping[str, Any]) -> set[str]:
    """Facts of ``data=image_folder`` with these keys, or a refusal."""
    read_folder(config["path"], config.get("val_path"), config.get("test_path"))
    return {"color"} if config.get("channels", 3) == 3 else set()


def read_folder(path: str, val_path: str | None = None, test_path: str | None = None) -> Folder:
    """Lists path/{train,val,test}/CLASS/* or path/CLASS/*; folders named by the user come before those found.

    Raises:
        ConfigError: a missing folder, no or one class, an empty class, a file that is no image, an unknown class.
    """
    root = _folder(path, "data.path")
    inside = _folders(root)
    notes: list[str] = []
    places: dict[str, str] = {"train": root}
    if "train" in inside:
        for split, names in _SPLITS.items():
            if found := [name for name in names if name in inside]:
                places[split] = os.path.join(root, found[0])
        known = {name for names in _SPLITS.values() for name in names}
        if others := sorted(set(inside) - known):
            notes.append(f"{root}: besides train, val and test, {', '.join(others[:5])} is not read")
    for split, given in (("val", val_path), ("test", test_path)):
        if given is not None:
            places[split] = _folder(given, f"data.{split}_path")
    classes: tuple[str, ...] = ()
    files: dict[str, list[tuple[str, int]]] = {}
    for split, place in places.items():
        found = _folders(place)
        if split == "train":
            classes = tuple(found)
            if len(classes) < 2:
                held = f"one class folder, {classes[0]}" if classes else "no class folders"
                raise ConfigError(f"{place} holds {held}; it needs a folder of images for each of two classes or more")
        for name in found:
            if name not in classes:
                guess = nearest(name, classes, noun="classes")
                raise ConfigError(f"{os.path.join(place, name)}: the class {name} is not in training{guess}")
        files[split] = [
            (file, number)
            for number, name in enumerate(classes)
            if name in found
            for file in _images(os.path.join(place, name))
        ]
        if not files[split]:
            raise ConfigError(f"{place} holds no class folders")
    return Folder(classes, files, notes)


def _folder(path: str, key: str) -> str:
    path = os.path.expanduser(str(path))
    if not os.path.isdir(path):
        what = "is a file, not a folder" if os.path.exists(path) else "is not there"
        raise ConfigError(f"{key}={path} {what}; it must be a folder with one folder of images per class")
    return path


def _folders(path: str) -> list[str]:
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: str) -> list[str]:
    """All files of a class, those in folders within it included."""
    files = []
    for place, inside, names in os.walk(folder):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or name.lower() in _IGNORED:
                continue
            file = os.path.join(place, name)
            if image_kind(file) is None:
                what = "is empty" if os.path.getsize(file) == 0 else "is not an image"
                raise ConfigError(f"{file} {what}; remove it (known are PNG, JPEG, GIF, BMP, TIFF, WebP and PNM)")
            files.append(file)
    if not files:
        raise ConfigError(f"{folder} is empty: each class folder holds at least one image")
    return files
