"""Mulan's multi-label sets: two ARFF files, and an XML file that says which attributes are labels."""

from __future__ import annotations

from xml.etree import ElementTree

from assay.data.arff import read_arff
from assay.data.delimited import FeatureTable, table_of
from assay.data.download import Download
from assay.errors import ConfigError

MISSING = ("?",)
_LABEL = "{http://mulan.sourceforge.net/labels}label"


def read_mulan(files: Download, root: str, fills: bool) -> FeatureTable:
    """Training and test rows; lists of values that are not all numbers are categories.

    Args:
        files: the training file, the test file and the labels.
        root: above their folder.
        fills: whether empty cells are filled.
    Raises:
        ConfigError: a file is not there, or is not what it was.
    """
    files.ensure(root)
    names = label_names(files.read(root, files.files[2]))
    tables = {}
    for split, file in zip(("train", "test"), files.files[:2], strict=True):
        attributes, tables[split] = read_arff(files.read(root, file).decode("utf-8"), file.name)
        if lacking := [name for name in names if name not in tables[split].header]:
            raise ConfigError(f"{file.name} has no attribute {lacking[0]!r}, which {files.files[2].name} calls a label")
    features = [name for name in tables["train"].header if name not in set(names)]
    if tables["test"].header != tables["train"].header:
        raise ConfigError(f"{files.files[1].name} has other attributes than {files.files[0].name}")
    categories = {one.name for one in attributes if one.values and not set(one.values) <= {"0", "1"}}
    return table_of(tables, features, names, "labels", MISSING, categories & set(features), fills, constant=True)


def label_names(data: bytes) -> list[str]:
    """The labels of Mulan's XML file, in its order."""
    return [element.attrib["name"] for element in ElementTree.fromstring(data).iter(_LABEL)]
