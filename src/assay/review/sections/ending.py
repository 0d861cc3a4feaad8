"""What to try next, and at the end the files behind the page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assay.review import numerals
from assay.review.advice import Advice
from assay.review.facts import Run
from assay.review.html import Html, tag
from assay.review.page import command, folded, number, right_head, row_head, table

_LETTERS = 200_000


def what_next(found: Sequence[Advice], note: str | None) -> list[Html]:
    """Commands ready to paste, each with its reason."""
    if not found:
        return []
    items = [tag("li", tag("p", one.reason), command(one.command)) for one in found]
    opening = "Each follows from something above. One click selects a command."
    return [
        tag("p", opening, class_="small"),
        tag("ol", items, class_="advice"),
        *([tag("p", note, class_="note")] if note else []),
    ]


def details(run: Run) -> list[Html]:
    """The resolved config, the log, what could not be read, and the files."""
    import yaml

    body = []
    if run.notes:
        body.append(tag("ul", [tag("li", note) for note in run.notes], class_="alarm"))
    rows = [
        [row_head(tag("a", name, href=name)), number(numerals.size(size)), tag("td", _FILES.get(name, ""))]
        for name, size in run.files.items()
    ]
    caption = "Links work as long as this page lies in its run folder."
    body.append(table(["file", right_head("size"), "holds"], rows, caption=caption))
    config = yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True)
    body.append(folded("The resolved config", tag("pre", config[:_LETTERS], class_="tall", tabindex="0")))
    if run.environment:
        environment = yaml.safe_dump(run.environment, sort_keys=False, allow_unicode=True)
        body.append(folded("The environment", tag("pre", environment[:_LETTERS], class_="tall", tabindex="0")))
    if run.log.strip():
        warnings = len(re.findall(r"Warning\b", run.log))
        what = f"log.txt, {numerals.count(warnings, 'warning')}" if warnings else "log.txt"
        body.append(folded(what, tag("pre", run.log, class_="tall", tabindex="0")))
    return body


_FILES = {
    "config.yaml": "every setting, defaults included",
    "overrides.yaml": "what was typed",
    "environment.json": "versions, commit, device, threads, seed",
    "source.patch": "the uncommitted difference of the source",
    "data.json": "what the data were",
    "metrics.csv": "every point of every curve",
    "summary.json": "how it ended, and its scores",
    "predictions/test.csv": "the answer to every test example",
    "predictions/hardest.json": "the examples with the highest loss",
    "log.txt": "what was shown, and warnings",
    "profile.txt": "the time of each operation",
    "checkpoints/last.ckpt": "all that a step changes: to go on from",
    "checkpoints/previous.ckpt": "the one before",
    "checkpoints/best.ckpt": "the best weights",
    "artifact/artifact.json": "all that predicting needs, with the weights",
    "artifact/weights.safetensors": "the best weights, as published",
    "figures/curves.png": "curves, for a report",
    "figures/confusion.png": "confusion matrix, for a report",
    "figures/scatter.png": "prediction over target, for a report",
    "figures/grad_norm.png": "norm of the gradient by layer",
    "figures/dead_units.png": "dead units by layer",
    "figures/saturated_units.png": "saturated units by layer",
    "figures/hessian.png": "spectrum of the training loss's Hessian",
    "figures/hessian.json": "its numbers",
    "figures/jacobian.png": "singular values of the state's Jacobian",
    "figures/jacobian.json": "its numbers",
    "compression.json": "what the network cost before and after",
    "chain.json": "what each stage cost and scored",
    "search.json": "the networks that keep to the budget",
    "figures/pareto.png": "score over bytes, work and time, for a report",
    "export/model.onnx": "the network as a file that runs without Assay",
}
