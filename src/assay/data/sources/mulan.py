"""Where the sets of several labels come from that Mulan publishes: two ARFF files and one of the labels' names."""

from __future__ import annotations

from assay.data.download import Download, File


def mulan(name: str, train: tuple[str, int], test: tuple[str, int], labels: tuple[str, int]) -> Download:
    """The set ``name``: of each file its checksum and size."""
    files = (File(f"{name}-train.arff", *train), File(f"{name}-test.arff", *test), File(f"{name}.xml", *labels))
    address = f"https://raw.githubusercontent.com/tsoumakas/mulan/master/data/multi-label/{name}/"
    return Download(f"Mulan {name}", f"mulan/{name}", files, (address,))
