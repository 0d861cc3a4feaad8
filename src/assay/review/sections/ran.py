"""What was run: the switches, the command to repeat it, and what else decides the bits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assay.experiments import of_run
from assay.review import numerals
from assay.review.facts import Run
from assay.review.html import Child, Html, tag
from assay.review.page import command, facts, row_head, table
from assay.screens import pasted, shown

_STAMP = re.compile(r"^(\d{2})-(\d{2})-(\d{2})-")


def what_was_run(run: Run) -> list[Html]:
    """Switches, the command, and what else decides the bits."""
    from assay.switches import defaults

    usual = defaults()
    own = {key.lstrip("+~").partition("=")[0] for key in run.overrides}
    rows = []
    for group, option in run.switches.items():
        default = usual.get(group)
        if option == default or group == "experiment" or (default is None and option in ("none", "[]", "null")):
            continue
        why = "typed" if group in own else "implied"
        rows.append(
            [row_head(group), tag("td", tag("code", option)), tag("td", tag("code", default or "–")), tag("td", why)]
        )
    environment = run.environment
    commit = environment.get("commit")
    if commit:
        commit = f"{commit[:12]}{' with uncommitted changes' if environment.get('dirty') else ''}"
        if "source.patch" in run.files:
            commit = [commit, ", kept in ", tag("a", "source.patch", href="source.patch")]
    versions: Mapping[str, Any] = environment.get("versions") or {}
    body = [
        facts(
            [
                ("Model", _option(run, "model")),
                ("Data", _option(run, "data")),
                ("Seed", run.config.get("seed")),
                ("Parameters", numerals.count(run.summary["parameters"]) if "parameters" in run.summary else None),
                ("Trained", _trained(run)),
                ("Verdict", " — ".join(one.line() for one in of_run(run.config, run.overrides, run.summary)) or None),
                ("Started", _started(run)),
                ("Resumed", _resumed(run)),
                ("Repeatable", _repeatable(run)),
                ("Device", _device(environment)),
                ("Source", commit or ("installed package, no commit" if environment else None)),
                ("Versions", " · ".join(f"{name} {version}" for name, version in versions.items())),
            ]
        )
    ]
    if rows:
        head = ["switch", "this run", "default", "why"]
        caption = [
            "Switches that differ from a plain ",
            tag("code", "assay train"),
            "; all others are as they come. Implied: by another switch, such as the data.",
        ]
        body.append(table(head, rows, caption=caption, label="switches"))
    body.append(tag("h3", "To repeat it"))
    body.append(command(f"assay rerun {pasted(shown(run.folder))}"))
    body.append(tag("p", "or, without its folder, from the words that were typed:", class_="small"))
    body.append(command(" ".join(["assay train", *map(pasted, run.overrides)])))
    if environment.get("directory"):
        body.append(tag("p", "It was typed in ", tag("code", environment["directory"]), ".", class_="small"))
    return body


def _option(run: Run, group: str) -> Child:
    """An option with what its file says of it."""
    from assay.switches import catalogue

    name = run.switches.get(group)
    if name is None:
        return None
    option = catalogue().groups.get(group, {}).get(name)
    return [tag("code", name), f" {option.title}" if option is not None else None]


def _trained(run: Run) -> str | None:
    summary = run.summary
    if "steps" not in summary:
        return None
    told = [numerals.count(summary["steps"], "step")]
    if "epochs" in summary:
        told.insert(0, numerals.count(summary["epochs"], "epoch"))
    if "training_seconds" in summary:
        told.append(f"{numerals.duration(summary['training_seconds'])} of training")
    if "seconds" in summary:
        told.append(f"{numerals.duration(summary['seconds'])} in all")
    if "steps_per_second" in summary:
        told.append(f"{summary['steps_per_second']:,.0f} steps/s")
    return " · ".join(told)


def _started(run: Run) -> str | None:
    """From the folder's name, which has the second; the day is in the name of the folder above, unless it was moved."""
    found = _STAMP.match(run.folder.name)
    if not found:
        return None
    day = run.folder.parent.name if re.fullmatch(r"\d{4}-\d{2}-\d{2}", run.folder.parent.name) else ""
    return f"{day} {':'.join(found.groups())}".strip()


def _resumed(run: Run) -> str | None:
    """Where it went on after a stop or a kill; the curves are of one run all the same."""
    steps = re.findall(r"^resumed at step ([\d,]+)", run.log, re.MULTILINE)
    return f"{numerals.count(len(steps), 'time')}, at step {', '.join(steps[-12:])}" if steps else None


def _repeatable(run: Run) -> str | None:
    if "exact" not in run.summary:
        return None
    if run.summary["exact"]:
        return "bit for bit: the same command with the same versions, device and threads gives the same result"
    return f"not bit for bit: {'; '.join(map(str, run.summary.get('inexact') or []))}"


def _device(environment: Mapping[str, Any]) -> str | None:
    if not environment:
        return None
    threads = environment.get("threads")
    told = [str(environment.get("device"))]
    if threads:
        told.append(numerals.count(int(threads), "thread"))
    if (environment.get("world_size") or 1) > 1:
        told.append(f"{environment['world_size']} processes")
    return " · ".join([*told, str(environment.get("platform", ""))])
