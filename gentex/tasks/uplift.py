"""uplift@1: does taking images apart help to recognise what they show?

One encoder, which is never trained, and one linear classifier on its features are measured on six
inputs made of the same images:

| input | features of |
| --- | --- |
| image | the image |
| structure, texture | one layer |
| both | structure and texture, one behind the other |
| twice | the image and its mirror image, one behind the other |
| gaussian | a Gaussian low-pass and what it leaves over, one behind the other |

The last three have the same dimension. `twice` has it without any separation: a plain copy of the
features would change nothing for a linear classifier, and so control for nothing. `gaussian` is a
separation that knows scale and no edges. `uplift` is the accuracy of `both` minus that of `twice`.

The encoder is given images in [0, 1]: texture, which is signed, is shifted by 0.5, and all layers
are clipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from gentex.data import Dataset, in_order
from gentex.data.composites.fields import blurred
from gentex.data.load import load_dataset
from gentex.errors import DataError, GentexError
from gentex.factory import create, hyperparameters
from gentex.interfaces import Batch, ImageShape, Layers, Separator
from gentex.layout import channels_last
from gentex.metrics.features.space import FeatureSpace
from gentex.metrics.uplift import differences
from gentex.pictures import write_sheet
from gentex.registry import import_target, registry
from gentex.tasks.cost import parameters
from gentex.tasks.generation import feature_space
from gentex.tasks.work import Outcome, Score, Work
from gentex.training.precision import find_device

INPUTS = {
    "image": ("image",),
    "structure": ("structure",),
    "texture": ("texture",),
    "both": ("structure", "texture"),
    "twice": ("image", "mirror"),
    "gaussian": ("smooth", "detail"),
}
"""Which views of an image each input is made of."""

REGULARISATION = (1e-3, 1e-2, 0.1, 1.0, 10.0)
"""scikit-learn's C, from which the classifier's is chosen: the inverse of the penalty's weight."""

CONSTANT = 1e-6
"""Standard deviation below which a feature says nothing: float32 rounding lies below."""

SHEET = 6
"""Images on the sheet."""


class Seen(NamedTuple):
    """Images as the encoder sees them.

    features: of every view, float64 (N, d).
    labels: (N,).
    """

    features: dict[str, Tensor]
    labels: Tensor


def run(
    work: Work,
    *,
    features: str = "random-conv",
    train_images: int = 0,
    sigma: float = 3.0,
    batch_size: int = 16,
) -> Outcome:
    """One cell of uplift@1.

    features: the feature space, as in generation@1; of one with several encoders the seed takes
        one.
    train_images: images of each class to train the classifier on, drawn by the seed; 0 for all.
    sigma: of the Gaussian split, pixels.
    batch_size: images that are separated and encoded at a time.

    Nothing is trained but the classifier: a learned separator comes with weights. Raises DataError
    for images without classes or with fewer than two of a class to train on, and GentexError for a
    separator without weights.
    """
    train_set = load_dataset(work.dataset, "train", root=work.root, **work.dataset_options)
    test_set = load_dataset(work.dataset, "test", root=work.root, **work.dataset_options)
    device = find_device(work.device)
    space = feature_space(features, test_set.image, device)
    number = work.seed % len(space.encoders)
    one = replace(space, encoders=(space.encoders[number],))
    channels_last(one.encoders[0])  # several times faster to pool
    model = _separator(work, test_set.image).to(device).eval()
    chosen = _some_of_each_class(train_set, train_images, work.seed)

    def see(dataset: Dataset, indices: Tensor, phase: str) -> Seen:
        parts = indices.split(batch_size)
        made: list[Seen] = []
        for part in parts:
            work.on_progress(phase, 0.9 * len(made) / len(parts), {})
            made.append(_seen(dataset.batch(part), model, one, sigma))
        return _together(made)

    train = see(train_set, chosen, "training images")
    test = see(test_set, torch.arange(len(test_set)), "test images")
    work.on_progress("recognising", 0.95, {})
    correct = {name: recognised(train, test, parts) for name, parts in INPUTS.items()}
    items = {f"accuracy-{name}": values.double() for name, values in correct.items()}
    _write_sheet(work.folder / "layers.png", test_set, model)
    return Outcome(
        scores=_scores(correct),
        protocol={
            "train": f"{len(chosen)} images",
            "test": f"{len(test_set)} images",
            "classes": len(train.labels.unique()),
            "image": str(test_set.image),
            "data resize": train_set.resize or test_set.resize or "none",
            "features": space.name,
            "resize": space.resize or "none",
            "encoder": f"one of {len(space.encoders)}, by seed",
            "Gaussian split": f"σ = {sigma:g} px",
        },
        cost={
            "steps": 0,  # of training the separator
            "parameters": parameters(model),
            "encoder": number,
            "skipped_files": len(train_set.skipped) + len(test_set.skipped),
        },
        items={name: values.tolist() for name, values in (items | differences(correct)).items()},
        files={"image, structure, texture": "layers.png"},
    )


def views(images: Tensor, layers: Layers, sigma: float) -> dict[str, Tensor]:
    """What the encoder is given of images (N, C, H, W) and their layers, all in [0, 1]."""
    smooth = blurred(images, sigma)
    return {
        "image": images,
        "mirror": images.flip(-1),
        "structure": layers.structure.clamp(0, 1),
        "texture": (layers.texture + 0.5).clamp(0, 1),
        "smooth": smooth,
        "detail": (images - smooth + 0.5).clamp(0, 1),
    }


