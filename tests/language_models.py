"""Artifacts of language models that were hardly trained: weights as they are drawn, n-grams of one short text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from assay import artifacts
from assay.assemble import assemble
from assay.contracts import DataSpec, Estimator
from assay.data.preprocessing.stream import StreamPreprocessing
from assay.preflight import compose
from assay.targets import build

TEXT = "O Romeo, Romeo! wherefore art thou Romeo?\nDeny thy father and refuse thy name;\n"


def make(folder: Path, tokenizer: Any, *words: str, text: str = TEXT, sharpness: float = 3.0) -> Path:
    """Writes ``folder``/artifact; ``words`` choose model and the like.

    Args:
        sharpness: what the logits' weights are multiplied by, so that the model has preferences.
    """
    config = compose(["data=char_contains", "stem.sequence.size=16", *words], rules=False).config
    config["task"] = {"_target_": "assay.tasks.lm.LanguageModeling", "_partial_": True}
    config["switches"]["task"] = "lm"
    preprocessing = StreamPreprocessing(tokenizer).fit([text])
    spec = DataSpec({"source": preprocessing.field(), "label": preprocessing.target()})
    _, network = assemble(config, spec, build(config["loss"]))
    made: Any = network
    if isinstance(network, Estimator):
        columns = preprocessing(text.splitlines())
        lines = torch.arange(len(columns["source"]))
        network.accumulate({"index": lines, **{name: column.gather(lines) for name, column in columns.items()}})
        network.maximize()
    else:
        with torch.no_grad():
            made.head.weight *= sharpness
    artifacts.save(folder / "artifact", network, config, spec, preprocessing, {"data": "made"})
    return folder
