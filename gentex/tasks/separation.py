"""separation@1: take composites apart whose layers are known, and compare layer by layer.

A learned separator trains on the train split; with a budget of no steps it is measured as it comes,
and needs no such split. A classic one has nothing to train; where its class declares a `grid` of
hyperparameters, three columns are measured: the defaults, the grid point that is best on training
composites, and the best for each test image, which no honest choice can reach. The test split tunes
nothing.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from einops import rearrange
from torch import Tensor

from gentex.data import Dataset, in_order
from gentex.data.load import load_dataset
from gentex.errors import DataError, GentexError, NoSplitError
from gentex.factory import create, save
from gentex.interfaces import Batch, Layers, Separator
from gentex.pictures import write_sheet
from gentex.registry import import_target, registry
from gentex.tasks.cost import cost_scores, memory_taken, parameters
from gentex.tasks.work import ORACLE, TUNED, Outcome, Score, Work
from gentex.training import History, Progress, train
from gentex.training.precision import find_device

MAIN = "structure-psnr"
"""What hyperparameters are tuned for; as the layers add up, the texture's PSNR is the same."""
MEMORY_SIDE = 256
"""Side of the image on which memory is measured, pixels: constants hardly count any more."""
SHEET = 6
"""Images on the sheet."""


def run(work: Work, *, tuning: int = 32, batch_size: int = 16) -> Outcome:
    """One cell of separation@1.

    tuning: training composites on which the declared grid of a classic separator is searched; 0
        leaves the defaults.
    batch_size: images given to the separator at a time when testing.
    """
    test_set = load_dataset(work.dataset, "test", root=work.root, **work.dataset_options)
    device = find_device(work.device)
    model = _separator(work, test_set).to(device)
    grid = _grid(work, model)
    learned, tuned = any(True for _ in model.parameters()), tuning > 0 and len(grid) > 1
    trained = learned and work.budget != {"steps": 0}
    if trained or tuned:  # else training composites would be made for nothing
        try:
            train_set = load_dataset(work.dataset, "train", root=work.root, **work.dataset_options)
        except NoSplitError:
            if trained:
                raise
            tuned = False

    def on_progress(progress: Progress) -> None:
        work.on_progress("training", 0.9 * progress.fraction, progress.losses)

    history = History()
    if trained:
        history = train(
            model,
            train_set,
            seed=work.seed,
            device=device,
            on_progress=on_progress,
            **{**work.training, **work.budget},
        )
    if learned:
        save(model, work.folder / "model")
    work.on_progress("separating", 0.9, {})
    truth = list(_with_layers(test_set, batch_size))
    estimates, seconds = _separate(model, truth)
    items = _measure(truth, estimates)
    chosen: dict[str, Any] = {}
    if tuned:
        more, best = _tuned(work, grid, train_set, truth, tuning, batch_size)
        items |= more
        chosen = {k: {"value": v, "choices": list(model.grid[k])} for k, v in best.items()}
    _write_sheet(work.folder / "layers.png", truth[0], estimates[0])

    sources = getattr(test_set, "sources", ())
    scores = {name: _score(name, values, sources) for name, values in items.items()}
    pixels = len(test_set) * test_set.image.height * test_set.image.width
    scores["separation-time"] = Score(seconds / pixels * 1e6, "lower", "s/megapixel")
    memory = _memory(model, truth[0].images)
    if memory is not None:
        scores["separation-memory"] = Score(memory, "lower", "MiB/megapixel")
    scores |= cost_scores(history, device)
    return Outcome(
        scores=scores,
        protocol={
            "test": f"{len(test_set)} images",
            "image": str(test_set.image),
            "sources": len(set(sources)),
            "tuning": f"{tuning} training composites",
        },
        curves=history.curves,
        cost={
            "steps": history.steps,
            "images": history.images,
            "train_seconds": history.seconds,
            "parameters": parameters(model),
            "grid_points": len(grid),
        },
        items={name: values.tolist() for name, values in items.items()},
        files={"image, structure, texture; right: the truth": "layers.png"},
        chosen=chosen,
    )


def _separator(work: Work, dataset: Dataset, **changes: Any) -> Separator:
    values = {**work.hyperparameters, **changes}
    model = create(work.architecture, image=dataset.image, seed=work.seed, **values)
    if not isinstance(model, Separator):
        raise GentexError(f"{work.architecture!r} is no Separator")
    return model


def _with_layers(dataset: Dataset, batch_size: int, count: int | None = None) -> Iterator[Batch]:
    for batch in in_order(dataset, batch_size, count):
        if batch.layers is None:
            raise DataError(f"dataset {dataset.name!r} does not know the layers of its images")
        yield batch


