"""Every pair of options trains two steps or is refused by a declared rule; every option changes something."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest
import torch

from assay.composition.headers import Catalogue
from assay.engines import checkpoint
from assay.preflight import Point
from assay.run import run
from tests import covers
from tests.seating import Seating

SAMPLE = 8  # random points of all groups in the default suite; the whole pairwise cover with -m slow
GROUPS = covers.options()


def seated(bench: covers.Bench, row: dict[str, str]) -> Point:
    point = bench.point(row)
    assert isinstance(point, Point), point
    return point


def train(point: Point, folder: Path) -> Path:
    folder.mkdir(parents=True)
    run(point.config, list(point.overrides), folder)
    return folder


def test_a_sample_of_points_trains(bench, tmp_path):
    rows = covers.sample(bench, covers.available(GROUPS), seed=0, wanted=SAMPLE)
    for i, row in enumerate(rows):
        train(seated(bench, row), tmp_path / str(i))
    assert len(rows) == SAMPLE


@pytest.mark.slow
def test_the_whole_pairwise_cover_trains(bench, tmp_path, capsys):
    groups = covers.available(GROUPS)
    began = time.process_time()
    rows, refused = covers.cover(bench, groups)
    found = time.process_time()
    failed, diverged = [], []
    for row in rows:
        try:
            train(seated(bench, row), tmp_path / "run")
        except Exception as error:  # all that fail are named, not the first alone
            kept = diverged if "the loss is not finite" in str(error) else failed  # a run says so, and ends
            kept.append(f"{' '.join(f'{group}={name}' for group, name in row.items())}: {error!r}")
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
    trained = time.process_time()
    for pair, line in refused.items():
        assert "\n" not in line, (pair, line)
    free = Seating(bench.composer, groups, bench.words, must={})
    left_out = sum(free.seat(dict(pair)) is not None for pair in refused)
    total = len(covers.pairs(groups))
    with capsys.disabled():
        print(f"\n{total} pairs: {total - len(refused)} in {len(rows)} points;")
        print(f"{len(failed)} points failed, {len(diverged)} diverged;")
        print(f"{len(refused) - left_out} refused by rules, {left_out} left out, for which the bench has no files;")
        print(f"found in {found - began:.0f} s of a core, trained in {trained - found:.0f} s")
    assert not failed, "\n".join(failed)
    assert len(diverged) <= len(rows) // 100, "\n".join(diverged)


@pytest.mark.parametrize("seed", range(24))
def test_headers_say_what_preflight_says(bench, seed):
    """A cover trusts headers to look for points: they must refuse what preflight refuses, and nothing else."""
    generator = random.Random(seed)
    groups = covers.available(GROUPS)
    chosen = {
        group: generator.choice(groups[group]) for group in generator.sample(list(groups), generator.choice((1, 2, 4)))
    }
    refused = bench.seating(groups).ways(chosen) is not None
    assert refused == isinstance(bench.point(chosen), str), bench.point(chosen)


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
    if name not in covers.available(GROUPS)[group]:
        pytest.skip(f"the files of {group}={name} are not at hand (ASSAY_DATA or ../shared/data)")
    if option.inert:
        return
    seated = bench.seat({group: name}, covers.available(GROUPS))
    assert isinstance(seated, dict), seated
    others = {key: value for key, value in seated.items() if key != group}
    default = bench.point(others)
    if isinstance(default, str):
        return  # the option is what makes the rest possible: leaving it out is refused, which is an effect
    assert isinstance(default, Point), default
    if default.config["switches"].get(group) == name:
        return  # it is the default
    assert differ(reference(bench, seated), reference(bench, others)), f"{group}={name} changed nothing"
