"""Which images the networks can make, and the small checks of hyperparameters."""

from __future__ import annotations

from typing import NamedTuple

from gentex import ImageShape
from gentex.errors import HyperparameterError

SMALLEST, LARGEST, SEED = 16, 256, 4


class Pyramid(NamedTuple):
    """How a network gets from a small seed map (height, width) to the image: by doublings."""

    doublings: int
    seed: tuple[int, int]


def pyramid(image: ImageShape) -> Pyramid:
    """The pyramid under an image: the smaller side of its seed map is 4, as in the papers.

    Sides that are no power of two work too, as long as they can be halved as often as the smaller
    one asks for; its seed is then 5, 6 or 7. So 28×28 grows from 7×7 and 32×64 from 4×8.

    Raises HyperparameterError for sides outside 16 to 256, or that cannot be halved so often.
    """
    sides = image.height, image.width
    if min(sides) < SMALLEST or max(sides) > LARGEST:
        raise HyperparameterError(f"image {image}: sides from {SMALLEST} to {LARGEST} are allowed")
    doublings = (min(sides) // SEED).bit_length() - 1
    step = 2**doublings
    if any(side % step for side in sides):
        nearest = (max(SMALLEST, round(side / step) * step) for side in sides)
        raise HyperparameterError(
            f"image {image}: both sides must be multiples of {step} here (any power of two from "
            f"{SMALLEST} to {LARGEST} is allowed); the closest is {'×'.join(map(str, nearest))}"
        )
    return Pyramid(doublings, (image.height // step, image.width // step))


def widths(width: int, doublings: int) -> list[int]:
    """Channels of a residual network's maps, from the seed map (4×4) to the image.

    `width` for maps up to 32×32, then half as many with each doubling: 64×64 has width / 2.
    """
    channels = [width // 2 ** max(0, i - 3) for i in range(doublings + 1)]
    if channels[-1] < 1:
        raise HyperparameterError(f"width={width}: at least {2 ** (doublings - 3)} is needed here")
    return channels


def check_positive(**values: float) -> None:
    """Raise a HyperparameterError that names the first value that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise HyperparameterError(f"{name}={value!r}: a number above zero is allowed")
