from __future__ import annotations

import json

import pytest

from assay import folder
from assay.errors import ConfigError


def test_folders_are_exclusive(tmp_path, monkeypatch):
    class Clock(folder.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 3, 4, 5)

    monkeypatch.setattr(folder, "datetime", Clock)
    made = [folder.create(tmp_path, "lstm-digits") for _ in range(3)]
    assert [str(p.relative_to(tmp_path)) for p in made] == [
        "2026-01-02/03-04-05-lstm-digits",
        "2026-01-02/03-04-05-lstm-digits-2",
        "2026-01-02/03-04-05-lstm-digits-3",
    ]


def test_latest_moves_and_survives_moving_the_tree(tmp_path):
    outputs = tmp_path / "outputs"
    for name in ("a", "b"):
        (outputs / name).mkdir(parents=True)
        folder.point_latest(outputs, outputs / name)
    assert folder.find("latest", outputs) == outputs / "b"
    outputs.rename(tmp_path / "moved")
    assert folder.find("latest", tmp_path / "moved") == tmp_path / "moved" / "b"


def test_latest_without_links(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()

    def refuse(*arguments, **keywords):
        raise OSError("links are not supported")

    monkeypatch.setattr(folder.Path, "symlink_to", refuse)
    folder.point_latest(tmp_path, tmp_path / "a")
    assert folder.find("latest", tmp_path) == tmp_path / "a"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, "is not a run folder or artifact"),
        (lambda p: p.mkdir(), "holds no artifact: it is not a run folder"),
        (lambda p: (p.mkdir(), (p / "config.yaml").write_text("format: 1")), "its run did not finish"),
        (
            lambda p: (p.mkdir(), (p / "summary.json").write_text(json.dumps({"status": "stopped"}))),
            "its run is stopped",
        ),
    ],
)
def test_a_run_without_artifact_says_why(tmp_path, make, words):
    make(tmp_path / "run")
    with pytest.raises(ConfigError, match=words):
        folder.find_artifact(str(tmp_path / "run"))


def test_weights_alone_are_not_a_run(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(ConfigError, match="is a file of weights"):
        folder.find(str(tmp_path / "model.pt"))


def test_config_round_trip_and_formats(tmp_path):
    config = {"seed": 1, "data": {"path": "a 'b', c=d.csv", "lr": 1e-8}, "switches": {"model": "mlp"}}
    folder.write_config(tmp_path, config, ["model=mlp"])
    assert folder.read_config(tmp_path) == {"format": 1, **config}
    (tmp_path / "config.yaml").write_text("format: 99\n")
    with pytest.raises(ConfigError, match="format 99; this version reads 1"):
        folder.read_config(tmp_path)
    (tmp_path / "config.yaml").write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        folder.read_config(tmp_path)
