"""generation@1: train a generator, then compare its samples with held-out images.

The generator trains on the train split. N samples of it are compared with N images of the test
split; the floor beside each score compares N images of the train split with the same test images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from gentex.data import Dataset
from gentex.data.load import load_dataset
from gentex.errors import DataError, GentexError, HyperparameterError
from gentex.factory import create, save
from gentex.interfaces import Generator, ImageShape
from gentex.metrics.features.space import FeatureSpace, mean_over_encoders
from gentex.pictures import write_sheet
from gentex.registry import Found, import_target, registry
from gentex.sampling import sample
from gentex.tasks.cost import cost_scores, parameters
from gentex.tasks.work import Outcome, Score, Work
from gentex.training import Progress, train
from gentex.training.precision import find_device

SHEET = 64
"""Images on a sample sheet."""


def run(work: Work, *, samples: int = 1000, features: str = "random-conv") -> Outcome:
    """One cell of generation@1.

    samples: N, as far as both splits have as many images.
    features: the feature space of the distribution metrics: a name, or `encoder:RUN` for a trained
        Encoder.
    """
    options, root = work.dataset_options, work.root
    train_set = load_dataset(work.dataset, "train", root=root, **options)
    test_set = load_dataset(work.dataset, "test", root=root, **options)
    count = min(samples, len(train_set), len(test_set))
    if count < 2:
        raise DataError(f"{samples} samples of {work.dataset!r}: at least 2 are needed")
    device = find_device(work.device)
    space = feature_space(features, train_set.image, device)  # before the training, as it may fail
    model = _generator(work, train_set)

    def on_progress(progress: Progress) -> None:
        work.on_progress("training", 0.9 * progress.fraction, progress.losses)

    history = train(
        model,
        train_set,
        seed=work.seed,
        device=device,
        on_progress=on_progress,
        **{**work.training, **work.budget},
    )
    save(model, work.folder / "model")

    work.on_progress("sampling", 0.9, {})
    began = time.perf_counter()
    fake = sample(model, count, seed=work.seed)
    sampling = time.perf_counter() - began
    real, other = _some(test_set, count), _some(train_set, count)
    _write_sheet(work.folder / "samples.png", fake)
    _write_sheet(work.folder / "real.png", real)

    work.on_progress("measuring", 0.95, {})
    scores = distribution_scores(real, fake, other, space)
    scores |= _likelihood(model, test_set, count)
    scores |= {"sample-throughput": Score(count / max(sampling, 1e-9), "higher", "images/s")}
    scores |= _evaluations(model)
    scores |= cost_scores(history, device)
    return Outcome(
        scores=scores,
        protocol={
            "train": f"{len(train_set)} images",
            "test": f"{len(test_set)} images",
            "N": count,
            "image": str(train_set.image),
            "features": space.name,
            "resize": space.resize or "none",
            "dtype": "float64",
        },
        curves=history.curves,
        cost={
            "steps": history.steps,
            "images": history.images,
            "train_seconds": history.seconds,
            "parameters": parameters(model),
            "skipped_files": len(train_set.skipped) + len(test_set.skipped),
        },
        files={"samples": "samples.png", "real": "real.png", "model": "model"},
    )


def distribution_scores(
    real: Tensor, fake: Tensor, other: Tensor, space: FeatureSpace
) -> dict[str, Score]:
    """Every metric of two sets of images, uint8 (N, C, H, W), with its floor.

    other: real images to take for fake ones, of which the floor is made.
    """
    inputs = {
        "features": [space.features(images) for images in (real, fake, other)],
        "images": [[images] for images in (real, fake, other)],
    }
    computed: dict[str, tuple[Any, Any]] = {}
    scores: dict[str, Score] = {}
    for found in registry().found("metric"):
        tags = [tag for tag in inputs if tag in found.card.tags]
        if "generation" not in found.card.tags or not tags:
            continue
        if found.card.target not in computed:
            metric = _metric(found)
            ours, theirs, floor = inputs[tags[0]]
            computed[found.card.target] = (
                mean_over_encoders(metric, ours, theirs),
                mean_over_encoders(metric, ours, floor),
            )
        value, bound = (_part(found, result) for result in computed[found.card.target])
        scores[found.card.name] = Score.of(found.card, value, bound)
    return scores


def feature_space(name: str, image: ImageShape, device: torch.device) -> FeatureSpace:
    """The feature space of that name, for images of a shape."""
    found = registry().resolve("features", name)
    space = import_target(found)(image, argument=found.argument, device=device)
    return cast(FeatureSpace, space)


def _generator(work: Work, dataset: Dataset) -> Generator:
    model = create(work.architecture, image=dataset.image, seed=work.seed, **work.hyperparameters)
    if not isinstance(model, Generator):
        raise GentexError(f"{work.architecture!r} is no Generator")
    return model


def _metric(found: Found) -> Callable[..., float | dict[str, float]]:
    return cast(Callable[..., float | dict[str, float]], import_target(found))


def _part(found: Found, result: float | dict[str, float]) -> float:
    """The number that a card stands for in what its target returned."""
    if not isinstance(result, dict):
        return result
    if found.card.name not in result:
        raise GentexError(f"metric {found.reference!r} is not in what {found.card.target} returns")
    return result[found.card.name]


def _likelihood(model: Generator, test_set: Dataset, count: int) -> dict[str, Score]:
    """Bits per dimension of the test images, for models that state a bound on them."""
    bound = getattr(model, "bits_per_dim", None)
    if bound is None:
        return {}
    training = model.training
    model.eval()
    images = _some(test_set, count).to(model.device)
    rng = torch.Generator().manual_seed(0)
    try:
        with torch.inference_mode():
            bits = torch.cat([bound(batch.float() / 255, rng=rng) for batch in images.split(256)])
    except HyperparameterError:
        return {}  # with these hyperparameters it has none
    model.train(training)
    return {"bits-per-dim": Score(float(bits.double().mean()), "lower", "bit")}


def _evaluations(model: Generator) -> dict[str, Score]:
    """Network evaluations per image, for models that count them (`spent`): shown, never ranks."""
    spent = getattr(model, "spent", None)
    if spent is None:
        return {}
    return {"evaluations": Score(float(spent.double().mean()), "", "per image")}


def _some(dataset: Dataset, count: int) -> Tensor:
    """The same `count` images of a dataset every time, spread over it: uint8, on the CPU."""
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(dataset), generator=generator)[:count].sort().values
    return torch.cat(
        [
            dataset.batch(indices).images.mul(255).round().to(torch.uint8).cpu()
            for indices in chosen.split(256)
        ]
    )


def _write_sheet(path: Path, images: Tensor) -> None:
    """A sheet of some of the images, spread over them."""
    step = max(1, len(images) // SHEET)
    write_sheet(path, images[::step][:SHEET])
