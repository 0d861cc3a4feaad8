"""The console command ``assay``: a word, its arguments, and the module that does the work, imported only then.

Exit codes: 0 done, 1 failed, 2 refused, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from assay.errors import ConfigError


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{' '.join(message.split())}; `{self.prog} --help` shows how")


def _train(arguments: list[str]) -> int:
    from assay.launch import train

    return train(arguments)


def _predict(arguments: list[str]) -> int:
    parser = _Parser("assay predict", description="The outputs of a trained model for new inputs.")
    parser.add_argument("run", metavar="RUN", help="a run folder, an artifact, an export or its model.onnx, or latest")
    parser.add_argument("inputs", metavar="INPUT", nargs="*", default=["-"], help="images, CSV, text; - is stdin")
    parser.add_argument("--format", choices=("table", "csv", "jsonl"), default="table")
    parser.add_argument("--output", metavar="FILE", help="instead of stdout")
    parser.add_argument("--n-best", metavar="N", type=int, default=1, help="of tags: the N likeliest taggings")
    given = parser.parse_intermixed_args(arguments)
    from assay.predict import predict_command

    return predict_command(**vars(given))


def _evaluate(arguments: list[str]) -> int:
    parser = _Parser("assay evaluate", description="A trained model's scores, on its own test split or on other data.")
    parser.add_argument("run", metavar="RUN", help="a run folder, an artifact, or latest")
    parser.add_argument("overrides", metavar="data=…", nargs="*", help="the data to score on, as for training")
    given = parser.parse_intermixed_args(arguments)
    from assay.predict import evaluate_command

    return evaluate_command(run=given.run, overrides=given.overrides)


def _generate(arguments: list[str]) -> int:
    parser = _Parser(
        "assay generate",
        description="A language model goes on with a text: drawn token by token, unless --greedy or --beam choose. "
        "The same seed writes the same text.",
    )
    parser.add_argument("run", metavar="RUN", help="a run folder or artifact of task=lm, or latest")
    parser.add_argument("--prompt", metavar="TEXT", default="", help="a text, a text file, or - for stdin; else none")
    parser.add_argument("--tokens", metavar="N", type=int, default=200, help="to write at most; default: 200")
    parser.add_argument("--temperature", metavar="T", type=float, help="below 1 safer, above 1 bolder; default: 1")
    parser.add_argument("--top-k", metavar="K", type=int, help="draw from the K likeliest tokens")
    parser.add_argument("--top-p", metavar="P", type=float, help="from the fewest whose probabilities sum to P")
    parser.add_argument("--seed", metavar="N", type=int, help="of what is drawn; default: 0")
    parser.add_argument("--greedy", action="store_true", help="the likeliest token, each time")
    parser.add_argument(
        "--beam", metavar="WIDTH", type=int, help="the likeliest text that a search of this width finds"
    )
    parser.add_argument("--length-penalty", metavar="A", type=float, help="of a beam; above 0 prefers longer texts")
    parser.add_argument("--samples", metavar="N", type=int, default=1, help="texts; of a beam the N best")
    parser.add_argument("--stop", metavar="TEXT", default="", help=r"end before this; \n is a line break")
    given = parser.parse_args(arguments)
    from assay.generate import generate_command

    return generate_command(**vars(given))


def _export(arguments: list[str]) -> int:
    parser = _Parser(
        "assay export",
        description="A trained model as files that run without Assay, each compared with torch's outputs.",
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, an artifact, or latest")
    parser.add_argument("--output", metavar="DIR", help="instead of RUN/export")
    kinds = "onnx,torch_export,safetensors"
    parser.add_argument("--format", metavar="NAME,…", default=kinds, help=f"some of {kinds} alone")
    given = parser.parse_args(arguments)
    from assay.export.bundle import export_command

    return export_command(run=given.run, output=given.output, formats=given.format)


def _resume(arguments: list[str]) -> int:
    parser = _Parser("assay resume", description="Goes on with a run from its last checkpoint, bit for bit.")
    parser.add_argument("run", metavar="RUN", help="a run folder, or latest")
    parser.add_argument("overrides", metavar="key=value", nargs="*", help="more epochs or steps, logger, cadence")
    given = parser.parse_intermixed_args(arguments)
    from assay.lifecycle.resume import resume_command

    return resume_command(run=given.run, overrides=given.overrides)


def _data(arguments: list[str]) -> int:
    parser = _Parser("assay data", description="Downloads, verifies and describes a data set.")
    parser.add_argument("name", metavar="NAME", help="an option of data; `assay switches data` lists them")
    parser.add_argument("overrides", metavar="data.key=value", nargs="*", help="as for training")
    given = parser.parse_intermixed_args(arguments)
    from assay.preflight import compose

    point = compose([f"data={given.name}", *given.overrides], rules=False)
    from assay.data.describe import describe_command

    return describe_command(point)


def _switches(arguments: list[str]) -> int:
    from assay.switches import switches_command

    parser = _Parser("assay switches", description="Every group, its options, and the rules they declare.")
    parser.add_argument("group", metavar="GROUP", nargs="?", help="one group alone")
    parser.add_argument("--rules", action="store_true", help="the refusals that options declare")
    parser.add_argument("--markdown", action="store_true", help="as the README shows them")
    parser.add_argument("--write", metavar="FILE", help="bring the tables of a Markdown file up to date")
    given = parser.parse_args(arguments)
    return switches_command(group=given.group, rules=given.rules, markdown=given.markdown, write=given.write)


def _new(arguments: list[str]) -> int:
    parser = _Parser("assay new", description="Writes the four files of a model or data set, working, to be filled in.")
    parser.add_argument("kind", choices=("model", "data"))
    parser.add_argument("name", metavar="NAME", help="in snake_case, as the paper calls it")
    given = parser.parse_args(arguments)
    from assay.scaffold import new_command

    return new_command(kind=given.kind, name=given.name)


def _check(arguments: list[str]) -> int:
    parser = _Parser("assay check", description="Runs every battery of tests on one option, from a checkout.")
    parser.add_argument("option", metavar="model=NAME", help="a switch and its option")
    given = parser.parse_args(arguments)
    from assay.check import check_command

    return check_command(option=given.option)


def _review(arguments: list[str]) -> int:
    parser = _Parser(
        "assay review", description="One self-contained HTML page about a run, a sweep, or all runs below a folder."
    )
    parser.add_argument("run", metavar="PATH", nargs="?", default="latest", help="by default the latest run or sweep")
    parser.add_argument("--output", metavar="FILE", help="instead of PATH/review.html")
    parser.add_argument("--baseline", metavar="KEY=VALUE,…", help="of many: the cell to compare with; else the best")
    given = parser.parse_args(arguments)
    from assay.review.run_page import review_command

    return review_command(run=given.run, output=given.output, baseline=given.baseline)


def _sync(arguments: list[str]) -> int:
    parser = _Parser("assay sync", description="Uploads runs that were logged offline.")
    parser.add_argument("path", metavar="PATH", nargs="?", default="outputs", help="a run, or a folder of runs")
    given = parser.parse_args(arguments)
    from assay.review.sync import sync_command

    return sync_command(path=given.path)


def _bench(arguments: list[str]) -> int:
    parser = _Parser("assay bench", description="Step time, start-up and fast paths against their references.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="some of the measurements; without: all")
    given = parser.parse_args(arguments)
    from assay.bench import bench_command

    return bench_command(names=given.names)


def _runs(arguments: list[str]) -> int:
    parser = _Parser("assay runs", description="Every run below a folder: what varied between them, what came of it.")
    parser.add_argument("path", metavar="PATH", nargs="?", default="outputs", help="a folder of runs; default: outputs")
    parser.add_argument("--where", metavar="EXPR", nargs="+", action="extend", default=[], help=_WHERE)
    parser.add_argument("--sort", metavar="KEY", help="a switch, key or metric; without: by the start, newest last")
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--columns", metavar="KEY,KEY", help="these alone; any key that --where takes, or reason")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="csv, json: all keys")
    given = parser.parse_args(arguments)
    from assay.lifecycle.listing import runs_command

    return runs_command(**vars(given))


def _table(arguments: list[str]) -> int:
    parser = _Parser(
        "assay table",
        description="Cells of a sweep, or of any runs: means, 95 % intervals, differences in pairs. Ordered by "
        "validation; no test score orders or chooses.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", default=["outputs"], help="sweeps, or folders of runs")
    parser.add_argument("--metric", metavar="NAME,…", help="such as accuracy; without: the monitored one, on the test")
    parser.add_argument("--baseline", metavar="KEY=VALUE,…", help="the cell to compare with; without: the best by val/")
    parser.add_argument("--rows", metavar="KEY,…", help="a table of one score, with these keys' values down")
    parser.add_argument("--columns", metavar="KEY,…", help="and these across")
    parser.add_argument("--where", metavar="EXPR", nargs="+", action="extend", default=[], help=_WHERE)
    parser.add_argument("--format", choices=("terminal", "csv", "markdown", "latex"), help="csv: with all digits")
    parser.add_argument("--output", metavar="FILE", help="instead of stdout; .csv, .md, .tex choose the format")
    given = parser.parse_args(arguments)
    from assay.sweeps.tables.table import table_command

    return table_command(**vars(given))


def _status(arguments: list[str]) -> int:
    parser = _Parser("assay status", description="How a sweep stands: counts, what runs where, what failed and why.")
    parser.add_argument("sweep", metavar="SWEEP", nargs="?", default="latest", help="its name or folder, or latest")
    given = parser.parse_args(arguments)
    from assay.sweeps.status import status_command

    return status_command(**vars(given))


def _cancel(arguments: list[str]) -> int:
    parser = _Parser(
        "assay cancel",
        description="Stops a sweep here and on SLURM: its runs save, and the same command goes on with them.",
    )
    parser.add_argument("sweep", metavar="SWEEP", help="a sweep's folder or name, or latest")
    given = parser.parse_args(arguments)
    from assay.sweeps.cancel import cancel_command

    return cancel_command(**vars(given))


def _diff(arguments: list[str]) -> int:
    parser = _Parser("assay diff", description="What differs between two runs, and whether they can be compared.")
    parser.add_argument("first", metavar="A", help="a run folder, or latest")
    parser.add_argument("second", metavar="B", help="another")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    given = parser.parse_args(arguments)
    from assay.lifecycle.diff import diff_command

    return diff_command(**vars(given))


def _rerun(arguments: list[str]) -> int:
    parser = _Parser(
        "assay rerun",
        usage="assay rerun RUN [--dry] [switch=option …] [key=value …]",
        description="A new run with another's overrides; what is typed after RUN wins. -m makes a sweep of it.",
    )
    parser.add_argument("run", metavar="RUN", help="a run folder, or latest")
    parser.add_argument("--dry", action="store_true", help="only show what would run, and what has changed since")
    given, rest = parser.parse_known_args(arguments)
    from assay.lifecycle.rerun import rerun_command

    return rerun_command(run=given.run, arguments=rest, dry=given.dry)


def _clean(arguments: list[str]) -> int:
    parser = _Parser(
        "assay clean",
        description="Frees disk: deletes checkpoints that finished runs and stages of chains need no more, W&B's "
        "scratch once it is uploaded, and kept answers of teachers that are gone (with --older-than, those that no run "
        "has opened for so long). best.ckpt, artifact/, config, metrics and predictions stay. Shows what goes, asks.",
    )
    parser.add_argument("path", metavar="PATH", nargs="?", default="outputs", help="a run, or a folder of runs")
    parser.add_argument("--older-than", metavar="AGE", help="only runs unchanged for so long: 12h, 7d, 4w")
    parser.add_argument("--keep", metavar="N", type=int, default=0, help="leave the newest N runs as they are")
    parser.add_argument("--where", metavar="EXPR", nargs="+", action="extend", default=[], help=_WHERE)
    parser.add_argument(
        "--all-checkpoints",
        action="store_true",
        help="also those that `assay resume` needs, and best.ckpt where artifact/ holds its weights",
    )
    parser.add_argument("--runs", action="store_true", help="delete whole runs; needs --where, --older-than or --keep")
    parser.add_argument("--dry", action="store_true", help="only show what would go")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(arguments)
    from assay.lifecycle.clean import clean_command

    return clean_command(**vars(given))


_WHERE = "such as model=lstm 'optim.lr>=0.01' data~mnist status!=done 'val/accuracy>0.9'; all must hold"


COMMANDS: dict[str, tuple[Callable[[list[str]], int], str, str]] = {
    "train": (_train, "[switch=option …] [key=value …]", "train one model, or with -m every combination"),
    "resume": (_resume, "RUN", "go on with a run that was stopped, killed or moved"),
    "predict": (_predict, "RUN INPUT…", "the outputs of a trained model for new inputs"),
    "generate": (_generate, "RUN [--prompt TEXT]", "go on with a text, by a trained language model"),
    "export": (_export, "RUN", "ONNX and other files that run without Assay"),
    "evaluate": (_evaluate, "RUN [data=…]", "the scores of a trained model"),
    "runs": (_runs, "[PATH] [--where EXPR…]", "list runs: what varied, what came of it"),
    "table": (_table, "[PATH…] [--baseline KEY=VALUE,…]", "cells of a sweep: means, intervals, differences"),
    "status": (_status, "[SWEEP]", "how a sweep stands: done, running, failed and why, time to go"),
    "cancel": (_cancel, "SWEEP", "stop a sweep; its runs save, and the same command goes on"),
    "diff": (_diff, "A B", "what differs between two runs"),
    "rerun": (_rerun, "RUN [key=value …]", "a new run like another, with changes"),
    "clean": (_clean, "[PATH]", "free disk space; the best weights stay"),
    "data": (_data, "NAME [data.key=value …]", "download, verify and describe a data set"),
    "switches": (_switches, "[GROUP]", "every switch and its options"),
    "new": (_new, "model|data NAME", "write the four files of a new model or data set"),
    "check": (_check, "model=NAME", "run every battery of tests on one option"),
    "review": (_review, "[PATH]", "a page about a run, a sweep or any runs: scores, curves, errors, what mattered"),
    "sync": (_sync, "[PATH]", "upload runs that were logged offline"),
    "bench": (_bench, "[NAME…]", "measure speed against plain references"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and says how it went by its exit code; only a bug leaves a trace."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _command(arguments)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as in `assay switches | head`
        sys.stdout = None
        return 0
    except Exception as error:
        if (refusal := refusal_in(error)) is None:
            raise
        print(refusal, file=sys.stderr)
        return 2


def _command(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"assay {version('assay')}")
        return 0
    word, *rest = arguments
    if word not in COMMANDS:
        near = get_close_matches(word, COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean `assay {near[0]}`?" if near else "`assay --help` lists them"
        if "=" in word:
            hint = f"overrides follow a command: `assay train {word}`"
        raise ConfigError(f"'{word}' is not a command; {hint}")
    return COMMANDS[word][0](rest)


def _help() -> str:
    width = max(len(f"{word} {usage}") for word, (_, usage, _) in COMMANDS.items())
    lines = [f"  assay {f'{word} {usage}':<{width}}  {what}" for word, (_, usage, what) in COMMANDS.items()]
    return "\n".join(
        ["Which technique works for my task, and by how much?", "", *lines, "", "assay COMMAND --help says more."]
    )


def refusal_in(error: Any) -> ConfigError | None:
    """The refusal that an exception is, or that it was raised from."""
    while error is not None and not isinstance(error, ConfigError):
        error = error.__cause__
    return error


if __name__ == "__main__":
    sys.exit(main())
