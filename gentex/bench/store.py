"""The store: a folder of records, the truth about what has been run.

    STORE/records/HASH.json   the result of a cell, written once, atomically
    STORE/cells/HASH/         what the cell leaves beside it: job.json, log.txt, samples.png, ...
    STORE/cells/HASH/claim    there while a process works on the cell; its age is the heartbeat
    STORE/cache/              what cells have in common and could compute again; may be deleted

Any number of processes and hosts may share a store on one file system: a cell is claimed by
creating its claim exclusively, and a claim without a heartbeat is nobody's.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gentex.bench.plan import Cell, Job
from gentex.errors import SuiteError

HEARTBEAT = 5.0
"""Seconds between two heartbeats of a running cell."""
STALE = 60.0
"""Seconds without a heartbeat after which a claim no longer counts."""

ELSEWHERE = 75
"""Exit code of a cell that another process is already working on (EX_TEMPFAIL)."""
COMMAND = "GENTEX_BENCH_COMMAND"
"""Environment variable in which the harness tells a cell the command that the user gave."""

Record = dict[str, Any]
"""The result of one cell as JSON: status, reason, cell, scores, curves, cost, environment, ..."""


class Store:
    """Records by the hash of their cell."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.records = self.folder / "records"
        self.cells = self.folder / "cells"
        self.cache = self.folder / "cache"

    def read(self, digest: str) -> Record | None:
        """The record of a cell, or None where it has not been run."""
        path = self.records / f"{digest}.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise SuiteError(f"record {path} cannot be read: {error}") from None
        if not isinstance(record, dict) or record.get("format") != 1:
            raise SuiteError(f"record {path} is not in a format that this gentex knows")
        return record

    def __iter__(self) -> Iterator[Record]:
        """Every record, in the order of the hashes."""
        for path in sorted(self.records.glob("*.json")):
            record = self.read(path.stem)
            if record is not None:
                yield record

    def write(self, cell: Cell, record: Record) -> None:
        """Write a record whole or not at all."""
        content = {"format": 1, "hash": cell.hash, "cell": asdict(cell), **record}
        text = json.dumps(content, indent=1, allow_nan=False, default=str)
        write_atomically(self.records / f"{cell.hash}.json", text)

    def discard(self, cell: Cell) -> None:
        """Forget the record of a cell, so that it is run again."""
        (self.records / f"{cell.hash}.json").unlink(missing_ok=True)

    def work_folder(self, cell: Cell) -> Path:
        """The folder that the cell writes into."""
        folder = self.cells / cell.hash
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write_job(self, job: Job) -> Path:
        """Leave the job where its process reads it."""
        path = self.work_folder(job.cell) / "job.json"
        write_atomically(path, json.dumps(asdict(job), indent=1, default=str))
        return path

    def claim(self, cell: Cell) -> bool:
        """Take the cell for this process; False where another one has it."""
        path = self._claim(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and self.claimed(cell) is None:
            path.unlink(missing_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                json.dump({"host": socket.gethostname(), "pid": os.getpid()}, file)
        except FileExistsError:
            return False
        return True

    def heartbeat(self, cell: Cell, **progress: Any) -> None:
        """Say that the cell is alive, and how far it is."""
        owner = {"host": socket.gethostname(), "pid": os.getpid()}
        write_atomically(self._claim(cell), json.dumps({**owner, **progress}), durable=False)

    def claimed(self, cell: Cell) -> dict[str, Any] | None:
        """Who works on a cell, and how far it is; None where nobody does."""
        path = self._claim(cell)
        try:
            age = self._now() - path.stat().st_mtime
            owner: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:  # just created, not yet written
            owner = {}
        return owner if age < STALE else None

    def release(self, cell: Cell) -> None:
        """Give the cell back."""
        self._claim(cell).unlink(missing_ok=True)

    def _claim(self, cell: Cell) -> Path:
        return self.cells / cell.hash / "claim"

    def _now(self) -> float:
        """The time by the clock of the file system, which all hosts share."""
        with tempfile.NamedTemporaryFile(dir=self.cells) as file:
            return os.fstat(file.fileno()).st_mtime


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """A temporary file in the same folder, fsync where `durable`, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def timestamp() -> str:
    """The time now, UTC, as a record states it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
