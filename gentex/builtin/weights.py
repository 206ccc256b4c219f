"""Files of weights that feature spaces rest on: where they lie, and their hashes, without torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from gentex.errors import DataError

INCEPTION = (
    "pt_inception-2015-12-05-6726825d.pth",
    "weights-inception-2015-12-05-6726825d.pth",
    "inception_v3_google-0cc3c7bd.pth",
    "inception_v3_google-1a9a5a14.pth",
)
INCEPTION_V1 = ("bvlc_googlenet_rgb_fp16.pth",)
LPIPS_BACKBONE = ("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1_imagenet1k_v1_fp16.pth")
LPIPS_HEADS = ("lpips_v0.1_squeeze.pth", "squeeze.pth")


def find(space: str, weights: str | Path | None, names: Sequence[str]) -> Path:
    """The file of weights for a feature space.

    weights: the file, or a folder that holds one of `names`; None looks in the folder that the
        environment variable GENTEX_WEIGHTS names, and in torch's cache of downloads.
    Raises DataError at once where there is none; nothing is ever downloaded.
    """
    if weights is not None and Path(weights).is_file():
        return Path(weights)
    if weights is not None:
        if not Path(weights).is_dir():
            raise DataError(
                f"feature space {space!r}: {weights} is no file of weights, nor a folder"
            )
        folders = [Path(weights)]
    else:
        folders = [_downloads()]
        if os.environ.get("GENTEX_WEIGHTS"):
            folders.insert(0, Path(os.environ["GENTEX_WEIGHTS"]))
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise DataError(
        f"feature space {space!r} needs a file of weights, and nothing is downloaded: "
        f"no {' or '.join(names)} in {', '.join(map(str, folders))}; name the file, or set "
        f"GENTEX_WEIGHTS to its folder"
    )


def sha256(path: Path) -> str:
    """The sha256 of a file in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inception(argument: str, root: Path | None) -> str:
    """Fingerprint of the space `inception`."""
    return sha256(find("inception", argument or None, INCEPTION))


def inception_v1_bvlc(argument: str, root: Path | None) -> str:
    """Fingerprint of the space `inception-v1-bvlc`."""
    return sha256(find("inception-v1-bvlc", argument or None, INCEPTION_V1))


def lpips(argument: str, root: Path | None) -> str:
    """Fingerprint of the space `lpips`."""
    parts = (find("lpips", argument or None, names) for names in (LPIPS_BACKBONE, LPIPS_HEADS))
    return "+".join(map(sha256, parts))


def encoder(argument: str, root: Path | None) -> str:
    """Fingerprint of the space `encoder:RUN`."""
    parts = [Path(argument) / name for name in ("config.json", "model.safetensors")]
    for path in parts:
        if not path.is_file():
            raise DataError(
                f"feature space 'encoder:{argument}': no saved model, {path} is missing"
            )
    return "+".join(map(sha256, parts))


def _downloads() -> Path:
    """Where torch.hub keeps what it has downloaded."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return Path(home).expanduser() / "hub" / "checkpoints"
