"""The `gentex` command."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, NoReturn

import click

from gentex.cards import INTERFACES, KINDS
from gentex.errors import GentexError, HyperparameterError
from gentex.registry import Found, import_path, import_target, registry

LAZY_COMMANDS = {
    "bench": ("gentex.bench.cli:bench", "Compare architectures: run suites, report results."),
    "train": ("gentex.commands.generation:train", "Train an architecture on a dataset."),
    "sample": ("gentex.commands.generation:sample", "Sample images from a trained generator."),
    "interpolate": (
        "gentex.commands.generation:interpolate",
        "Show what lies between samples of a trained generator.",
    ),
    "separate": (
        "gentex.commands.separation:separate",
        "Take photographs apart into structure and texture.",
    ),
}


class LazyGroup(click.Group):
    """A group whose heavier commands are imported when they are called, and not for help."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*self.commands, *LAZY_COMMANDS})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in LAZY_COMMANDS:
            return super().get_command(context, name)
        command: click.Command = import_path(LAZY_COMMANDS[name][0], f"command {name!r}")
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        own = {name: command.get_short_help_str(80) for name, command in self.commands.items()}
        lazy = {name: summary for name, (_, summary) in LAZY_COMMANDS.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**own, **lazy}.items()))


def _load_plugins(context: click.Context, option: click.Parameter, files: Sequence[str]) -> None:
    for file in files:
        registry().add_file(file)


plugin_option = click.option(
    "--plugin",
    multiple=True,
    metavar="FILE",
    callback=_load_plugins,
    expose_value=False,
    is_eager=True,
    help="A local plugin file; may be given several times.",
)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gentex")
def gentex() -> None:
    """Image generation and texture separation: architectures as plugins, one harness."""


@gentex.command("list")
@click.argument("pattern", default="*")
@click.option("--kind", type=click.Choice(KINDS), default="architecture", show_default=True)
@click.option("--interface", type=click.Choice(INTERFACES), help="Only what implements it.")
@click.option("--tag", "tags", multiple=True, help="Only what carries it; several mean all.")
@click.option("--json", "as_json", is_flag=True, help="Print cards as JSON.")
@plugin_option
def list_command(
    pattern: str, kind: Any, interface: str | None, tags: tuple[str, ...], as_json: bool
) -> None:
    """List what is installed: architectures, or another kind. PATTERN may hold * and ?."""
    rows = sorted(
        (found for found in registry().found(kind) if found.card.matches(pattern, interface, tags)),
        key=lambda found: (found.card.name, found.plugin.name),
    )
    unusable = [plugin for plugin in registry().plugins if plugin.status != "ok"]
    if as_json:
        problems = [
            {
                key: getattr(plugin, key)
                for key in ("name", "distribution", "version", "status", "reason")
            }
            for plugin in unusable
        ]
        cards = [_as_json(found) for found in rows]
        click.echo(json.dumps({"cards": cards, "unusable_plugins": problems}, indent=2))
        return
    _columns(
        [
            (
                found.card.name + (f":{found.card.argument}" if found.card.argument else ""),
                ", ".join(found.card.interfaces) or found.card.direction,
                found.plugin.name,
                found.card.summary,
            )
            for found in rows
        ],
        ("name", "interfaces" if kind == "architecture" else "", "plugin", "summary"),
    )
    for plugin in unusable:
        where = f" ({plugin.distribution} {plugin.version})" if plugin.distribution else ""
        click.echo(f"plugin {plugin.name}{where} is {plugin.status}: {plugin.reason}", err=True)


