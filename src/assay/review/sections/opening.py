"""Under the title: how the run ended, why, and its one most important number."""

from __future__ import annotations

from collections.abc import Mapping

from assay.review import numerals
from assay.review.advice import main_score
from assay.review.facts import Run
from assay.review.html import Html, tag
from assay.review.scores import Interval
from assay.review.sections import stages
from assay.review.sections.scores import span
from assay.screens import shown

ENDS = {
    "running": "It is still going on: what follows is what it has written so far.",
    "failed": "The run failed.",
    "stopped": "The run was stopped by a signal (Ctrl-C, or the system), after saving.",
    "interrupted": "The run was ended at once (Ctrl-C twice), without saving.",
    "unfinished": "No end was recorded: the run was killed, or the machine went down.",
}


def opening(run: Run, found: Mapping[str, Interval]) -> list[Html]:
    """Under the title: the end of the run, and its one most important number."""
    lines = [tag("p", tag("span", run.status, class_=f"status {run.status}"), f" {shown(run.folder)}", class_="under")]
    if run.status != "done":
        reason = tag("p", tag("strong", "Reason: "), run.reason) if run.reason else None
        if run.status == "failed" and not run.reason:
            reason = tag("p", "No reason was recorded; the terminal of the run, or log.txt below, has the trace.")
        sign = None
        if run.last_sign is not None:
            sign = tag("p", f"Last sign of life: {run.last_sign:%Y-%m-%d %H:%M:%S}. {_how_far(run)}", class_="small")
        lines.append(
            tag("div", tag("p", tag("strong", ENDS.get(run.status, run.status))), reason, sign, class_="alarm")
        )
    if (debug := run.config.get("debug", "none")) not in ("none", None):
        lines.append(tag("div", tag("p", f"A rehearsal (debug={debug}): its scores mean little."), class_="alarm"))
    main = main_score(run)
    if main is not None:
        metric, test, _, baseline = main
        more = f"; 95 % interval {span(found[metric])}" if metric in found else ""
        beside = (
            f" The baseline ({run.summary.get('baseline')}) scores {numerals.score(baseline)}."
            if baseline is not None
            else ""
        )
        lines.append(
            tag("p", f"Test {metric} ", tag("strong", numerals.score(test)), f"{more}.{beside}", class_="lead")
        )
    return lines


def _how_far(run: Run) -> str:
    last = max((points[-1] for points in run.curves.values()), default=None)
    if last is None and (begun := stages.read(run)):
        done = sum(one.status == "done" for one in begun)
        return f"{done} of the {numerals.count(len(begun), 'stage')} that it had begun are done."
    if last is None:
        return "Nothing was measured."
    planned = (run.config.get("trainer") or {}).get("max_epochs")
    return f"It had come to step {last.step:,}, in epoch {last.epoch + 1} of {planned}."
