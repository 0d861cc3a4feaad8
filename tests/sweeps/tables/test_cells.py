"""Runs become cells and groups: what is compared, what is left apart, and that each reason is said."""

from __future__ import annotations

import json
import shutil

import pytest

from assay.sweeps.tables.cells import groups
from tests.sweeps.made_cells import make, read


def grid(place, seeds=2, **keys):
    number = 0
    for model in ("mlp", "linear"):
        for optim in ("sgd", "adam"):
            for seed in range(seeds):
                make(place / str(number), {"model": model, "optim": optim}, seed=seed, **keys)
                number += 1
    return place


def test_seeds_are_one_cell(tmp_path):
    (group,), apart = groups(read(grid(tmp_path)))
    assert apart == []
    assert group.varied == ["model", "optim"]
    assert [cell.settings for cell in group.cells] == [
        {"model": model, "optim": optim} for model in ("linear", "mlp") for optim in ("adam", "sgd")
    ]
    assert [[run.seed for run in cell.runs] for cell in group.cells] == [[0, 1]] * 4
    assert (group.data, group.metric, group.mode) == ("digits", "val/accuracy", "max")
    assert group.split == {"data.split_seed": "0", "val": "10", "test": "20"}
    assert group.notes == []
    assert group.metrics()[:2] == ["val/accuracy", "test/accuracy"]
    assert group.cells[0].name == "model=linear optim=adam"


def test_folds_are_one_cell(tmp_path):
    for seed in (0, 1):
        for fold in (2, 0, 1):
            make(tmp_path / f"{seed}{fold}", seed=seed, fold=fold, folds=3, scores={"test/accuracy": seed + fold})
    (group,), _ = groups(read(tmp_path))
    (cell,) = group.cells
    assert cell.scores("test/accuracy") == [(s, f, float(s + f)) for s in (0, 1) for f in (0, 1, 2)]
    assert group.folds == 3


def test_scores_that_are_no_number_are_in_no_mean(tmp_path):
    for seed, score in enumerate((0.5, float("nan"), None, True)):
        make(tmp_path / str(seed), seed=seed, scores={"test/f1": score})
    ((cell,),) = ([*group.cells] for group in groups(read(tmp_path))[0])
    assert cell.scores("test/f1") == [(0, None, 0.5)]
    assert [run.seed for run in cell.without("test/f1")] == [1, 2, 3]


def test_moved_runs_of_several_sweeps_are_one_group(tmp_path):
    make(tmp_path / "a" / "0", {"model": "mlp"}, seed=0)
    make(tmp_path / "b" / "7", {"model": "mlp"}, seed=1)
    make(tmp_path / "c" / "d" / "run", {"model": "linear"}, seed=0)
    shutil.move(tmp_path / "b", tmp_path / "c" / "moved")
    (group,), _ = groups(read(tmp_path))
    assert [len(cell.runs) for cell in group.cells] == [1, 2]


def test_how_a_run_ran_divides_no_cell(tmp_path):
    ways = [{"logger": "none", "trainer": "cpu"}, {"logger": "wandb", "trainer": "auto"}]
    for seed, way in enumerate(ways):
        make(
            tmp_path / str(seed),
            seed=seed,
            followed=way,
            typed=[*(f"{key}={value}" for key, value in way.items()), f"name=n{seed}", f"outputs=o{seed}"],
            config={
                "trainer": {"accelerator": way["trainer"], "devices": seed + 1, "max_epochs": 3},
                "threads": seed + 1,
                "name": f"n{seed}",
                "outputs": f"o{seed}",
                "data_dir": f"/d{seed}",
                "data": {"split_seed": 0, "root": f"/d{seed}", "path": f"/d{seed}/x.csv"},
            },
        )
    (group,), _ = groups(read(tmp_path))
    assert len(group.cells) == 1
    assert group.fixed == {}


def test_what_decides_a_result_divides_cells_though_nobody_typed_it(tmp_path):
    make(tmp_path / "a", {"model": "mlp"}, config={"optim": {"lr": 0.1}})
    make(tmp_path / "b", {"model": "mlp"}, config={"optim": {"lr": 0.2}})
    (group,), _ = groups(read(tmp_path))
    assert [cell.settings for cell in group.cells] == [{"optim.lr": "0.1"}, {"optim.lr": "0.2"}]
    assert group.fixed == {"model": "mlp"}


def test_what_an_option_chose_is_told_apart(tmp_path):
    for number, (optim, scheduler) in enumerate([("sgd", "step"), ("adam", "none")]):
        make(tmp_path / str(number), {"optim": optim}, followed={"scheduler": scheduler})
    (group,), _ = groups(read(tmp_path))
    assert group.varied == ["optim"]
    assert group.followed == ["scheduler"]


def test_values_written_otherwise_are_the_same(tmp_path):
    for number, lr in enumerate(("0.01", "1e-2")):
        make(tmp_path / str(number), {"optim.lr": lr}, seed=number)
    make(tmp_path / "2", {"optim.lr": "0.1"})
    (group,), _ = groups(read(tmp_path))
    assert [(cell.settings["optim.lr"], len(cell.runs)) for cell in group.cells] == [("0.01", 2), ("0.1", 1)]


@pytest.mark.parametrize(
    "other",
    [
        {"digest": "e" * 64},
        {"config": {"data": {"split_seed": 1}}},
        {"folds": 5, "fold": 0},
        {"scores": {"monitor": "val/loss", "val/loss": 0.1}},
        {"config": {"monitor_mode": "min"}},
    ],
)
def test_what_cannot_be_compared_is_another_group(tmp_path, other):
    make(tmp_path / "a", {"model": "mlp"})
    make(tmp_path / "b", {"model": "linear"}, **other)
    found, apart = groups(read(tmp_path))
    assert [len(group.runs) for group in found] == [1, 1]
    assert apart == []
    make(tmp_path / "c", {"model": "linear"})
    assert [len(group.runs) for group in groups(read(tmp_path))[0]] == [2, 1], "the largest first"


