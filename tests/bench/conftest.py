"""A plugin file whose tasks and architectures misbehave in every way, and records made by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TROUBLE = """
import os, signal, time
import torch
import gentex
from gentex.tasks import Outcome, Score


class Still(gentex.Generator):
    def __init__(self, image=None, *, level: float = 0.5):
        super().__init__()
        self.level = level

    def sample(self, n, *, rng=None, condition=None):
        return gentex.randn((n, 1, 8, 8), rng=rng).mul(0.01).add(self.level).clamp(0, 1)


for name in ("fine", "crash", "hang", "raise", "exit"):
    cls = type(name, (Still,), {"__module__": __name__})
    gentex.register(name, summary="as it says", license="MIT")(cls)


@gentex.register("nothing", kind="dataset", summary="no data at all")
def nothing(*, split: str, argument: str, root=None, size: int = 8):
    raise AssertionError("this task looks at no data")


@gentex.register("trouble@1", kind="task", summary="does what the architecture is called")
def trouble(work, *, seconds: float = 0.0):
    name = work.architecture.partition(":")[2]
    time.sleep(0)
    work.on_progress("working", 0.5, {"loss": 1.0})
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "exit":
        os._exit(3)
    if name == "raise":
        raise ValueError("a mistake in the task")
    while name == "hang":
        signal.pause()
    (work.folder / "note.txt").write_text("left behind")
    return Outcome(
        {"error": Score(0.25 + work.seed, "lower", "px", floor=0.125)},
        protocol={"N": 1},
        curves={"loss": [(1, 2.0), (2, 1.0)]},
    )
"""


@pytest.fixture
def trouble(tmp_path: Path) -> Path:
    path = tmp_path / "trouble.py"
    path.write_text(TROUBLE)
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m gentex.bench` as a user does, in a folder of its own."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gentex.bench", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment},
        )

    return run


@pytest.fixture
def make_record() -> Callable[..., dict[str, Any]]:
    """A record as a cell would have written it."""

    def make(
        architecture: str = "gan:dcgan",
        seed: int = 0,
        value: float | None = 1.0,
        *,
        status: str = "ok",
        protocol: dict[str, Any] | None = None,
        cost: dict[str, Any] | None = None,
        **cell: Any,
    ) -> dict[str, Any]:
        content = {
            "task": "gentex:generation@1",
            "dataset": "gentex:digits",
            "architecture": architecture,
            "seed": seed,
            "budget": {"steps": 10},
            "data": "d",
            "code": {},
            "dataset_options": {},
            "hyperparameters": {},
            "training": {},
            "options": {},
            "device": "auto",
            **cell,
        }
        record: dict[str, Any] = {
            "format": 1,
            "hash": f"{architecture}-{seed}-{value}",
            "status": status,
            "reason": "" if status == "ok" else "it broke",
            "cell": content,
            "environment": {"python": "3", "packages": {}, "commit": None, "accelerator": None}
            | dict.fromkeys(("gentex", "cpu", "cores", "threads"), "?"),
        }
        if status == "ok":
            record |= {
                "scores": {
                    "fd": {"value": value, "direction": "lower", "unit": "", "floor": 0.1},
                    "correlation": {"value": 0.5, "direction": "", "unit": "", "floor": None},
                },
                "protocol": protocol or {"N": 100},
                "cost": cost or {"steps": 10, "parameters": 5},
                "curves": {"loss": [[1, 2.0], [2, 1.0]]},
                "files": {},
            }
        return record

    return make
