"""The learned separators: the contract, what their parts claim, and the shipped weights."""

import math
import re

import pytest
import torch
from gentex_separation.learned.supervised import padded, reflected
from gentex_separation.learned.weights import FOLDER
from safetensors import safe_open
from skimage.data import astronaut

import gentex
from gentex import Batch, ImageShape, Layers
from gentex.data import MemoryDataset
from gentex.errors import DataError, HyperparameterError
from gentex.separation import separate_tiled
from gentex.testing.contract import contract

SMALL = {
    "unet": {"width": 4},
    "dncnn": {"width": 4, "depth": 4},
    "unrolled": {"width": 4, "iterations": 2},
}
CHECKS = [
    pytest.param(check, id=f"{found.card.name}-{name}")
    for found, name, check in contract("separation", hyperparameters=SMALL)
    if found.card.name in SMALL
]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check):
    check()


class Checked(MemoryDataset):
    """Smooth ramps under a checkerboard of ±0.1: layers that any of the networks can learn."""

    def __init__(self):
        super().__init__("checked", "train", torch.zeros(64, 1, 16, 16, dtype=torch.uint8))

    def batch(self, indices):
        slope = torch.as_tensor(indices).float()[:, None, None, None] / 64
        x = torch.linspace(0, 1, 16)
        structure = (0.3 + 0.4 * (slope * x + (1 - slope) * x[:, None])).expand(-1, 1, 16, 16)
        board = 0.1 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(8, 8)
        texture = board.expand_as(structure)
        return Batch(structure + texture, layers=Layers(structure, texture))


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_what_texture_is(name):
    data = Checked()
    model = gentex.create(name, image=data.image, seed=0, **SMALL[name], lr=5e-3, steps=80)
    before = -float(model.loss(data.batch(range(64))).detach())
    gentex.train(model, data, steps=80, batch_size=8, device="cpu")
    model.eval()
    batch = data.batch(range(64))
    with torch.no_grad():
        structure = model.separate(batch.images).structure
    error = (structure - batch.layers.structure).square().mean((1, 2, 3))
    assert before < 21  # dB, that of the untouched image
    assert float(-10 * error.log10().mean()) > before + 6


@pytest.mark.parametrize("name", SMALL)
def test_it_works_at_any_size(name):
    model = gentex.create(name, image=ImageShape(3, 32, 32), seed=0, **SMALL[name]).eval()
    torch.nn.init.normal_([*model.parameters()][-1])
    for size in ((1, 1), (1, 50), (33, 7), (64, 40)):
        images = torch.rand(2, 3, *size)
        with torch.no_grad():
            layers = model.separate(images)
        assert layers.texture.shape == images.shape
        assert (layers.image - images).abs().max() <= 1e-6
        assert layers.texture.abs().max() > 1e-4


@pytest.mark.parametrize("name", SMALL)
def test_an_ensemble_turns_with_the_image_and_trains_as_the_network_does(name):
    image = ImageShape(3, 24, 16)
    plain, ensemble = (
        gentex.create(name, image=image, seed=0, **SMALL[name], ensemble=e).eval()
        for e in (False, True)
    )
    for model in (plain, ensemble):
        torch.manual_seed(1)
        torch.nn.init.normal_([*model.parameters()][-2])
    images = torch.rand(2, *image)

    def turned(x):
        return x.flip(-1).rot90(1, (-2, -1))

    with torch.no_grad():
        found = turned(ensemble.separate(images).texture)
        torch.testing.assert_close(ensemble.separate(turned(images)).texture, found)
        alone = turned(plain.separate(images).texture)
        assert (plain.separate(turned(images)).texture - alone).abs().max() > 1e-3
        batch = Batch(images, layers=Layers(images, torch.zeros_like(images)))
        assert torch.equal(plain.loss(batch), ensemble.loss(batch))


@pytest.mark.parametrize("name", [*SMALL, "swap"])
def test_precisions(name):
    model = gentex.create(name, image=ImageShape(3, 16, 16), seed=0, width=4).eval()
    images = torch.rand(2, 3, 16, 16)
    for given, expected in (
        (images.half(), torch.float32),
        (images.bfloat16(), torch.float32),
        (images.double(), torch.float64),
    ):
        with torch.no_grad():
            layers = model.separate(given)
        assert layers.structure.dtype == layers.texture.dtype == expected
        torch.testing.assert_close(layers.image, given.to(expected))


def test_the_loss_is_minus_the_psnr_of_the_structure():
    from gentex.metrics.layers import structure_psnr

    model = gentex.create("unet", image=ImageShape(3, 16, 16), seed=0, width=4).eval()
    images = torch.rand(4, 3, 16, 16)
    truth = Layers(images * 0.8, images - images * 0.8)
    expected = structure_psnr(truth, model.separate(images)).mean()
    loss = model.loss(Batch(images, layers=truth)).detach()
    assert float(loss) == pytest.approx(-float(expected.detach()), 1e-3)


def test_images_without_layers_cannot_be_learnt_from():
    model = gentex.create("unet", image=ImageShape(1, 16, 16), width=4)
    with pytest.raises(DataError, match="layers"):
        model.loss(Batch(torch.rand(1, 1, 16, 16)))


