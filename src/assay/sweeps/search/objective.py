"""What a search optimises: the monitored metric, which is of the validation split."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from assay.composition.signatures import definition_of
from assay.errors import ConfigError
from assay.screens import lower_is_better
from assay.sweeps.ledger.ledger import Entry, read_summary


def mode_of(config: Mapping[str, Any]) -> str:
    """min or max, as a run of this config will see it (:class:`assay.parts.Parts`): asked for, else of the metric that
    was asked for, else the task's own, read from its source: torch stays unloaded."""
    if config["monitor_mode"]:
        return str(config["monitor_mode"])
    if config["monitor"]:
        return "min" if lower_is_better(str(config["monitor"])) else "max"
    return _of_task(config["task"]["_target_"])


def _of_task(target: str) -> str:
    module, _, name = target.rpartition(".")
    definition = definition_of(module, name, 0)
    for statement in getattr(definition, "body", []):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "monitor_mode":
            return str(ast.literal_eval(statement.value))
    raise ConfigError(f"a search cannot tell whether more or less is better of {target}: say monitor and monitor_mode")


def score_of(entry: Entry) -> float | None:
    """The monitored metric of a run that is done; None where there is none to compare."""
    if entry.state != "done":
        return None
    value = entry.metrics.get(str(read_summary(entry.folder).get("monitor")))
    return value if value is not None and math.isfinite(value) else None


def has_diverged(entry: Entry) -> bool:
    """Whether a run has answered by failing (:func:`assay.failures.non_finite`): these values train nothing."""
    return entry.state == "failed" and entry.reason.startswith("the loss is not finite")
