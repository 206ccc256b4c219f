"""Run one cell: `python -m gentex.bench.cell STORE HASH`, a process that writes its own record."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from gentex.bench.environment import environment
from gentex.bench.plan import Cell, Job
from gentex.bench.store import COMMAND, ELSEWHERE, HEARTBEAT, Store, timestamp
from gentex.errors import GentexError
from gentex.registry import import_target, registry
from gentex.tasks.cost import peak_memory
from gentex.tasks.work import Outcome, Score, Work


def main(store_folder: str, digest: str) -> int:
    """Claim the cell, run it, write its record; the exit code."""
    store = Store(store_folder)
    content = json.loads((store.cells / digest / "job.json").read_text(encoding="utf-8"))
    job = Job(**{**content, "cell": Cell(**content["cell"])})
    if not store.claim(job.cell):
        return ELSEWHERE
    try:
        record = _run(job, store)
        store.write(job.cell, record)
    finally:
        store.release(job.cell)
    return 0 if record["status"] == "ok" else 1


def _run(job: Job, store: Store) -> dict[str, Any]:
    started, began = timestamp(), time.perf_counter()
    record: dict[str, Any] = {"status": "ok", "reason": ""}
    try:
        with _Heart(job, store) as heart:
            outcome = _outcome(job, store, heart)
        record |= _content(outcome)
    except GentexError as error:
        record |= {"status": "failed", "reason": str(error)}
    except MemoryError as error:
        record |= {"status": "failed", "reason": f"out of memory: {error}"}
    except Exception as error:
        traceback.print_exc()  # into the cell's log
        record |= {"status": "failed", "reason": _in_words(error)}
    record.setdefault("cost", {})
    record["cost"] |= {
        "cell_seconds": time.perf_counter() - began,
        "peak_memory_bytes": peak_memory(),
    }
    provenance = {"started": started, "ended": timestamp(), "command": os.environ.get(COMMAND, "")}
    return {**record, "environment": environment(), "provenance": provenance}


def _outcome(job: Job, store: Store, heart: _Heart) -> Outcome:
    for file in job.plugin_files:
        registry().add_file(file)
    cell = job.cell
    task = import_target(registry().resolve("task", cell.task))
    from gentex.factory import check_hyperparameters

    options = check_hyperparameters(task, cell.options, cell.task)
    work = Work(
        architecture=cell.architecture,
        dataset=cell.dataset,
        seed=cell.seed,
        budget=cell.budget,
        folder=store.work_folder(cell),
        hyperparameters=cell.hyperparameters,
        dataset_options=cell.dataset_options,
        training=cell.training,
        device=cell.device,
        root=None if job.root is None else Path(job.root),
        cache=store.cache,
        on_progress=heart.progress,
    )
    outcome = task(work, **options)
    if not isinstance(outcome, Outcome):
        raise GentexError(f"task {cell.task!r} returned a {type(outcome).__name__}, not an Outcome")
    return outcome


def _content(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON; a score that is not finite becomes null, as JSON has no NaN."""
    return {
        "scores": {name: _score(score) for name, score in outcome.scores.items()},
        "protocol": outcome.protocol,
        "curves": outcome.curves,
        "cost": outcome.cost,
        "items": outcome.items,
        "files": outcome.files,
        "chosen": outcome.chosen,
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "value": score.value if math.isfinite(score.value) else None,
        "direction": score.direction,
        "unit": score.unit,
        "floor": score.floor,
    }


def _in_words(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    if "out of memory" in text.lower() or "can't allocate memory" in text:
        return f"out of memory: {text} ({place})"
    return f"{type(error).__name__}: {text} ({place})"


class _Heart:
    """Tells the store every few seconds that the cell is alive and how far it is."""

    def __init__(self, job: Job, store: Store) -> None:
        self.job, self.store = job, store
        self.state: dict[str, Any] = {"phase": "starting", "fraction": 0.0, "losses": {}}
        self._stop = threading.Event()
        self._written = 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> _Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def progress(self, phase: str, fraction: float, losses: dict[str, float]) -> None:
        """Note the progress; it is written at most a few times a second."""
        self.state = {"phase": phase, "fraction": fraction, "losses": losses}
        if time.monotonic() - self._written > 0.25:
            self._write()

    def _write(self) -> None:
        with self._lock:
            self._written = time.monotonic()
            self.store.heartbeat(self.job.cell, **self.state)

    def _beat(self) -> None:
        # Whoever started the cell stops it at its limit; where that one is gone, it stops itself.
        deadline = time.monotonic() + self.job.time_limit + 30
        while not self._stop.wait(HEARTBEAT):
            self._write()
            if time.monotonic() > deadline:
                self.store.release(self.job.cell)
                os._exit(124)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
