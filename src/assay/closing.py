"""What a finished run leaves: test scores, predictions, artifact, figures, summary, and the last screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from assay import artifacts, costing, environment, experiments, figures, folder, narrowing, predictions, screens
from assay.assemble import assemble
from assay.contracts import Estimator
from assay.data.dataset import some
from assay.data.examples import Examples
from assay.distillation import seams
from assay.engines.eager import Eager
from assay.parts import Parts
from assay.quantizing import quantize
from assay.recorder import Recorder
from assay.trainers import timed_out


def examine(parts: Parts, module: Eager, recorder: Recorder, where: Path | None = None) -> dict[str, Any]:
    """The best weights into the network (a whole one, where it was divided), and those on the test split, once: the
    module then has scores and readings. Returns what the task chose on the validation split before."""
    if parts.sharded:
        from assay.engines.sharded import whole

        recorder.best = whole(recorder.best or dict(parts.network.state_dict()))
        _, parts.network = assemble(parts.config, parts.spec, parts.task.objective)
        narrowing.as_narrow(parts.network, recorder.best)
        parts.trainer.precision_plugin.convert_module(parts.network)
        module.network = parts.network
    recorder.load_best()
    parts.network = module.network = seams.deployed(parts.network)
    parts.row = None if where is None else costing.before(parts, where)
    parts.before = quantize(parts)
    settled = parts.task.settle(lambda: _evaluated(parts, parts.dataset.splits["val"])[1])
    parts.trainer.test(module, datamodule=parts.data, verbose=False)
    return settled


def close(
    parts: Parts,
    module: Eager,
    recorder: Recorder,
    where: Path,
    *,
    overrides: Sequence[str],
    seconds: float,
    inexact: Sequence[str],
) -> tuple[dict[str, Any], str]:
    """Tests and writes everything.

    Args:
        overrides: as typed, for the commands to try next.
        seconds: since the start of the run.
        inexact: why the same command might not give the same bits.
    Returns:
        What summary.json holds, and the last screen.
    """
    recorder.ended(parts.data)
    settled = examine(parts, module, recorder, where)
    readings = {name: value.cpu() for name, value in module.readings.items()}
    scores, train = module.test_scores, _training_scores(parts)
    baseline_name, baseline = parts.task.baseline(parts.dataset.splits["train"], readings)
    recorder.send(module.number, module.epoch, {f"test/{name}": value for name, value in scores.items()})
    recorder.points.close()
    dataset = parts.dataset
    predictions.write(where / "predictions" / "test.csv", parts.task, readings)
    predictions.write_hardest(
        where / "predictions" / "hardest.json",
        parts.task,
        readings,
        dataset.splits["test"],
        parts.spec.source,
        dataset.preprocessing,
    )
    speed = module.number / max(module.training_seconds, 1e-9)
    summary: dict[str, Any] = {
        "format": folder.FORMAT,
        "status": "done",
        **{f"test/{name}": value for name, value in scores.items()},
        **{f"train/{name}": value for name, value in train.items()},
        **{f"baseline/{name}": value for name, value in baseline.items()},
        "baseline": baseline_name,
        "monitor": parts.monitor,
        parts.monitor: _monitored(parts, recorder),
        **parts.before,
        "best_epoch": recorder.best_epoch,
        "epochs": module.epoch + 1 if parts.total else 0,
        "steps": module.number,
        "parameters": parts.parameters,
        "seconds": round(seconds, 3),
        "training_seconds": round(module.training_seconds, 3),
        "steps_per_second": round(speed, 3),
        "exact": not inexact,
        **({"inexact": list(inexact)} if inexact else {}),
    }
    verdicts = experiments.of_run(parts.config, overrides, summary)
    summary |= {"verdicts": [one.as_plain() for one in verdicts]} if verdicts else {}
    card = {
        "data": parts.switches["data"],
        "digest": dataset.digest,
        "source": dataset.source_name,
        "licence": dataset.licence,
        "sizes": {name: len(split) for name, split in dataset.splits.items()},
        "test": scores,
        "versions": environment.versions(),
        "source_digest": environment.source_digest(),
    }
    config = {**parts.config, "task": {**parts.config["task"], **settled}}
    fitted = dataset.preprocessing
    artifacts.save(where / "artifact", parts.network, config, parts.spec, fitted, card, parts.quantization)
    figures.write(where, parts.task, readings, parts.monitor)
    recorder.draw(where)
    folder.write_json(where / "summary.json", summary)
    screen = screens.last(
        model=parts.switches["model"],
        test=scores,
        baseline_name=baseline_name,
        baseline=baseline,
        train=train,
        monitor=parts.monitor,
        best_epoch=recorder.best_epoch,
        epochs=summary["epochs"],
        seconds=seconds,
        steps_per_second=speed,
        folder=where,
        inputs=screens.INPUTS.get(parts.spec.source.kind, "INPUT"),
        overrides=overrides,
        longer=_longer(parts, module, recorder),
        cut=_cut(parts, module),
        verdict=[one.line() for one in verdicts],
    )
    return summary, "\n".join([*costing.report(parts, where, parts.row, scores), screen])


def _training_scores(parts: Parts) -> dict[str, float]:
    """Scores on as many training examples as there are test ones: the gap needs no more."""
    dataset = parts.dataset
    size = dataset.batch_size if getattr(dataset, "ordered", False) else None
    return _evaluated(parts, some(dataset, "train", max(len(dataset.splits["test"]), 1)), size)[0]


def _monitored(parts: Parts, recorder: Recorder) -> float | None:
    """Of the weights that are tested: quantised ones, and those of a run without a step, are scored for it."""
    if parts.total and parts.quantization is None:
        return recorder.history.get(recorder.best_epoch)
    return _evaluated(parts, parts.dataset.splits["val"])[0].get(parts.monitor.removeprefix("val/"))


def _evaluated(
    parts: Parts, examples: Examples, size: int | str | None = None
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scores and readings of examples, in every process of all of them; ``size`` is a batch's."""
    from assay.evaluation import evaluate

    loader = parts.data.loader(examples, size=size)
    return evaluate(parts.task, parts.network, loader, parts.trainer.strategy.root_device)


def _cut(parts: Parts, module: Eager) -> str | None:
    """Where the clock ended the run, which no seed repeats; None where it did not."""
    if module.number >= parts.total or not timed_out(parts.trainer):
        return None
    return f"trainer.max_time={parts.trainer_keys['max_time']} at step {module.number:,} of {parts.total:,}"


def _longer(parts: Parts, module: Eager, recorder: Recorder) -> str | None:
    """The setting that would train on; None where more would not help."""
    history, best = recorder.history, recorder.best_epoch
    if not parts.total or module.number < parts.total or parts.config["debug"] != "none":
        return None
    if isinstance(parts.network, Estimator) and len(history) < 2:  # counting once may be all there is to do
        return None
    if history.get(best) in (score for epoch, score in history.items() if epoch < best):  # as good before
        return None
    if parts.trainer_keys["max_steps"] > 0:
        return f"trainer.max_steps={2 * module.number}"
    return f"trainer.max_epochs={2 * parts.trainer_keys['max_epochs']}"
