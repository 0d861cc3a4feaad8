"""The first and the last screen of a run, as text. Transcripts stand in the README and are tested."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LOWER_IS_BETTER = ("loss", "error", "mae", "rmse", "perplexity", "bits_per_token", "bits_per_character")

INPUTS = {"image": "IMAGE.png", "ids": "'a text'", "table": "TABLE.csv", "sequence": "STEPS.csv"}
"""What `assay predict` is given, by the kind of the source."""


def lower_is_better(metric: str) -> bool:
    return metric.endswith(LOWER_IS_BETTER)


def count(number: int) -> str:
    return f"{number:,}"


def shown(path: Path) -> str:
    """A path as short as it can be pasted from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def first(
    *,
    data: str,
    sizes: Mapping[str, int],
    classes: tuple[int, float] | None,
    notes: Sequence[str],
    model: str,
    parameters: int,
    optimizer: str,
    device: str,
    threads: int,
    folder: Path,
    log: str,
    frozen: int = 0,
    called: str = "classes",
) -> str:
    """Data, model, device, folder and where the log goes. ``classes`` is their number and the commonest one's share;
    ``called`` is what they are."""
    splits = " · ".join(f"{count(size)} {split}" for split, size in sizes.items())
    line = f"{data}: {splits}"
    if classes is not None:
        line += f" · {classes[0]} {called}, the commonest {100 * classes[1]:.1f} %"
    lines = [line, *(f"  {note}" for note in notes)]
    size = f"{count(parameters)} parameters" + (f", {count(frozen)} of them frozen" if frozen else "")
    lines.append(f"{model}: {size} · {optimizer} · {device}, {threads} thread{'s' * (threads > 1)}")
    lines.append(f"{shown(folder)} · {log}")
    return "\n".join(lines)


def resuming(folder: Path) -> str:
    """The command that goes on with a run."""
    return f"`assay resume {pasted(shown(folder))}` goes on"


def resumed(*, step: int, total: int, notes: Sequence[str], differences: Sequence[str], planned: int | None) -> str:
    """Where a run goes on, what had to be passed over, and what may change its bits.

    ``planned`` is the length that the schedule was made for, where that has changed."""
    lines = [*notes]
    if differences:
        lines.append(f"not bit for bit the run that was begun: {', '.join(differences)}")
    if planned is not None:
        lines.append(f"the schedule of the rate keeps the length it was made for, {count(planned)} steps")
    lines.append(f"resumed at step {count(step)} of {count(total)}")
    return "\n".join(lines)


def last(
    *,
    model: str,
    test: Mapping[str, float],
    baseline_name: str,
    baseline: Mapping[str, float],
    train: Mapping[str, float],
    monitor: str,
    best_epoch: int,
    epochs: int,
    seconds: float,
    steps_per_second: float,
    folder: Path,
    inputs: str,
    overrides: Sequence[str],
    longer: str | None,
    cut: str | None = None,
    verdict: Sequence[str] = (),
) -> str:
    """Each test metric beside its trivial baseline and the gap to training, plain sentences, and what to do next.

    ``longer`` is the setting that would train on; None where the run stopped by itself. ``cut``: by what it was ended,
    and where, if the clock did. ``verdict``: of an experiment."""
    width = max(len(name) for name in ("test", *test))
    head = f"{'test':<{width}}  {model[:12]:>12}  {baseline_name:>10}  {'train':>10}  {'gap':>9}"
    lines = [head, "-" * len(head)]
    for name, value in test.items():
        line = (
            f"{name:<{width}}  {value:>12.4f}  {_number(baseline.get(name)):>10}  {_number(train.get(name)):>10}"
            f"  {_number(value - train[name] if name in train else None, '+.4f'):>9}"
        )
        lines.append(line.rstrip())
    metric = monitor.removeprefix("val/")
    if metric in test and metric in baseline:
        wins = test[metric] >= baseline[metric] if lower_is_better(metric) else test[metric] <= baseline[metric]
        if wins:
            lines.append(f"Always answering the {baseline_name} does as well: nothing was learnt that helps {metric}.")
    if best_epoch == epochs - 1 and longer is not None:
        lines.append(f"The last epoch was the best: {longer} may do better.")
    if cut is not None:
        lines.append(f"Ended by {cut}: another machine gets another way, so give trainer.max_steps to repeat it.")
    speed = f"{steps_per_second:.0f} steps/s"
    best = f"Best at epoch {best_epoch + 1} of {epochs} by {monitor}"
    if epochs == 0:
        best = "No step was taken: the weights are those of init_from"
    elif best_epoch < 0:
        best = "Ended before the first validation: the weights are the last ones"
    lines.append(f"{best} · trained {seconds:.1f} s, {speed}")
    lines += verdict
    run = pasted(shown(folder))
    commands = (f"assay predict {run} {inputs}", f"assay review {run}", suggestion(model, overrides))
    lines += ["Next:", *(f"  {command}" for command in commands)]
    return "\n".join(lines)


def suggestion(model: str, overrides: Sequence[str]) -> str:
    """The same run with three seeds, ready to paste."""
    same = [one for one in overrides if not one.startswith(("seed=", "name=", "plan=", "debug="))]
    if not any(one.startswith(("model=", "experiment=")) for one in same):
        same = [f"model={model}", *same]
    return f"assay train -m {' '.join(map(pasted, same))} seed=0,1,2"


def pasted(word: str) -> str:
    """One word of a shell command, in the quotes that read best."""
    if "'" in word and not set(word) & set('"$`\\!\n'):
        return f'"{word}"'
    return shlex.quote(word)


def _number(value: Any, form: str = ".4f") -> str:
    return "" if value is None else format(value, form)
