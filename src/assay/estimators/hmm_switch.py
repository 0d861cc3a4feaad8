"""What the keys of model=hmm allow of one another. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.errors import ConfigError


def check(node: Mapping[str, Any]) -> set[str]:
    """Nothing.

    Raises:
        ConfigError: a key that says nothing of such a model.
    """
    if node["supervised"] and node["num_states"] is not None:
        raise ConfigError(
            f"model.num_states={node['num_states']} is of hidden states, and model.supervised=true has the tags for "
            "states: leave it out, or write model.supervised=false"
        )
    if node["hapax"] and not node["supervised"]:
        raise ConfigError("model.hapax=true counts tagged words: use model.supervised=true, or leave it out")
    return set()
