"""How many channels can go: ``python benchmarks/comparisons/slimming.py [mlp] [cnn] [--teacher RUN] [--tiny]``.

Fashion-MNIST, the table of Liu et al. 2017: an MLP of 784-500-300-10 with batch normalisation, and a small
convolutional net, each trained with regularization=scales; then for each share of channels one run of
compression=slimming that cuts and fine-tunes; with ``--teacher RUN`` the MLP is cut once more and fine-tuned by that
run's kept answers instead of the labels (kd, T = 2, α = 1), and so is, for comparison, a wide one from the start. Test
errors of the wide network, of the narrow one as cut (trainer.max_epochs=0) and fine-tuned, per cent of channels and of
parameters cut; seeds 0, 1 and 2. Writes slimming.json beside this file; what it holds already is not trained again.
``--tiny``: a rehearsal on `digits`, which writes to the outputs folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import assay
from assay.preflight import compose

HERE = Path(__file__).resolve().parent
COMMON = ["data=fashion_mnist", "data.batch_size=128", "optim=adam", "scheduler=onecycle", "trainer=cpu"]
SCALES = ["regularization=scales"]
NAMES = {"mlp": "mlp 784-500-300-10", "cnn": "cnn 32-64-128, batch norm"}
ROWS = {  # (the model's words, epochs before the cut, epochs after it)
    "mlp": (
        ["model=mlp", "model.hidden_sizes=[500,300]", "normalization=batch", "regularization.strength=1e-4"],
        20,
        20,
    ),
    "cnn": (
        [
            "model=cnn",
            "normalization=batch",
            "model.channels=[32,64,128]",
            "regularization.strength=1e-4",
            "trainer.precision=bf16-mixed",
        ],
        10,
        10,
    ),
}
RATIOS = (0.4, 0.65, 0.75)
TAUGHT = 30  # epochs
SEEDS = (0, 1, 2)
TINY = ["data=digits", "data.batch_size=32"]


def trained(words: list[str], seed: int, outputs: Path) -> Any:
    every = [*COMMON, *words, f"seed={seed}", "logger=none", f"outputs={outputs}"]
    return assay.train(*{word.partition("=")[0]: word for word in every}.values())  # a row's own win


def error(run: Any) -> float:
    return 100 * (1 - run.summary["test/accuracy"])


def measured(name: str, seed: int, outputs: Path, tiny: bool, teacher: Path | None) -> dict:
    """The wide network's error, and for each ratio what was cut and the errors before and after fine-tuning."""
    model, epochs, more = ROWS[name]
    taught = TAUGHT
    if tiny:
        model, epochs, more, taught = [*model, *TINY], 2, 1, 1
    wide = trained([*model, *SCALES, f"trainer.max_epochs={epochs}"], seed, outputs)
    found: dict = {"parameters": wide.summary["parameters"], "error": error(wide), "cuts": {}}
    plain = [word for word in model if not word.startswith("regularization")]
    for ratio in (0.5,) if tiny else RATIOS:
        cut = ["compression=slimming", f"compression.ratio={ratio}", f"init_from={wide.folder}"]
        bare = trained([*plain, *cut, "trainer.max_epochs=0"], seed, outputs)
        fine = trained([*plain, *cut, f"trainer.max_epochs={more}"], seed, outputs)
        left = json.loads((fine.folder / "narrowed.json").read_text(encoding="utf-8"))
        before, after = (sum(sizes) for sizes in zip(*left["layers"].values(), strict=True))
        found["cuts"][f"{ratio:g}"] = {
            "channels": 100 * (1 - after / before),
            "parameters": 100 * (1 - left["parameters"][1] / left["parameters"][0]),
            "before": error(bare),
            "after": error(fine),
        }
        if teacher is not None:
            told = [*plain, *cut, *lessons(teacher, outputs, taught)]
            found["cuts"][f"{ratio:g}"]["taught"] = error(trained(told, seed, outputs))
    if teacher is not None:
        found["taught"] = error(trained([*plain, *lessons(teacher, outputs, taught)], seed, outputs))
    return found


def lessons(teacher: Path, outputs: Path, epochs: int) -> list[str]:
    kept = outputs.resolve() / "teachers"
    words = ["distillation=kd", f"distillation.teacher.run={teacher}", f"distillation.cache={kept}"]
    return [*words, "distillation.alpha=1", "distillation.temperature=2", f"trainer.max_epochs={epochs}"]


def shown(values: list[float]) -> str:
    if not values:
        return ""
    return f"{mean(values):6.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def table(results: dict) -> str:
    heads = ("channels cut", "parameters cut", "error, cut", "fine-tuned", "by a teacher")
    lines = [f"{'model':28}" + "".join(f"{head:>16}" for head in heads)]
    for name, seeds in results.items():
        runs = list(seeds.values())
        wide = ["none", "none", "", *(shown([run[key] for run in runs if key in run]) for key in ("error", "taught"))]
        lines.append(f"{NAMES[name]:28}" + "".join(f"{cell:>16}" for cell in wide))
        for ratio in runs[0]["cuts"]:
            cuts = [run["cuts"][ratio] for run in runs]
            cells = [f"{mean(cut[key] for cut in cuts):.1f} %" for key in ("channels", "parameters")]
            cells += [shown([cut[key] for cut in cuts if key in cut]) for key in ("before", "after", "taught")]
            lines.append(f"{'':28}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", default=list(ROWS), help="mlp, cnn; without: both")
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    parser.add_argument("--teacher", type=Path, help="a finished run on the same data")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    for model, *_ in ROWS.values():
        compose([*COMMON, *model, *SCALES])  # an option that is gone is said at once
    path = (given.outputs if given.tiny else HERE) / "slimming.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in given.rows:
        teacher = None if given.teacher is None or name == "cnn" else given.teacher.resolve()
        for seed in (0,) if given.tiny else SEEDS:
            held = results.setdefault(name, {})
            held[str(seed)] = held.get(str(seed)) or measured(name, seed, given.outputs, given.tiny, teacher)
            path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
