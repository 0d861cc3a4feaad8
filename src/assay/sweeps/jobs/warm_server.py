"""``python -m assay.sweeps.jobs.warm_server``: the warm parent. It has imported all that a run needs and forks a child
for each job, so that the seconds of importing torch and Lightning are paid once for a sweep.

Nothing leaks from one job into another, because no job ever runs in this process: it imports, and forks. It draws no
number, opens no data, makes no tensor (an OpenMP pool made here would hang every child), starts no thread and composes
no config. A child differs from a process that was started alone by the order of its imports only; they are held against
each other bit for bit in ``tests/sweeps/jobs/test_warm.py``. What a job's end needs is not guessed: the first child
tells which modules it had to import, and they are imported here before the next one is forked.

Commands come on stdin and answers go to stdout, a JSON object a line. When stdin ends, the sweep's process has gone:
the children save and stop. A child that outlives this process is told so by the kernel (``PR_SET_PDEATHSIG``).
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import selectors
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assay.sweeps.jobs.job import FAILED, Job, into_log, leave, trouble, work

STOPS = (signal.SIGINT, signal.SIGTERM)
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
_ANSWER = 60_000  # bytes: below what a pipe holds, so that a child never waits to be read

TRUSTED = {"assay", "torch", "numpy", "scipy", "sklearn", "torchmetrics", "pytorch_lightning", "lightning_fabric"}
TRUSTED |= {"lightning_utilities", "matplotlib", "mpl_toolkits", "PIL", "yaml", "safetensors", "omegaconf", "packaging"}
TRUSTED |= {"dateutil", "pyparsing", "cycler", "kiwisolver", "contourpy", "fontTools", "joblib", "threadpoolctl"}
TRUSTED |= {"torchvision", "tokenizers", "optuna"}
"""Packages that may be imported here because a job has: to import them starts no thread and draws no number. A user's
own are imported in each child."""


@dataclass
class Child:
    """A forked job.

    Attributes:
        began: when, on the monotonic clock.
        answer: the pipe on which it says its last words.
    """

    number: int
    began: float
    answer: int


class Server:
    """Forks a child for each job that it is told of, and says how each ended.

    Args:
        commands, answers: file descriptors.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self.commands, self.answers = commands, answers
        self.children: dict[int, Child] = {}
        self.known: set[str] = set()
        self.open = True
        self.rest = b""
        self.wake = os.pipe()
        for end in self.wake:
            os.set_blocking(end, False)

    def serve(self) -> int:
        """Until stdin has ended, and with it every child."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.wake[1], warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self.commands, selectors.EVENT_READ)
            selector.register(self.wake[0], selectors.EVENT_READ)
            while self.open or self.children:
                ready = {key.fd for key, _ in selector.select()}
                if self.wake[0] in ready:
                    with suppress(BlockingIOError):
                        os.read(self.wake[0], 4096)
                self.reap()
                if self.commands in ready:
                    for command in self.read():
                        self.obey(command)
                    if not self.open:
                        selector.unregister(self.commands)
                        self.end(signal.SIGTERM)
        return 0

    def read(self) -> Iterator[dict[str, Any]]:
        """The commands that have come."""
        got = os.read(self.commands, 1 << 20)
        self.open = bool(got)
        *lines, self.rest = (self.rest + got).split(b"\n")
        yield from (json.loads(line) for line in lines)

    def obey(self, command: Mapping[str, Any]) -> None:
        if "start" in command:
            self.start(Job.from_json(json.dumps(command["start"])))
        elif "import" in command:
            warm(command["import"])
            self.known = set(sys.modules)
            self.say({"ready": os.getpid(), "threads": threads()})
        elif "stop" in command:
            self.end(signal.SIGKILL if command["stop"] == "hard" else signal.SIGTERM)

    def start(self, job: Job) -> None:
        answer, told = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # until the child has its own way to obey them
        pid = os.fork()
        if pid == 0:
            code = FAILED
            try:
                os.close(answer)
                code = self.child(job, told)
            finally:
                os._exit(code)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        os.close(told)
        self.children[pid] = Child(job.number, time.monotonic(), answer)

    def child(self, job: Job, told: int) -> int:
        """The forked process: nothing of the server's is kept but what it has imported."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server = os.getppid()
        os.setsid()  # Ctrl-C of the terminal is for the sweep, which decides; a hard stop ends all that this one starts
        for mine in (self.commands, self.answers, *self.wake, *(other.answer for other in self.children.values())):
            os.close(mine)
        for number in STOPS:
            signal.signal(number, leave)
        try:
            into_log(job.folder)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
            end_with_parent(server)
            if (numpy := sys.modules.get("numpy.random")) is not None:
                numpy.seed()  # by the system, as in a process of its own; Python does so itself
            code, reason = work(job)
        except SystemExit as left:
            code, reason = int(left.code or 0), ""
        except OSError as error:
            code, reason = trouble(error, job)
        atexit._run_exitfuncs()
        new = [name for name in sys.modules if name not in self.known and _may_be_imported(name)]
        with suppress(OSError):
            os.write(told, json.dumps({"reason": reason[:4000], "modules": new}).encode()[:_ANSWER])
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        return code

    def reap(self) -> None:
        """Children that have ended."""
        for pid in list(self.children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done:
                continue
            child = self.children.pop(pid)
            with os.fdopen(child.answer, "rb") as file:
                os.set_blocking(child.answer, False)  # what it started may live on and hold the other end
                text = file.read() or b"{}"
            try:
                said = json.loads(text)
            except ValueError:
                said = {}
            seconds = round(time.monotonic() - child.began, 3)
            code = os.waitstatus_to_exitcode(status)
            self.say({"ended": child.number, "code": code, "seconds": seconds, "reason": said.get("reason", "")})
            if code == 0:
                self.learn(said.get("modules", []))

    def learn(self, names: list[str]) -> None:
        """Imports what a child had to import, once, for all that come after it."""
        new = [name for name in names if name not in self.known]
        self.known.update(new)
        load(new)
        if new and (count := threads()) > 1:
            self.say({"threads": count})

    def end(self, number: int) -> None:
        """Sends a signal to every child; SIGKILL also to what it has started."""
        for pid in self.children:
            with suppress(ProcessLookupError):
                if number == signal.SIGKILL:
                    os.killpg(pid, number)
                else:
                    os.kill(pid, number)

    def say(self, answer: Mapping[str, Any]) -> None:
        with suppress(OSError):  # the sweep's process has gone, which the end of stdin will tell
            os.write(self.answers, (json.dumps(answer) + "\n").encode())


def warm(targets: list[str]) -> None:
    """Imports torch, Lightning and every part of a run, and the modules of these ``_target_``s."""
    import assay.run  # noqa: F401 (first: it puts off the imports that a step does not need)
    from assay import environment
    from assay.loops import start  # noqa: F401
    from assay.targets import trusted

    trusted()  # kept: what is installed is the same for every job
    modules = [target.rpartition(".")[0] for target in targets]
    load([name for name in modules if _may_be_imported(name)])
    drawn()
    environment.versions()  # these three are the same for all children, and kept
    environment.source_digest()
    environment.source()
    gc.collect()
    gc.freeze()  # the collector of a child leaves alone, and so unshared, what was there before it


def drawn() -> None:
    """Draws a figure into the air: matplotlib finds its fonts in the first one, for all children."""
    from assay.figures import blank

    figure = blank(1, 1)
    figure.add_subplot().legend(handles=figure.gca().plot([0, 1], label="a"))
    figure.savefig(io.BytesIO())


def load(names: list[str]) -> None:
    for name in names:
        with suppress(Exception):  # the child that needs it will say why it cannot be imported
            importlib.import_module(name)


def _may_be_imported(name: str) -> bool:
    top = name.partition(".")[0]
    return (top in TRUSTED or top in sys.stdlib_module_names) and "__main__" not in name


def threads() -> int:
    """Threads of this process that a fork leaves: OpenBLAS, which numpy and SciPy bring, ends its own before one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 has seen those threads
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(os.listdir("/proc/self/task"))


def end_with_parent(parent: int) -> None:
    """This process gets SIGTERM when its parent ends, however that happens."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it has ended in between
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    commands, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # whatever a library prints is no answer
    os.close(null)
    for number in STOPS:  # to stop is the sweep's decision
        signal.signal(number, signal.SIG_IGN)
    return Server(commands, answers).serve()


if __name__ == "__main__":
    sys.exit(main())
