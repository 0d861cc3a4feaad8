"""The course of a sweep: one process that starts jobs, hears how they end, keeps the ledger, and says where it stands.

Several may share a sweep: each claims a point before it starts it. Whatever ends one of them, the ledger and the job
folders hold all that is needed, so that the same command goes on.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import ConfigError
from assay.folder import point_latest
from assay.sweeps.jobs import here
from assay.sweeps.jobs.executor import Ended, Executor
from assay.sweeps.jobs.job import LOST, NO_ROOM, NO_SPACE, Job, reason_of
from assay.sweeps.jobs.leases import Lease, Leases, worker_name
from assay.sweeps.jobs.warm import Warm
from assay.sweeps.ledger.job_folders import metrics_of, read_summary
from assay.sweeps.ledger.ledger import Entry, Ledger
from assay.sweeps.live import Live
from assay.sweeps.standing import Standing
from assay.sweeps.stops import Stops, heard

if TYPE_CHECKING:
    from assay.sweeps.strategy import Strategy

TICK = 0.25  # seconds between two looks at signals, at the ledger of others, and at the table
GO_ON = 2  # times that a job whose process was killed is started again, from its checkpoint, by one parent


@dataclass(frozen=True)
class OnError:
    """What a failed job means for the sweep: ``continue``, ``stop``, or ``retry:N``.

    Attributes:
        stop: the sweep ends; jobs that run save and stop.
        retries: how often a job is tried again at once, from its checkpoint.
    """

    stop: bool = False
    retries: int = 0

    @classmethod
    def of(cls, text: str) -> OnError:
        """Raises ConfigError if the text is none of the three."""
        if text in ("continue", "stop"):
            return cls(stop=text == "stop")
        if found := re.fullmatch(r"retry:([1-9][0-9]*)", text):
            return cls(retries=int(found[1]))
        raise ConfigError(f"sweep.on_error={text} is not known; use continue, stop or retry:N")


@dataclass(frozen=True)
class Orders:
    """What a course is told.

    Attributes:
        config: of the sweep's first point: where outputs go, which devices are used.
        config_of: the resolved and checked config of an entry.
        extra_of: what a search tells the job of an entry.
        paths: where the jobs' Python looks first: the snapshot of the source.
        command: the words of the command line, for environment.json and the last screen.
        jobs: ``auto`` or a number, of ``sweep.jobs``.
        on_error: of ``sweep.on_error``.
    """

    config: Mapping[str, Any]
    config_of: Callable[[Entry], dict[str, Any]]
    extra_of: Callable[[Entry], dict[str, Any]] = lambda entry: {}
    paths: Sequence[Path] = ()
    command: Sequence[str] = ()
    jobs: int | str = "auto"
    on_error: str = "continue"


@dataclass
class _Running:
    entry: Entry
    lease: Lease


def run(ledger: Ledger, strategy: Strategy, orders: Orders, live: Live | None = None) -> int:
    """Runs a sweep to its end.

    Returns:
        The exit code: 0 all done, 1 jobs failed or the disk is full, 130 or 143 stopped by a signal.
    Raises:
        ConfigError: an order or a point was refused; nothing was started.
    """
    policy = OnError.of(orders.on_error)
    trainer = orders.config["trainer"]
    leases = Leases(orders.jobs, trainer)
    with ledger.at_work(worker_name()) as worker, heard() as signals:
        strategy.begin(ledger)
        with suppress(OSError):
            point_latest(orders.config["outputs"], ledger.folder)
        executor: Executor = here.Here()
        if not here.is_needed(trainer):
            executor = Warm(leases.slots, orders.paths, ledger.folder / "workers" / worker)
        course = Course(ledger, strategy, orders, policy, worker, leases, executor, signals, live or Live())
        try:
            return course.run()
        finally:
            executor.close()
            course.live.close()
            with suppress(OSError):
                point_latest(orders.config["outputs"], ledger.folder)
                _discharge(ledger.folder / "workers" / worker)


def _killed(code: int) -> bool:
    """By a signal that it could not, or could, answer by saving."""
    return code < 0 or code > 128


def _discharge(place: Path) -> None:
    """A worker that has left needs its folder no more, unless the warm parent said something there."""
    for name in ("server.txt", ".lock"):
        if (path := place / name).exists() and (name == ".lock" or not path.stat().st_size):
            path.unlink()
    place.rmdir()


@dataclass
class Course:
    """One parent's part in a sweep.

    Attributes:
        ending: why no more jobs are started; empty while they are.
    """

    ledger: Ledger
    strategy: Strategy
    orders: Orders
    policy: OnError
    worker: str
    leases: Leases
    executor: Executor
    signals: Stops
    live: Live
    running: dict[int, _Running] = field(default_factory=dict)
    waiting: list[Entry] = field(default_factory=list)
    tries: Counter[int] = field(default_factory=Counter)
    kills: Counter[int] = field(default_factory=Counter)
    ending: str = ""
    hard: bool = False

    def __post_init__(self) -> None:
        self.standing = Standing(self.ledger, self.strategy, self.orders.config, self.leases.slots)

    def run(self) -> int:
        self.live.begin(self.standing)
        while True:
            self._obey()
            try:
                self._fill()
                if not self.running and (self.ending or self.strategy.finished(self.ledger)):
                    break
                self._hear()
            except OSError as error:
                if error.errno not in NO_SPACE:
                    raise
                self._end(f"the disk is full: {error.filename or self.ledger.folder} could not be written")
            self._say_notes()
            self.live.show(self.standing)
        self.live.end(self.standing, self.ending, self.orders.command)
        if self.signals.count:
            return 128 + self.signals.last
        return int(bool(self.ending) or bool(self.standing.failed()))

    def _obey(self) -> None:
        """The first Ctrl-C lets jobs save and stop, the second ends them at once."""
        if self.signals.count and not self.ending:
            self._end("stopped")
        if self.signals.count > 1 and not self.hard:
            self.hard = True
            self.executor.stop(hard=True)

    def _end(self, why: str) -> None:
        """Starts no more jobs; those that run save and stop."""
        if self.ending:
            return
        self.ending = why
        if self.running:
            self.live.line(
                f"{why}: jobs that run save and stop; Ctrl-C {'again ' * (why == 'stopped')}ends them at once"
            )
        self.executor.stop(hard=False)

    def _fill(self) -> None:
        """Starts what may start."""
        if self.ending:
            return
        free = self.leases.free - len(self.waiting)
        offered = [*self.waiting, *(self.strategy.more(self.ledger, free) if free > 0 else ())]
        self.waiting = []
        for entry in offered:
            config = self.orders.config_of(entry)
            lease = self.leases.take(config["trainer"])
            if lease is None:
                self.waiting.append(entry)
            elif not self.ledger.claim(entry.number, self.worker, entry.attempts):
                self.leases.give(lease)
            else:
                self.running[entry.number] = _Running(entry, lease)
                self.standing.began(entry)
                self.executor.start(self._job(entry, config, lease))

    def _job(self, entry: Entry, config: dict[str, Any], lease: Lease) -> Job:
        return Job(
            entry.number,
            entry.folder,
            config,
            list(entry.overrides),
            threads=lease.threads,
            devices=",".join(lease.devices) if lease.devices else None,
            command=list(self.orders.command),
            extra={"sweep": str(self.ledger.folder), **self.orders.extra_of(entry)},
        )

    def _hear(self) -> None:
        if not self.running:  # others are at the rest
            time.sleep(TICK)
        for ended in self.executor.ended(TICK) if self.running else ():
            self._ended(ended)

    def _ended(self, ended: Ended) -> None:
        one = self.running.pop(ended.number)
        self.leases.give(one.lease)
        state, metrics, reason = self._outcome(one.entry, ended)
        entry = self.ledger.finish(ended.number, state, metrics=metrics, reason=reason, seconds=ended.seconds)
        self.standing.ended(entry)
        if entry.state != "planned":
            self.strategy.told(entry)
            self.live.ended(self.standing, entry)
        if entry.state == "failed" and self.policy.stop and entry.role == "point":  # a value that was tried may fail
            self._end(f"{entry.number} failed, and sweep.on_error=stop")
        if ended.code == NO_ROOM:
            self._end(reason)

    def _outcome(self, entry: Entry, ended: Ended) -> tuple[str, dict[str, float], str]:
        """State, metrics and reason. What the run wrote last counts: it may have been done before it was killed."""
        summary = read_summary(entry.folder)
        if summary.get("status") in ("done", "pruned"):
            return str(summary["status"]), metrics_of(summary), str(summary.get("reason") or "")
        number = ended.number
        reason = ended.reason or reason_of({} if ended.code < 0 else summary, ended.code)
        if ended.code == NO_ROOM:
            return "planned", {}, reason
        if ended.code == LOST or (self.ending and _killed(ended.code)):
            return "planned", {}, ""
        if _killed(ended.code):  # no verdict about the point, unless it happens again and again
            self.kills[number] += 1
            if self.kills[number] <= GO_ON:
                self.live.line(f"{self.standing.label(entry)}: {reason}; it goes on")
                return "planned", {}, ""
        elif self.tries[number] < self.policy.retries and not self.ending:
            self.tries[number] += 1
            again = f"try {self.tries[number] + 1} of {self.policy.retries + 1}"
            self.live.line(f"{self.standing.label(entry)}: {reason}; {again}")
            return "planned", {}, reason
        return "failed", {}, reason

    def _say_notes(self) -> None:
        notes: list[str] = getattr(self.executor, "notes", [])
        while notes:
            self.live.line(notes.pop(0))
