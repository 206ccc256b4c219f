"""Whole commands, run as a user runs them."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

Bench = Callable[..., subprocess.CompletedProcess[str]]


def names(*architectures: str) -> tuple[str, ...]:
    common = ("--task", "trouble@1", "--dataset", "nothing", "--plugin", "trouble.py")
    return (*common, "--architecture", ",".join(architectures))


def records(folder: Path) -> dict[tuple[str, int], dict]:
    found = [json.loads(p.read_text()) for p in (folder / "gentex-runs/records").glob("*.json")]
    return {(r["cell"]["architecture"].partition(":")[2], r["cell"]["seed"]): r for r in found}


def test_a_cell_that_fails_is_a_record_and_the_rest_goes_on(
    bench: Bench, trouble: Path, tmp_path: Path
) -> None:
    # What hangs gets a limit of its own, so that a busy machine fails nothing else by it.
    assert bench(*names("hang"), "--time-limit", 3).returncode == 1
    wrong = ("crash", "raise", "exit", "hang")
    done = bench(*names(*wrong, "fine"), "--jobs", 3)
    assert done.returncode == 1, done.stderr
    made = records(tmp_path)
    reasons = {name: record["reason"] for (name, _), record in made.items()}
    assert "SIGSEGV" in reasons["crash"]
    assert "ValueError: a mistake in the task (trouble.py:" in reasons["raise"]
    assert "exited with code 3" in reasons["exit"]
    assert "time limit of 3 s" in reasons["hang"]
    (good,) = [r for (name, _), r in made.items() if name == "fine" and r["status"] == "ok"]
    assert good["scores"]["error"] == {
        "value": 0.25,
        "direction": "lower",
        "unit": "px",
        "floor": 0.125,
    }
    assert good["cost"]["peak_memory_bytes"] > 1e7
    assert good["provenance"]["command"].startswith("python")
    assert (tmp_path / "gentex-runs/cells" / good["hash"] / "note.txt").read_text() == "left behind"
    assert not list((tmp_path / "gentex-runs/cells").glob("*/claim"))
    assert "4 of 5 cells failed" in done.stderr

    again = bench(*names(*wrong, "fine"))
    assert "5 of 5 cells are in" in again.stdout
    assert again.returncode == 1


def test_what_is_recorded_is_not_run_again(bench: Bench, trouble: Path, tmp_path: Path) -> None:
    assert bench(*names("fine")).returncode == 0
    before = records(tmp_path)
    done = bench(*names("fine"), "--seeds", "0,1")
    assert done.returncode == 0, done.stderr
    assert "1 of 2 cells are in" in done.stdout
    after = records(tmp_path)
    assert after[("fine", 0)] == before[("fine", 0)]
    assert after[("fine", 1)]["scores"]["error"]["value"] == 1.25
    assert "0.7500 ± " in done.stdout, "the mean over two seeds, with an interval"
    page = (tmp_path / "gentex-runs/comparison.html").read_text()
    assert "0.7500 ± " in page


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_loses_the_running_cells_only(
    trouble: Path, tmp_path: Path, bench: Bench, number: signal.Signals
) -> None:
    command = [sys.executable, "-u", "-m", "gentex.bench", *names("fine", "hang")]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Tests that were started in the background have inherited that SIGINT is ignored.
        preexec_fn=functools.partial(signal.signal, number, signal.SIG_DFL),
    )
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    assert process.stdout is not None
    said = ""
    while not said.endswith("s\n") or "done" not in said:  # the first cell's line
        line = process.stdout.readline()
        assert line, said
        said += line
    process.send_signal(number)
    said += process.stdout.read()
    assert process.wait() == 130, said
    watchdog.cancel()
    assert "1 of 2 cells are in gentex-runs; the same command goes on from there" in said
    assert "Traceback" not in said
    assert set(records(tmp_path)) == {("fine", 0)}
    assert not list((tmp_path / "gentex-runs/cells").glob("*/claim"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nosuch",), "no suite 'nosuch'"),
        (("quick", "--architecture", "dcgna"), "did you mean 'dcgan"),
        (("--architecture", "dcgna"), "did you mean 'dcgan'"),
        (("--architecture", "dcgan", "--budget", "5 lightyears"), "500steps"),
        (("--architecture", "dcgan[", "--budget", "5steps"), "name[key=value"),
        (("--plugin", "nosuch.py"), "no plugin file 'nosuch.py'"),
        (("report",), "no records in"),
        (("--architecture", "dcgan", "--dataset", "folder:nowhere"), "nowhere"),
    ],
)
def test_a_users_mistake_is_a_message_and_exit_code_2(
    bench: Bench, arguments: tuple[str, ...], says: str
) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_list_and_report(bench: Bench, trouble: Path, tmp_path: Path) -> None:
    assert bench(*names("fine"), "--seeds", "0-2").returncode == 0
    listed = bench("list")
    assert "suite quick:" in listed.stdout
    assert "ok      trouble@1 · nothing · fine · seed 2" in listed.stdout
    assert "| fine | 3 | 1.250 ± " in bench("report").stdout
    assert bench("report", "--format", "csv", "-o", "out.csv").returncode == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
