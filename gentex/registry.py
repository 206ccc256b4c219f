"""Find plugins and resolve names, without importing torch or anybody's model code.

pluggy's own entry-point loading stops at the first plugin that fails to import and drops the second
of two plugins with one name. Here each plugin is loaded by itself, and one that is broken, shadowed
or incompatible is a row with a status and a reason.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

import pluggy

from gentex import hookspecs
from gentex.cards import INTERFACES, Card, Kind, Paper
from gentex.errors import AmbiguousNameError, PluginError, UnknownNameError, closest, unknown
from gentex.installed import EntryPoint, entry_points, satisfied

GROUP = "gentex"
_INTERFACES = "gentex.interfaces.models"
T = TypeVar("T")


@dataclass(slots=True)
class Plugin:
    """One plugin as it was found: what it contributes, or why it does not."""

    name: str
    module: str
    distribution: str = ""
    version: str = ""
    status: Literal["ok", "broken", "shadowed", "incompatible"] = "ok"
    reason: str = ""
    cards: list[Card] = field(default_factory=list)
    file: Path | None = None

    def sources(self) -> dict[str, Path]:
        """The files of the plugin by name: its one file, or all of its package, weights too."""
        if self.file is not None:
            return {self.file.name: self.file}
        try:
            spec = importlib.util.find_spec(self.module.partition(".")[0])
        except (ImportError, ValueError):  # a notebook
            return {}
        if spec is None:
            return {}
        if spec.submodule_search_locations is None:
            return {Path(spec.origin).name: Path(spec.origin)} if spec.origin else {}
        roots = map(Path, spec.submodule_search_locations)
        return {
            str(file.relative_to(root)): file
            for root in roots
            for file in root.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }

    def code_hash(self) -> str:
        """sha256 over the plugin's files, names and contents."""
        import hashlib  # listing does without, and should start at once

        digest = hashlib.sha256()
        for name, path in sorted(self.sources().items()):
            content = path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


class Found(NamedTuple):
    """What a reference stands for: the card, the plugin that has it, and the argument given."""

    plugin: Plugin
    card: Card
    argument: str

    @property
    def reference(self) -> str:
        """`plugin:name`, which always resolves, with the argument where there is one."""
        tail = f":{self.argument}" if self.argument else ""
        return f"{self.plugin.name}:{self.card.name}{tail}"


