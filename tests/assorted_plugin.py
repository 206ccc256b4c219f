"""Architectures that create, save and load have to cope with, or to refuse."""

from typing import Literal

import torch
from torch import nn

import gentex
from gentex.errors import HyperparameterError


class Black(gentex.Generator):
    def sample(self, n, *, rng=None, condition=None):
        return torch.zeros(n, *self.image)


@gentex.register("small")
class Small(Black):
    """A little of everything that a model can hold."""

    def __init__(
        self,
        image: gentex.ImageShape,
        *,
        width: int = 4,
        rate: float = 0.5,
        mode: Literal["fast", "slow"] = "fast",
        betas: tuple[float, float] = (0.5, 0.9),
        depth: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if width < 1:
            raise HyperparameterError(f"width={width!r}: at least 1")
        self.image = image
        self.values = (width, rate, mode, betas, depth, bias)
        self.net = nn.Sequential(nn.Conv2d(image.channels, width, 3), nn.BatchNorm2d(width))
        self.register_buffer("window", torch.hann_window(width), persistent=False)
        self.register_buffer("mask", torch.rand(width) > 0.5)


@gentex.register("tied")
class Tied(Black):
    def __init__(self, image: gentex.ImageShape) -> None:
        super().__init__()
        self.image = image
        self.one, self.other = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3)
        self.other.weight = self.one.weight


@gentex.register("needy")
class Needy(Black):
    def __init__(self, image: gentex.ImageShape, *, width: int) -> None:
        super().__init__()


@gentex.register("extra")
class Extra(Black):
    def __init__(self, image: gentex.ImageShape) -> None:
        super().__init__()

    def get_extra_state(self):
        return {"code": print}

    def set_extra_state(self, state):
        raise AssertionError("nothing of it may be read")


@gentex.register("unfinished")
class Unfinished(gentex.Generator, gentex.Encoder):
    def __init__(self, image: gentex.ImageShape) -> None:
        super().__init__()

    def encode(self, images):
        return images.flatten(1)


@gentex.register("unreadable")
class Unreadable(Black):
    def __init__(self, image: gentex.ImageShape, *, width: "Widht" = 3) -> None:  # noqa: F821 - meant
        super().__init__()


@gentex.register("opaque")
class Opaque(Black):
    def __init__(self, image: gentex.ImageShape, *, colour: complex = 1j, thing: object = None):
        super().__init__()
        self.thing = thing


@gentex.register("liar", interfaces=("separator",))
class Liar(Black):
    pass
