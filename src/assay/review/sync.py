"""`assay sync`: uploads to W&B the runs that were trained offline, or whose upload broke off. Imports neither torch nor
wandb.

It sends what a live run would have sent, from the same files, under the id that the run has kept; what the host holds
already is not sent again, so a run may be synced while it trains, and after.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay import folder as run_folder
from assay.errors import ConfigError
from assay.review import metrics_csv, wandb_host, wandb_sweep
from assay.review.wandb_log import Outcome, WandbLog, conclude, launch

SECONDS = 600.0  # for one run's files to arrive


def sync_command(path: str) -> int:
    """Uploads the run at ``path``, or every run below it.

    Returns:
        0 when the host holds all of them, 1 when some did not arrive whole.
    Raises:
        ConfigError: no run there, no key, or no answer from the host.
    """
    folders = runs(Path(path))
    if not folders:
        raise ConfigError(f"{path} holds no run (a folder with metrics.csv); name a run, a sweep, or outputs")
    counts = {"synced": 0, "not whole": 0, "already there": 0, "left out (logger=none)": 0}
    due: dict[Path, WandbLog] = {}
    for folder in folders:
        try:
            log = log_of(folder)
            if log is None:
                counts["left out (logger=none)"] += 1
            elif is_sent(folder):
                counts["already there"] += 1
            else:
                due[folder] = log
        except ConfigError as error:  # one bad folder does not hold up the rest
            print(error)
            counts["not whole"] += 1
    sums = {sweep: log for sweep in sorted({one.parent for one in folders}) if (log := wandb_sweep.due(sweep))}
    if (number := len(due) + len(sums)) and (problem := wandb_host.host_problem()):
        raise ConfigError(
            f"{number} run{'s' * (number > 1)} to sync, but W&B cannot be used: {problem}; `wandb login` and repeat"
        )
    for folder, log in due.items():
        outcome = upload(folder, log)
        counts["synced" if outcome.complete else "not whole"] += 1
        went = outcome.url if outcome.complete else f"not everything arrived ({outcome.reason})"
        print(f"{folder}: {went}", flush=True)
    for sweep, log in sums.items():  # after its jobs, which it is grouped with
        outcome = wandb_sweep.make(sweep, log, "online", SECONDS)
        counts["synced" if outcome.complete else "not whole"] += 1
        went = outcome.url if outcome.complete else f"not everything arrived ({outcome.reason})"
        print(f"{sweep}: {went}", flush=True)
    print(", ".join(f"{number} {what}" for what, number in counts.items() if number))
    return 1 if counts["not whole"] else 0


def runs(path: Path) -> list[Path]:
    """The run folders at or below a path, in order, each once."""
    found = [path] if (path / "metrics.csv").is_file() else [file.parent for file in path.rglob("metrics.csv")]
    return [folder for _, folder in sorted({folder.resolve(): folder for folder in found}.items())]


def log_of(folder: Path) -> WandbLog | None:
    """The log of a finished or killed run, as its config.yaml has it; None where it has none."""
    config = run_folder.read_config(folder)
    node = config["logger"]
    if not node or not node["_target_"].endswith(f".{WandbLog.__name__}"):
        return None
    return WandbLog(folder, config, **{key: value for key, value in node.items() if not key.startswith("_")})


def is_sent(folder: Path) -> bool:
    """Whether the host has said that it holds every row of metrics.csv, and the end of the run."""
    try:
        sent = json.loads((folder / "wandb" / "sent").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    status, _ = ending(folder)
    return sent["status"] == status and sent["rows"] == len(metrics_csv.read(folder / "metrics.csv"))


def ending(folder: Path) -> tuple[str, dict[str, Any]]:
    """Status and summary of a run; a run without summary.json was killed, or is still training."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return summary["status"], summary
    except (OSError, ValueError, KeyError):
        return "killed", {}


def upload(folder: Path, log: WandbLog) -> Outcome:
    """Sends one run to the host."""
    log.describe()
    return conclude(launch(folder, "online", SECONDS), *ending(folder), SECONDS)
