"""``data=corpus`` as the user types it, checked before anything runs. No torch here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from assay.data import stream_switches
from assay.data.text_files import Split, splits_of
from assay.data.text_pieces import first_piece, refuse_encoding
from assay.errors import ConfigError

FOLDER = "tokens"  # in data_dir
MAPPED_FROM = 64 * 2**20  # bytes of text: less is tokenised in seconds, and its ids are in memory


def is_mapped(mapped: bool | str, splits: Mapping[str, Split]) -> bool:
    """Whether the ids of a text are in a file."""
    size = sum(one.stop - one.begin for regions in splits.values() for one in regions)
    return mapped is True or (mapped == "auto" and size >= MAPPED_FROM)


def check(config: Mapping[str, Any]) -> set[str]:
    """The files are there, are text, and can be cut; the keys go together."""
    facts = stream_switches.check(config)
    val, test = config["val_share"], config["test_share"]
    if val + test >= 1:
        raise ConfigError(f"data.val_share={val:g} and data.test_share={test:g} leave nothing to train on")
    refuse_encoding(str(config["encoding"]))
    paths = (str(config["path"]), *(config[key] and str(config[key]) for key in ("val_path", "test_path")))
    splits, _ = splits_of(*paths, float(val), float(test))
    for regions in splits.values():
        first_piece(regions, str(config["encoding"]))
    if is_mapped(config["mapped"], splits):
        _refuse_place(os.path.join(os.path.expanduser(str(config["root"])), FOLDER))
    return facts


def _refuse_place(folder: str) -> None:
    """Raises ConfigError if there is no such folder and none can be made. One that is there may hold what is needed."""
    above = folder
    while not os.path.exists(above) and os.path.dirname(above) != above:
        above = os.path.dirname(above) or "."
    if above != folder and not (os.path.isdir(above) and os.access(above, os.W_OK)):
        raise ConfigError(
            f"the ids of this text would be kept in {folder}, and {above} may not be written to: name another place "
            "with data.root=FOLDER, or write data.mapped=false"
        )
