"""How much of each layer's logistic and tanh units lies at the flat ends of their range."""

from __future__ import annotations

from pathlib import Path

from assay.callbacks import drawing
from assay.callbacks.diagnostic import Moment, Sight, undisturbed
from assay.callbacks.units import Layer, visit
from assay.errors import ConfigError


class SaturatedUnits:
    """The share of activations below (``low``) and above (``high``) the ends of the useful range, for each layer.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, section 3;
    gates as Karpathy, Johnson and Fei-Fei, "Visualizing and Understanding Recurrent Networks", 2015, arXiv:1506.02078,
    section 4.2: a gate is left-saturated below 0.1 and right-saturated above 0.9. With θ the threshold, a logistic unit
    counts below 1-θ and above θ, tanh below -θ and above θ. Their figure shows a unit at a time; this is the mean over
    the units. Layers are modules of ``torch.nn.Sigmoid`` and ``Tanh``; of recurrent layers the gates and the candidate,
    of an Elman net the state. A highway layer's gate is not seen.

    Measured before the first step and at each validation, in eval mode, of the weights that are trained:
    ``saturated_units/<layer>/low`` and ``/high``. Cost: at each validation a copy of the network and one forward pass
    of ``examples``, recurrent layers by a loop over their steps.

    Args:
        examples: of the validation split, drawn by the seed.
        threshold: θ.
    Raises:
        ConfigError: the network has no such unit.
    """

    def __init__(self, examples: int, threshold: float) -> None:
        self.examples = examples
        self.threshold = threshold

    def measured(self, sight: Sight) -> dict[str, float]:
        if sight.moment is Moment.END:
            return {}
        found: dict[str, float] = {}

        def look(layer: Layer) -> None:
            if layer.function in ("sigmoid", "tanh"):
                bottom = 1 - self.threshold if layer.function == "sigmoid" else -self.threshold
                found[f"saturated_units/{layer.name}/low"] = float((layer.values < bottom).double().mean())
                found[f"saturated_units/{layer.name}/high"] = float((layer.values > self.threshold).double().mean())

        with undisturbed(sight.device):
            network = sight.copied()
            visit(network, sight.sample("val", self.examples, network), look)
        if not found:
            raise ConfigError(
                "callbacks=saturated_units finds no logistic unit or tanh in this network: leave it out of the list"
            )
        return found

    def draw(self, where: Path) -> None:
        curves = drawing.read(where, "saturated_units/")
        panels = {
            f"share of activations, {end} end": {
                name.removesuffix(f"/{end}"): points for name, points in curves.items() if name.endswith(f"/{end}")
            }
            for end in ("low", "high")
        }
        drawing.layers(where / "figures" / "saturated_units.png", "Saturated units by layer", panels)
