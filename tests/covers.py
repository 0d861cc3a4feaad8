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
from itertools import combinations, islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from assay.composition.compose import Composer
from assay.errors import ConfigError
from assay.preflight import Point, compose, points
from tests.seating import Seating, Way

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
LISTS = ("callbacks", "augment")
"""Groups of which several options may be chosen, written as a list."""
LEFT_OUT = ("experiment", "debug", "logger", "stem", "trainer", "search", "launcher")
"""Groups that are no technique: machinery, or chosen by the data."""


def options() -> dict[str, list[str]]:
    """{group: options}; of the groups that take a list each is written as one. Loops over runs are not among them."""
    found: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*/*.yaml")):
        if path.parent.name not in LEFT_OUT and "_target_: assay.loops." not in path.read_text(encoding="utf-8"):
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
        began: "group=option" -> {group: option} of the run that its network begins with, which it must be again.
    """

    needs: Mapping[str, list[str]]
    always: list[str]
    instead: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    only: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    began: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    composer: Composer = field(default_factory=Composer)
    cache: dict[tuple[str, ...], Point | str] = field(default_factory=dict)
    known: Seating | None = field(default=None, init=False)

    def words(self, chosen: Mapping[str, str]) -> list[str]:
        switches = [f"{group}={name}" for group, name in chosen.items()]
        replaced = {old: new for switch in switches for old, new in self.instead.get(switch, {}).items()}
        needed = [replaced.get(word, word) for switch in switches for word in self.needs.get(switch, [])]
        return [*switches, *(word for word in needed if word not in switches), *self.always]

    def point(self, chosen: Mapping[str, str]) -> Point | str:
        """The point, or the line of its refusal."""
        for one, (group, name) in self.only.items():
            if one in {f"{g}={n}" for g, n in chosen.items()} and chosen.get(group, name) != name:
                return f"{one} goes with {group}={name} here"
        for one, choices in self.began.items():
            if one in {f"{g}={n}" for g, n in chosen.items()}:
                for group, name in choices.items():
                    if chosen.get(group, None if group == "model" else name) != name:
                        return f"{one} goes with {group}={name} here"
        words = tuple(sorted(self.words(chosen)))
        if words not in self.cache:
            try:
                (self.cache[words],) = points(words, self.composer, multirun=False)
            except ConfigError as error:
                self.cache[words] = str(error)
        return self.cache[words]

    def seating(self, groups: Mapping[str, list[str]]) -> Seating:
        """What headers say of these options, asked once."""
        if self.known is None or self.known.groups != groups:
            must = {one: [way] for one, way in self.only.items()} | {
                one: [*of.items()] for one, of in self.began.items()
            }
            self.known = Seating(self.composer, groups, self.words, must)
        return self.known

    def seat(self, chosen: Mapping[str, str], groups: Mapping[str, list[str]]) -> dict[str, str] | str:
        """The chosen options with whatever else they need; or the line by which preflight refuses them.

        What headers say is held against preflight: it must take what they seat, and of what they do not it must refuse
        the point in which the first of the options has all that it needs.
        """
        seating = self.seating(groups)
        row = seating.seat(chosen)
        first = dict(list(chosen.items())[:1])
        line = self.point(row or {**(seating.seat(first) or {}), **chosen})
        if row is None:
            assert isinstance(line, str), f"headers refuse {chosen}, and preflight does not"
            return line
        assert isinstance(line, Point), f"headers take {row}, and preflight does not: {line}"
        return row


def pairs(groups: Mapping[str, list[str]]) -> list[tuple[Way, Way]]:
    """Every pair of options of two groups."""
    each = [[(group, name) for name in names] for group, names in groups.items()]
    return [(a, b) for first, second in combinations(each, 2) for a in first for b in second]


def sample(bench: Bench, groups: Mapping[str, list[str]], seed: int, wanted: int) -> list[dict[str, str]]:
    """The first points of a cover: those that hold most pairs."""
    return list(islice(covering(bench, groups, seed, {}), wanted))


def cover(
    bench: Bench, groups: Mapping[str, list[str]], seed: int = 0
) -> tuple[list[dict[str, str]], dict[tuple[Way, Way], str]]:
    """Points that hold every pair, and the pairs that are refused with their line."""
    refused: dict[tuple[Way, Way], str] = {}
    return list(covering(bench, groups, seed, refused)), refused


def covering(
    bench: Bench, groups: Mapping[str, list[str]], seed: int, refused: dict[tuple[Way, Way], str], tries: int = 10
) -> Iterator[dict[str, str]]:
    """Greedy (AETG, Cohen et al. 1997): seat an open pair, then add of each other group the option that closes most
    pairs and that headers let pass; of several such rows the one that closes most.
    """
    generator = random.Random(seed)
    seating = bench.seating(groups)
    left = pairs(groups)
    generator.shuffle(left)
    number = {way: i for i, way in enumerate((group, name) for group, names in groups.items() for name in names)}
    open_to = [0] * len(number)  # of each option the options it has yet to meet, as bits
    for a, b in left:
        open_to[number[a]] |= 1 << number[b]
        open_to[number[b]] |= 1 << number[a]

    def gain(way: Way, row: int) -> int:
        return (open_to[number[way]] & row).bit_count()

    def bits(row: Mapping[str, str]) -> int:
        return sum(1 << number[way] for way in row.items())

    def filled(row: dict[str, str]) -> dict[str, str]:
        others = [group for group in groups if group not in row]
        generator.shuffle(others)
        others.sort(key=lambda group: group not in ("data", "model"))  # most rules ask for them
        for group in others:
            names = list(groups[group])
            generator.shuffle(names)
            held = bits(row)
            for name in sorted(names, key=lambda name: -gain((group, name), held)):
                if not gain((group, name), held):
                    break
                if seating.ways({**row, group: name}) is None:
                    row[group] = name
                    break
        return row

    for a, b in left:
        if not open_to[number[a]] >> number[b] & 1:
            continue
        seated = bench.seat(dict((a, b)), groups)
        if isinstance(seated, str):
            refused[a, b] = seated
            open_to[number[a]] &= ~(1 << number[b])
            open_to[number[b]] &= ~(1 << number[a])
            continue
        rows = [filled(dict(seated)) for _ in range(tries)]
        row = max(rows, key=lambda row: sum(gain(way, bits(row)) for way in row.items()))
        line = bench.point(row)
        assert isinstance(line, Point), f"headers take {row}, and preflight does not: {line}"
        for way in row.items():
            open_to[number[way]] &= ~bits(row)
        yield row


DATA = Path(os.environ.get("ASSAY_DATA") or ROOT.parent / "shared" / "data")
DOWNLOADS = [f"data_dir={DATA}"]
TAUGHT = ("kd", "dkd", "fitnets")  # by the teacher of the bench
DIGITS = {"data": "digits", "task": "classification", "activation": "relu", "color_space": "rgb"}
NUMERIC = ("task=regression", "loss=mse", "loss=mae", "loss=huber")  # options that need a number to predict


@cache
def at_hand(name: str) -> bool:
    """Whether a data option that reads published files finds them: its own check passes with no source to ask."""
    text = (CONF / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    if "root: ${data_dir}" not in text or "???" in text:  # what the user names is written by the bench
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


def bench(folder: Path, teacher: Path, scaled: Path) -> Bench:
    """User data of every kind, small, written to ``folder``; a teacher for digits, and the same with batch norm."""
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
    with open(folder / "sentences.conll", "w") as file:
        for i in range(60):
            towns = [generator.choice(["Rome", "Oslo", "Lima"]) for _ in range(1 + i % 4)]
            file.write("to P O\n" + "".join(f"{town} N B-town\n" for town in towns) + f"at P O\n{i} C O\n\n")
    with open(folder / "text.txt", "w") as file:
        for i in range(300):
            file.write(
                " ".join(generator.choice(["One", "two,", "three", "and", "then"]) for _ in range(2 + i % 9)) + "\n"
            )
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
            "data=tagged_file": [f"data.path={folder / 'sentences.conll'}", "data.features=[pos:2]"],
            "data=corpus": [f"data.path={folder / 'text.txt'}", "data.length=6"],
            "data=image_folder": [f"data.path={folder / 'photos'}", "data.size=12"],
            "data=char_position": small,
            "data=char_contains": small,
            "data=adding": [*small, "data.length=12"],
            "model=torchvision": ["model.size=32"],
            **{f"distillation={name}": [f"distillation.teacher.run={teacher}"] for name in TAUGHT},
            "distillation=attention_transfer": ["distillation/teacher=self"],  # the bench's has no maps
            "compression=structured": [f"init_from={teacher}"],
            "compression=slimming": [f"init_from={scaled}", "normalization=batch"],
            "curriculum=loss": [f"curriculum.run={teacher}"],
            "curriculum=custom": [f"curriculum.path={folder / 'hard.csv'}"],
            "class_weights=given": ["class_weights.weights=[3:2.5,7:0.5]"],
            "sampling=without": ["sampling.classes=[1]"],
            "augment=[rare_words]": ["augment.rare_words.count=100"],  # two steps see few that stand once
            "callbacks=[hessian]": ["callbacks.hessian.examples=16", "callbacks.hessian.steps=8"],  # for time's sake
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
            **{f"distillation={name}": ("data", "digits") for name in TAUGHT},  # tests/distillation has the refusals
            **dict.fromkeys(  # a run of these data, their ids and classes, classes that can be told apart
                ("curriculum=loss", "curriculum=custom", "class_weights=given", "shift=label_shift"), ("data", "digits")
            ),
            "impute=drop": ("data", "adult" if at_hand("adult") else "tabular_csv"),  # horse_colic has 6 whole rows
            **{  # adult has no empty number
                f"impute={name}": ("data", "horse_colic" if at_hand("horse_colic") else "tabular_csv")
                for name in ("indicator", "knn", "median")
            },
        },
        began={
            f"compression={name}": {"model": "mlp", "normalization": norm, **DIGITS}
            for name, norm in (("structured", "none"), ("slimming", "batch"))
        },
        always=["debug=fast", "logger=none", "log_every=1", f"outputs={folder / 'outputs'}", *DOWNLOADS],
    )
