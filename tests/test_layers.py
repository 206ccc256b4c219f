"""Arrows point down, and plugins stand on public names only."""

import ast
import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import gentex
import gentex.data
from gentex.cli import LAZY_COMMANDS
from gentex.registry import Registry, import_path

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))

PUBLIC = {
    "gentex": set(gentex.__all__),
    "gentex.data": set(gentex.data.__all__),
    "gentex.errors": {name for name in vars(gentex.errors) if not name.startswith("_")},
}
"""What plugins may use; `gentex.testing` is for their tests."""


def lint(config: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    cli = pytest.importorskip("importlinter.cli", reason="import-linter is not installed")
    code = cli.lint_imports(config_filename=str(config), no_cache=True)
    return code, capsys.readouterr().out


def test_imports_keep_to_the_layers(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    code, report = lint(ROOT / "pyproject.toml", capsys)
    assert code == 0, report


def test_an_arrow_upwards_would_be_seen(capsys, tmp_path):
    config = tmp_path / "upside-down.toml"
    config.write_text(
        "[tool.importlinter]\nroot_package = 'gentex'\nexclude_type_checking_imports = true\n"
        "[[tool.importlinter.contracts]]\nname = 'Upside down'\ntype = 'layers'\n"
        "layers = ['gentex.cards', 'gentex.registry', 'gentex.bench']\n"
    )
    code, report = lint(config, capsys)
    assert code == 1
    assert "gentex.registry is not allowed to import gentex.cards" in " ".join(report.split())


# What is imported by name only when it is used is invisible to the linter.


@pytest.mark.parametrize("name", gentex.__all__)
def test_every_public_name_is_there(name):
    assert getattr(gentex, name) is not None
    assert name in dir(gentex)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'creat'"):
        gentex.creat  # noqa: B018 - that it raises is the point


@pytest.mark.parametrize("command", LAZY_COMMANDS)
def test_every_command_is_there(command):
    assert import_path(LAZY_COMMANDS[command][0], command).name == command


def test_everything_the_core_contributes_is_there():
    cards = Registry().plugins[0].cards
    assert {card.kind for card in cards} >= {"dataset", "metric", "task", "features"}
    for card in cards:
        for target in filter(None, (card.target, card.fingerprint)):
            assert callable(import_path(target, card.name))


# Plugins


def sources(folder: Path) -> list[Path]:
    return sorted(folder.glob("gentex_*/**/*.py"))


def used(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """(module, name, line) of everything that is imported; the name is empty for a whole module."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                modules.add(alias.asname or alias.name)
                yield alias.name, "", node.lineno
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{'.' * node.level}{node.module or ''}", alias.name, node.lineno
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            module = ast.unparse(node.value)
            if module in modules and module.partition(".")[0] == "gentex":
                yield module, node.attr, node.lineno


def private(tree: ast.AST) -> list[str]:
    """What of gentex is imported that is not public."""
    return [
        f"line {line}: {module}{'.' if name else ''}{name}"
        for module, name, line in used(tree)
        if module.partition(".")[0] == "gentex"
        and (name not in PUBLIC.get(module, set()) if name else module not in PUBLIC)
        and f"{module}.{name}" not in PUBLIC
    ]


def test_private_imports_are_seen():
    code = (
        "import gentex, gentex.cli, numpy\n"
        "from gentex import Generator, data, factory\n"
        "from gentex.errors import DataError, Nothing\n"
        "from gentex.interfaces.noise import randn\n"
        "gentex.create, gentex.registry.registry, numpy.zeros\n"
    )
    assert private(ast.parse(code)) == [
        "line 1: gentex.cli",
        "line 2: gentex.factory",
        "line 3: gentex.errors.Nothing",
        "line 4: gentex.interfaces.noise.randn",
        "line 5: gentex.registry",
    ]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_public_names_and_no_other_plugin(plugin):
    project = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = {need.replace("-", "_") for need in project["dependencies"]}
    own = {path.name for path in plugin.glob("gentex_*")}
    assert "gentex" in needs
    assert own
    for path in sources(plugin):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert private(tree) == [], path.relative_to(ROOT)
        others = {module.partition(".")[0] for module, _, _ in used(tree)}
        strangers = {name for name in others if name.startswith("gentex_")} - own - needs
        assert not strangers, path.relative_to(ROOT)


def test_the_core_imports_no_plugin():
    for path in sorted((ROOT / "gentex").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = [module for module, _, _ in used(tree) if module.startswith("gentex_")]
        assert not found, path.relative_to(ROOT)


def test_the_cards_of_plugins_need_no_torch():
    modules = {}
    for plugin in PLUGINS:
        project = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        modules |= project["entry-points"]["gentex"]
    code = f"""
import importlib, sys
for module in {sorted(modules.values())}:
    cards = importlib.import_module(module).gentex_cards()
    print(module, len(cards), *{{"torch", "torchvision", "timm", "numpy"}} & sys.modules.keys())
"""
    path = os.pathsep.join(map(str, [*PLUGINS, os.environ.get("PYTHONPATH", "")]))
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for line in result.stdout.splitlines():
        module, count, *heavy = line.split()
        assert int(count) > 0, module
        assert not heavy, module


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_every_architecture_of_a_plugin_is_there(plugin):
    """Its targets can be imported, where the plugin is installed."""
    found = {p.name: p for p in Registry().plugins}.get(plugin.name)
    if found is None:
        pytest.skip(f"the plugin {plugin.name!r} is not installed")
    assert (found.status, found.reason) == ("ok", "")
    for card in found.cards:
        module, _, name = card.target.partition(":")
        assert hasattr(importlib.import_module(module), name)
