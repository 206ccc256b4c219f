"""Checks of models: what every Generator, Encoder and Separator must do, whatever it is."""

from __future__ import annotations

import tempfile

import torch

import gentex
from gentex.interfaces import Trainable, sample_rngs
from gentex.registry import import_target
from gentex.seeding import seeded
from gentex.testing.subject import SHAPES, Subject, dataset, images, outputs

CLOSE = 1e-4
"""How far outputs of the same computation in batches of different size may lie apart."""


def implements_what_its_card_says(subject: Subject) -> None:
    """The class has exactly the interfaces on its card."""
    cls = import_target(subject.found)
    for name in ("generator", "encoder", "separator"):
        has = issubclass(cls, getattr(gentex, name.capitalize()))
        says = name in subject.found.card.interfaces
        assert has == says, f"{cls.__name__}: {name} on the card: {says}, in the class: {has}"


def seed_decides_the_weights(subject: Subject) -> None:
    """Built twice with a seed it has the same weights, and torch's random state is untouched."""
    before = torch.get_rng_state()
    first, second = subject.create(seed=3), subject.create(seed=3)
    assert torch.equal(torch.get_rng_state(), before), "building changed the global random state"
    for (name, one), other in zip(
        first.state_dict().items(), second.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), f"{name} differs between two builds with the same seed"


def accepts_or_explains_any_image_shape(subject: Subject) -> None:
    """32×32 in one and three channels builds; any other shape builds and works, or is explained."""
    for shape in SHAPES:
        refusal = subject.refusal(shape)
        if refusal is not None:
            assert shape not in SHAPES[:2], f"{shape} must build, but: {refusal}"
            assert len(refusal) > 20, f"{shape}: the error does not say what is allowed: {refusal}"
            continue
        model = subject.create(shape)
        batch = images(shape).float() / 255
        for name, made in outputs(model, batch).items():
            wanted = len(batch) if name == "encode" else batch.shape
            got = len(made) if name == "encode" else made.shape
            assert got == wanted, f"{shape}: {name} gives {tuple(made.shape)}"


