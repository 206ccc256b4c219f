"""Image files to pixels, as a viewer would show them; Pillow does the work."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from torch import Tensor

from gentex.data.sixteen_bits import exchange_bytes, is_wide, joined
from gentex.errors import DataError
from gentex.interfaces import ImageShape

MAX_PIXELS = 1 << 27
"""The largest image that is decoded, 134 megapixels: room for a camera of 100, and no file can fill
the memory. It is compared with the size in the header, before any pixel is decoded."""

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""What is read, whatever the file is called; no format that runs a program (EPS) or fetches."""

FITTED = "Lanczos (Pillow), of the largest centred part"
"""What `fit` does to images of another size, in words."""

_Bytes = npt.NDArray[np.uint8]
_GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)


class UnreadableError(DataError):
    """An image file that cannot be read; `reason` says why, without the path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


def read_image(path: str | Path, channels: int | None = None) -> Tensor:
    """The pixels of an image file, uint8 (C, H, W), in sRGB, as a viewer would show them.

    channels: 1 (luma after ITU-R BT.601), 3, or None for what the file has: 1 for grey modes.

    The EXIF orientation and the colour profile are applied. Sixteen bits are scaled to eight.
    Of an animation or of many pages it is the first. Transparent pixels are laid on white, the
    colour of the pages and windows that such pictures are drawn for: black would swallow dark
    strokes. A file that is cut short is an error, not a picture that is half grey.

    Raises UnreadableError, a DataError, with the reason.
    """
    mode = None if channels is None else _mode(channels)
    with _opened(Path(path)) as image:
        image.load()
        shown = _shown(_upright(image))
        if mode is not None:
            shown = shown.convert(mode)
        pixels = torch.from_numpy(np.array(shown))
    return pixels.reshape(*pixels.shape[:2], -1).permute(2, 0, 1)


class Picture(NamedTuple):
    """An image in the colours of its own file, to be written again in the same.

    pixels: float32 (C, H, W) in [0, 1], C 1 or 3, upright.
    profile: the ICC profile that says what the values mean; None for sRGB.
    """

    pixels: Tensor
    profile: bytes | None


def read_picture(path: str | Path) -> Picture:
    """The pixels of an image file without conversion of their colours, and its colour profile.

    Otherwise as `read_image`; but sixteen bits are kept, and CMYK and L*a*b* become sRGB.

    Raises UnreadableError.
    """
    with _opened(Path(path)) as image:
        wide = is_wide(image) and "transparency" not in image.info
        image.load()
        upright = _upright(image)
        profile = _own_profile(upright)
        if profile is not None:
            del upright.info["icc_profile"]  # so that `_shown` does not apply it
        if upright.mode.startswith("I") or upright.mode == "F":
            values = _unit(upright).astype(np.float32)
        elif wide:
            values = _on_white(joined(upright, _second_bytes(Path(path))))
        else:
            values = np.asarray(_shown(upright), np.float32) / np.float32(255)
    pixels = torch.from_numpy(values.reshape(*values.shape[:2], -1))
    return Picture(pixels.permute(2, 0, 1).contiguous(), profile)


def _second_bytes(path: Path) -> Image.Image:
    """Of an image of sixteen bits a colour, upright."""
    with _opened(path) as image:
        exchange_bytes(image)
        image.load()
        return _upright(image)


def _on_white(levels: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Colours of sixteen bits (H, W, 3), in [0, 1], or (H, W, 4) with how opaque they are."""
    values = levels.astype(np.float32) / np.float32(65535)
    colours, opaque = values[..., :3], values[..., 3:]
    return colours * opaque + (1 - opaque) if opaque.size else colours


def _own_profile(image: Image.Image) -> bytes | None:
    """The embedded profile, where it is for the kind of values that the image has."""
    profile: bytes | None = image.info.get("icc_profile")
    if profile is None or image.mode in ("CMYK", "LAB"):
        return None
    space = b"GRAY" if image.mode in _GREY else b"RGB "
    return profile if profile[16:20] == space else None  # where ICC.1 has the colour space


def read_header(path: str | Path) -> ImageShape:
    """The shape that `read_image` would return, from the header alone.

    Raises UnreadableError where that shows already that the file cannot be read.
    """
    with _opened(Path(path)) as image:
        width, height = reversed(image.size) if _lies(image) else image.size
        return ImageShape(1 if image.mode in _GREY else 3, height, width)


