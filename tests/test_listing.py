"""Cards are listed, searched and cited at once: without torch, and into any pipe."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("option", [[], ["--json"]], ids=str)
def test_a_closed_pipe_is_no_error(site, option):
    site.install("many", cards=tuple(f"model-{n}" for n in range(2000)))
    with subprocess.Popen(
        [sys.executable, "-m", "gentex", "list", *option],
        env={**os.environ, "PYTHONPATH": str(site.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.fixture
def crowd(site):
    """20 plugins among 100 distributions."""
    paper = "gentex.Paper('Crowds', ('Doe, Jane',), 2020, 'Journal of Crowds', 'doe2020')"
    site.install(
        "crowd-0", returns=f"[gentex.Card('cited', 'a:B', '…', kind='metric', paper={paper})]"
    )
    for number in range(1, 20):
        cards = tuple(f"model-{number}-{n}" for n in range(5))
        site.install(f"crowd-{number}", cards=cards, metadata="Requires-Dist: gentex>=0.0.1")
    for number in range(80):
        scripts = f"[console_scripts]\nscript-{number} = other_{number}:main\n"
        site.install(f"other-{number}", entry_points=scripts if number % 2 else None)
    return site


HEAVY = """
import sys
sys.argv = ["gentex", {arguments}]
from gentex.cli import main
try:
    main()
finally:
    print(*{{"torch", "torchvision", "timm", "numpy"}} & sys.modules.keys(), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", ["list", "plugins", "cite cited", "bench list", "list --json"]
)
def test_nothing_heavy_is_imported_for_cards(python, crowd, arguments):
    code = HEAVY.format(arguments=", ".join(map(repr, arguments.split())))
    result = python("-c", code)
    assert (result.returncode, result.stderr.strip()) == (0, ""), result.stderr
    if "list" in arguments and "bench" not in arguments:
        assert "model-19-4" in result.stdout


def cpu_seconds(*arguments: str, environment: dict[str, str], folder: Path) -> float:
    """The processor time of a process, which does not grow when the machine is shared."""
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, cwd=folder, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="processor time of a child needs wait4")
def test_listing_takes_at_most_twelve_times_a_bare_python(crowd, tmp_path):
    environment = {
        **os.environ,
        "PYTHONPATH": str(crowd.folder),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(tmp_path / "cache"),  # compiled once, as after an installation
    }
    tries = {("-c", "pass"): [], ("-m", "gentex", "list"): []}
    for _ in range(8):
        for arguments, times in tries.items():
            times.append(cpu_seconds(*arguments, environment=environment, folder=tmp_path))
    bare, listing = (min(times) for times in tries.values())
    assert listing <= 12 * bare, f"{1000 * listing:.0f} ms against {1000 * bare:.0f} ms"
