"""What a killed process left goes, once nobody else is at it; a failure keeps the lock for the next one."""

from __future__ import annotations

import contextlib

from assay.alone import alone


def test_half_written_files_of_this_name_go_and_others_stay(tmp_path):
    for name in ("mine.17.tmp", "mine.json.17.tmp", "other.17.tmp", "mine.ids"):
        (tmp_path / name).touch()
    with alone(tmp_path, "mine", "writes it"):
        assert {one.name for one in tmp_path.iterdir()} == {"mine.lock", "other.17.tmp", "mine.ids"}
    assert {one.name for one in tmp_path.iterdir()} == {"other.17.tmp", "mine.ids"}


def test_after_a_failure_the_next_one_may_try(tmp_path):
    with contextlib.suppress(OSError), alone(tmp_path, "mine", "writes it"):
        raise OSError
    with alone(tmp_path, "mine", "writes it"):
        (tmp_path / "mine.ids").touch()
    assert [one.name for one in tmp_path.iterdir()] == ["mine.ids"]
