"""An epoch of a student that learns from a teacher: its answers kept, against plain training and against asking.

All three are runs as users start them; time inside training epochs, as summary.json has it, the one pass in which the
answers are written excluded. digits, enlarged to 28×28 and read from a folder of images; student and teacher are
convolutional, the teacher with eight times the parameters (and some seventeen times the multiply-adds of a pass).
"""

from __future__ import annotations

import atexit
import io
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache, partial
from pathlib import Path
from typing import Any

from PIL import Image

from assay.bench import Comparison
from assay.benchmarks.step import offline
from assay.data.digits import Digits

SIZE = 28
EPOCHS = 3
STUDENT = ["model.channels=[16,32]", "model.hidden_size=32"]
TEACHER = ["model.channels=[32,64]", "model.hidden_size=128", "model.convolutions=2"]


@cache
def place() -> Path:
    """Where images, the teacher and its answers lie until the process ends."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    digits = Digits()
    digits.setup()
    for split, examples in digits.splits.items():
        pixels, labels = examples.column("source"), examples.column("label")
        for number, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
            home = folder / "images" / split / str(label)
            home.mkdir(parents=True, exist_ok=True)
            small = Image.fromarray((image[0] * 255).byte().numpy())
            small.resize((SIZE, SIZE), Image.Resampling.BILINEAR).save(home / f"{number}.png")
    return folder


def trained(words: Sequence[str], epochs: int) -> tuple[Path, dict[str, Any]]:
    """A run, and what its summary says."""
    from assay.launch import make_folder
    from assay.preflight import compose
    from assay.run import run

    common = [
        *("model=cnn", "data=image_folder", f"data.path='{place() / 'images'}'", f"data.size={SIZE}"),
        *("data.channels=1", "data.batch_size=64", "trainer=cpu", f"trainer.max_epochs={epochs}", "threads=1"),
        f"outputs='{place() / 'outputs'}'",
    ]
    with offline(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        point = compose([*common, *words])
        folder = make_folder(point.config)
        return folder, run(point.config, list(point.overrides), folder)


@cache
def teacher() -> list[str]:
    """The words that name it."""
    folder, _ = trained(TEACHER, 1)
    return ["distillation=kd", f"distillation.teacher.run='{folder}'"]


def epoch(kept: bool | None) -> float:
    """Seconds of an epoch: with the teacher's answers kept, or asked for at each step; None: without a teacher."""
    words = [] if kept is None else [*teacher(), f"distillation.cache={str(kept).lower()}"]
    _, summary = trained([*STUDENT, *words], EPOCHS)
    return summary["training_seconds"] / summary["epochs"]


def comparisons() -> list[Comparison]:
    work = f"one epoch of distillation, answers kept, cnn of 55,000 parameters, {SIZE}×{SIZE}, batch 64, one thread"
    return [
        Comparison(
            "distil, plain", f"{work}, against the same without a teacher", partial(epoch, True), partial(epoch, None),
            "epoch", 1.10,
        ),
        Comparison(
            "distil, asking", f"{work}, against asking a teacher of eight times the size at each step",
            partial(epoch, True), partial(epoch, False), "epoch", 3, speed=True,
        ),
    ]  # fmt: skip
