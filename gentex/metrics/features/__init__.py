"""Feature spaces for metrics of generated images: what images become before they are compared.

`random_conv` and `pixels` need nothing; the others take weights from the user, and never download.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gentex.metrics.features.simple import pixels, random_conv
from gentex.metrics.features.space import FeatureSpace, mean_over_encoders

if TYPE_CHECKING:
    from gentex.metrics.features.inception_v1 import inception_v1_bvlc
    from gentex.metrics.features.inception_v3 import inception
    from gentex.metrics.features.perceptual import lpips
    from gentex.metrics.features.timm_models import dinov2, timm_model

# torchvision and timm take seconds to import, and the default needs neither.
_LAZY = {
    "dinov2": "timm_models",
    "inception": "inception_v3",
    "inception_v1_bvlc": "inception_v1",
    "lpips": "perceptual",
    "timm_model": "timm_models",
}

__all__ = [
    "FeatureSpace",
    "dinov2",
    "inception",
    "inception_v1_bvlc",
    "lpips",
    "mean_over_encoders",
    "pixels",
    "random_conv",
    "timm_model",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