def recognised(train: Seen, test: Seen, parts: Sequence[str]) -> Tensor:
    """Which test images a linear classifier of the views in `parts` gets right, bool (N,).

    Multinomial logistic regression with a quadratic penalty, on features brought to mean 0 and
    variance 1 over the training images. The penalty is that of least log-loss on a quarter of the
    training images of each class; then all of them train.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    seen, unseen = (torch.cat([x.features[p] for p in parts], dim=1) for x in (train, test))
    std, mean = torch.std_mean(seen, dim=0)
    scale = torch.where(std > CONSTANT, std, torch.inf)
    x, x_test = (((features - mean) / scale).numpy() for features in (seen, unseen))
    y, held_out = train.labels.numpy(), _quarter(train.labels).numpy()

    def fitted(strength: float, x: Any, y: Any) -> Any:
        return LogisticRegression(C=strength, max_iter=2000).fit(x, y)

    losses = []
    for strength in REGULARISATION:
        head = fitted(strength, x[~held_out], y[~held_out])
        chances = head.predict_proba(x[held_out])
        losses.append(log_loss(y[held_out], chances, labels=head.classes_))
    best = REGULARISATION[losses.index(min(losses))]
    return torch.from_numpy(fitted(best, x, y).predict(x_test)) == test.labels


def _separator(work: Work, image: ImageShape) -> Separator:
    model = create(work.architecture, image=image, seed=work.seed, **work.hyperparameters)
    if not isinstance(model, Separator):
        raise GentexError(f"{work.architecture!r} is no Separator")
    if model.optimizers() and not work.hyperparameters.get("weights"):
        name = work.architecture.rpartition(":")[2]
        hint = f": {name}[weights=default]" if "weights" in hyperparameters(type(model)) else ""
        raise GentexError(
            f"{name!r} is trained on layers, which images to be recognised don't have; uplift@1 "
            f"takes classic separators, and learned ones that come with weights{hint}"
        )
    return model


def _some_of_each_class(dataset: Dataset, count: int, seed: int) -> Tensor:
    """Indices of `count` images of each class (0: of all), in an order that the seed draws."""
    labels = _labels(dataset)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    kinds = labels.unique().tolist()
    chosen = [order[labels[order] == kind][: count or None] for kind in kinds]
    few = min(map(len, chosen))
    if few < 2 or len(kinds) < 2:
        raise DataError(
            f"{len(kinds)} classes of {dataset.name!r} to train on, the smallest with {few} images;"
            " at least 2 with 2 images each are needed"
        )
    return torch.cat(chosen)


def _labels(dataset: Dataset) -> Tensor:
    labels = [batch.labels for batch in in_order(dataset, 256)]
    known = [label.cpu() for label in labels if label is not None]
    if not known or len(known) < len(labels):
        raise DataError(f"dataset {dataset.name!r} has no classes to recognise")
    return torch.cat(known)


def _quarter(labels: Tensor) -> Tensor:
    """The first quarter of each class, at least one: bool (N,)."""
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for kind in labels.unique():
        (mine,) = torch.where(labels == kind)
        held_out[mine[: max(1, len(mine) // 4)]] = True
    return held_out


@torch.inference_mode()
def _seen(batch: Batch, model: Separator, space: FeatureSpace, sigma: float) -> Seen:
    shown = views(batch.images.cpu(), _layers(model, batch.images), sigma)
    labels = cast(Tensor, batch.labels)  # `_labels` has looked
    return Seen({name: space.features(v)[0] for name, v in shown.items()}, labels.cpu())


def _layers(model: Separator, images: Tensor) -> Layers:
    layers = model.separate(images.to(model.device))
    return Layers(layers.structure.cpu(), layers.texture.cpu())


def _together(parts: Sequence[Seen]) -> Seen:
    features = {n: torch.cat([part.features[n] for part in parts]) for n in parts[0].features}
    labels = torch.cat([part.labels for part in parts])
    return Seen(features, labels)


def _scores(correct: Mapping[str, Tensor]) -> dict[str, Score]:
    """Every metric of what was recognised, in the order of the cards."""
    scores: dict[str, Score] = {}
    computed: dict[str, dict[str, float]] = {}
    for found in registry().found("metric"):
        card = found.card
        if "uplift" in card.tags:
            if card.target not in computed:
                computed[card.target] = import_target(found)(correct)
            scores[card.name] = Score.of(card, computed[card.target][card.name])
    return scores


def _write_sheet(path: Path, dataset: Dataset, model: Separator) -> None:
    """Rows of image, structure and texture (offset to mid grey) of images spread over the set."""
    count = min(SHEET, len(dataset))
    images = dataset.batch(torch.linspace(0, len(dataset) - 1, count).long()).images
    with torch.inference_mode():
        structure, texture = _layers(model, images)
    rows = torch.stack([images.cpu(), structure, texture + 0.5], dim=1).flatten(0, 1)
    write_sheet(path, rows.clamp(0, 1).mul(255).round().to(torch.uint8), columns=3)
