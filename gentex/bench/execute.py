"""Execute cells, each as a process of its own, so that none can take another down."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from gentex.bench.plan import Job
from gentex.bench.store import COMMAND, ELSEWHERE, Store, timestamp

POLL = 0.2


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job: it started, went on, was found elsewhere, or ended."""

    job: Job
    what: Literal["started", "progress", "elsewhere", "ended"]
    state: dict[str, Any]


class Executor(Protocol):
    """What runs jobs until each has its record in the store; this machine is one, `local`."""

    def __call__(
        self,
        jobs: Sequence[Job],
        store: Store,
        *,
        workers: int,
        on_event: Callable[[Event], None],
    ) -> None:
        """Run the jobs, `workers` at a time, telling what happens."""


def local(
    jobs: Sequence[Job],
    store: Store,
    *,
    workers: int = 1,
    on_event: Callable[[Event], None] = lambda _: None,
) -> None:
    """Run jobs on this machine, `workers` at a time, the cores shared out among them.

    A cell that crashes, hangs beyond its time limit or is killed gets a failed record with the
    reason. On KeyboardInterrupt (and SIGTERM) the running cells are stopped and leave no record.
    """
    waiting = list(jobs)
    running: dict[str, _Running] = {}
    with _terminable():
        try:
            while waiting or running:
                for job in waiting[:]:
                    if len(running) < workers and store.claimed(job.cell) is None:
                        waiting.remove(job)
                        running[job.cell.hash] = _Running(job, store, workers)
                        on_event(Event(job, "started", {}))
                time.sleep(POLL)
                for digest, process in list(running.items()):
                    job, state = process.job, process.poll()
                    if state is None:
                        on_event(Event(job, "progress", store.claimed(job.cell) or {}))
                        continue
                    del running[digest]
                    if state == "elsewhere":
                        on_event(Event(job, "elsewhere", {}))
                        waiting.append(job)
                    else:
                        on_event(Event(job, "ended", store.read(digest) or {}))
                waiting = [job for job in waiting if not _done_elsewhere(job, store, on_event)]
        finally:
            for process in running.values():
                process.stop()


def _done_elsewhere(job: Job, store: Store, on_event: Callable[[Event], None]) -> bool:
    """Whether another process has written the record of a waiting job meanwhile."""
    if not (store.records / f"{job.cell.hash}.json").exists():
        return False
    on_event(Event(job, "ended", store.read(job.cell.hash) or {}))
    return True


class _Running:
    """The process of one cell, in a session of its own."""

    def __init__(self, job: Job, store: Store, workers: int) -> None:
        self.job, self.store = job, store
        self.began, self.started = time.monotonic(), timestamp()
        self.log = store.write_job(job).with_name("log.txt")
        threads = str(max(1, (os.cpu_count() or 1) // workers))
        shared_out = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        command = [sys.executable, "-m", "gentex.bench.cell", str(store.folder), job.cell.hash]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**shared_out, **os.environ, COMMAND: command_line()},
            )

    def poll(self) -> Literal["ended", "elsewhere"] | None:
        """None while it runs; otherwise how it ended, with a record in the store if it did."""
        code = self.process.poll()
        spent = time.monotonic() - self.began
        if code is None and spent > self.job.time_limit:
            self.stop()
            self._fail(f"time limit of {self.job.time_limit:g} s reached")
            return "ended"
        if code is None:
            return None
        if code == ELSEWHERE:
            return "elsewhere"
        if not (self.store.records / f"{self.job.cell.hash}.json").exists():
            self._fail(self._death(code))
        return "ended"

    def stop(self) -> None:
        """Kill the process and everything it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.store.release(self.job.cell)

    def _death(self, code: int) -> str:
        if code == -signal.SIGKILL:
            return "killed (SIGKILL): the system was probably out of memory"
        tail = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        said = f": {tail[0][:300]}" if tail else ""
        if code < 0:
            return f"crashed with {signal.Signals(-code).name}{said}"
        return f"exited with code {code} and no record{said}"

    def _fail(self, reason: str) -> None:
        self.store.release(self.job.cell)
        provenance = {"started": self.started, "ended": timestamp()}
        cost = {"cell_seconds": time.monotonic() - self.began}
        content = {"status": "failed", "reason": reason, "cost": cost, "provenance": provenance}
        self.store.write(self.job.cell, content)


def command_line() -> str:
    """The command that started this process, without the folders where its programs lie."""
    return shlex.join([Path(sys.orig_argv[0]).name, *sys.orig_argv[1:]])


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM interrupts as Ctrl-C does, so that no cell is left behind."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
