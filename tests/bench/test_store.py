from __future__ import annotations

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from gentex.bench import store as store_module
from gentex.bench.plan import Cell
from gentex.bench.store import STALE, Store, write_atomically
from gentex.errors import SuiteError

CELL = Cell("gentex:generation@1", "gentex:digits", "gan:dcgan", 0, {"steps": 1}, "data", {})


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read(CELL.hash) is None
    store.write(CELL, {"status": "ok", "scores": {"fd": 1.5}})
    record = store.read(CELL.hash)
    assert record is not None
    assert Cell(**record["cell"]) == CELL
    assert record["scores"] == {"fd": 1.5}
    assert [r["hash"] for r in store] == [CELL.hash]
    store.discard(CELL)
    assert store.read(CELL.hash) is None


def test_a_crash_while_writing_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}'])
def test_a_record_that_is_none_is_named(tmp_path: Path, content: str) -> None:
    store = Store(tmp_path)
    write_atomically(store.records / "abc.json", content)
    with pytest.raises(SuiteError, match=r"abc\.json"):
        store.read("abc")


def test_nan_cannot_get_into_a_record(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Store(tmp_path).write(CELL, {"scores": float("nan")})
    assert not list(Store(tmp_path).records.glob("*"))


def test_a_claim_is_exclusive_until_released(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.claim(CELL)
    assert not Store(tmp_path).claim(CELL)
    store.heartbeat(CELL, phase="training", fraction=0.5)
    claimed = store.claimed(CELL)
    assert claimed is not None
    assert (claimed["phase"], claimed["pid"]) == ("training", os.getpid())
    store.release(CELL)
    assert store.claimed(CELL) is None
    assert store.claim(CELL)


def test_a_claim_without_a_heartbeat_is_nobodys(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.claim(CELL)
    old = time.time() - STALE - 1
    os.utime(store.cells / CELL.hash / "claim", (old, old))
    assert store.claimed(CELL) is None
    assert store.claim(CELL)
    assert not store.claim(CELL)


def _claim(folder: str, queue: multiprocessing.Queue[bool]) -> None:
    queue.put(Store(folder).claim(CELL))


def test_of_many_processes_one_gets_the_claim(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[bool] = context.Queue()
    processes = [context.Process(target=_claim, args=(str(tmp_path), queue)) for _ in range(6)]
    for process in processes:
        process.start()
    got = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(got) == 1


def test_the_claim_file_is_json_at_every_moment(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.claim(CELL)
    path = store.cells / CELL.hash / "claim"
    for step in range(50):
        store.heartbeat(CELL, fraction=step / 50)
        assert json.loads(path.read_text())["fraction"] == step / 50
    assert store_module.HEARTBEAT < STALE / 4