def test_learning_rate_falls_in_the_second_half_and_goes_on_from_a_checkpoint(tmp_path):
    def rates(model, upto, path):
        seen, optimizers = [], model.optimizers

        def watched():
            made = optimizers()
            made["separator"].register_step_post_hook(
                lambda o, *_: seen.append(o.param_groups[0]["lr"])
            )
            return made

        model.optimizers = watched
        gentex.train(model, Checked(), steps=upto, batch_size=4, device="cpu", checkpoint=path)
        return seen

    def create():
        return gentex.create("unet", image=Checked().image, seed=0, width=4, lr=1e-3, steps=8)

    whole = rates(create(), 8, None)
    expected = [1e-3 * min(1, 2 - 2 * step / 8) for step in range(8)]
    assert whole == pytest.approx(expected)
    path = tmp_path / "checkpoint.pt"
    assert rates(create(), 3, path) + rates(create(), 8, path) == pytest.approx(expected)


def test_reflection_has_no_end():
    index = reflected(3, 10, torch.device("cpu"))
    assert index.tolist() == [0, 1, 2, 2, 1, 0, 0, 1, 2, 2]
    image = torch.rand(1, 1, 3, 5)
    grown = padded(image, 8)
    assert grown.shape == (1, 1, 8, 8)
    assert torch.equal(grown[..., :3, :5], image)
    assert torch.equal(grown[..., :3, 5:], image.flip(-1)[..., :3])


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("unet", {"width": 0}, "width=0"),
        ("unet", {"steps": -1}, "steps=-1"),
        ("unet", {"lr": 0.0}, "lr=0.0"),
        ("unet", {"weights": "defualt"}, "did you mean 'default'"),
        ("unet", {"weights": "default", "width": 8}, "default hyperparameters"),
        ("dncnn", {"depth": 2}, "depth=2"),
        ("unrolled", {"iterations": 0}, "iterations=0"),
    ],
    ids=str,
)
def test_values_that_are_refused(name, wrong, says):
    with pytest.raises(HyperparameterError, match=says):
        gentex.create(name, image=ImageShape(3, 16, 16), **wrong)


SHIPPED = ("unet", "dncnn", "unrolled")


def shipped(name, channels=3):
    return gentex.create(name, image=ImageShape(channels, 64, 64), weights="default").eval()


def test_shipped_weights_are_small_and_say_how_they_were_made():
    assert {path.stem for path in FOLDER.glob("*.safetensors")} == {*SHIPPED}
    for name in SHIPPED:
        path = FOLDER / f"{name}.safetensors"
        assert path.stat().st_size < 2e6
        with safe_open(path, "pt") as file:
            made = file.metadata()
        assert made["architecture"] == name
        assert "steps of 16 images" in made["training"]
        assert re.fullmatch("[0-9a-f]{40}", made["commit"])


def test_the_cards_of_shipped_weights_say_so():
    found = gentex.list_architectures(interface="separator", tags=("weights",))
    assert {*found} == {*SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
class TestShippedWeights:
    def test_for_grey_images_do_what_those_for_colour_do_with_equal_channels(self, name):
        colour, grey = (shipped(name, channels) for channels in (3, 1))
        images = torch.rand(2, 1, 40, 32)
        with torch.no_grad():
            expected = colour.separate(images.expand(-1, 3, -1, -1)).texture.mean(1, keepdim=True)
            found = grey.separate(images).texture
        assert found.abs().max() > 0.01
        assert (found - expected).abs().max() < 1e-6
        batch = Batch(images, layers=Layers(images - found, found))
        assert grey.loss(batch) < -55, "training sees what separating does, to the floor of 60 dB"

    def test_are_for_one_or_three_channels(self, name):
        with pytest.raises(HyperparameterError, match="2 channels"):
            shipped(name, 2)

    @pytest.mark.filterwarnings("error")
    def test_are_kept_by_saving(self, name, tmp_path):
        model = shipped(name, 1)
        gentex.save(model, tmp_path)
        images = torch.rand(1, 1, 20, 20)
        with torch.no_grad():
            found = gentex.load(tmp_path).eval().separate(images)
            assert torch.equal(found.texture, model.separate(images).texture)

    def test_tiles_have_no_seams(self, name):
        image = torch.tensor(astronaut()[:250, 130:430]).permute(2, 0, 1)[None] / 255
        model = shipped(name)
        tiled = separate_tiled(model, image, tile=160, overlap=64)
        with torch.no_grad():
            apart = tiled.structure - model.separate(image).structure
        assert apart.abs().max() < 0.01
        assert apart.square().mean().sqrt() < 1e-3

    def test_take_a_stripe_texture_off_a_step(self, name):
        x = torch.arange(64.0)
        structure = torch.where(x < 32, 0.3, 0.7).expand(1, 3, 64, 64)
        texture = (0.06 * torch.sin(2 * math.pi * x / 5))[:, None].expand(1, 3, 64, 64)
        with torch.no_grad():
            found = shipped(name).separate(structure + texture).structure
        error = (found - structure).square().mean()
        assert error < 0.1 * texture.square().mean()
