"""Find plugins and resolve names, without importing torch or anybody's model code.

pluggy's own entry-point loading stops at the first plugin that fails to import and drops the second
of two plugins with one name. Here each plugin is loaded by itself, and one that is broken, shadowed
or incompatible is a row with a status and a reason.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

import pluggy

from gentex import hookspecs
from gentex.cards import INTERFACES, Card, Kind, Paper
from gentex.errors import AmbiguousNameError, PluginError, UnknownNameError, closest, unknown

GROUP = "gentex"
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

    def sources(self) -> list[Path]:
        """The Python files of the plugin: its file, or every module of its package."""
        if self.file is not None:
            return [self.file]
        spec = importlib.util.find_spec(self.module.partition(".")[0])
        if spec is None or spec.origin is None:
            return []
        root = Path(spec.origin)
        return sorted(root.parent.rglob("*.py")) if root.name == "__init__.py" else [root]

    def code_hash(self) -> str:
        """sha256 over the plugin's source files, names and contents."""
        digest = hashlib.sha256()
        sources = self.sources()
        for path in sources:
            name = path.relative_to(sources[0].parent) if self.file is None else path.name
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
        builtin = Plugin("gentex", "gentex.builtin", distribution="gentex")
        self._load(builtin)
        if builtin.status != "ok":
            raise PluginError(f"gentex's own cards do not load: {builtin.reason}")
        for plugin, requirement in _installed():
            if any(other.name == plugin.name for other in self.plugins):
                first = next(other for other in self.plugins if other.name == plugin.name)
                plugin.status = "shadowed"
                plugin.reason = f"the plugin name is taken by {first.distribution or first.module}"
                self.plugins.append(plugin)
            elif requirement and not _satisfied(requirement):
                plugin.status = "incompatible"
                plugin.reason = f"needs {requirement}, this is gentex {_version()}"
                self.plugins.append(plugin)
            else:
                self._load(plugin)

    def add_file(self, path: str | Path) -> Plugin:
        """Load a local plugin file; unlike an installed one, it must work, as it was asked for."""
        file = Path(path).expanduser().resolve()
        if not file.is_file():
            raise PluginError(f"no plugin file {str(path)!r}")
        for plugin in self.plugins:
            if plugin.file == file:
                return plugin
        taken = next((other for other in self.plugins if other.name == file.stem), None)
        if taken is not None:
            where = taken.distribution or taken.module
            raise PluginError(
                f"plugin file {file.name}: the plugin name {file.stem!r} is taken by {where}"
            )
        plugin = Plugin(
            file.stem, f"gentex_file_{re.sub(r'[^0-9A-Za-z_]', '_', file.stem)}", file=file
        )
        self._load(plugin)
        if plugin.status != "ok":
            self.plugins.remove(plugin)
            raise PluginError(f"plugin file {path}: {plugin.reason}")
        return plugin

    def register(self, card: Card, module: str) -> None:
        """Add a card from running code: to the plugin being loaded, or to that of `module`."""
        plugin = self._loading or next((p for p in self.plugins if p.module == module), None)
        if plugin is None:
            file = getattr(sys.modules.get(module), "__file__", None)
            path = Path(file).resolve() if file else None
            plugin = Plugin(path.stem if path else "notebook", module, file=path)
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

    def names(self, kind: Kind) -> list[str]:
        """The shortest reference that resolves, for every card of a kind, sorted."""
        every = [found.card.name for found in self.found(kind)]
        return sorted(
            found.card.name if every.count(found.card.name) == 1 else found.reference
            for found in self.found(kind)
        )

    def resolve(self, kind: Kind, reference: str) -> Found:
        """The card that `name`, `name:ARGUMENT`, `plugin:name` or `plugin:name:ARGUMENT` names."""
        head, _, rest = reference.partition(":")
        name, _, argument = rest.partition(":")
        matches = [
            Found(plugin, card, given)
            for plugin, card, _ in self.found(kind)
            for wanted, given, owner in ((head, rest, None), (name, argument, head))
            if card.name == wanted
            and owner in (None, plugin.name)
            and bool(given) <= bool(card.argument)
        ]
        if not matches:
            raise self._unknown(kind, reference)
        if len(matches) > 1:
            raise AmbiguousNameError(
                f"{kind} {reference!r} is in several plugins: say "
                + " or ".join(repr(found.reference) for found in matches)
            )
        found = matches[0]
        if found.card.argument and not found.argument:
            raise UnknownNameError(
                f"{kind} {reference!r} needs an argument: '{reference}:{found.card.argument}'"
            )
        return found

    def _unknown(self, kind: Kind, reference: str) -> UnknownNameError:
        head, _, rest = reference.partition(":")
        plugin = next((p for p in self.plugins if p.name == head), None)
        if rest and plugin is not None:
            own = [card.name for card in plugin.cards if card.kind == kind]
            return UnknownNameError(f"no {kind} {rest!r} in plugin {head!r}{closest(rest, own)}")
        error = unknown(kind, reference, self.names(kind))
        failed = [p for p in self.plugins if p.status != "ok"]
        if failed:
            listed = "; ".join(f"{p.name} is {p.status}: {p.reason}" for p in failed)
            error = UnknownNameError(f"{error} (plugins left out: {listed})")
        return error

    def _load(self, plugin: Plugin) -> None:
        self.plugins.append(plugin)
        outer, self._loading = self._loading, plugin
        try:
            module = _import_file(plugin) if plugin.file else importlib.import_module(plugin.module)
            self._manager.register(module, name=plugin.name)
            for implementation in self._manager.hook.gentex_cards.get_hookimpls():
                if implementation.plugin_name == plugin.name:
                    plugin.cards += _checked(implementation.function())
            if not plugin.cards:
                raise PluginError("it contributes nothing: no card from a gentex_cards hook")
        except (Exception, SystemExit) as error:
            # Whatever a stranger's module raises at import is a row in the list, not our crash.
            plugin.status, plugin.reason, plugin.cards = "broken", _reason(error, plugin), []
            if self._manager.has_plugin(plugin.name):
                self._manager.unregister(name=plugin.name)
        finally:
            self._loading = outer


