"""``assay review PATH``: the page of one run, or of a sweep or any folder above runs, made of these folders alone.
Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from assay.errors import ConfigError
from assay.folder import find
from assay.review.advice import advise
from assay.review.facts import Run, read
from assay.review.page import MOST_BYTES, Section, render
from assay.screens import shown

NAME = "review.html"


def review_command(run: str, output: str | None = None, baseline: str | None = None) -> int:
    """Writes the page into the folder that is reviewed, or to ``output``, and prints its path.

    Raises:
        ConfigError: there is no run at or below the folder, or the file cannot be written.
    """
    folder = find(run)
    path = Path(output) if output is not None else folder / NAME
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigError(f"--output {output} cannot be written: name a file in a folder that is there")
    if _is_one(folder) and baseline is not None:
        raise ConfigError(
            f"--baseline {baseline} compares cells, and {run} is one run; name a sweep or a folder of runs"
        )
    text = page(read(folder)) if _is_one(folder) else _of_many(folder, baseline)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); name another with --output FILE") from error
    print(shown(path))
    return 0


def _is_one(folder: Path) -> bool:
    """Whether the folder is a run, or what is left of one: it is not looked into for others."""
    return (folder / "config.yaml").is_file() or (folder / "artifact.json").is_file()


def _of_many(folder: Path, baseline: str | None) -> str:
    from assay.review.comparison import page as comparison
    from assay.review.comparison import tree

    return comparison.page(tree.read(folder), baseline)


def page(run: Run) -> str:
    """The whole page, below 3 MB: one that would be larger (names of thousands of letters, tables of hundreds of wide
    columns) goes without its examples, then without what is made of the predictions, and says so."""
    lean, left = run, []
    for part, empty in (("", None), ("hardest", []), ("predictions", []), ("names", []), ("card", {}), ("log", "")):
        if part:
            left.append(part)
            changes: dict[str, Any] = {
                part: empty,
                "notes": [*run.notes, f"Left out, to stay small: {', '.join(left)}."],
            }
            lean = replace(lean, **changes)
        text = _page(lean)
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise ConfigError(f"the page of {run.folder} would be over {MOST_BYTES:,} bytes even without its examples")


def _page(run: Run) -> str:
    from assay.review import scores, tags  # NumPy: after the folder was found
    from assay.review.sections import costs, curves, data, diagnostics, ending, errors, opening, ran, stages
    from assay.review.sections import scores as table_of_scores

    if run.kind == "tags":
        found = tags.intervals(run.predictions, run.names)
    else:
        found = scores.intervals(run.predictions, run.kind, run.names)
    chance = None
    if run.kind == "class" and run.predictions:
        chance = scores.by_chance(scores.probabilities(run.predictions))
    advice, note = advise(run, found)
    found_in_layers, cost = diagnostics.diagnostics(run), costs.costs(run)
    sections = [
        Section("ran", "What was run", ran.what_was_run(run)),
        Section("data", "On what data", data.on_what(run)),
        Section("scores", "How well, against which baseline", table_of_scores.how_well(run, found, chance)),
        *([Section("costs", "What it costs, and what making it smaller cost", cost)] if cost else []),
        Section("curves", "How it learnt", stages.stages(run) or curves.curves(run)),
        *([Section("diagnostics", "What its layers did", found_in_layers)] if found_in_layers else []),
        Section("errors", "Where it errs", errors.where_it_errs(run, chance)),
        Section("next", "What to try next", ending.what_next(advice, note)),
        Section("files", "Settings and files", ending.details(run)),
    ]
    version = (run.environment.get("versions") or {}).get("assay", "")
    foot = f"Made {datetime.now():%Y-%m-%d %H:%M} by `assay review` from the files of this run (assay {version})."
    return render(run.name, opening.opening(run, found), sections, f"{foot} It asks no network.")
