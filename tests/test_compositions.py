"""Every pair of options trains two steps or is refused by a declared rule; every option changes something."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from assay.composition.headers import Catalogue
from assay.engines import checkpoint
from assay.preflight import Point
from assay.run import run
from tests import covers

SAMPLE = 12  # random points of all groups in the default suite; the whole pairwise cover with -m slow
GROUPS = covers.options()


@pytest.fixture(scope="session")
def bench(tmp_path_factory, digits_run) -> covers.Bench:
    """User data of every kind, small; a teacher for digits."""
    folder = tmp_path_factory.mktemp("user data, 'odd' = [1]")
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
    for name in ("cat", "dog"):
        for i in range(12):
            (folder / "photos" / name).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(i + 100 * (name == "dog")).integers(0, 255, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    small = ["data.examples=120"]
    return covers.Bench(
        needs={
            "data=text_csv": [f"data.path={folder / 'texts.csv'}", "data.text=review", "data.label=stars"],
            "data=tabular_csv": [f"data.path={folder / 'table.csv'}", "data.label=outcome"],
            "data=image_folder": [f"data.path={folder / 'photos'}", "data.size=12"],
            "data=char_position": small,
            "data=char_contains": small,
            "distillation=kd": [f"distillation.teacher.run={digits_run.folder}"],
            "clip=norm": ["clip.max_norm=0.01"],  # first gradients are small: so that there is something to clip
            "clip=value": ["clip.max_value=1e-4"],
        },
        instead={
            **{
                option: {"data.label=outcome": "data.label=income", "data.label=stars": "data.label=score"}
                for option in NUMERIC
            },
            "impute=mean": {f"data.path={folder / 'table.csv'}": f"data.path={folder / 'gaps.csv'}"},
        },
        only={"distillation=kd": ("data", "digits")},  # tests/test_run.py has the refusal of others
        always=["debug=fast", "logger=none", "log_every=1", f"outputs={folder / 'outputs'}", *DOWNLOADS],
    )


def available(groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """fashion_mnist takes part where its files are at hand."""
    return {
        group: [name for name in names if name != "fashion_mnist" or FASHION.is_dir()]
        for group, names in groups.items()
    }


DATA = Path(os.environ.get("ASSAY_DATA") or covers.ROOT.parent / "shared" / "data")
FASHION = DATA / "FashionMNIST"
DOWNLOADS = [f"data_dir={DATA}"]
NUMERIC = ("task=regression", "loss=mse", "loss=mae")  # options that need a number to predict


def seated(bench: covers.Bench, row: dict[str, str]) -> Point:
    point = bench.point(row)
    assert isinstance(point, Point), point
    return point


def train(point: Point, folder: Path) -> Path:
    folder.mkdir(parents=True)
    run(point.config, list(point.overrides), folder)
    return folder


def test_a_sample_of_points_trains(bench, tmp_path):
    rows = covers.sample(bench, available(GROUPS), seed=0, wanted=SAMPLE)
    for i, row in enumerate(rows):
        train(seated(bench, row), tmp_path / str(i))
    assert len(rows) == SAMPLE


@pytest.mark.slow
def test_the_whole_pairwise_cover_trains(bench, tmp_path, capsys):
    rows, refused = covers.cover(bench, available(GROUPS))
    for i, row in enumerate(rows):
        train(seated(bench, row), tmp_path / str(i))
    for pair, line in refused.items():
        assert "\n" not in line, (pair, line)
    with capsys.disabled():
        total = len(covers.pairs(available(GROUPS)))
        covered = total - len(refused)
        print(f"\n{total} pairs: {covered} in {len(rows)} points, all trained; {len(refused)} refused")


def readings(folder: Path) -> dict[str, object]:
    """What a run leaves that a switch may change."""
    state, _ = checkpoint.read(folder / "checkpoints" / "last.ckpt")
    return {
        "metrics": (folder / "metrics.csv").read_bytes(),
        "parameters": {name: value for name, value in state.items() if name.startswith("network.")},
        "state": sorted(state),
        "predictions": (folder / "predictions" / "test.csv").read_bytes(),
        "files": sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()),
    }


def differ(a: dict, b: dict) -> bool:
    if any(a[key] != b[key] for key in ("metrics", "state", "predictions", "files")):
        return True
    return any(not torch.equal(a["parameters"][name], b["parameters"][name]) for name in a["parameters"])


def effects() -> list[tuple[str, str]]:
    return [(group, name) for group, names in GROUPS.items() for name in names]


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """Runs kept by their words: most options share the run they are compared with."""
    kept: dict[tuple[str, ...], dict] = {}
    base = tmp_path_factory.mktemp("effects")

    def of(bench: covers.Bench, chosen: dict[str, str]) -> dict:
        words = tuple(sorted(bench.words(chosen)))
        if words not in kept:
            point = bench.point(chosen)
            assert isinstance(point, Point), point
            kept[words] = readings(train(point, base / str(len(kept))))
        return kept[words]

    return of


@pytest.mark.parametrize(("group", "name"), effects())
def test_every_option_changes_something(bench, reference, group, name):
    catalogue = Catalogue([covers.CONF])
    option = catalogue.groups[group][name.strip("[]")]
    if name not in available(GROUPS)[group]:
        pytest.skip("Fashion-MNIST is not at hand (../shared/data)")
    if option.inert:
        return
    seated = bench.seat({group: name}, available(GROUPS))
    assert isinstance(seated, dict), seated
    others = {key: value for key, value in seated.items() if key != group}
    default = bench.point(others)
    if isinstance(default, str):
        return  # the option is what makes the rest possible: leaving it out is refused, which is an effect
    assert isinstance(default, Point), default
    if default.config["switches"].get(group) == name:
        return  # it is the default
    assert differ(reference(bench, seated), reference(bench, others)), f"{group}={name} changed nothing"
