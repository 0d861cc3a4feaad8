"""What a trained model finds hard is hard."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from assay import artifacts
from assay.data.dataset import DataSet
from assay.data.examples import Examples
from assay.data.loaders import MemoryLoader
from assay.data.samplers.curriculum import Pacing
from assay.errors import ConfigError
from assay.evaluation import evaluate
from assay.folder import find_artifact

_BATCH = 256


class ByLoss:
    """The loss of a trained run on each training example: the transfer scoring of Hacohen and Weinshall, "On the Power
    of Curriculum Learning in Training Deep Networks", 2019, arXiv:1904.03626, section 2, with the whole run as the
    teacher where they train a support vector machine on a network's features.

    Args:
        run: a run folder, an artifact, or ``latest``, trained on the same data.
        pacing, start, until: see :class:`assay.data.samplers.curriculum.Pacing`.
    """

    def __init__(
        self,
        run: str,
        pacing: Literal["root", "linear", "geometric"] = "root",
        start: float = 0.01,
        until: float = 0.5,
    ) -> None:
        self.run = run
        self.pacing = Pacing(pacing, start, until)

    def difficulty(self, examples: Examples, dataset: DataSet) -> Tensor:
        """(n,) float64.

        Raises:
            ConfigError: there is no such run, or it was trained on other data, or on these read otherwise.
        """
        artifact = artifacts.load(find_artifact(self.run))
        same = artifact.card.get("digest") == dataset.digest and artifact.spec.label.kind == dataset.spec.label.kind
        if not same or artifact.preprocessing.to_json() != dataset.preprocessing.to_json():
            what = "these data read otherwise" if same else "other data"
            raise ConfigError(
                f"curriculum.run={self.run} was trained on {what}; name a run of the same data, with the same "
                "tokenizer, scaling and split_seed"
            )
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        _, readings = evaluate(artifact.task, artifact.network, MemoryLoader(examples, _BATCH, accumulate=None), device)
        return readings["loss"].double()