@gentex.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), default=None, help="Where the name is ambiguous.")
@click.option(
    "--image", default="3x32x32", show_default=True, help="Shape for counting parameters."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@plugin_option
def info(name: str, kind: Any, image: str, as_json: bool) -> None:
    """Show a card, with hyperparameters and the number of parameters."""
    found = _find(name, kind)
    details = _as_json(found)
    if found.card.kind == "architecture":
        details |= _architecture_details(found, image)
    if as_json:
        click.echo(json.dumps(details, indent=2, default=str))
        return
    paper = found.card.paper
    click.secho(f"{found.reference}", bold=True)
    click.echo(found.card.summary)
    shown = {
        "kind": found.card.kind,
        "interfaces": ", ".join(found.card.interfaces),
        "modality": found.card.modality,
        "paper": f"{'; '.join(paper.authors)}: {paper.title}. {paper.venue}, {paper.year}."
        if paper
        else "",
        "arXiv": paper.arxiv if paper else "",
        "DOI": paper.doi if paper else "",
        "licence": found.card.license,
        "tags": ", ".join(found.card.tags),
        "better": found.card.direction,
        "unit": found.card.unit,
        "floors": ", ".join(found.card.floors),
        "from": f"{found.plugin.distribution or found.plugin.file} {found.plugin.version}".strip(),
        "target": found.card.target,
    }
    if "parameters" in details:
        count = details["parameters"]
        shown["parameters"] = details["refusal"] if count is None else f"{count:,} at {image}"
    for key, value in shown.items():
        if value:
            click.echo(f"  {key + ':':<13} {value}")
    if details.get("hyperparameters"):
        click.echo("  hyperparameters:")
        for key, value in details["hyperparameters"].items():
            click.echo(f"    {key}: {value['type']} = {value['default']!r}")


@gentex.command()
@click.argument("names", nargs=-1, required=True)
@plugin_option
def cite(names: tuple[str, ...]) -> None:
    """Print BibTeX for architectures, metrics, datasets or tasks."""
    entries: dict[str, str] = {}
    for name in names:
        found = _find(name)
        if found.card.paper is None:
            raise GentexError(f"{found.reference} names no paper")
        entries[found.card.paper.key] = found.card.paper.bibtex
    click.echo("\n\n".join(entries.values()))


@gentex.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@plugin_option
def plugins(as_json: bool) -> None:
    """List plugins with their status, and why one is not usable."""
    found = registry().plugins
    if as_json:
        rows = [{**asdict(plugin), "cards": len(plugin.cards)} for plugin in found]
        click.echo(json.dumps(rows, indent=2, default=str))
        return
    _columns(
        [
            (
                p.name,
                p.status,
                f"{p.distribution or p.file} {p.version}".strip(),
                str(len(p.cards)),
                p.reason,
            )
            for p in found
        ],
        ("plugin", "status", "from", "cards", "reason"),
    )


def main() -> NoReturn:
    """Run the command line; a user's mistake is a message and exit code 2, not a traceback."""
    run(gentex, "gentex")


def run(command: click.Command, name: str) -> NoReturn:
    """Run a click command, with gentex's errors as messages."""
    try:
        code = command.main(prog_name=name, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GentexError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is None:
            raise  # of no file or folder that was named
        click.echo(f"{name}: {error.filename}: {error.strerror}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _find(name: str, kind: Any = None) -> Found:
    """The card of that name: of that kind, or of the first kind that has it."""
    return registry().find([kind] if kind else KINDS, name)


def _as_json(found: Found) -> dict[str, Any]:
    card: dict[str, Any] = asdict(found.card)
    if found.card.paper is not None:
        card["paper"]["bibtex"] = found.card.paper.bibtex
    origin = {"name": found.plugin.name, "distribution": found.plugin.distribution}
    return {**card, "reference": found.reference, "plugin": origin}


def _architecture_details(found: Found, image: str) -> dict[str, Any]:
    import inspect

    from gentex.factory import create, hyperparameters

    cls = import_target(found)
    listed = {
        name: {
            "type": inspect.formatannotation(parameter.annotation).replace("'", ""),
            "default": None if parameter.default is parameter.empty else parameter.default,
        }
        for name, parameter in hyperparameters(cls).items()
    }
    details = {"hyperparameters": listed, "image": list(parse_shape(image))}
    try:
        model = create(found.reference, image=parse_shape(image), seed=0)
    except HyperparameterError as error:
        return {**details, "parameters": None, "refusal": str(error)}
    return {**details, "parameters": sum(p.numel() for p in model.parameters())}


def parse_shape(text: str) -> tuple[int, ...]:
    """`3x32x32` as a shape."""
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) != 3 or not all(side.strip().isdecimal() for side in sides):
        raise GentexError(f"image shape {text!r}: say it as CHANNELSxHEIGHTxWIDTH, such as 3x32x32")
    return tuple(int(side) for side in sides)


def _columns(rows: Iterable[Sequence[str]], headings: Sequence[str]) -> None:
    """Aligned columns; the last one is wrapped to the terminal's width."""
    table = [tuple(headings), *map(tuple, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(headings) - 1)]
    left = sum(widths) + 2 * len(widths)
    room = 10**6
    if sys.stdout.isatty():
        import shutil  # only a terminal needs it

        room = max(24, shutil.get_terminal_size((100, 24)).columns - left)
    for number, row in enumerate(table):
        head = "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        lines = textwrap.wrap(row[-1], room) or [""]
        text = ("\n" + " " * left).join(lines)
        click.secho((head + text).rstrip(), bold=number == 0)
