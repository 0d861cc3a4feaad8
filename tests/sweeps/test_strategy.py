"""What may start, and when it is over."""

from __future__ import annotations

from assay.sweeps.ledger.ledger import Ledger
from assay.sweeps.strategy import Grid
from tests.sweeps.search.simulated import composed


def grid(*rates: str, seeds: int = 1) -> Grid:
    return Grid([point for rate in rates for point in composed([f"optim.lr={rate}"], seeds)])


def numbers(entries):
    return [entry.number for entry in entries]


def test_points_are_offered_in_order_and_not_while_somebody_is_at_them(tmp_path):
    ledger, one = Ledger(tmp_path), grid("0.1", "0.2", "0.3")
    assert one.runs == 3
    with ledger.at_work("a") as worker:
        one.begin(ledger)
        assert numbers(one.more(ledger, 2)) == [0, 1]
        assert ledger.claim(0, worker)
        assert numbers(one.more(ledger, 5)) == [1, 2]
        assert not one.finished(ledger)
        ledger.finish(0, "done")
        for number in (1, 2):
            ledger.claim(number, worker)
            ledger.finish(number, "done")
        assert one.more(ledger, 5) == []
        assert one.finished(ledger)


def test_a_point_of_a_worker_that_died_is_offered_again(tmp_path):
    ledger, one = Ledger(tmp_path), grid("0.1")
    one.begin(ledger)
    with ledger.at_work("a") as worker:
        ledger.claim(0, worker)
        assert one.more(ledger, 1) == []
        assert not one.finished(ledger)
    assert numbers(one.more(ledger, 1)) == [0]


def test_a_failure_is_offered_once_by_each_process_and_ends_it(tmp_path):
    ledger, one = Ledger(tmp_path), grid("0.1")
    with ledger.at_work("a") as worker:
        one.begin(ledger)
        (entry,) = one.more(ledger, 1)
        ledger.claim(entry.number, worker)
        ledger.finish(0, "failed", reason="out of memory")
        assert one.more(ledger, 1) == []
        assert one.finished(ledger)
        again = grid("0.1")
        again.begin(ledger)
        assert not again.finished(ledger)
        assert numbers(again.more(ledger, 1)) == [0]


def test_what_is_done_is_not_run_again_and_values_extend(tmp_path):
    ledger, one = Ledger(tmp_path), grid("0.1")
    with ledger.at_work("a") as worker:
        one.begin(ledger)
        ledger.claim(0, worker)
        ledger.finish(0, "done")
        wider = grid("0.2", "0.1", seeds=2)
        wider.begin(ledger)
        assert numbers(wider.more(ledger, 9)) == [1, 2, 3]
        assert wider.runs == 4
