"""metrics.csv: exact, append-only, whole rows."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from assay.errors import ConfigError
from assay.review import metrics_csv
from assay.review.metrics_csv import MetricsCSV, Row


def test_values_come_back_bit_for_bit(tmp_path):
    values = {"a": 0.1, "b": 1e-320, "c": -0.0, "d": 2 / 3, "e": 1e308, "f": math.inf, "g": math.nan, "h": 3}
    points = MetricsCSV(tmp_path / "metrics.csv")
    points.write(7, 2, values)
    points.close()
    rows = metrics_csv.read(tmp_path / "metrics.csv")
    assert [row.name for row in rows] == list(values)
    assert [repr(row.value) for row in rows] == [repr(float(value)) for value in values.values()]
    assert {(row.step, row.epoch) for row in rows} == {(7, 2)}


def test_the_file_is_what_the_header_says_and_is_there_at_once(tmp_path):
    points = MetricsCSV(tmp_path / "metrics.csv")
    points.write(50, 0, {"train/loss": 0.5, "val/f1": 1.0})
    text = (tmp_path / "metrics.csv").read_bytes()  # not closed: a kill now loses nothing
    assert text == b"step,epoch,name,value\n50,0,train/loss,0.5\n50,0,val/f1,1.0\n"
    points.close()


def test_a_label_in_a_name_may_hold_anything(tmp_path):
    points = MetricsCSV(tmp_path / "metrics.csv")
    points.write(1, 0, {'test/f1/a,"b"\nc': 1.0, "test/f1/ß": 0.5})
    points.close()
    assert [row.name for row in metrics_csv.read(tmp_path / "metrics.csv")] == ['test/f1/a,"b" c', "test/f1/ß"]
    assert (tmp_path / "metrics.csv").read_bytes().count(b"\n") == 3


def test_a_row_torn_by_a_kill_does_not_count_and_is_taken_off(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,epoch,name,value\n1,0,a,0.25\n2,0,a,0.1")  # 0.1 may be the beginning of 0.125
    assert metrics_csv.read(path) == [Row(1, 0, "a", 0.25)]
    points = MetricsCSV(path)
    points.write(2, 0, {"a": 0.125})
    points.close()
    assert metrics_csv.read(path) == [Row(1, 0, "a", 0.25), Row(2, 0, "a", 0.125)]


def test_cutting_back_and_going_on_gives_the_bytes_of_never_having_stopped(tmp_path):
    def write(path, steps):
        points = MetricsCSV(path)
        for step in steps:
            points.write(step, step // 20, {"train/loss": 1 / (step + 3), "x": float(step)})
        points.close()

    write(tmp_path / "whole.csv", range(0, 60, 10))
    write(tmp_path / "killed.csv", range(0, 50, 10))
    assert metrics_csv.cut(tmp_path / "killed.csv", 6) == 4  # steps 30 and 40, two rows each
    write(tmp_path / "killed.csv", range(30, 60, 10))
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.csv", "whole.csv"]


def test_cutting_a_file_that_lost_points_is_refused(tmp_path):
    points = MetricsCSV(tmp_path / "metrics.csv")
    points.write(1, 0, {"a": 1.0})
    assert points.rows == 1
    points.close()
    with pytest.raises(ConfigError, match="holds 1 points, and its run had written 2"):
        metrics_csv.cut(tmp_path / "metrics.csv", 2)


@pytest.mark.parametrize("text", ["epoch,loss\n1,2\n", "", "step,epoch,name,value\n1,zero,a,0.5\n"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"metrics\.csv"):
        metrics_csv.read(path)


def test_it_is_not_appended_to_another_file(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,loss\n1,2\n")
    with pytest.raises(ConfigError, match="begins with 'epoch,loss'"):
        MetricsCSV(path)
    assert path.read_text() == "epoch,loss\n1,2\n"


def test_a_missing_file_is_refused_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        metrics_csv.read(tmp_path / "metrics.csv")


def test_logging_loads_neither_torch_nor_wandb():
    code = """
import sys
import assay.review.wandb_log, assay.review.wandb_host, assay.review.metrics_csv, assay.review.redact, assay.review.sync
import assay.review.wandb_send, assay.review.wandb_record
print(sorted({"torch", "numpy", "wandb", "pytorch_lightning", "omegaconf"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
