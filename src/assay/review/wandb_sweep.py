"""One W&B run for a whole sweep, beside those of its jobs: a table of cells, one of runs, curves with bands, scores.

Made when the sweep is through, by a process of its own (:mod:`assay.review.wandb_sweep_send`), online or offline as the
jobs are. What it was made of is kept, so that the same command again makes nothing, and an extended sweep makes it anew
under the same id. Imports neither torch nor wandb.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import experiments
from assay.lifecycle import records
from assay.review import wandb_host
from assay.review.redact import redact
from assay.review.wandb_log import RECORD_SECONDS, Outcome, WandbLog, conclude, launch, run_id, write_whole
from assay.sweeps.ledger.ledger import JOURNAL, Entry, Ledger
from assay.sweeps.ledger.place import read_facts

MADE = "made.json"
"""In the sweep's ``wandb/``: of which points the run was made, and whether the host has it."""

_MODULE = "assay.review.wandb_sweep_send"


def finish(sweep: Path, config: Mapping[str, Any]) -> str | None:
    """Makes the sweep's run, where nothing of the sweep is left to do and its jobs are logged to W&B.

    Args:
        config: of one of its points: who is logged to, and how.
    Returns:
        A line to print: where the run is, or what went wrong. None where nothing had to be done.
    """
    log = log_of(config.get("logger"))
    entries = Ledger(sweep).entries()
    if log is None or not is_through(entries):
        return None
    mode, reason = wandb_host.decide(str(log["mode"]))
    if mode == "disabled" or is_made(sweep, entries, mode):
        return None
    outcome = make(sweep, log, mode)
    if outcome.complete and mode == "online":
        return f"W&B: {outcome.url} sums the sweep up"
    if outcome.complete:
        return f"W&B: an offline record sums the sweep up ({reason}); assay sync uploads"
    return f"W&B: the run that sums the sweep up is not whole ({outcome.reason})"


def log_of(node: Any) -> dict[str, Any] | None:
    """The settings of the W&B log that a config asks for; None where it asks for none."""
    if not isinstance(node, Mapping) or not str(node.get("_target_", "")).endswith(f".{WandbLog.__name__}"):
        return None
    return {"mode": "auto", "project": "assay", "entity": None, **{k: v for k, v in node.items() if k[0] != "_"}}


def is_through(entries: Sequence[Entry]) -> bool:
    """Whether every point has come to its end, at least one of them well."""
    return any(one.state == "done" for one in entries) and all(
        one.state in ("done", "failed", "pruned") for one in entries
    )


def contents(entries: Sequence[Entry]) -> str:
    """A digest of what the run is made of: which points ended, how, and with which scores."""
    facts = [[one.number, one.state, sorted(one.metrics.items()), one.reason] for one in entries]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def is_made(sweep: Path, entries: Sequence[Entry], mode: str) -> bool:
    """Whether the run of these points has been made already; offline a record that was sent since is enough."""
    try:
        made = json.loads((sweep / "wandb" / MADE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return made.get("contents") == contents(entries) and (made.get("mode") == "online" or mode == "offline")


def make(sweep: Path, log: Mapping[str, Any], mode: str, seconds: float = RECORD_SECONDS) -> Outcome:
    """Starts the process that makes it, and waits for that."""
    entries = Ledger(sweep).entries()
    describe(sweep, log)
    outcome = conclude(launch(sweep, mode, seconds, _MODULE), "done", {}, seconds)
    if outcome.complete:
        made = {"contents": contents(entries), "mode": mode, "url": outcome.url}
        write_whole(sweep / "wandb" / MADE, json.dumps(made) + "\n")
    return outcome


def describe(sweep: Path, log: Mapping[str, Any]) -> None:
    """Writes ``wandb/run_id``, unless it is there, and ``wandb/run.json``: all that the sending process is told."""
    (sweep / "wandb").mkdir(exist_ok=True)
    facts = read_facts(sweep)
    described = {
        "id": run_id(sweep),
        "project": log["project"],
        "entity": log["entity"],
        "name": sweep.name,
        "group": sweep.name,
        "job_type": "sweep",
        "tags": ["sweep", *(str(key)[:64] for key in facts.get("axes", {}))],
        "config": {key: facts[key] for key in ("command", "axes", "fixed", "created", "source") if key in facts},
        "verdicts": experiments.of_sweep(sweep),
    }
    write_whole(sweep / "wandb" / "run.json", json.dumps(redact(described), indent=2, ensure_ascii=False, default=str))


def due(sweep: Path) -> Mapping[str, Any] | None:
    """For `assay sync`: the log's settings of a sweep that is through and that the host has not been told of."""
    if not (sweep / JOURNAL).is_file():
        return None
    entries = Ledger(sweep).entries()
    if not is_through(entries) or is_made(sweep, entries, "online"):
        return None
    done = next(one for one in entries if one.state == "done")
    there, node = records.read(done.folder).config("logger")
    return log_of(node) if there else None
