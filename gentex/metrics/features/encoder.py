"""Any trained Encoder as a feature space."""

from __future__ import annotations

from pathlib import Path

import torch

from gentex.errors import DataError
from gentex.factory import WEIGHTS, load
from gentex.interfaces import Encoder, ImageShape
from gentex.metrics.features.space import FeatureSpace
from gentex.metrics.features.weights import short_hash


def encoder(
    image: ImageShape, *, argument: str, device: torch.device | str = "cpu"
) -> FeatureSpace:
    """`encoder:RUN`: the Encoder that `gentex.save` or `gentex train` left in the folder RUN.

    Raises DataError where it is no Encoder, or one of images of another shape.
    """
    model = load(argument, device=device)
    if not isinstance(model, Encoder):
        raise DataError(f"{argument} holds {model.config['architecture']!r}, which is no Encoder")
    shape = ImageShape(*model.config["image"])
    if shape != image:
        raise DataError(f"{argument} encodes images of {shape}; these are {image}")
    name = f"encoder:{model.config['architecture']}:{short_hash(Path(argument) / WEIGHTS)}"
    return FeatureSpace(name, (model,))
