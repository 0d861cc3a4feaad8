"""The share of each layer's rectifiers that no example wakes."""

from __future__ import annotations

from pathlib import Path

from assay.callbacks import drawing
from assay.callbacks.diagnostic import Moment, Sight, undisturbed
from assay.callbacks.units import Layer, visit
from assay.errors import ConfigError


class DeadUnits:
    """Units of ReLU and ReLU6 whose output is 0 for every example of a fixed sample, as a share of the layer.

    Lu, Shin, Su and Karniadakis, "Dying ReLU and Initialization", 2020, arXiv:1903.06733, definitions 1 and 2: such a
    unit gets no gradient and does not come back. Theirs is 0 on the whole input space; a sample's share is an upper
    bound of it. Measured before the first step, where units are *born* dead, and at each validation, in eval mode, of
    the weights that are trained: ``dead_units/<layer>``. A channel of an image is a unit, and is dead where it is 0 at
    every position. Leaky rectifiers, ELU, GELU and SiLU have a slope everywhere, and are not counted. Cost: at each
    validation a copy of the network and one forward pass of ``examples``.

    Args:
        examples: of the validation split, drawn by the seed.
    Raises:
        ConfigError: the network has no rectifier.
    """

    def __init__(self, examples: int) -> None:
        self.examples = examples

    def measured(self, sight: Sight) -> dict[str, float]:
        if sight.moment is Moment.END:
            return {}
        found: dict[str, float] = {}

        def look(layer: Layer) -> None:
            if layer.function == "relu":
                dead = (layer.values <= 0).all(0)  # (units,)
                found[f"dead_units/{layer.name}"] = float(dead.double().mean())

        with undisturbed(sight.device):
            network = sight.copied()
            visit(network, sight.sample("val", self.examples, network), look)
        if not found:
            raise ConfigError("callbacks=dead_units finds no rectifier in this network: leave it out of the list")
        return found

    def draw(self, where: Path) -> None:
        drawing.layers(
            where / "figures" / "dead_units.png",
            "Dead units by layer",
            {"share of the units": drawing.read(where, "dead_units/")},
        )