def test_a_split_of_another_size_is_another_group(tmp_path):
    make(tmp_path / "a")
    card = {"digest": "d" * 64, "sizes": {"train": 50, "val": 10, "test": 50}}
    (make(tmp_path / "b", seed=1) / "data.json").write_text(json.dumps(card))
    assert len(groups(read(tmp_path))[0]) == 2


def test_the_direction_of_an_unnamed_mode(tmp_path):
    make(tmp_path / "a", scores={"monitor": "val/rmse", "val/rmse": 0.1})
    (group,), _ = groups(read(tmp_path))
    assert group.mode == "min"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"status": "failed", "scores": {"reason": "the loss is\nnot finite"}}, "failed: the loss is not finite"),
        ({"status": "failed"}, "failed: by an error of the program; log.txt has more"),
        ({"status": "stopped"}, "was stopped"),
        ({"status": "pruned"}, "was pruned by its search"),
        ({"digest": None}, "does not say what data it saw"),
        ({"scores": {"monitor": None}}, "does not say what it watched"),
        ({"followed": {"debug": "fast"}}, "a rehearsal (debug=fast)"),
        ({"role": "tune", "settings": {"optim.lr": "0.5"}}, "tuned its cell, whose runs have another value"),
        ({"settings": {"model": "mlp"}}, "has the settings, seed and fold of a newer one"),
    ],
)
def test_what_is_left_apart(tmp_path, other, reason):
    make(tmp_path / "2026-01-01" / "01-00-00-x", **{"settings": {"model": "lstm"}, **other})
    make(tmp_path / "2026-01-01" / "02-00-00-y", {"model": "mlp"})
    (group,), apart = groups(read(tmp_path))
    assert [run.folder.name for run in group.runs] == ["02-00-00-y"]
    assert [(run.folder.name, why) for run, why in apart] == [("01-00-00-x", reason)]


def test_a_killed_run_and_stages_are_left_apart(tmp_path):
    (make(tmp_path / "a") / "summary.json").unlink()
    (make(tmp_path / "b") / "stage.json").write_text("{}")
    found, apart = groups(read(tmp_path))
    assert found == []
    assert sorted(why for _, why in apart) == ["a stage of a loop over runs, which is read as one", "was killed"]


def test_the_trial_of_the_chosen_value_is_the_point_of_its_seed(tmp_path):
    for number, (rate, seed, role) in enumerate(
        [("0.1", 0, "tune"), ("0.2", 0, "tune"), ("0.2", 1, "point"), ("0.2", 2, "point")]
    ):
        make(tmp_path / str(number), {"optim.lr": rate}, seed=seed, role=role)
    (group,), apart = groups(read(tmp_path))
    assert [run.seed for run in group.runs] == [0, 1, 2]
    assert group.notes == [
        "Some runs also tuned their cell: their validation scores chose its value, and are flattered by that."
    ]
    assert [run.folder.name for run, _ in apart] == ["0"]


def test_a_trial_is_no_point_of_other_data(tmp_path):
    make(tmp_path / "a", {"optim.lr": "0.1"}, role="tune")
    make(tmp_path / "b", {"optim.lr": "0.1"}, role="point", folds=3, fold=0)
    (group,), apart = groups(read(tmp_path))
    assert [run.folder.name for run, _ in apart] == ["a"]
    assert group.folds == 3


def test_trials_of_a_search_are_cells(tmp_path):
    for number, rate in enumerate(("0.1", "0.2", "0.3")):
        make(tmp_path / str(number), {"optim.lr": rate}, role="trial")
    (group,), apart = groups(read(tmp_path))
    assert len(group.cells) == 3
    assert apart == []


def test_unequal_epochs_and_versions_are_noted(tmp_path):
    make(tmp_path / "a", {"model": "mlp"})
    make(tmp_path / "b", {"model": "lstm"}, config={"trainer": {"max_epochs": 12}}, source="6" * 64)
    made = {"versions": {"assay": "0.2.0"}, "source_digest": "7" * 64, "data_digest": "d" * 64}
    (make(tmp_path / "c", {"model": "gru"}) / "environment.json").write_text(json.dumps(made))
    (group,), _ = groups(read(tmp_path))
    assert group.notes == [
        "Runs were made by different versions: assay 0.1.0, torch 2.15.0 · assay 0.2.0.",
        "Runs were trained for different numbers of epochs: 3 · 12.",
        "Runs were made by 3 states of the source code, which may differ in what they compute.",
    ]


def test_a_config_that_shares_a_node_between_blocks(tmp_path):
    """PyYAML writes an anchor: the block that refers to it cannot be read alone."""
    for seed in (0, 1):
        shared = {"_target_": "x", "size": 3}
        folder = make(tmp_path / str(seed), {"model": "mlp"}, seed=seed, config={"scaling": shared, "stem": shared})
        assert "*id001" in (folder / "config.yaml").read_text()
    make(tmp_path / "2", {"model": "mlp"}, config={"scaling": {"size": 3}, "stem": {"size": 4}})
    (group,), _ = groups(read(tmp_path))
    assert sorted(len(cell.runs) for cell in group.cells) == [1, 2]


def test_real_runs_are_read(digits_run):
    (group,), apart = groups(read(digits_run.folder))
    assert apart == []
    assert (group.data, group.metric, group.mode) == ("digits", "val/accuracy", "max")
    assert group.fixed == {"model": "mlp", "trainer.max_epochs": "3"}
    assert group.split["test"] == "180"
