"""`assay sync`, against a stand-in host."""

from __future__ import annotations

import pytest

from assay import folder as run_folder
from assay.errors import ConfigError
from assay.review.sync import runs, sync_command
from assay.review.wandb_log import WandbLog, run_id
from tests.review.test_wandb_send import arrived, in_file, write

LOGGER = {
    "_target_": "assay.review.wandb_log.WandbLog",
    "_partial_": True,
    "mode": "auto",
    "project": "demo",
    "entity": None,
    "upload": "curves",
}


def make(folder, logger=LOGGER, steps=range(0, 60, 10), status=None):
    folder.mkdir(parents=True, exist_ok=True)
    config = {"seed": 0, "name": None, "switches": {"model": "lstm"}, "logger": logger}
    run_folder.write_config(folder, config, [])
    write(folder, steps)
    if status:
        run_folder.write_json(folder / "summary.json", {"status": status, "test/accuracy": 0.5})
    return folder


def test_killed_and_finished_runs_arrive_once_and_are_skipped_then(host, tmp_path, capsys):
    killed = make(tmp_path / "sweeps" / "lr" / "0")
    failed = make(tmp_path / "sweeps" / "lr" / "1", status="failed")
    make(tmp_path / "sweeps" / "lr" / "2", logger=None, status="done")
    assert sync_command(str(tmp_path)) == 0
    for folder, code in ((killed, 1), (failed, 1)):
        run = host.runs[run_id(folder)]
        assert arrived(run.received) == in_file(folder)
        assert run.exit_codes == [code]
        assert run.upsert["groupName"] == "lr"
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"{killed}: {host.url}/someone/demo/runs/{run_id(killed)}"
    assert said[-1] == "2 synced, 1 left out (logger=none)"

    before = len(host.requests)
    assert sync_command(str(tmp_path)) == 0
    assert capsys.readouterr().out == "2 already there, 1 left out (logger=none)\n"
    assert len(host.requests) == before  # nobody was asked

    make(killed, steps=range(60, 90, 10), status="done")  # it was resumed, offline, and finished
    assert sync_command(str(killed)) == 0
    run = host.runs[run_id(killed)]
    assert arrived(run.received) == in_file(killed)
    assert run.exit_codes == [1, 0]
    assert run.summary["test/accuracy"] == 0.5


def test_an_offline_record_is_marked_as_sent(host, tmp_path, monkeypatch):
    folder = make(tmp_path / "run", status="done")
    log = WandbLog(folder, {"switches": {}}, mode="offline")
    log.start()
    log.finish("done", {})
    assert sync_command(str(folder)) == 0
    (record,) = (folder / "wandb").glob("offline-run-*/*.wandb")
    assert record.with_suffix(".wandb.synced").exists()


def test_without_a_key_or_a_host_it_is_refused_in_one_line(tmp_path, host, monkeypatch):
    make(tmp_path / "run")
    name = host.url.removeprefix("http://")
    host.answers["viewer"] = 401
    with pytest.raises(ConfigError) as refusal:
        sync_command(str(tmp_path))
    line = f"1 run to sync, but W&B cannot be used: {name} refused the key with 401; `wandb login` and repeat"
    assert str(refusal.value) == line
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(ConfigError, match="cannot be used: no key;"):
        sync_command(str(tmp_path))
    assert not host.runs
    assert not (tmp_path / "run" / "wandb").exists()


def test_where_no_run_lies(tmp_path):
    with pytest.raises(ConfigError, match="holds no run"):
        sync_command(str(tmp_path / "nowhere"))


def test_a_run_that_is_not_taken_whole_is_said_and_kept_for_next_time(host, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("assay.review.sync.SECONDS", 2.0)
    folder = make(tmp_path / "run", status="done")
    (make(tmp_path / "bad") / "config.yaml").write_text("{")
    host.answers["stream"] = 403
    assert sync_command(str(tmp_path)) == 1
    out = capsys.readouterr().out.splitlines()
    assert "config.yaml cannot be read" in out[0]
    assert out[1].startswith(f"{folder}: not everything arrived (")
    assert out[2] == "2 not whole"
    host.answers["stream"] = True
    assert sync_command(str(folder)) == 0
    assert arrived(host.runs[run_id(folder)].received) == in_file(folder)


def test_a_link_to_a_run_is_no_second_run(tmp_path):
    folder = make(tmp_path / "2026-01-01" / "run")
    (tmp_path / "latest").symlink_to(folder, target_is_directory=True)
    assert len(runs(tmp_path)) == 1
    assert runs(folder) == [folder]
