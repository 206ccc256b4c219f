import pytest
import torch
from gentex_gan.dcgan import DCGAN
from torch import nn

from gentex import Batch, ImageShape


def layers(network: nn.Module, kind: type) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kind)]


def test_the_network_is_the_one_of_the_paper():
    """At 64×64 with width 128: 1024-512-256-128, batch norm all but at the image and the logit."""
    model = DCGAN(ImageShape(3, 64, 64), width=128)
    up = layers(model.generator, nn.ConvTranspose2d)
    assert [conv.out_channels for conv in up] == [1024, 512, 256, 128, 3]
    assert up[0].in_channels == 100
    assert len(layers(model.generator, nn.BatchNorm2d)) == 4
    down = layers(model.discriminator, nn.Conv2d)
    assert [conv.out_channels for conv in down] == [128, 256, 512, 1024, 1]
    assert len(layers(model.discriminator, nn.BatchNorm2d)) == 3
    assert {relu.negative_slope for relu in layers(model, nn.LeakyReLU)} == {0.2}
    for conv in up + down:
        assert conv.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_adam_is_that_of_the_paper():
    for optimizer in DCGAN(ImageShape(1, 16, 16), width=4).optimizers().values():
        assert isinstance(optimizer, torch.optim.Adam)
        assert optimizer.defaults["lr"] == 2e-4
        assert optimizer.defaults["betas"] == (0.5, 0.999)


@pytest.mark.parametrize(
    ("side", "widths"), [(16, [128, 64]), (32, [256, 128, 64]), (256, [512] * 3 + [256, 128, 64])]
)
def test_widths_by_size(side, widths):
    with torch.device("meta"):
        convs = layers(DCGAN(ImageShape(3, side, side)).generator, nn.ConvTranspose2d)
    assert [conv.out_channels for conv in convs] == [*widths, 3]


def test_the_losses_are_the_non_saturating_logistic_ones():
    """Against sigmoid and binary cross-entropy, which the logits spare us."""
    model = DCGAN(ImageShape(1, 16, 16), width=4)
    images = torch.rand(8, 1, 16, 16)
    state = torch.get_rng_state()
    steps = model.training_step(Batch(images))
    loss_d = next(steps).loss
    loss_g = next(steps).loss
    assert next(steps, None) is None
    torch.set_rng_state(state)
    fake = model.generator(torch.randn(8, 100))
    on_real = model.discriminator(images * 2 - 1).sigmoid()
    on_fake = model.discriminator(fake).sigmoid()
    bce, ones = nn.functional.binary_cross_entropy, torch.ones(8)
    torch.testing.assert_close(loss_d, bce(on_real, ones) + bce(on_fake, 1 - ones))
    torch.testing.assert_close(loss_g, bce(on_fake, ones))