def gradients_reach_every_parameter(subject: Subject) -> None:
    """Each parameter that requires gradients is in an optimiser, and moves within a few steps."""
    model = subject.create()
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    listed = {
        id(parameter)
        for optimizer in model.optimizers().values()
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    strays = [n for n, p in model.named_parameters() if p.requires_grad and id(p) not in listed]
    assert not strays, f"in no optimiser, though they require gradients: {strays}"
    if not listed:
        return
    gentex.train(model, dataset(SHAPES[0]), steps=3, batch_size=8, device="cpu")
    still = [n for n, p in model.named_parameters() if n in before and torch.equal(p, before[n])]
    assert not still, f"three steps did not change: {still}"


def training_follows_the_seed(subject: Subject) -> None:
    """Trained twice with a seed, the weights are the same to the bit."""
    if not subject.trained:
        return
    states = []
    for _ in range(2):
        model = subject.create()
        gentex.train(model, dataset(SHAPES[0]), steps=2, batch_size=8, seed=5, device="cpu")
        states.append(model.state_dict())
    for name, one in states[0].items():
        same = torch.equal(one, states[1][name])
        assert same, f"{name} differs between two trainings with the same seed"


def saves_and_loads(subject: Subject) -> None:
    """A trained model loaded from its folder gives the same outputs."""
    model = subject.create(seed=1)
    if subject.trained:
        gentex.train(model, dataset(SHAPES[0]), steps=2, batch_size=8, device="cpu")
    batch = images(SHAPES[0]).float() / 255
    with tempfile.TemporaryDirectory() as folder:
        loaded = gentex.load(gentex.save(model, folder))
    made = outputs(loaded, batch)
    for name, output in outputs(model, batch).items():
        assert torch.equal(output, made[name]), f"{name} differs after saving and loading"


def outputs_follow_the_batch_item(subject: Subject) -> None:
    """In evaluation mode the output of an item does not depend on the rest of its batch."""
    for shape in subject.shapes()[:2]:
        model = _warmed(subject, subject.create(shape))
        batch = images(shape).float() / 255
        together = outputs(model, batch)
        alone = outputs(model, batch[:1])
        for name, output in together.items():
            gap = float((output[:1] - alone[name]).abs().max())
            assert gap <= CLOSE * max(1.0, float(output.abs().max())), (
                f"{shape}: {name} of an item changes by {gap:.2g} with the rest of its batch"
            )


def samples_are_images(subject: Subject) -> None:
    """Samples have the shape asked for, are floating point, finite, and lie in [0, 1]."""
    for shape in subject.shapes():
        model = subject.create(shape).eval()
        for n in (0, 1, 5):
            made = model.sample(n, rng=torch.Generator().manual_seed(0))
            assert made.shape == (n, *shape), f"sample({n}) at {shape} gives {tuple(made.shape)}"
            assert made.is_floating_point(), f"samples are {made.dtype}"
            assert bool(made.isfinite().all()), "samples are not finite"
            inside = bool(((made >= 0) & (made <= 1)).all())
            assert inside, f"samples leave [0, 1]: {float(made.min())} to {float(made.max())}"


def samples_follow_the_rng(subject: Subject) -> None:
    """The same generator gives the same samples, another one others, and item i follows its own."""
    model = subject.create().eval()

    def drawn(seed: int) -> torch.Tensor:
        made: torch.Tensor = model.sample(3, rng=torch.Generator().manual_seed(seed))
        return made

    with seeded(0):
        before = torch.get_rng_state()
        assert torch.equal(drawn(1), drawn(1)), "the same generator gave different samples"
        assert not torch.equal(drawn(1), drawn(2)), "different generators gave the same samples"
        untouched = torch.equal(torch.get_rng_state(), before)
        assert untouched, "sample(rng=...) draws from the global random state as well"
        model.sample(2)
        assert not torch.equal(torch.get_rng_state(), before), "sample() draws from nowhere"
    three = model.sample(3, rng=sample_rngs(0, range(3)))
    last = model.sample(1, rng=sample_rngs(0, [2]))
    gap = float((three[2:] - last).abs().max())
    assert gap <= CLOSE, f"sample 2 changes by {gap:.2g} with how many are drawn beside it"


def features_have_the_stated_size(subject: Subject) -> None:
    """Features are finite, (N, dim)."""
    for shape in subject.shapes():
        model = subject.create(shape).eval()
        with torch.no_grad():
            features = model.encode(images(shape).float() / 255)
        assert features.shape == (4, model.dim), (
            f"encode at {shape} gives {tuple(features.shape)}, dim is {model.dim}"
        )
        assert bool(features.isfinite().all()), "features are not finite"


def layers_add_up(subject: Subject) -> None:
    """Structure + texture == image to float precision, whatever the values and the size."""
    for shape in subject.shapes():
        model = subject.create(shape).eval()
        batch = images(shape).float() / 255
        for name, given in (("noise", batch), ("black", batch * 0), ("white", batch * 0 + 1)):
            with torch.no_grad():
                layers = model.separate(given)
            assert layers.structure.shape == given.shape, f"structure {layers.structure.shape}"
            assert layers.texture.shape == given.shape, f"texture {layers.texture.shape}"
            gap = float((layers.structure + layers.texture - given).abs().max())
            assert gap <= 1e-6, f"layers of {name} at {shape} miss the image by {gap:.2g}"


def _warmed(subject: Subject, model: Trainable) -> Trainable:
    """A step of training, so that running statistics are not those of initialisation."""
    if subject.trained:
        gentex.train(model, dataset(model_image(model)), steps=1, batch_size=8, device="cpu")
    return model


def model_image(model: Trainable) -> gentex.ImageShape:
    """The shape of image that a model was built for."""
    return gentex.ImageShape(*model.config["image"])
