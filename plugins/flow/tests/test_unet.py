import pytest
import torch
from gentex_flow.unet import Attention, Descent, UNet
from torch import nn

from gentex import ImageShape


def unet(image: ImageShape, **hyperparameters) -> UNet:
    return UNet(image, **{"width": 8, "blocks": 1, "patch": 1, "dropout": 0.0} | hyperparameters)


@pytest.mark.parametrize(
    ("image", "patch", "halvings"),
    [
        (ImageShape(1, 8, 8), 1, 0),
        (ImageShape(1, 28, 28), 1, 2),
        (ImageShape(3, 32, 32), 2, 1),
        (ImageShape(2, 33, 70), 1, 3),
        (ImageShape(2, 33, 70), 4, 1),
        (ImageShape(5, 1, 3), 2, 0),
        (ImageShape(3, 256, 256), 1, 5),
    ],
    ids=str,
)
def test_any_shape_of_image(image, patch, halvings):
    with torch.device("meta"):
        network = unet(image, patch=patch)
        assert network(torch.empty(2, *image), torch.empty(2)).shape == (2, *image)
    modules = [*network.modules()]
    assert sum(isinstance(module, Descent) for module in modules) == halvings
    assert sum(isinstance(module, Attention) for module in modules) == 1


def test_attention_is_at_the_lowest_resolution():
    network = unet(ImageShape(1, 40, 64))
    (attention,) = (m for m in network.modules() if isinstance(m, Attention))
    seen = []
    attention.register_forward_hook(lambda _, x, y: seen.append(y.shape))
    network(torch.zeros(1, 1, 40, 64), torch.zeros(1))
    assert seen == [(1, 16, 5, 8)]


def test_attention_against_its_formula(awaken):
    attention = awaken(Attention(64))
    x = torch.randn(2, 64, 3, 5)
    normal = torch.nn.functional.group_norm(
        x, attention.norm.num_groups, attention.norm.weight, attention.norm.bias
    )
    weights = attention.project.weight.flatten(1)
    q, k, v = (weights @ normal.flatten(2)).view(2, 3, 2, 32, 15).unbind(1)
    mixed = torch.empty(2, 2, 32, 15)
    for i in range(2):
        for head in range(2):
            shares = (q[i, head].T @ k[i, head] / 32**0.5).softmax(1)
            mixed[i, head] = v[i, head] @ shares.T
    expected = x + attention.leave(mixed.reshape(2, 64, 3, 5))
    torch.testing.assert_close(attention(x, torch.empty(0)), expected, rtol=1e-4, atol=1e-5)


def test_it_is_zero_at_first(awaken):
    image = ImageShape(1, 16, 16)
    network, x = unet(image), torch.randn(2, *image)
    assert not network(x, torch.rand(2)).any()
    assert awaken(network)(x, torch.rand(2)).any()


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_every_pixel_and_the_time_reach_every_output(awaken, patch):
    network = awaken(unet(ImageShape(1, 11, 17), patch=patch))
    x = torch.randn(1, 1, 11, 17, requires_grad=True)
    t = torch.tensor([0.3], requires_grad=True)
    y = network(x, t)
    for i, j in ((0, 0), (10, 16), (5, 8)):
        image, time = torch.autograd.grad(y[0, 0, i, j], (x, t), retain_graph=True)
        assert (image != 0).all()
        assert time != 0


def test_items_of_a_batch_are_separate(awaken):
    image = ImageShape(2, 16, 16)
    network = awaken(unet(image))
    x, t = torch.randn(3, *image), torch.rand(3)
    torch.testing.assert_close(network(x, t)[1:2], network(x[1:2], t[1:2]))


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_folding_pixels_into_channels_is_undone(patch):
    network = unet(ImageShape(2, 11, 17), patch=patch)
    network.enter, network.leave = nn.Identity(), nn.Identity()
    network.levels.forward = lambda x, embedding: x
    x = torch.randn(3, 2, 11, 17)
    assert torch.equal(network(x, torch.zeros(3)), x)


def test_dropout_acts_in_training_only(awaken):
    image = ImageShape(1, 8, 8)
    network = awaken(unet(image, dropout=0.5))
    x, t = torch.randn(2, *image), torch.rand(2)
    assert torch.equal(network(x, t), network(x, t))
    network.train()
    assert not torch.equal(network(x, t), network(x, t))
