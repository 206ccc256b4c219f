"""A feature space: where images become the vectors that metrics compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gentex.errors import DataError
from gentex.interfaces import Encoder

Score = float | dict[str, float]


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """One or several encoders under a name; a metric is the mean of its values in each.

    name: what scores are shown under and statistics are cached under, so it says everything that
        decides the features; where they rest on a file of weights it ends in the first 8 digits of
        the file's sha256.
    resize: how images are brought to the size the encoders want; empty where they are not resized.
    """

    name: str
    encoders: tuple[Encoder, ...]
    resize: str = ""

    @torch.inference_mode()
    def features(self, images: Tensor, *, batch_size: int = 256) -> list[Tensor]:
        """Features of images (N, C, H, W), uint8 or float in [0, 1]: float64 (N, d) per encoder."""
        if images.ndim != 4 or not len(images):
            raise DataError(
                f"images have the shape {tuple(images.shape)}; (N, C, H, W) with N ≥ 1 is wanted"
            )
        return [
            torch.cat([_encode(encoder, batch) for batch in images.split(batch_size)])
            for encoder in self.encoders
        ]

    @torch.inference_mode()
    def logits(self, features: Sequence[Tensor]) -> list[Tensor] | None:
        """Logits of classes, float64 (N, classes) per encoder, from the features of images.

        None where not all encoders are classifiers: those have a method `classify`, from features
        to logits.
        """
        found: list[Tensor] = []
        for encoder, rows in zip(self.encoders, features, strict=True):
            classify = getattr(encoder, "classify", None)
            if classify is None:
                return None
            logits: Tensor = classify(rows.to(encoder.device, torch.float32))
            found.append(logits.to("cpu", torch.float64))
        return found


def _encode(encoder: Encoder, images: Tensor) -> Tensor:
    images = images.to(encoder.device)
    images = images.float() if images.is_floating_point() else images.float() / 255
    training = encoder.training
    try:
        return encoder.eval().encode(images).to("cpu", torch.float64)
    finally:
        encoder.train(training)


def mean_over_encoders(metric: Callable[..., Score], *features: Sequence[Tensor]) -> Score:
    """The metric of several sets of features, averaged over the encoders of their space.

    features: each set as `FeatureSpace.features` gives it, one tensor per encoder.

        mean_over_encoders(frechet_distance, space.features(real), space.features(fake))
    """
    count = len(features[0])
    total: Score = 0.0
    for same_encoder in zip(*features, strict=True):
        score = metric(*same_encoder)
        if isinstance(score, dict):
            so_far = total if isinstance(total, dict) else dict.fromkeys(score, 0.0)
            total = {key: so_far[key] + value / count for key, value in score.items()}
        else:
            assert not isinstance(total, dict)
            total += score / count
    return total
