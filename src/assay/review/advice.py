"""What to try next: commands ready to paste, each with the fact that speaks for it.

A rule reads what the run recorded and proposes one change of the command that was typed. What this version would refuse
is never shown: each command is held against preflight first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import ConfigError
from assay.review import numerals
from assay.review.facts import Run
from assay.review.scores import Interval
from assay.screens import lower_is_better, pasted, shown

MOST = 7
_LEFT_OUT = ("name", "plan", "debug", "outputs", "seed")  # of the typed command: what a new run chooses for itself
_WIDTHS = ("hidden_size", "hidden_sizes", "size", "embedding_size")
_MODELS = 3  # others, beside this one
_SMALL_GAP = 0.02
_TIMES = 1.3  # the error on new examples is so many times that on training ones: it memorises
_UNFIT = 0.25  # of the baseline's error still there on the training examples


@dataclass(frozen=True)
class Advice:
    """A reason in a sentence or two, and the command's words after ``assay``."""

    reason: str
    words: tuple[str, ...]

    @property
    def command(self) -> str:
        return " ".join(["assay", *map(pasted, self.words)])


def advise(run: Run, found: Mapping[str, Interval]) -> tuple[list[Advice], str | None]:
    """The advice that this version would not refuse, the most pressing first, and a note where none could be checked.

    Args:
        found: the intervals of the test scores.
    """
    proposed = [*_unfinished(run), *_finished(run, found)]
    refusal = refused(("train", *typed(run)))
    if refusal is not None:
        return proposed[:MOST], f"Not checked, since the run's own command is refused here and now: {refusal}"
    kept = [one for one in proposed if refused(one.words) is None]
    whole = run.status == "done" and run.config.get("debug") in (None, "none")
    models = _other_models(run) if whole else []
    return [*kept[: MOST - len(models)], *models], None


def refused(words: Sequence[str]) -> str | None:
    """Why a command would be refused; None where it would not. Commands that train nothing are not looked at."""
    from assay.preflight import check

    if words[0] != "train":
        return None
    try:
        check(list(words[1:]))
    except ConfigError as refusal:
        return str(refusal)
    return None


def typed(run: Run, changes: Mapping[str, str] | None = None, without: Sequence[str] = ()) -> list[str]:
    """The run's overrides with some values changed or added; ``without`` names keys and nodes to leave out."""
    changes = dict(changes or {})
    kept = []
    for one in run.overrides:
        key = one.lstrip("+~").partition("=")[0]
        if key in _LEFT_OUT or any(key == node or key.startswith(f"{node}.") for node in without):
            continue
        kept.append(f"{key}={changes.pop(key)}" if key in changes else one)
    return [*kept, *(f"{key}={value}" for key, value in changes.items())]


def _train(run: Run, reason: str, changes: Mapping[str, str], several: bool = False) -> Advice:
    return Advice(reason, ("train", *(["-m"] if several else []), *typed(run, changes)))


def _unfinished(run: Run) -> Iterator[Advice]:
    if run.status == "done":
        return
    rate = _number(run, "optim.lr")
    if run.status == "failed":
        reason = run.reason or ""
        if "not finite" in reason:
            if rate:
                yield _train(
                    run,
                    f"The loss left the finite numbers at optim.lr={rate:g}: a tenth of it.",
                    {"optim.lr": f"{rate / 10:g}"},
                )
            yield _train(run, "Or the same rate, with gradients clipped to norm 1.", {"clip": "norm"})
        size = _number(run, "data.batch_size")
        if "out of memory" in reason and size and size > 1:
            smaller = {
                "data.batch_size": f"{int(size) // 2}",
                "accumulate": f"{2 * int(run.config.get('accumulate', 1))}",
            }
            yield _train(run, "The same step in smaller pieces needs about half the memory.", smaller)
    elif "checkpoints/last.ckpt" in run.files and _has_command("resume"):
        yield Advice(
            "It left a checkpoint: this goes on from there, to the same result.", ("resume", shown(run.folder))
        )
    if run.status != "failed":
        yield _train(run, "Or the whole run anew.", {})


def _finished(run: Run, found: Mapping[str, Interval]) -> Iterator[Advice]:
    if run.status != "done":
        return
    if (debug := run.config.get("debug", "none")) not in ("none", None):
        yield _train(run, f"This was a rehearsal (debug={debug}), and its scores mean little: the run itself.", {})
        return
    yield from _against_baseline(run)
    yield from _of_length(run)
    yield from _of_gap(run, found)
    yield from _of_calibration(run)
    rate = _number(run, "optim.lr")
    if rate and not any(one.startswith("optim.lr=") for one in run.overrides):
        values = ",".join(f"{rate * factor:.2g}" for factor in (1 / 3, 1, 3))
        reason = f"The learning rate was the default, {rate:g}: three times less and more."
        yield _train(run, reason, {"optim.lr": values}, several=True)
    yield _train(
        run,
        "One seed is one draw: three show how much of the score is luck of initialisation and order.",
        {"seed": "0,1,2"},
        several=True,
    )


def main_score(run: Run) -> tuple[str, float, float | None, float | None] | None:
    """The monitored metric's name, and its score on test, training and of the baseline; None where it is not known."""
    metric = (run.monitor or "").removeprefix("val/")
    test = run.scores("test")
    if metric not in test:
        metric = next((name for name in ("accuracy", "micro_f1", "rmse") if name in test), next(iter(test), ""))
    if not metric:
        return None
    return metric, test[metric], run.scores("train").get(metric), run.scores("baseline").get(metric)


def baseline_wins(metric: str, test: float, baseline: float | None) -> bool:
    if baseline is None:
        return False
    return test >= baseline if lower_is_better(metric) else test <= baseline


