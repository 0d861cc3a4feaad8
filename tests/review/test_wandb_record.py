"""The reader of offline records, against wandb's own."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from assay.errors import ConfigError
from assay.review import wandb_record
from assay.review.wandb_log import WandbLog
from tests.review.test_wandb_log import write_points


def test_it_reads_what_wandb_reads(tmp_path, monkeypatch):
    config = {"seed": 3, "long": "x" * 70_000, "inner": {"a": [1, 2], "b": None}}  # long: a record over three blocks
    log = WandbLog(tmp_path, config)
    log.start()
    write_points(tmp_path)
    log.finish("done", {"test/accuracy": 0.5})
    path = wandb_record.find(tmp_path)
    assert path.stat().st_size > 4 * 32 * 1024
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    theirs = [record["history"]["item"] for record in told if record["type"] == "history"]
    ours = wandb_record.read(tmp_path)
    assert len(theirs) == 300
    assert [known(line) for line in ours.history] == [known(line) for line in theirs]
    (run,) = [record["run"] for record in told if record["type"] == "run"]
    assert ours.config == run["config"]["update"]
    assert (ours.id, ours.name, ours.project) == (run["run_id"], run["display_name"], run["project"])


def known(line):
    """The numbers of a line; the two write a NaN differently."""
    return {key: value for key, value in line.items() if isinstance(value, int | float) and not math.isnan(value)}


def test_records_lie_in_blocks_as_leveldb_lays_them():
    data = [b"a" * 10, b"", b"b" * 32_700, b"c" * 100_000, b"d" * 32_728, b"e"]
    raw = bytearray(b":W&B\0\0\0")
    for record in data:
        first = True
        while True:
            room = 32_768 - len(raw) % 32_768
            if room < 7:
                raw += bytes(room)
                continue
            part, record = record[: room - 7], record[room - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not record]
            raw += b"crc!" + len(part).to_bytes(2, "little") + bytes([kind]) + part
            first = False
            if not record:
                break
    assert list(wandb_record._records(bytes(raw))) == data


def test_a_folder_without_a_record_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds 0 offline W&B records"):
        wandb_record.read(tmp_path)
