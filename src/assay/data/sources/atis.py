"""Where ``data=atis`` comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.data import tagger_files
from assay.data.download import Download, File

COMMIT = "00324f60dda4a491b2913bc3065ae93966caea3f"
"""That the checksums are of."""


def _split(split: str, words: tuple[str, int], tags: tuple[str, int], intents: tuple[str, int]) -> Download:
    files = (File("seq.in", *words), File("seq.out", *tags), File("label", *intents))
    address = f"https://raw.githubusercontent.com/monologg/JointBERT/{COMMIT}/data/atis/{split}/"
    return Download(f"ATIS ({split})", f"atis/{split}", files, (address,))


DOWNLOADS = {
    "train": _split(
        "train",
        ("28b26b5c417b042a89d7f5e6dd510990", 289848),
        ("4d65746ef7fcd1b3aba1fdbf63759f48", 415557),
        ("d12b88b8f258ab8d24dd0f2f498d8e59", 57831),
    ),
    "val": _split(
        "dev",
        ("895013a95c8c09c3bb1b8878017eab90", 32761),
        ("372c25af9f070b2e32863058cfba7496", 47763),
        ("5addf865b0e2f223ef60766d0e2ed751", 6518),
    ),
    "test": _split(
        "test",
        ("4a4ff4150cacc62fce6e235bb1c53cb5", 52122),
        ("9f3cbd1f303411c6a11f04bf182ef6d2", 81238),
        ("9cddcfbd8ff7026952d953dbe08e9e62", 11634),
    ),
}


def check(config: Mapping[str, Any]) -> set[str]:
    """Its files are there, or are now; a tagger makes a feature."""
    for download in DOWNLOADS.values():
        download.check(config)
    return tagger_files.check(config.get("tagger"))
