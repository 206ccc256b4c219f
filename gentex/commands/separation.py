"""`gentex separate`."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from torch import Tensor

from gentex.bench.suite import parse_parameters
from gentex.cli import plugin_option
from gentex.data.decode import Picture, UnreadableError, read_picture
from gentex.data.files import IMAGE_SUFFIXES
from gentex.data.layers_folder import MID_GREY
from gentex.errors import GentexError, unknown
from gentex.factory import CONFIG, create, hyperparameters, load
from gentex.interfaces import Layers, Separator
from gentex.pictures import Levels, write_png, writing_into
from gentex.registry import Found, import_target, registry
from gentex.separation import separate_tiled
from gentex.training.precision import find_device

TILE = 2048  # images up to this size are separated whole, which needs less than a gigabyte
OVERLAP = 256
GAP = 8  # white pixels between the pictures of a sheet


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="PHOTO|DIR...")
@click.option(
    "--method",
    default="rtv",
    show_default=True,
    metavar="NAME|RUN",
    help="A separator (`gentex list`), or the folder of a trained one.",
)
@click.option("--strength", type=float, help="How much becomes texture, where the method has it.")
@click.option(
    "-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="Any hyperparameter."
)
@click.option("--format", "ending", type=click.Choice(["png", "npy"]), default="png")
@click.option("--depth", type=click.Choice(["8", "16"]), default="8", help="Bits of a PNG.")
@click.option("--device", default="auto", show_default=True)
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="OUT"
)
@plugin_option
def separate(
    inputs: tuple[str, ...],
    method: str,
    strength: float | None,
    given: tuple[str, ...],
    ending: str,
    depth: str,
    device: str,
    output: Path,
) -> None:
    """Take photographs apart: into NAME-structure.png, NAME-texture.png and NAME-layers.png.

    The texture lies around mid grey: 128 in 8 bits, 32768 in 16. The sheet NAME-layers.png shows
    image, structure and texture side by side. Pictures keep their size and colour profile and stand
    upright. With --format npy layers are float32 (H, W) or (H, W, 3), the texture around 0.

    Learned methods use the weights that come with them. A file that cannot be read is named and
    skipped, and the exit code is then 1.
    """
    target = find_device(device)
    separator = _separator(method, given, strength, target)
    photographs, skipped = _photographs(inputs)
    _check_outputs(photographs, output, ending)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    done = 0
    alone = len(photographs) < 2
    with Bars(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=alone
    ) as bars:
        bar = bars.add_task("", total=len(photographs))
        for name, path in photographs.items():
            bars.update(bar, description=name)
            try:
                picture = read_picture(path)
                model = separator(picture.pixels.shape)
            except UnreadableError as error:
                skipped.append(str(error))
            except GentexError as error:
                skipped.append(f"{path}: {error}")
            else:
                layers = separate_tiled(model, picture.pixels[None], tile=TILE, overlap=OVERLAP)
                _write(_outputs(output, name, ending), picture, layers, int(depth))
                done += 1
            bars.advance(bar)
    for reason in skipped:
        click.echo(f"skipped {reason}", err=True)
    click.echo(f"{done} of {len(photographs)} separated by {method}; in {output}")
    if skipped:
        click.get_current_context().exit(1)


def _separator(
    method: str, given: Sequence[str], strength: float | None, device: torch.device
) -> Callable[[Sequence[int]], Separator]:
    """The separator for images of a shape; what is wrong with its hyperparameters is said here."""
    if (Path(method) / CONFIG).is_file():
        if given or strength is not None:
            raise GentexError(f"{method} is trained: it takes no --strength and no --parameter")
        return _trained(method, device)
    found = registry().resolve("architecture", method)
    if not _separates(found):
        names = registry().names("architecture")
        raise unknown("separator", method, [n for n, f in names.items() if _separates(f)])
    values = _hyperparameters(found, given, strength)
    _create(found, (3, 64, 64), values)
    return lambda shape: _create(found, shape, values).to(device).eval()


def _trained(run: str, device: torch.device) -> Callable[[Sequence[int]], Separator]:
    model = load(run, device=device).eval()
    if not isinstance(model, Separator):
        raise GentexError(f"{run} holds {model.config['architecture']!r}, which is no Separator")
    trained: Separator = model

    def fitting(shape: Sequence[int]) -> Separator:
        channels = model.config["image"][0]
        if shape[0] != channels:
            raise GentexError(f"{run} is for {channels} channels; the photograph has {shape[0]}")
        return trained

    return fitting


def _separates(found: Found) -> bool:
    return "separator" in found.card.interfaces


def _hyperparameters(found: Found, given: Sequence[str], strength: float | None) -> dict[str, Any]:
    """What was given on the command line; learned methods take the weights that they come with."""
    accepted = hyperparameters(import_target(found))
    values: dict[str, Any] = {"weights": "default"} if "weights" in accepted else {}
    if strength is not None:
        values["strength"] = strength
    for text in given:
        try:
            values |= parse_parameters(text)
        except ValueError as error:
            raise GentexError(str(error)) from None
    return values


def _create(found: Found, shape: Sequence[int], values: dict[str, Any]) -> Separator:
    model: Separator = create(found.reference, image=shape, seed=0, **values)
    if model.optimizers() and not values.get("weights"):
        raise GentexError(f"{found.card.name!r} must be trained before it can separate anything")
    return model


def _photographs(inputs: Sequence[str]) -> tuple[dict[str, Path], list[str]]:
    """The files by the name of what is made of them, and the folders without any."""
    paths: list[Path] = []
    empty = []
    for path in map(Path, inputs):
        inside = _images(path) if path.is_dir() else [path]
        paths += inside
        if not inside:
            empty.append(f"{path}: a folder without images")
    stems = Counter(path.stem for path in paths)
    named: dict[str, Path] = {}
    for path in paths:
        name = path.stem if stems[path.stem] == 1 else path.name
        copies = (f"{name}-{number}" for number in itertools.count(2))
        named[next(n for n in itertools.chain([name], copies) if n not in named)] = path
    return named, empty


class _Outputs(NamedTuple):
    """The files that are made of one photograph."""

    structure: Path
    texture: Path
    sheet: Path


def _outputs(output: Path, name: str, ending: str) -> _Outputs:
    kinds = (f"structure.{ending}", f"texture.{ending}", "layers.png")
    return _Outputs(*(output / f"{name}-{kind}" for kind in kinds))


def _check_outputs(photographs: dict[str, Path], output: Path, ending: str) -> None:
    """Refuse to write over a photograph that is to be read."""
    sources = {path.resolve() for path in photographs.values()}
    for name in photographs:
        for path in _outputs(output, name, ending):
            if path.resolve() in sources:
                raise GentexError(f"{path} is one of the photographs: choose another folder")


def _images(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."
    )


def _write(outputs: _Outputs, picture: Picture, layers: Layers, depth: int) -> None:
    structure, texture = layers.structure[0], layers.texture[0]
    for path, layer, zero in (
        (outputs.structure, structure, 0),
        (outputs.texture, texture, MID_GREY[depth]),
    ):
        if path.suffix == ".npy":
            with writing_into(path.parent):
                np.save(path, layer.permute(1, 2, 0).squeeze(2).numpy())
        else:
            write_png(path, _levels(layer, depth, zero), profile=picture.profile)
    shown = [
        _levels(picture.pixels, 8),
        _levels(structure, 8),
        _levels(texture, 8, MID_GREY[8]),
    ]
    gap = np.full_like(shown[0][:, :GAP], 255)
    sheet = np.concatenate([shown[0], gap, shown[1], gap, shown[2]], axis=1)
    write_png(outputs.sheet, sheet, profile=picture.profile)


def _levels(layer: Tensor, depth: int, zero: int = 0) -> Levels:
    """A layer (C, H, W) as the values of a PNG; what lies outside of its range is clipped."""
    white = 2**depth - 1
    values = (layer.double() * white).round().add_(zero).clamp_(0, white)
    array = values.permute(1, 2, 0).squeeze(2).numpy()
    levels: Levels = array.astype(np.uint8 if depth == 8 else np.uint16)
    return levels
