"""One correct architecture, and wrong ones: each breaks the check of `gentex.testing` in its tag.

They are all one tiny model, wrong in one way. What varies from call to call where it must not is
taken from a counter.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn

import gentex
from gentex import Batch, Encoder, Generator, ImageShape, Layers, Rng, Separator
from gentex.errors import HyperparameterError

PAPER = gentex.Paper("On Nothing", ("Doe, Jane",), 2020, "Journal of Nothing", "doe2020nothing")
ticks = count(1)


class Parts(gentex.Trainable):
    """Colours: a linear map of mean colours to features, another of noise to colours, a gain."""

    def __init__(self, image: ImageShape, *, dim: int = 2) -> None:
        super().__init__()
        self.image, self.dim = image, dim
        self.encoder = nn.Linear(image.channels, dim)
        self.decoder = nn.Linear(dim, image.channels)
        self.gain = nn.Parameter(torch.zeros(1))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"all": torch.optim.Adam(self.parameters(), lr=1e-2)}

    def loss(self, batch: Batch) -> Tensor:
        colour = batch.images.mean((2, 3))
        rebuilt = self.decoder(self.encoder(colour)).sigmoid()
        return (rebuilt - colour).square().mean() + self.gain.sigmoid().sum()

    def paint(self, colours: Tensor) -> Tensor:
        return colours[:, :, None, None].expand(-1, *self.image)


class Painter(Parts, Generator):
    @torch.no_grad()
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        return self.paint(self.decoder(gentex.randn((n, self.dim), rng=rng)).sigmoid())


class Looker(Parts, Encoder):
    def encode(self, images: Tensor) -> Tensor:
        features: Tensor = self.encoder(images.mean((2, 3)))
        return features


class Splitter(Parts, Separator):
    def separate(self, images: Tensor) -> Layers:
        structure = images * self.gain.sigmoid()
        return Layers(structure, images - structure)


def contribute(
    name: str, breaks: str = "", **fields: object
) -> Callable[[type[Parts]], type[Parts]]:
    card = {"summary": "Paints.", "paper": PAPER, "license": "MIT", **fields}
    return gentex.register(name, tags=(breaks,) if breaks else (), **card)


contribute("fine")(type("Fine", (Painter, Looker, Splitter), {"__module__": __name__}))


@contribute("identity")
class Identity(Separator):
    """Nothing to train and nothing to choose."""

    def __init__(self, image: ImageShape) -> None:
        super().__init__()

    def separate(self, images: Tensor) -> Layers:
        return Layers(images, images * 0)


# Cards


def another(name: str) -> type[Parts]:
    return type(name, (Painter,), {"__module__": __name__})


contribute("unsaid", "card_is_complete", summary="")(another("Unsaid"))
contribute("longwinded", "card_is_complete", summary="Paints. " * 20)(another("Longwinded"))
contribute(
    "misquoted",
    "paper_is_citable",
    paper=gentex.Paper("On Nothing", ("Jane Doe",), 2020, "Journal of Nothing", "doe2020"),
)(another("Misquoted"))
contribute(
    "anonymous",
    "paper_is_citable",
    paper=gentex.Paper("On Nothing", (), 2020, "Journal of Nothing", "anonymous2020"),
)(another("Anonymous"))
contribute("unlicensed", "licence_is_spdx", license="free for all")(another("Unlicensed"))


@contribute("modest", "implements_what_its_card_says", interfaces=("generator",))
class Modest(Painter, Looker):
    """An Encoder too, though its card does not say so."""


# Building


@contribute("moody", "seed_decides_the_weights")
class Moody(Painter):
    """Starts somewhere else each time, which training forgets."""

    def __init__(self, image: ImageShape) -> None:
        super().__init__(image)
        self.register_buffer("mood", torch.tensor(float(next(ticks))))

    def loss(self, batch: Batch) -> Tensor:
        self.mood.zero_()
        return super().loss(batch)


@contribute("curt", "accepts_or_explains_any_image_shape")
class Curt(Painter):
    def __init__(self, image: ImageShape) -> None:
        if image.height != image.width:
            raise HyperparameterError("no")
        super().__init__(image)


@contribute("choosy", "accepts_or_explains_any_image_shape")
class Choosy(Painter):
    def __init__(self, image: ImageShape) -> None:
        if image.channels == 3:
            raise HyperparameterError(f"{image}: only images with one or two channels are allowed")
        super().__init__(image)


# Training


@contribute("forgetful", "gradients_reach_every_parameter")
class Forgetful(Painter):
    """A parameter in no optimiser."""

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = [*self.encoder.parameters(), *self.decoder.parameters()]
        return {"all": torch.optim.Adam(networks)}


@contribute("detached", "gradients_reach_every_parameter")
class Detached(Painter):
    """A parameter that the loss does not depend on."""

    def loss(self, batch: Batch) -> Tensor:
        return super().loss(batch) - self.gain.sigmoid().sum()


@contribute("restless", "training_follows_the_seed")
class Restless(Painter):
    def loss(self, batch: Batch) -> Tensor:
        return super().loss(Batch(batch.images + next(ticks) % 7))


@contribute("absentminded", "saves_and_loads")
class Absentminded(Painter):
    """Samples depend on a number that training sets and no state holds."""

    shade = 1.0

    def loss(self, batch: Batch) -> Tensor:
        self.shade = 0.5
        return super().loss(batch)

    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        return self.shade * super().sample(n, rng=rng)


# What it makes


@contribute("sociable", "outputs_follow_the_batch_item")
class Sociable(Looker):
    """Normalises with the statistics of the batch in evaluation mode too."""

    def encode(self, images: Tensor) -> Tensor:
        return super().encode(images - images.mean(0))


@contribute("glaring", "samples_are_images")
class Glaring(Painter):
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        return super().sample(n, rng=rng) * 2 - 1


@contribute("rounded", "samples_are_images")
class Rounded(Painter):
    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        return super().sample(n, rng=rng).mul(255).byte()


@contribute("collapsed", "samples_follow_the_rng")
class Collapsed(Painter):
    """One image, whatever the noise."""

    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        return super().sample(n, rng=rng) * 0


@contribute("wasteful", "samples_follow_the_rng")
class Wasteful(Painter):
    """Draws from the global random state beside the one it is given."""

    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        torch.rand(1)
        return super().sample(n, rng=rng)


@contribute("first-only", "samples_follow_the_rng")
class FirstOnly(Painter):
    """Draws the whole batch from the generator of its first sample."""

    def sample(self, n: int, *, rng: Rng = None, condition: Tensor | None = None) -> Tensor:
        return super().sample(n, rng=rng[0] if isinstance(rng, list) and rng else rng)


@contribute("boastful", "features_have_the_stated_size")
class Boastful(Looker):
    def __init__(self, image: ImageShape) -> None:
        super().__init__(image)
        self.dim += 1


@contribute("clipped", "layers_add_up")
class Clipped(Splitter):
    """Texture without its dark half."""

    def separate(self, images: Tensor) -> Layers:
        structure = images.mean((2, 3), keepdim=True).expand_as(images)
        return Layers(structure, (images - structure).clamp(min=0))
