"""generation@1: train a generator, then compare its samples with held-out images.

The generator trains on the train split. N samples of it are compared with N images of the test
split; the floor beside each score compares N images of the train split with the same test images.
Whether samples are copies is asked of more of the training images, as they might be of any.
"""

from __future__ import annotations

import inspect
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
from gentex.metrics.features.cache import cached_features
from gentex.metrics.features.space import FeatureSpace, mean_over_encoders
from gentex.pictures import write_sheet
from gentex.registry import Found, import_target, registry
from gentex.sampling import sample
from gentex.tasks.cost import cost_scores, parameters, sampling_scores
from gentex.tasks.work import Outcome, Score, Work
from gentex.training import Progress, train
from gentex.training.precision import find_device

SHEET = 64
"""Images on a sample sheet."""
LEAST = 20
"""Of fewer samples nothing can be said: the extrapolation of `fd-infinity` begins at a tenth."""
TRAINING = 5
"""Training images, at most, among which each sample is looked for, in units of N."""
TRAINING_VALUES = 2**27
"""Values that their features may have, at most: 1 GiB."""

Set = list[Tensor]
"""One set of images as metrics are given it: features or logits per encoder, or just the images."""


def run(
    work: Work, *, samples: int = 1000, features: str = "random-conv", likelihood_draws: int = 1
) -> Outcome:
    """One cell of generation@1.

    samples: N, as far as both splits have as many images; at least 20.
    features: the feature space of the distribution metrics: `random-conv`, `inception:PATH`,
        `encoder:RUN` for a trained Encoder, ...
    likelihood_draws: K of the importance-weighted bound on the likelihood (Burda et al. 2016), of
        models whose bound has one; with 1 it is the plain evidence lower bound.
    """
    if likelihood_draws < 1:
        raise HyperparameterError(f"likelihood_draws={likelihood_draws}: at least 1")
    options, root = work.dataset_options, work.root
    train_set = load_dataset(work.dataset, "train", root=root, **options)
    test_set = load_dataset(work.dataset, "test", root=root, **options)
    count = min(samples, len(train_set), len(test_set))
    if count < LEAST:
        raise DataError(
            f"{count} samples to compare (of {samples} asked for, {len(train_set)} training and "
            f"{len(test_set)} test images of {work.dataset!r}): at least {LEAST} are needed"
        )
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
    real, training = _some(test_set, count), _training_images(train_set, count, space)
    _write_sheet(work.folder / "samples.png", fake)
    _write_sheet(work.folder / "real.png", real)

    work.on_progress("measuring", 0.95, {})
    scores = distribution_scores(real, fake, training, space, cache=work.cache)
    scores |= _likelihood(model, real, likelihood_draws)
    scores |= sampling_scores(model, count, sampling)
    scores |= cost_scores(history, device)
    return Outcome(
        scores=scores,
        protocol={
            "train": f"{len(train_set)} images",
            "test": f"{len(test_set)} images",
            "N": count,
            "copies of": f"{len(training)} training images",
            "image": str(train_set.image),
            "data resize": train_set.resize or test_set.resize or "none",
            "features": space.name,
            "resize": space.resize or "none",
            "dtype": "float64",
            # Of all models, also of those without a likelihood: they stand in the same table.
            "likelihood draws": likelihood_draws,
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
    real: Tensor,
    fake: Tensor,
    training: Tensor,
    space: FeatureSpace,
    *,
    cache: Path | None = None,
) -> dict[str, Score]:
    """Every metric of N test images and N fake ones, uint8 (N, C, H, W), each with its floor.

    training: N or more training images. The floor takes the first N of them for fake ones, and
        where the question is whether they were copied, the test images.
    cache: a folder that features of real images are kept in.

    Raises DataError where N is not equal: the Fréchet distance has a bias of about d/N, and where
    there are more images, neighbourhoods are smaller.
    """
    if not len(real) == len(fake) <= len(training):
        raise DataError(
            f"{len(real)} test, {len(fake)} fake and {len(training)} training images: as many fake "
            f"as test ones are compared, and no fewer training ones"
        )
    inputs = _inputs(real, fake, training, space, cache)
    computed: dict[str, list[Any]] = {}
    scores: dict[str, Score] = {}
    for found in registry().found("metric"):
        tags = [tag for tag in inputs if tag in found.card.tags]
        if "generation" not in found.card.tags or not tags:
            continue
        if found.card.target not in computed:
            metric = _metric(found)
            computed[found.card.target] = [
                mean_over_encoders(metric, *sets) for sets in inputs[tags[0]]
            ]
        value, bound = (_part(found, result) for result in computed[found.card.target])
        scores[found.card.name] = Score.of(found.card, value, bound)
    return scores


def _inputs(
    real: Tensor, fake: Tensor, training: Tensor, space: FeatureSpace, cache: Path | None
) -> dict[str, tuple[list[Set], list[Set]]]:
    """What metrics with a tag are given: for the score, and for the floor."""
    n = len(real)
    of_real, of_training = (cached_features(space, images, cache) for images in (real, training))
    of_fake, of_other = space.features(fake), [rows[:n] for rows in of_training]
    inputs: dict[str, tuple[list[Set], list[Set]]] = {
        "features": ([of_real, of_fake], [of_real, of_other]),
        "images": ([[real], [fake]], [[real], [training[:n]]]),
        "training": ([of_training, of_real, of_fake], [of_training, of_real, of_real]),
    }
    logits = [space.logits(features) for features in (of_fake, of_real)]
    if logits[0] is not None and logits[1] is not None:
        inputs["logits"] = ([logits[0]], [logits[1]])
    return inputs


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
    """The number that a card stands for in what its target returned: the name, with _ for -."""
    if not isinstance(result, dict):
        return result
    key = found.card.name.replace("-", "_")
    if key not in result:
        raise GentexError(f"metric {found.reference!r}: {found.card.target} returns no {key!r}")
    return result[key]


def _likelihood(model: Generator, real: Tensor, draws: int) -> dict[str, Score]:
    """Bits per dimension of the test images, for models that state a bound on them.

    draws: for the bounds that take as many, as the keyword `k`.
    """
    bound = getattr(model, "bits_per_dim", None)
    if bound is None:
        return {}
    training = model.training
    model.eval()
    images = real.to(model.device)
    given: dict[str, Any] = {"rng": torch.Generator().manual_seed(0)}
    if "k" in inspect.signature(bound).parameters:
        given["k"] = draws
    try:
        with torch.inference_mode():
            bits = torch.cat([bound(batch.float() / 255, **given) for batch in images.split(256)])
    except HyperparameterError:
        return {}  # with these hyperparameters it has none
    finally:
        model.train(training)
    return {"bits-per-dim": Score(float(bits.double().mean()), "lower", "bit")}


def _training_images(dataset: Dataset, count: int, space: FeatureSpace) -> Tensor:
    """The `count` images of the floor, and after them as many others as are looked through."""
    width = sum(encoder.dim for encoder in space.encoders)
    return _some(dataset, count, max(0, min(TRAINING * count, TRAINING_VALUES // width) - count))


def _some(dataset: Dataset, count: int, others: int = 0) -> Tensor:
    """The same `count` images of a dataset every time, spread over it: uint8, on the CPU.

    others: so many more behind them, as far as the dataset has them.
    """
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
    parts = order[:count], order[count : count + others]
    chosen = torch.cat([part.sort().values for part in parts])
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