@functools.cache
def registry() -> Registry:
    """The registry of this process, made at first use."""
    return Registry()


def list_architectures(
    pattern: str = "*", *, interface: str | None = None, tags: Iterable[str] = ()
) -> list[str]:
    """Names of architectures that fit a shell pattern: `list_architectures("conv*")`."""
    if interface is not None and interface not in INTERFACES:
        raise unknown("interface", interface, INTERFACES)
    tags = tuple(tags)
    fitting = {
        found.reference
        for found in registry().found("architecture")
        if found.card.matches(pattern, interface, tags)
    }
    return [
        name
        for name in registry().names("architecture")
        if registry().resolve("architecture", name).reference in fitting
    ]


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
        bases = {base.__name__.lower() for base in getattr(target, "__mro__", ())}
        doc = (getattr(target, "__doc__", None) or "").strip().partition("\n")[0]
        module = str(getattr(target, "__module__", "__main__"))
        card = Card(
            name,
            f"{module}:{getattr(target, '__qualname__', name)}".replace("<locals>.", ""),
            summary or doc,
            kind=kind,
            interfaces=tuple(i for i in INTERFACES if i in bases),
            paper=paper,
            license=license,
            tags=tuple(tags),
            **fields,
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


def _installed() -> Iterator[tuple[Plugin, str]]:
    """Plugins of all installed distributions, with the version of gentex each requires."""
    rows: dict[tuple[str, str], tuple[Plugin, str]] = {}
    for distribution in importlib.metadata.distributions():
        text = distribution.read_text("entry_points.txt")
        if not text or f"[{GROUP}]" not in text.replace(" ", ""):
            continue  # parsing the entry points of every distribution would double the time
        head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
        fields = dict(re.findall(r"^(Name|Version): *(.*?)\s*$", head, re.MULTILINE))
        name = fields.get("Name", "?")
        requires = re.search(r"^Requires-Dist: *gentex\b(?!-)([^;\n]*)", head, re.MULTILINE)
        requirement = f"gentex{requires[1].strip()}" if requires and requires[1].strip() else ""
        for entry in distribution.entry_points.select(group=GROUP):
            plugin = Plugin(entry.name, entry.module, name, fields.get("Version", ""))
            # The same distribution may lie on the path twice; as for imports, the first counts.
            rows.setdefault((name, entry.name), (plugin, requirement))
    for key in sorted(rows):
        yield rows[key]


def _satisfied(requirement: str) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(requirement).specifier.contains(_version(), prereleases=True)
    except InvalidRequirement:
        return False


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


def _checked(cards: Any) -> list[Card]:
    checked = list(cards)
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
