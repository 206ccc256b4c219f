"""`gentex train`, `gentex sample` and `gentex interpolate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from gentex.bench.suite import Budget, Entry, parse_budget, parse_entry
from gentex.cli import plugin_option
from gentex.data.load import load_dataset
from gentex.errors import GentexError
from gentex.factory import create, load, save
from gentex.interfaces import Generator
from gentex.pictures import write_image, write_sheet
from gentex.sampling import evaluations
from gentex.sampling import interpolate as draw_between
from gentex.sampling import sample as draw
from gentex.training import PRECISIONS, Progress
from gentex.training import train as fit


@click.command()
@click.argument("architecture")
@click.option("--dataset", default="photo-textures", show_default=True, help="'name[size=64]'.")
@click.option(
    "--budget", default="1000steps", show_default=True, help="500steps, 20000images, 60s."
)
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True)
@click.option("--compile", is_flag=True, help="Through torch.compile.")
@click.option("--ema", type=float, help="Decay of the averaged weights that the model ends with.")
@click.option("--clip-grad-norm", type=float)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Else GENTEX_DATA.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="RUN"
)
@plugin_option
def train(
    architecture: str, dataset: str, budget: str, data: Path | None, output: Path, **options: Any
) -> None:
    """Train ARCHITECTURE, a name or 'name[width=32]', and leave the model in the folder RUN.

    A run that was interrupted goes on from its last checkpoint when it is called again.
    """
    wanted, source, limit = _entry(architecture), _entry(dataset), _budget(budget)
    images = load_dataset(source.name, "train", root=data, **source.parameters)
    model = create(wanted.name, image=images.image, seed=options["seed"], **wanted.parameters)
    console = Console(stderr=True)
    for skipped in images.skipped:
        console.print(f"skipped {skipped.path}: {skipped.reason}", markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(str(wanted), total=1.0)

        def show(progress: Progress) -> None:
            losses = " ".join(f"{name}={value:.3g}" for name, value in progress.losses.items())
            text = f"{wanted.name} step {progress.step} {losses}"
            bars.update(bar, completed=progress.fraction, description=text)

        history = fit(
            model,
            images,
            **limit.model_dump(exclude_none=True),
            checkpoint=output / "checkpoint.pt",
            on_progress=show,
            **options,
        )
    save(model, output)
    speed = history.images / max(history.seconds, 1e-9)
    click.echo(f"{wanted}: {history.steps} steps, {speed:.0f} images/s; model in {output}")


Command = TypeVar("Command", bound=Callable[..., Any])


def _drawing(command: Command) -> Command:
    """What all commands that draw images take: RUN, a seed, and the keywords of `_opened`."""
    for parameter in (
        plugin_option,
        click.option(
            "--truncation",
            type=click.FloatRange(min=0, min_open=True),
            help="Noise from |z| up to this only, where the model has it: typical, less varied.",
        ),
        click.option(
            "--class", "label", type=click.IntRange(min=0), help="Of all, by a conditional model."
        ),
        click.option("--device", default="cpu", show_default=True),
        click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True),
        click.option("--seed", type=int, default=0, show_default=True),
        click.argument("run", type=click.Path(path_type=Path)),
    ):
        command = parameter(command)
    return command


@click.command()
@click.option("-n", "count", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A file for one sheet of all, or a folder (no ending) for a PNG of each.",
)
@_drawing
def sample(run: Path, count: int, output: Path, seed: int, **options: Any) -> None:
    """Sample images from the generator in the folder RUN.

    Image i of a seed is the same however many are drawn and whatever the batch size.
    """
    model, drawing = _opened(run, count, **options)
    images = draw(model, count, seed=seed, **drawing)
    if output.suffix:
        write_sheet(output, images)
    else:
        for index, image in enumerate(images):
            write_image(output / f"{seed}-{index:05}.png", image)
    spent = evaluations(model)
    cost = "" if spent is None else f", {spent:.4g} evaluations of the network each"
    click.echo(f"{count} images in {output}{cost}")


@click.command()
@click.option("-n", "rows", type=click.IntRange(min=1), default=8, show_default=True)
@click.option(
    "--steps", type=click.IntRange(min=2), default=8, show_default=True, help="Images in a row."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A file."
)
@_drawing
def interpolate(run: Path, rows: int, steps: int, output: Path, seed: int, **options: Any) -> None:
    """Show what lies between the samples of the generator in the folder RUN, as one sheet.

    Row i goes from image i of the seed, as gentex sample draws it, to image i + 1, by spherical
    interpolation of the noise.
    """
    model, drawing = _opened(run, rows + 1, **options)
    images = draw_between(model, rows, steps, seed=seed, **drawing)
    write_sheet(output, images.flatten(0, 1), columns=steps)
    click.echo(f"{rows} rows of {steps} images in {output}")


def _opened(
    run: Path,
    count: int,
    *,
    device: str,
    label: int | None,
    truncation: float | None,
    batch_size: int,
) -> tuple[Generator, dict[str, Any]]:
    """The generator in the folder RUN, and the keywords to draw `count` images from it."""
    model = load(run, device=device)
    if not isinstance(model, Generator):
        raise GentexError(f"{run} holds {model.config['architecture']!r}, which is no Generator")
    if truncation is not None:
        if not hasattr(model, "truncation"):
            name = model.config["architecture"]
            raise GentexError(f"{run} holds {name!r}, which has no truncation")
        cast(Any, model).truncation = truncation
    condition = None if label is None else torch.full((count,), _class(model, run, label))
    return model, {"batch_size": batch_size, "condition": condition}


def _class(model: Generator, run: Path, label: int) -> int:
    """The class, where the model has it."""
    classes = getattr(model, "classes", 0)
    if not classes:
        raise GentexError(f"{run} holds {model.config['architecture']!r} without classes")
    if label >= classes:
        raise GentexError(f"--class {label}: {run} has the classes 0 to {classes - 1}")
    return label


def _entry(text: str) -> Entry:
    try:
        entry = parse_entry(text)
    except ValueError as error:
        raise GentexError(str(error)) from None
    assert isinstance(entry, Entry)
    return entry


def _budget(text: str) -> Budget:
    try:
        return Budget(**parse_budget(text))
    except ValueError as error:
        raise GentexError(str(error)) from None
