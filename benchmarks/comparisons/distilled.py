"""How much of the gap to a teacher distillation closes: ``model=student`` on Fashion-MNIST, alone and taught.

    python benchmarks/comparisons/distilled.py TEACHER_RUN [--seeds N] [--epochs N] [--words WORD …]

The same command twice for each seed, once with ``distillation=kd``: nothing else differs. Mean and 95 % interval over
seeds (Student's t), and of the difference, paired by seed; the share of the gap that is closed is (taught - alone) /
(teacher - alone), of the means. Words are for both: a wider student, other rates, an augmentation (which has the
teacher asked at each step, in place of once). Runs go to FOLDER/distilled, so that an interrupted comparison goes on;
distilled.json beside this keeps what was measured. About 35 minutes for 3 seeds of 30 epochs on two cores with
bfloat16, and a pass of the teacher over 55,000 images once; ASSAY_DATA names the data.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import mean, stdev

import assay
from assay import artifacts
from assay.folder import find_artifact

HERE = Path(__file__).resolve().parent
COMMON = (
    "model=student", "data=fashion_mnist", "logger=none", "trainer=cpu", "trainer.precision=bf16-mixed",
)  # fmt: skip
METRIC = "test/accuracy"


def run(where: Path, words: list[str]) -> dict:
    """What a finished run of these words scored: an earlier one, or a new one."""
    base = where / hashlib.sha256(" ".join(words).encode()).hexdigest()[:8]
    for path in sorted(base.glob("*/*/summary.json")):
        summary = json.loads(path.read_text(encoding="utf-8"))
        if summary["status"] == "done":
            return summary
    return assay.train(*words, f"outputs={base}").summary


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half of the 95 % interval by Student's t; nothing is known from one value."""
    from scipy.stats import t

    if len(values) < 2:
        return mean(values), math.inf
    return mean(values), float(t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))


def report(record: dict) -> str:
    """The three accuracies, the gain and the share of the gap."""
    alone, taught = ([one[METRIC] for one in record[row]] for row in ("alone", "taught"))
    gain = [b - a for a, b in zip(alone, taught, strict=True)]
    gap = record["teacher"] - mean(alone)
    closed = f"{100 * mean(gain) / gap:.0f} %" if gap > 0 else "none: the student alone is as good"
    rows = [("student alone", interval(alone)), ("student taught", interval(taught)), ("gain", interval(gain))]
    lines = [f"{name:16} {value:.4f} ± {half:.4f}" for name, (value, half) in rows]
    size = f"{record['student parameters']:,} of {record['teacher parameters']:,} parameters, {len(alone)} seeds"
    return "\n".join(
        [f"teacher          {record['teacher']:.4f}", *lines, f"share of the gap closed: {closed} ({size})"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", help="a finished run on Fashion-MNIST")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--alpha", type=float, default=0.5, help="weight of the teacher")
    parser.add_argument("--temperature", type=float, default=20.0)
    parser.add_argument("--words", nargs="*", default=[], help="further overrides, of both")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--record", type=Path, default=HERE / "distilled.json")
    given = parser.parse_args()
    folder = find_artifact(given.teacher, given.outputs)
    teacher = artifacts.load(folder)
    outputs = given.outputs.resolve()
    words = [*COMMON, f"trainer.max_epochs={given.epochs}", *given.words]
    kept = [] if _varied(words) else [f"distillation.cache={outputs / 'teachers'}"]
    lessons = [
        "distillation=kd", f"distillation.alpha={given.alpha:g}", f"distillation.temperature={given.temperature:g}",
        f"distillation.teacher.run={folder}", *kept,
    ]  # fmt: skip
    record: dict = {
        "teacher": teacher.card["test"][METRIC.removeprefix("test/")],
        "words": words,
        "alone": [],
        "taught": [],
    }
    record |= {"alpha": given.alpha, "temperature": given.temperature, "date": date.today().isoformat()}
    record |= {"machine": platform.machine(), "teacher parameters": _size(teacher.network)}
    for seed in range(given.seeds):
        own = [*words, f"seed={seed}"]
        for row, said in (("alone", own), ("taught", [*own, *lessons])):
            summary = run(outputs / "distilled" / str(seed), said)
            record["student parameters"] = summary["parameters"]
            record[row].append({"seed": seed, METRIC: summary[METRIC], "val/accuracy": summary["val/accuracy"]})
        given.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(report(record))


def _varied(words: Sequence[str]) -> bool:
    """Whether inputs change from epoch to epoch, so that there are no answers to keep."""
    return any(word.startswith("augment=") and word != "augment=[]" for word in words)


def _size(network) -> int:
    return sum(p.numel() for p in network.parameters())


if __name__ == "__main__":
    main()
