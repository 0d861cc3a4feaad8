"""From a command to the strategy that ``search`` and ``sweep.tune`` ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.composition.compose import Composer
from assay.composition.points import quote_all
from assay.composition.spaces import split
from assay.errors import ConfigError
from assay.sweeps.axes import WORDS, is_drawn
from assay.sweeps.ledger.identity import is_own
from assay.sweeps.search.space import Space
from assay.sweeps.search.tuning import Tuned
from assay.sweeps.strategy import Compose, Strategy
from assay.targets import accepted, build


def strategy(
    settings: Mapping[str, Any], arguments: Sequence[str], composer: Composer, compose: Compose, folder: Path
) -> Strategy:
    """The strategy of a command that searches or tunes.

    Args:
        settings: the composed ``search`` and ``sweep``.
        arguments: the overrides as typed.
        folder: of the sweep.
    Raises:
        ConfigError: there is nothing to look in, or the two do not go together.
    """
    search, tune = settings["search"], [str(key) for key in settings["sweep"]["tune"]]
    quoted = quote_all(arguments, composer.catalogue, multirun=True)
    said = [one for one in quoted if not is_own(one) or one.partition("=")[0] in WORDS]
    drawn = None if search is not None else frozenset(tune)
    dimensions, rest = split(said, composer, lambda key: is_drawn(key, drawn))
    if search is None:
        return Tuned(compose(rest), tune, settings["sweep"]["tune_trials"], dimensions, compose)
    if tune:
        raise ConfigError(
            f"sweep.tune=[{','.join(tune)}] tunes the cells of a grid, and a search has none: give the key a range "
            f"that it draws from, as {tune[0]}=tag(log,interval(0.001,0.1)), or leave out search="
        )
    if not dimensions:
        raise ConfigError(
            "a search draws from the keys that have several values, and none has: write "
            "optim.lr=tag(log,interval(0.001,0.1)), or optim=sgd,adam"
        )
    if any(one.partition("=")[0] == "ablate" for one in rest):
        raise ConfigError("ablate=… compares the points of a grid, and a search has none: leave it out, or search=")
    maker = build(search)
    return maker(**accepted(maker, space=Space(dimensions, rest, composer, compose), folder=folder))