def _against_baseline(run: Run) -> Iterator[Advice]:
    main = main_score(run)
    if main is None or not baseline_wins(main[0], main[1], main[3]):
        return
    metric, _, train, baseline = main
    if train is not None and not baseline_wins(metric, train, baseline):
        return  # it learnt something, which the advice on the gap speaks of
    yield Advice(
        "The baseline wins, on the training examples too. Can this network memorise ten examples at all? If not, data "
        "and labels do not belong together, or the rate is wrong.",
        ("train", *typed(run), "debug=overfit"),
    )
    if rate := _number(run, "optim.lr"):
        values = ",".join(f"{rate * factor:.2g}" for factor in (0.01, 0.1, 10))
        yield _train(run, "If it can, the learning rate is the first suspect.", {"optim.lr": values}, several=True)


def _of_length(run: Run) -> Iterator[Advice]:
    best, epochs = run.summary.get("best_epoch", -1), run.summary.get("epochs", 0)
    planned = _number(run, "trainer.max_epochs") or epochs
    patience = _number(run, "early_stopping.patience")
    steps = _number(run, "trainer.max_steps") or -1
    if patience and epochs < planned and steps < 0:
        yield _train(
            run,
            f"Early stopping ended it at epoch {epochs} of {planned:g}: was it too early? Twice the patience tells.",
            {"early_stopping.patience": f"{2 * int(patience)}"},
        )
    elif 0 <= best == epochs - 1:
        longer = (
            {"trainer.max_steps": f"{2 * int(steps)}"} if steps > 0 else {"trainer.max_epochs": f"{2 * int(planned)}"}
        )
        yield _train(run, "The last epoch was the best: it had not finished learning.", longer)
    elif 0 <= best < 0.6 * epochs and not patience:
        yield _train(
            run,
            f"Epoch {best + 1} of {epochs} was the best: what came after was not needed.",
            {"early_stopping": "patience"},
        )


def _of_gap(run: Run, found: Mapping[str, Interval]) -> Iterator[Advice]:
    main = main_score(run)
    if main is None or main[2] is None:
        return
    metric, test, train, baseline = main
    assert train is not None
    interval = found.get(metric, Interval(test, test))
    model: Mapping[str, Any] = run.config.get("model") or {}
    lower = lower_is_better(metric)
    if lower:
        wide = train < interval.low and test > _TIMES * train
    else:
        wide = train > interval.high and train - test > _SMALL_GAP and 1 - test > _TIMES * (1 - train)
    if wide:
        gap = f"On training examples {metric} is {numerals.score(train)}, on new ones {numerals.score(test)}"
        if "dropout" in model and not model["dropout"]:
            yield _train(run, f"{gap}: it memorises. Dropout works against that.", {"model.dropout": "0.2,0.4"}, True)
        elif not _number(run, "optim.weight_decay"):
            yield _train(run, f"{gap}: weight decay keeps weights small.", {"optim.weight_decay": "0.0001,0.001"}, True)
        if run.switches.get("augment", "[]") == "[]" and run.kind == "class":
            yield _train(run, f"{gap}: mixtures of examples are harder to memorise.", {"augment": "mixup"})
        return
    if baseline is None or baseline_wins(metric, train, baseline):
        return
    left = train / baseline if lower else (1 - train) / max(1 - baseline, 1e-9)
    if metric != "r2" and left > _UNFIT and (larger := _larger(model)):
        reason = f"Even on its own training examples {metric} is only {numerals.score(train)}: a larger network."
        yield _train(run, reason, larger)


def _of_calibration(run: Run) -> Iterator[Advice]:
    if run.kind != "class" or not run.predictions or "label_smoothing" not in (run.config.get("loss") or {}):
        return
    import numpy as np

    from assay.review import scores

    values = scores.probabilities(run.predictions)
    right = np.array([row.target == row.prediction for row in run.predictions])
    _, error = scores.calibration(values, right)
    sure = float(values.mean() - right.mean())
    chance = scores.by_chance(values)
    if chance is not None and sure > _SMALL_GAP and error > chance and not run.config["loss"]["label_smoothing"]:
        reason = (
            f"It is surer than it should be: probability {values.mean():.3f} on average, right in "
            f"{right.mean():.3f} of cases. Smoothed labels make it more modest."
        )
        yield _train(run, reason, {"loss.label_smoothing": "0.1"})


def _other_models(run: Run) -> list[Advice]:
    """One sweep over this model and others that read what the stem gives, with the rest of the command as it was."""
    from assay.switches import catalogue

    own, kinds = run.switches.get("model"), run.config.get("stem") or {}
    models = catalogue().groups["model"].items()
    others = [name for name, option in models if name != own and any(kind in kinds for kind in option.reads)]
    if own is None or not others:
        return []
    names = ",".join([own, *others[:_MODELS]])
    plain = Advice(
        "Other models read these data too.", ("train", "-m", f"model={names}", *typed(run, without=("model",)))
    )
    return [plain] if refused(plain.words) is None else []


def _larger(model: Mapping[str, Any]) -> dict[str, str]:
    """Twice the first width that the model's options have."""
    for key in _WIDTHS:
        value = model.get(key)
        if isinstance(value, int):
            return {f"model.{key}": str(2 * value)}
        if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
            return {f"model.{key}": f"[{','.join(str(2 * one) for one in value)}]"}
    return {}


def _number(run: Run, key: str) -> float | None:
    """A number of the resolved config by its path; None where there is none."""
    node: Any = run.config
    for name in key.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node if isinstance(node, int | float) and not isinstance(node, bool) else None


def _has_command(word: str) -> bool:
    from assay.cli import COMMANDS

    return word in COMMANDS
