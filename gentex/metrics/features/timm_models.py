"""Any network of timm as a feature space, with weights that are already on the machine."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor
from torch.nn.functional import interpolate

from gentex.builtin.weights import sha256
from gentex.errors import DataError
from gentex.interfaces import Encoder, ImageShape
from gentex.metrics.features import weights as files
from gentex.metrics.features.inception_v3 import require_grey_or_rgb
from gentex.metrics.features.space import FeatureSpace

DINOV2 = "vit_large_patch14_dinov2.lvd142m"


class TimmEncoder(Encoder):
    """The pooled features of a timm model, which resizes and normalises images as it was trained.

    Images are squeezed to the model's size, not cropped, so that their borders count too.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, image: ImageShape, network: Any, size: tuple[int, int]) -> None:
        super().__init__()
        require_grey_or_rgb("timm", image)
        trained = network.pretrained_cfg
        self.network = network.requires_grad_(False)
        self.dim = int(network.num_features)
        self.size = size
        self.mode = "bicubic" if trained["interpolation"] == "bicubic" else "bilinear"
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(trained[name]).view(3, 1, 1), persistent=False)

    def encode(self, images: Tensor) -> Tensor:
        if images.shape[2:] != self.size:
            images = interpolate(images, self.size, mode=self.mode, antialias=True).clamp(0, 1)
        features: Tensor = self.network((images.expand(-1, 3, -1, -1) - self.mean) / self.std)
        return features


def timm_model(
    image: ImageShape,
    *,
    argument: str,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    img_size: int = 0,
) -> FeatureSpace:
    """`timm:NAME`: a model of timm, with weights from a file or from its download cache.

    weights: a file, or a folder that holds NAME.safetensors or NAME.pth.
    img_size: another size than the model was trained at, for those that can (vision transformers).
    """
    path = _weights(argument, weights)
    options: dict[str, Any] = {"img_size": img_size} if img_size else {}
    try:
        network: Any = timm.create_model(
            argument,
            pretrained=True,
            pretrained_cfg_overlay={"state_dict": files.read(path)},
            **options,
        )
    except RuntimeError as error:
        raise DataError(f"{path} holds weights of another network: {error}") from error
    # Not num_classes=0 above: timm would then leave whatever the file lacks at random, in silence.
    network.reset_classifier(0)
    height, width = network.pretrained_cfg["input_size"][1:]
    if img_size:
        height = width = img_size
    encoder = TimmEncoder(image, network, (height, width)).to(device)
    resize = f"{encoder.mode}, antialiased, {encoder.size[0]}×{encoder.size[1]}"
    return FeatureSpace(f"timm-{argument}@{files.short_hash(path)}", (encoder,), resize=resize)


def dinov2(
    image: ImageShape,
    *,
    argument: str = "",
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
) -> FeatureSpace:
    """DINOv2 ViT-L/14 at 224×224, in which the Fréchet distance follows human judgement best.

    Stein, Cresswell, Hosseinzadeh, Sui, Ross, Villecroze, Liu, Caterini, Taylor, Loaiza-Ganem:
    Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion
    models, NeurIPS 2023. https://arxiv.org/abs/2306.04675
    """
    return timm_model(
        image,
        argument=DINOV2,
        weights=argument or weights,
        device=device,
        img_size=224,
    )


def timm_fingerprint(argument: str, root: Path | None) -> str:
    """Of the space `timm:NAME`; timm alone knows the file of a name, and so torch is imported."""
    return sha256(_weights(argument, None))


def dinov2_fingerprint(argument: str, root: Path | None) -> str:
    """Of the space `dinov2`."""
    return sha256(_weights(DINOV2, argument or None))


def _weights(name: str, weights: str | Path | None) -> Path:
    """The file of weights of a model; DataError where timm has no such model, or there is none."""
    if not timm.is_model(name.partition(".")[0]):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() has the names"
        raise DataError(f"feature space timm:NAME: timm has no model {name!r}; {hint}")
    path = _cached(name) if weights is None else None
    wanted = (f"{name}.safetensors", f"{name}.pth")
    return path or files.find(f"timm:{name}", weights, wanted)


def _cached(name: str) -> Path | None:
    """The file that timm has downloaded before, or None."""
    pretrained = timm.get_pretrained_cfg(name)
    if pretrained is None or not pretrained.hf_hub_id:
        return None
    path = try_to_load_from_cache(pretrained.hf_hub_id, "model.safetensors")
    return Path(path) if isinstance(path, str) else None