def fit(images: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Images at `size`, (height, width) or the side of a square; uint8 (..., C, H, W), C 1 or 3.

    The largest centred part of that aspect is resized by Pillow's Lanczos filter, which averages
    over the pixels it merges (no aliasing when it shrinks).
    """
    height, width = (size, size) if isinstance(size, int) else size
    *several, channels, rows, columns = images.shape
    if (rows, columns) == (height, width) or not images.numel():
        return images.new_empty((*several, channels, height, width)).copy_(images)
    stack = images.reshape(-1, channels, rows, columns).permute(0, 2, 3, 1).cpu().numpy()
    stack = _resize_rows(stack, width, min(columns, rows * width / height))
    # Transposed, columns are rows. Pillow itself resizes one axis after the other in eight bits;
    # so it has to be called only twice for many images.
    stack = _resize_rows(stack.swapaxes(1, 2), height, min(rows, columns * height / width))
    fitted = torch.from_numpy(stack).permute(0, 3, 2, 1)
    return fitted.reshape(*several, channels, height, width)


def _resize_rows(stack: _Bytes, length: int, part: float) -> _Bytes:
    """The centred `part` of each row of (N, H, W, C), resized to `length`."""
    n, rows, columns, channels = stack.shape
    pixels = stack.reshape(n * rows, columns, channels)
    picture = Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
    low = (columns - part) / 2
    box = (low, 0, low + part, n * rows)
    resized = picture.resize((length, n * rows), Image.Resampling.LANCZOS, box)
    return np.array(resized).reshape(n, rows, length, channels)


def to_channels(images: Tensor, channels: int) -> Tensor:
    """Images uint8 (N, C, H, W) with 1 or 3 channels, to the bit as `read_image` does it."""
    _mode(channels)
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1).contiguous()
    weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32).view(1, 3, 1, 1)
    parts = (part.to(torch.int32) for part in images.split(1024))  # bounds the wide intermediate
    luma = [((p * weights).sum(1, keepdim=True) + 0x8000 >> 16).to(torch.uint8) for p in parts]
    return torch.cat(luma) if luma else images[:, :1]


def _mode(channels: int) -> str:
    if channels not in (1, 3):
        raise DataError(f"channels={channels}: images have 1 channel (grey) or 3 (colour)")
    return "L" if channels == 1 else "RGB"


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """The image with its header read; whatever goes wrong in here is an UnreadableError."""
    try:
        if not path.is_file():  # also keeps a named pipe from being waited for
            kind = "not a regular file" if path.exists() else "no such file"
            raise UnreadableError(path, "a broken link" if path.is_symlink() else kind)
        if not path.stat().st_size:
            raise UnreadableError(path, "an empty file")
        with Image.open(path, formats=_formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableError(path, f"{image.width}×{image.height}: {_TOO_LARGE}")
            yield image
    except UnreadableError:
        raise
    except Image.DecompressionBombError:
        raise UnreadableError(path, _TOO_LARGE) from None
    except UnidentifiedImageError:
        raise UnreadableError(path, f"not an image in one of: {', '.join(FORMATS)}") from None
    except Exception as error:
        # Pillow's decoders meet broken files with a dozen kinds of exception: SyntaxError,
        # struct.error, EOFError, IndexError, OverflowError, ...
        raise UnreadableError(path, f"{error}" or type(error).__name__) from error


_TOO_LARGE = f"more than {MAX_PIXELS:,} pixels"


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # AVIF came late to Pillow


def _lies(image: Image.Image) -> bool:
    """Whether EXIF says that height and width change places."""
    if image.format == "PNG" and "exif" not in image.info:
        return False  # Pillow would decode the whole file to see whether EXIF follows the pixels
    if image.format == "TIFF":
        return False  # Pillow tells the size that it has once turned
    try:
        return image.getexif().get(_ORIENTATION) in _SIDEWAYS
    except Exception:  # as in _upright
        return False


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # EXIF that cannot be parsed, in any of Pillow's ways; viewers ignore it
        return image


def _shown(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB: sRGB, eight bits, opaque."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        return _srgb(_eight_bits(image), profile)
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in _GREY else "RGBA")
        opaque = _srgb(image.convert(image.mode[:-1]), profile)
        white = Image.new(opaque.mode, opaque.size, "white")
        return Image.composite(opaque, white, image.getchannel("A"))
    if image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("L" if image.mode in _GREY else "RGB")
    return _srgb(image, profile)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of sixteen bits or floating point, rounded to eight."""
    return Image.fromarray((255 * _unit(image)).round().astype(np.uint8))


def _unit(image: Image.Image) -> npt.NDArray[np.float64]:
    """Grey of sixteen bits (65535 is white) or floating point (1 is white), in [0, 1]."""
    values = np.asarray(image).astype(np.float64)
    white = 1.0 if image.mode == "F" else 65535.0
    if not (values.min() >= 0 and values.max() <= white):  # not (...): NaN fails as well
        found = f"{values.min():g} to {values.max():g}"
        raise DataError(f"grey values from {found}, where 0 to {white:g} can be shown")
    return values / white


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """L or RGB in sRGB; a profile that is broken or of another mode is ignored, as viewers do."""
    if image.mode == "L":
        levels = _grey_levels(profile) if profile else None
        return image.point(levels) if levels else image
    transform = _transform(profile, image.mode) if profile or image.mode == "LAB" else None
    if transform is not None:
        image = transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@functools.lru_cache(maxsize=16)
def _grey_levels(profile: bytes) -> list[int] | None:
    """What each of the 256 levels becomes: LittleCMS is fast with grey, or exact, but not both."""
    transform = _transform(profile, "L", ImageCms.Flags.NOOPTIMIZE)
    if transform is None:
        return None
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    return list(transform.apply(ramp).convert("L").tobytes())


@functools.lru_cache(maxsize=16)
def _transform(
    profile: bytes | None, mode: str, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> ImageCms.ImageCmsTransform | None:
    try:
        source = (
            ImageCms.createProfile("LAB")
            if mode == "LAB"
            else ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        )
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, srgb, mode, "RGB", flags=flags)
    except (ImageCms.PyCMSError, OSError, ImportError):  # ImportError: Pillow without LittleCMS
        return None