class Registry:
    """All plugins of this process: built-in, installed, and local files."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("gentex")
        self._manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        self._loading: Plugin | None = None
        builtin = Plugin("gentex", "gentex.builtin", "gentex", _version())
        self._load(builtin)
        if builtin.status != "ok":
            raise PluginError(f"gentex's own cards do not load: {builtin.reason}")
        for entry in entry_points(GROUP):
            plugin = _plugin(entry)
            if plugin.status == "ok" and (taken := self._taken(plugin.name)):
                plugin.status, plugin.reason = "shadowed", taken
            if plugin.status == "ok":
                self._load(plugin)
            else:
                self.plugins.append(plugin)

    def add_file(self, path: str | Path) -> Plugin:
        """Load a local plugin file; unlike an installed one, it must work, as it was asked for."""
        file = Path(path).expanduser().resolve()
        if not file.is_file():
            raise PluginError(f"no plugin file {str(path)!r}")
        for plugin in self.plugins:
            if plugin.file == file:
                return plugin
        if taken := self._taken(file.stem):
            raise PluginError(f"plugin file {path}: {taken}")
        identifier = re.sub(r"\W", lambda match: f"_{ord(match[0]):x}_", file.stem, flags=re.ASCII)
        plugin = Plugin(file.stem, f"gentex_file_{identifier}", file=file)
        self._load(plugin)
        if plugin.status != "ok":
            self.plugins.remove(plugin)
            raise PluginError(f"plugin file {path}: {plugin.reason}")
        return plugin

    def register(self, card: Card, module: str) -> None:
        """Add a card from running code: to the plugin being loaded, or to that of `module`."""
        within = (p for p in self.plugins if f"{module}.".startswith(f"{p.module}."))
        plugin = self._loading or next(within, None)
        if plugin is None:
            file = getattr(sys.modules.get(module), "__file__", None)
            path = Path(file).resolve() if file else None
            plugin = Plugin(path.stem if path else "notebook", module, file=path)
            if taken := self._taken(plugin.name):
                raise PluginError(f"{path or module}: {taken}")
            self.plugins.append(plugin)
        # A cell of a notebook runs again and again; the last definition counts.
        plugin.cards = [c for c in plugin.cards if (c.kind, c.name) != (card.kind, card.name)]
        plugin.cards.append(card)

    def found(self, kind: Kind) -> Iterator[Found]:
        """Every card of a kind, with its plugin."""
        for plugin in self.plugins:
            for card in plugin.cards:
                if card.kind == kind:
                    yield Found(plugin, card, "")

    def names(self, kind: Kind) -> dict[str, Found]:
        """Every card of a kind by the shortest reference that resolves to it, sorted."""
        carriers = Counter(found.card.name for found in self.found(kind))
        named = {
            found.card.name if carriers[found.card.name] == 1 else found.reference: found
            for found in self.found(kind)
        }
        return dict(sorted(named.items()))

    def resolve(self, kind: Kind, reference: str) -> Found:
        """The card that `name`, `name:ARGUMENT`, `plugin:name` or `plugin:name:ARGUMENT` names."""
        found = self.find((kind,), reference)
        if found.card.argument and not found.card.argument.startswith("[") and not found.argument:
            whole = f"{reference.rstrip(':')}:{found.card.argument}"
            raise UnknownNameError(f"{kind} {reference!r} needs an argument: {whole!r}")
        return found

    def find(self, kinds: Sequence[Kind], reference: str) -> Found:
        """The card of that name, of the first kind that has it; its argument may be left out."""
        for kind in kinds:
            matches = self._matches(kind, reference)
            if len(matches) > 1:
                raise AmbiguousNameError(
                    f"{kind} {reference!r} is in several plugins: say "
                    + " or ".join(repr(found.reference) for found in matches)
                )
            if matches:
                return matches[0]
        raise self._unknown(kinds, reference)

    def _matches(self, kind: Kind, reference: str) -> list[Found]:
        head, _, rest = reference.partition(":")
        name, _, argument = rest.partition(":")
        return [
            Found(plugin, card, given)
            for plugin, card, _ in self.found(kind)
            for wanted, given, owner in ((head, rest, None), (name, argument, head))
            if card.name == wanted
            and owner in (None, plugin.name)
            and bool(given) <= bool(card.argument)
        ]

    def _unknown(self, kinds: Sequence[Kind], reference: str) -> UnknownNameError:
        what = kinds[0] if len(kinds) == 1 else "card"
        head, _, rest = reference.partition(":")
        plugin = next((p for p in self.plugins if p.name == head), None)
        if rest and plugin is not None and plugin.status == "ok":
            own = [card.name for card in plugin.cards if card.kind in kinds]
            return UnknownNameError(f"no {what} {rest!r} in plugin {head!r}{closest(rest, own)}")
        error = unknown(what, reference, [name for kind in kinds for name in self.names(kind)])
        failed = [p for p in self.plugins if p.status != "ok"]
        if failed:
            listed = "; ".join(f"{p.name} is {p.status}: {p.reason}" for p in failed)
            error = UnknownNameError(f"{error} (plugins left out: {listed})")
        return error

    def _taken(self, name: str) -> str:
        """Why no other plugin can have this name; empty where one can."""
        first = next((other for other in self.plugins if other.name == name), None)
        if first is None:
            return ""
        return f"the plugin name {name!r} is taken by {first.distribution or first.module}"

    def _load(self, plugin: Plugin) -> None:
        self.plugins.append(plugin)
        outer, self._loading = self._loading, plugin
        _loading.append(self)
        try:
            # What it prints while it is imported must not end up in our JSON.
            with contextlib.redirect_stdout(sys.stderr):
                self._contribute(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Whatever a stranger's module raises at import is a row in the list, not our crash.
            plugin.status, plugin.reason, plugin.cards = "broken", _reason(error, plugin), []
            if self._manager.has_plugin(plugin.name):
                self._manager.unregister(name=plugin.name)
        finally:
            self._loading = outer
            _loading.pop()

    def _contribute(self, plugin: Plugin) -> None:
        module = _import_file(plugin) if plugin.file else importlib.import_module(plugin.module)
        self._manager.register(module, name=plugin.name)
        for implementation in self._manager.hook.gentex_cards.get_hookimpls():
            if implementation.plugin_name == plugin.name:
                plugin.cards = _checked(plugin.cards, implementation.function())
        if not plugin.cards:
            raise PluginError("it contributes nothing: no card from a gentex_cards hook")


_loading: list[Registry] = []
"""Registries that are importing a plugin: what it registers meanwhile is meant for the last."""


def registry() -> Registry:
    """The registry of this process, made at first use."""
    return _loading[-1] if _loading else _registry()


@functools.cache
def _registry() -> Registry:
    return Registry()


def list_architectures(
    pattern: str = "*", *, interface: str | None = None, tags: Iterable[str] = ()
) -> list[str]:
    """Names of architectures that fit a shell pattern: `list_architectures("conv*")`."""
    if interface is not None and interface not in INTERFACES:
        raise unknown("interface", interface, INTERFACES)
    tags = tuple(tags)
    named = registry().names("architecture").items()
    return [name for name, found in named if found.card.matches(pattern, interface, tags)]


def register(
    name: str,
    *,
    summary: str = "",
    kind: Kind = "architecture",
    paper: Paper | None = None,
    license: str = "",
    tags: Iterable[str] = (),
    **fields: Any,
) -> Callable[[T], T]:
    """Decorator: contribute a class or function from a script, a notebook or a plugin file.

        @gentex.register("my-gan", summary="…")
        class MyGAN(gentex.Generator): ...

    The interfaces of an architecture are read from its base classes; `fields` are the other fields
    of `Card`.
    """

    def decorate(target: T) -> T:
        ours = [b for b in getattr(target, "__mro__", ()) if b.__module__ == _INTERFACES]
        bases = {base.__name__.lower() for base in ours}
        doc = (getattr(target, "__doc__", None) or "").strip().partition("\n")[0]
        module = str(getattr(target, "__module__", "__main__"))
        card = Card(
            name,
            f"{module}:{getattr(target, '__qualname__', name)}".replace("<locals>.", ""),
            summary or doc,
            kind=kind,
            paper=paper,
            license=license,
            tags=tuple(tags),
            **{"interfaces": tuple(i for i in INTERFACES if i in bases), **fields},
        )
        _registered[card.target] = target
        registry().register(card, module)
        return target

    return decorate


_registered: dict[str, Any] = {}


def import_target(found: Found) -> Any:
    """Import what a card points to."""
    return import_path(found.card.target, f"{found.card.kind} {found.reference!r}")


def import_path(path: str, what: str) -> Any:
    """Import `module:attribute`; PluginError says `what` cannot be imported, and why."""
    if path in _registered:
        return _registered[path]
    module, _, attribute = path.partition(":")
    try:
        return functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
    except Exception as error:
        raise PluginError(
            f"{what} cannot be imported from {path}: {type(error).__name__}: {error}"
        ) from error


def _plugin(entry: EntryPoint) -> Plugin:
    """The plugin of an entry point, as far as can be said without importing it."""
    plugin = Plugin(entry.name or entry.value, entry.value, entry.distribution, entry.version)
    if not (re.fullmatch(r"[\w.-]+", entry.name) and re.fullmatch(r"[\w.]+", entry.value)):
        plugin.status = "broken"
        plugin.reason = f"entry point '{entry.name} = {entry.value}' is not 'name = module'"
    elif entry.requirement and not satisfied(entry.requirement, _version()):
        plugin.status = "incompatible"
        plugin.reason = f"needs {entry.requirement}, this is gentex {_version()}"
    return plugin


def _version() -> str:
    from gentex import __version__

    return __version__


def _import_file(plugin: Plugin) -> ModuleType:
    spec = importlib.util.spec_from_file_location(plugin.module, plugin.file)
    if spec is None or spec.loader is None:
        raise PluginError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[plugin.module] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[plugin.module]
        raise
    return module


def _checked(registered: list[Card], cards: Any) -> list[Card]:
    if not isinstance(cards, Iterable):
        raise PluginError(f"gentex_cards gave a {type(cards).__name__}, not a list of gentex.Card")
    checked = [*registered, *cards]
    for card in checked:
        if not isinstance(card, Card):
            raise PluginError(f"gentex_cards gave a {type(card).__name__}, not a gentex.Card")
    names = [(card.kind, card.name) for card in checked]
    twice = {f"{kind} {name!r}" for kind, name in names if names.count((kind, name)) > 1}
    if twice:
        raise PluginError(f"gentex_cards names twice: {', '.join(sorted(twice))}")
    return checked


def _reason(error: BaseException, plugin: Plugin) -> str:
    where = ""
    if plugin.file is not None:
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(plugin.file):
                line = trace.tb_lineno
            trace = trace.tb_next
        where = f" (line {line})" if line else ""
    text = str(error).strip().partition("\n")[0]
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}{where}"
