"""What tests share: installed plugins that are only pretended, and the command line."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest
from hypothesis import settings

import gentex.registry
from gentex.cli import main
from gentex.registry import Plugin, Registry

# A busy machine is no bug, and a test that passed passes again.
settings.register_profile("gentex", deadline=None, derandomize=True)
settings.load_profile("gentex")

HOOK = """
import gentex

@gentex.hookimpl
def gentex_cards():
    return {cards}
"""
CARDS = """[
    gentex.Card(name, "nowhere.at_all:Model", "One of many.", interfaces=("generator",))
    for name in {names!r}
]"""


class Site:
    """A folder of installed distributions, first on the import path."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch

    def install(
        self,
        distribution: str,
        code: str | None = None,
        *,
        cards: tuple[str, ...] = (),
        returns: str | None = None,
        plugin: str | None = None,
        entry_points: str | None = None,
        metadata: str | None = "",
    ) -> None:
        """A distribution with a plugin: of this code, or with cards of these names.

        returns: what its hook returns instead, as Python.
        plugin: the name of the entry point, by default that of the distribution.
        entry_points: the whole of entry_points.txt instead.
        metadata: more lines for METADATA; None for a distribution that has no such file.
        """
        module = distribution.replace("-", "_")
        info = self.folder / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        if metadata is not None:
            head = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{metadata}\n"
            (info / "METADATA").write_text(f"{head}\nName: not-this\n", encoding="utf-8")
        if code is None and (cards or returns):
            code = HOOK.format(cards=returns or CARDS.format(names=cards))
        if entry_points is None and code is not None:
            entry_points = f"[gentex]\n{plugin or distribution} = {module}\n"
        if entry_points is not None:
            (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
        (self.folder / f"{module}.py").write_text(dedent(code or ""), encoding="utf-8")

    def registry(self) -> Registry:
        """A fresh registry, which is that of this process for the rest of the test."""
        importlib.invalidate_caches()
        fresh = Registry()
        self._monkeypatch.setattr(gentex.registry, "_registry", lambda: fresh)
        return fresh

    def rows(self) -> dict[str, Plugin]:
        """What a fresh registry makes of the plugins installed here, by distribution."""
        here = {path.name.partition("-")[0].replace("_", "-") for path in self.folder.iterdir()}
        return {p.distribution: p for p in self.registry().plugins if p.distribution in here}

    def file(self, name: str, code: str) -> Path:
        """A file in a folder that nothing is imported from."""
        path = self.folder.parent / "work" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(code), encoding="utf-8")
        return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(gentex.registry, "_registered", {})
    before = set(sys.modules)
    yield Site(folder, monkeypatch)
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """`gentex` with arguments, in this process."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["gentex", *map(str, arguments)])
        capsys.readouterr()
        site.registry()
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def python(site: Site, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Python with arguments, in a process of its own that sees the fake distributions."""
    path = os.pathsep.join(filter(None, [str(site.folder), os.environ.get("PYTHONPATH")]))

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run
