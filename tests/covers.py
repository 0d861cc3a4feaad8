"""Points for the batteries, found by listing conf/: a cover of every pair of options, and a point for each option.

A pair of options of two groups is covered by a point that has both and passes preflight, or it is refused: then every
attempt to seat both raised a ConfigError. Nothing here names an option, apart from the files that user data need.
"""

from __future__ import annotations

import csv
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from assay.composition.compose import Composer
from assay.errors import ConfigError
from assay.preflight import Point, compose

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
LISTS = ("callbacks", "augment")
"""Groups of which several options may be chosen, written as a list."""
LEFT_OUT = ("experiment", "debug", "logger", "stem", "trainer", "hydra")
"""Groups that are no technique: machinery, or chosen by the data."""


def options() -> dict[str, list[str]]:
    """{group: options}; of the groups that take a list each is written as one."""
    found: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*/*.yaml")):
        if path.parent.name not in LEFT_OUT:
            found.setdefault(path.parent.name, []).append(path.stem)
    for group in LISTS:
        found[group] = [f"[{name}]" for name in found[group]]
    return found


@dataclass
class Bench:
    """What a point needs besides its options.

    Args:
        needs: "group=option" -> the words that option cannot do without (a path, columns).
        instead: "group=option" -> words of others that it replaces (another label).
        only: "group=option" -> (group, option) it must be with: a teacher answers on the data it was trained on, which
            the run itself checks, once the data are read.
        always: words of every point.
    """

    needs: Mapping[str, list[str]]
    always: list[str]
    instead: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    only: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    composer: Composer = field(default_factory=Composer)
    cache: dict[tuple[str, ...], Point | str] = field(default_factory=dict)

    def words(self, chosen: Mapping[str, str]) -> list[str]:
        switches = [f"{group}={name}" for group, name in chosen.items()]
        replaced = {old: new for switch in switches for old, new in self.instead.get(switch, {}).items()}
        needed = [replaced.get(word, word) for switch in switches for word in self.needs.get(switch, [])]
        return [*switches, *needed, *self.always]

    def point(self, chosen: Mapping[str, str]) -> Point | str:
        """The point, or the line of its refusal."""
        for one, (group, name) in self.only.items():
            if one in {f"{g}={n}" for g, n in chosen.items()} and chosen.get(group, name) != name:
                return f"{one} goes with {group}={name} here"
        words = tuple(sorted(self.words(chosen)))
        if words not in self.cache:
            try:
                self.cache[words] = compose(words, self.composer)
            except ConfigError as error:
                self.cache[words] = str(error)
        return self.cache[words]

    def seat(self, chosen: Mapping[str, str], groups: Mapping[str, list[str]]) -> dict[str, str] | str:
        """The chosen options with whatever else they need: every base that agrees with them is tried."""
        line = self.point(chosen)
        if isinstance(line, Point):
            return dict(chosen)
        for base in bases(groups):
            agree = all(chosen.get(group, name) == name for group, name in base.items())
            if agree and isinstance(self.point(base), Point):
                candidate = {**base, **chosen}
                if isinstance(self.point(candidate), Point):
                    return candidate
        return str(line)


def bases(groups: Mapping[str, list[str]]) -> Iterator[dict[str, str]]:
    """Data with each model, and with each task and loss: where options can sit, if preflight lets them."""
    for data in groups["data"]:
        for model in groups["model"]:
            yield {"data": data, "model": model}
        for task in groups["task"]:
            for loss in groups["loss"]:
                yield {"data": data, "task": task, "loss": loss}


def pairs(groups: Mapping[str, list[str]]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Every pair of options of two groups."""
    each = [[(group, name) for name in names] for group, names in groups.items()]
    return [(a, b) for first, second in combinations(each, 2) for a in first for b in second]


def sample(bench: Bench, groups: Mapping[str, list[str]], seed: int, wanted: int) -> list[dict[str, str]]:
    """Points with an option of every group drawn at random; one that the others refuse stays at its default.

    Data and model come first, since most rules ask for them.
    """
    generator = random.Random(seed)
    order = ["data", "model", *(group for group in groups if group not in ("data", "model"))]
    rows: list[dict[str, str]] = []
    while len(rows) < wanted:
        row: dict[str, str] = {}
        for group in order:
            candidate = {**row, group: generator.choice(groups[group])}
            if group == "data" or isinstance(bench.point(candidate), Point):
                row = candidate
        if isinstance(bench.point(row), Point):
            rows.append(row)
    return rows


def cover(
    bench: Bench, groups: Mapping[str, list[str]], seed: int = 0, tries: int = 4
) -> tuple[list[dict[str, str]], dict[tuple[tuple[str, str], tuple[str, str]], str]]:
    """Points that hold every pair, and the pairs that are refused with their line.

    Greedy: seat an uncovered pair, then add the options of other groups that cover most and still pass preflight.
    """
    generator = random.Random(seed)
    left = pairs(groups)
    generator.shuffle(left)
    open_pairs = dict.fromkeys(left)
    rows: list[dict[str, str]] = []
    refused: dict[tuple[tuple[str, str], tuple[str, str]], str] = {}
    while open_pairs:
        pair = next(iter(open_pairs))
        seated = bench.seat(dict(pair), groups)
        if isinstance(seated, str):
            refused[pair] = seated
            del open_pairs[pair]
            continue
        others = [group for group in groups if group not in seated]
        generator.shuffle(others)
        for group in others:
            names = list(groups[group])
            generator.shuffle(names)
            names.sort(key=lambda name: -_gain(seated, group, name, open_pairs))
            for name in names[:tries]:
                if _gain(seated, group, name, open_pairs) and isinstance(bench.point({**seated, group: name}), Point):
                    seated[group] = name
                    break
        rows.append(seated)
        for a, b in combinations(sorted(seated.items()), 2):
            open_pairs.pop((a, b), None)
            open_pairs.pop((b, a), None)
    return rows, refused


def _gain(seated: Mapping[str, str], group: str, name: str, open_pairs: Mapping) -> int:
    mine = (group, name)
    return sum((mine, other) in open_pairs or (other, mine) in open_pairs for other in seated.items())


DATA = Path(os.environ.get("ASSAY_DATA") or ROOT.parent / "shared" / "data")
DOWNLOADS = [f"data_dir={DATA}"]
NUMERIC = ("task=regression", "loss=mse", "loss=mae", "loss=huber")  # options that need a number to predict


@cache
def at_hand(name: str) -> bool:
    """Whether a data option that reads published files finds them: its own check passes with no source to ask."""
    if "root: ${data_dir}" not in (CONF / "data" / f"{name}.yaml").read_text(encoding="utf-8"):
        return True
    with patch("assay.data.download._first_to_answer", return_value=None):
        try:
            compose((f"data={name}", *DOWNLOADS))
        except ConfigError as refusal:
            if "no source answers" not in str(refusal):
                raise
            return False
    return True


def available(groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """Published sets take part where their files are at hand."""
    return {group: [name for name in names if group != "data" or at_hand(name)] for group, names in groups.items()}


def bench(folder: Path, teacher: Path) -> Bench:
    """User data of every kind, small, written to ``folder``; a teacher for digits."""
    generator = random.Random(0)
    with open(folder / "texts.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "stars", "score"])
        for i in range(60):
            words = [generator.choice(["good", "bad", "film", "the", "plot", "great", "dull"]) for _ in range(6)]
            writer.writerow([f"{' '.join(words)} {i}", ["one", "two", "three"][i % 3], i / 7])
    with open(folder / "table.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "town", "income", "outcome"])
        for i in range(60):
            writer.writerow(
                [20 + i, generator.choice(["Rome", "Oslo"]), generator.random() * 1e4, "yes" if i % 2 else "no"]
            )
    gaps = (folder / "table.csv").read_text().splitlines()
    gaps[5] = gaps[5].replace(gaps[5].split(",")[0], "", 1)
    (folder / "gaps.csv").write_text("\n".join(gaps) + "\n")
    with open(folder / "labels.csv", "w", newline="") as file:
        rows = [[i, generator.random(), int(i % 3 == 0), int(i % 4 > 1)] for i in range(60)]
        csv.writer(file).writerows([["age", "income", "insured", "married"], *rows])
    for name in ("cat", "dog"):
        for i in range(12):
            (folder / "photos" / name).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(i + 100 * (name == "dog")).integers(0, 255, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    with open(folder / "hard.csv", "w", newline="") as file:
        csv.writer(file).writerows([["id", "difficulty"], *([i, i * 7 % 11] for i in range(1797))])
    small = ["data.examples=120"]
    return Bench(
        needs={
            "data=text_csv": [f"data.path={folder / 'texts.csv'}", "data.text=review", "data.label=stars"],
            "data=tabular_csv": [f"data.path={folder / 'table.csv'}", "data.label=outcome"],
            "data=image_folder": [f"data.path={folder / 'photos'}", "data.size=12"],
            "data=char_position": small,
            "data=char_contains": small,
            "data=adding": [*small, "data.length=12"],
            "model=torchvision": ["model.size=32"],
            "distillation=kd": [f"distillation.teacher.run={teacher}"],
            "curriculum=loss": [f"curriculum.run={teacher}"],
            "curriculum=custom": [f"curriculum.path={folder / 'hard.csv'}"],
            "class_weights=given": ["class_weights.weights=[3:2.5,7:0.5]"],
            "clip=norm": ["clip.max_norm=0.01"],  # first gradients are small: so that there is something to clip
            "clip=value": ["clip.max_value=1e-4"],
            "constraint=max_norm": ["constraint.value=0.01"],  # first weights are small
        },
        instead={
            **{
                option: {"data.label=outcome": "data.label=income", "data.label=stars": "data.label=score"}
                for option in NUMERIC
            },
            "thresholds=best_f1": {  # several labels
                f"data.path={folder / 'table.csv'}": f"data.path={folder / 'labels.csv'}",
                "data.label=outcome": "data.label=[insured,married]",
            },
            **{
                f"impute={name}": {f"data.path={folder / 'table.csv'}": f"data.path={folder / 'gaps.csv'}"}
                for name in ("drop", "indicator", "knn", "mean", "median")
            },
        },
        only={
            "distillation=kd": ("data", "digits"),  # tests/test_run.py has the refusal of others
            **dict.fromkeys(  # a run of these data, their ids and classes, classes that can be told apart
                ("curriculum=loss", "curriculum=custom", "class_weights=given", "shift=label_shift"), ("data", "digits")
            ),
            "impute=drop": ("data", "adult" if at_hand("adult") else "tabular_csv"),  # horse_colic has 6 whole rows
            **{  # adult has no empty number
                f"impute={name}": ("data", "horse_colic" if at_hand("horse_colic") else "tabular_csv")
                for name in ("indicator", "knn", "median")
            },
        },
        always=["debug=fast", "logger=none", "log_every=1", f"outputs={folder / 'outputs'}", *DOWNLOADS],
    )