@torch.inference_mode()
def _separate(model: Separator, batches: Sequence[Batch]) -> tuple[list[Layers], float]:
    """The layers of every batch, on the CPU, and the seconds that the separator took."""
    model.eval()
    separated: list[Layers] = []
    seconds = 0.0
    for batch in batches:
        images = batch.images.to(model.device)
        began = time.perf_counter()
        layers = model.separate(images)
        separated.append(Layers(layers.structure.cpu(), layers.texture.cpu()))
        seconds += time.perf_counter() - began
    return separated, seconds


@torch.inference_mode()
def _memory(model: Separator, images: Tensor) -> float | None:
    """What separating takes, in MiB a megapixel, of one image made of the images (N, C, H, W)."""
    height, width = (-(-MEMORY_SIDE // size) for size in images.shape[-2:])
    index = torch.arange(height * width) % len(images)
    pieces = images[index].unflatten(0, (height, width))
    image = rearrange(pieces, "rows columns c h w -> 1 c (rows h) (columns w)")
    image = image[..., :MEMORY_SIDE, :MEMORY_SIDE].to(model.device)
    taken = memory_taken(lambda: model.separate(image), model.device)
    return None if taken is None else taken / 2**20 / (MEMORY_SIDE**2 / 1e6)


def _measure(truth: Sequence[Batch], estimates: Sequence[Layers]) -> dict[str, Tensor]:
    """Every metric of layers, for every test item."""
    values: dict[str, Tensor] = {}
    for found in registry().found("metric"):
        if "layers" in found.card.tags:
            metric = import_target(found)
            pairs = zip(truth, estimates, strict=True)
            values[found.card.name] = torch.cat([metric(b.layers, e) for b, e in pairs])
    return values


def _grid(work: Work, model: Separator) -> list[dict[str, Any]]:
    """The points of the declared grid, in what the suite does not set itself."""
    free = {k: v for k, v in model.grid.items() if k not in work.hyperparameters}
    points = itertools.product(*free.values())
    return [dict(zip(free, point, strict=True)) for point in points]


def _tuned(
    work: Work,
    grid: Sequence[dict[str, Any]],
    train_set: Dataset,
    truth: Sequence[Batch],
    tuning: int,
    batch_size: int,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Test values at the grid point that is best in training, and at the best for each image.

    With them, the point that is best in training.
    """
    seen = list(_with_layers(train_set, batch_size, tuning))
    metric = import_target(registry().resolve("metric", MAIN))
    means: list[float] = []
    tested: list[list[Layers]] = []
    psnr: list[Tensor] = []
    for number, point in enumerate(grid):
        work.on_progress("tuning", 0.9 + 0.1 * number / len(grid), {})
        model = _separator(work, train_set, **point)
        layers, _ = _separate(model, seen)
        pairs = zip(seen, layers, strict=True)
        means.append(float(torch.cat([metric(b.layers, e) for b, e in pairs]).mean()))
        tested.append(_separate(model, truth)[0])
        pairs = zip(truth, tested[-1], strict=True)
        psnr.append(torch.cat([metric(b.layers, e) for b, e in pairs]))
    best = max(range(len(grid)), key=means.__getitem__)
    tuned = {name + TUNED: v for name, v in _measure(truth, tested[best]).items()}
    return {**tuned, MAIN + ORACLE: torch.stack(psnr).amax(0)}, grid[best]


def _score(name: str, values: Tensor, sources: Sequence[str]) -> Score:
    """The mean over held-out sources, each the mean over its items."""
    card = registry().resolve("metric", name.removesuffix(TUNED).removesuffix(ORACLE)).card
    means = by_source(values.tolist(), sources).values()
    return Score.of(card, sum(means) / len(means))


def by_source(values: Iterable[float], sources: Sequence[str]) -> dict[str, float]:
    """The mean over the items of each source; of all of them under `""` where none are named."""
    groups: dict[str, list[float]] = {}
    for index, value in enumerate(values):
        groups.setdefault(sources[index] if sources else "", []).append(float(value))
    return {name: sum(group) / len(group) for name, group in groups.items()}


def _write_sheet(path: Path, batch: Batch, estimate: Layers) -> None:
    """Rows of image, structure and texture (offset to mid grey): as separated, then the truth."""
    true = cast(Layers, batch.layers)
    rows = []
    for i in range(min(SHEET, len(batch))):
        for layers in (estimate, true):
            rows += [batch.images[i], layers.structure[i], layers.texture[i] + 0.5]
    sheet = torch.stack(rows).clamp(0, 1).mul(255).round().to(torch.uint8)
    write_sheet(path, sheet, columns=6)
