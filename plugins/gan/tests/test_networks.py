"""The networks are those of the papers."""

import pytest
import torch
from gentex_gan.r3gan import Block, R3Discriminator, R3Generator
from gentex_gan.resnet import ConditionalBatchNorm, DownBlock, ResidualGenerator
from gentex_gan.sngan import ProjectionDiscriminator
from gentex_gan.wgan_gp import Critic
from torch import nn

import gentex
from gentex import Batch, ImageShape

IMAGE = ImageShape(3, 32, 32)


def of_kind(network: nn.Module, kind: type) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kind)]


def on_meta(name: str, image: ImageShape, **settings):
    with torch.device("meta"):
        return gentex.create(name, image=image, **settings)


@pytest.mark.parametrize(("name", "width"), [("wgan-gp", 128), ("sngan", 256)])
def test_residual_networks_of_cifar_10(name, width):
    """Three doubling blocks from 4×4; four blocks of which two halve; the paper's widths."""
    model = on_meta(name, IMAGE)
    assert [b.conv2.out_channels for b in model.generator.blocks] == [width] * 3
    blocks = of_kind(model.discriminator, DownBlock)
    assert [(b.conv2.out_channels, b.halve) for b in blocks] == [
        (128, True),
        (128, True),
        (128, False),
        (128, False),
    ]
    assert not of_kind(model.discriminator, nn.BatchNorm2d)
    assert model.latent == 128


@pytest.mark.parametrize(
    ("name", "lr", "betas"),
    [
        ("dcgan", 2e-4, (0.5, 0.999)),
        ("wgan-gp", 1e-4, (0.0, 0.9)),
        ("sngan", 2e-4, (0.0, 0.9)),
        ("r3gan", 2e-4, (0.0, 0.99)),
    ],
)
def test_adam_is_that_of_the_paper(name, lr, betas):
    model = gentex.create(name, image=ImageShape(1, 16, 16), width=8)
    optimizers = model.optimizers()
    assert set(optimizers) == {"generator", "discriminator"}
    for optimizer in optimizers.values():
        assert isinstance(optimizer, torch.optim.Adam)
        assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (lr, betas)


def test_shortcuts_compute_what_the_paper_s_order_does():
    """Resizing and 1×1 convolutions were exchanged to save work."""
    x, network = torch.randn(2, 4, 8, 8), ResidualGenerator(ImageShape(1, 16, 16), 4, 4).eval()
    block = network.blocks[0]
    up = nn.Upsample(scale_factor=2)
    inner = block.conv1(up(block.norm1(x).relu()))
    expected = block.conv2(block.norm2(inner).relu()) + block.shortcut(up(x))
    torch.testing.assert_close(block(x), expected)
    down, pool = DownBlock(4, 6), nn.AvgPool2d(2)
    expected = pool(down.conv2(down.conv1(x.relu()).relu()) + down.shortcut(x))
    torch.testing.assert_close(down(x), expected)


def test_scores_of_a_critic_have_no_offset():
    assert [n for n, _ in Critic(IMAGE, 4).score.named_parameters()] == ["weight"]


def test_spectral_norm_is_the_largest_singular_value():
    discriminator = ProjectionDiscriminator(ImageShape(1, 16, 16), 4, classes=3)
    images, labels = torch.randn(2, 1, 16, 16), torch.tensor([0, 2])
    for _ in range(100):
        discriminator(images, labels)
    normed = [m for m in discriminator.modules() if hasattr(m, "parametrizations")]
    assert len(normed) == len(of_kind(discriminator, nn.Conv2d | nn.Linear | nn.Embedding))
    for layer in normed:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1, abs=0.01)


def test_spectral_norm_stands_still_in_evaluation():
    discriminator = ProjectionDiscriminator(ImageShape(1, 16, 16), 4)
    images = torch.randn(2, 1, 16, 16)

    def moved() -> bool:
        before = {k: v.clone() for k, v in discriminator.named_buffers()}
        discriminator(images)
        return any(not torch.equal(v, before[k]) for k, v in discriminator.named_buffers())

    assert moved()
    discriminator.eval()
    assert not moved()


def test_the_projection_is_that_of_the_paper():
    discriminator = ProjectionDiscriminator(ImageShape(1, 16, 16), 4, classes=3).eval()
    images, labels = torch.randn(3, 1, 16, 16), torch.tensor([2, 0, 1])
    features = discriminator.features(images)
    expected = discriminator.score(features)[:, 0] + torch.einsum(
        "nd,nd->n", discriminator.embedding.weight[labels], features
    )
    torch.testing.assert_close(discriminator(images, labels), expected)


def test_conditional_batch_norm_has_a_gain_and_shift_for_each_class():
    norm = ConditionalBatchNorm(2, 3)
    norm.gain.weight.data[1], norm.shift.weight.data[1] = 2, 0.5
    x = torch.randn(64, 2, 4, 4)
    plain = nn.functional.batch_norm(x, None, None, training=True)
    labels = torch.arange(64) % 3
    expected = torch.where((labels == 1)[:, None, None, None], 2 * plain + 0.5, plain)
    torch.testing.assert_close(norm(x, labels), expected)


def test_r3gan_for_cifar_10():
    """Four sizes of two blocks of 768 channels, 1536 inside in 96 groups, and no normalisation."""
    model = on_meta("r3gan", IMAGE)
    for network in (model.generator, model.discriminator):
        blocks = of_kind(network, Block)
        assert [b.widen.in_channels for b in blocks] == [768] * 8
        assert {(b.mix.in_channels, b.mix.groups) for b in blocks} == {(1536, 96)}
        assert not [m for m in network.modules() if "Norm" in type(m).__name__]
    assert model.latent == 64
    assert (model.gamma, model.lazy.every) == (0.05, 1)


def test_r3gan_narrows_beyond_32():
    model = on_meta("r3gan", ImageShape(3, 256, 256), width=1024)
    widths = [b.widen.in_channels for b in of_kind(model.generator, Block)][::2]
    assert widths == [1024, 1024, 1024, 1024, 512, 256, 128]
    widths = [b.widen.in_channels for b in of_kind(model.discriminator, Block)][::2]
    assert widths == [128, 256, 512, 1024, 1024, 1024, 1024]


def test_r3gan_refuses_widths_that_its_groups_do_not_divide():
    with pytest.raises(gentex.GentexError, match=r"multiples of 16 .* closest is 32"):
        gentex.create("r3gan", image=ImageShape(3, 64, 64), width=30)


def test_r3gan_starts_as_the_identity_and_keeps_the_variance():
    block = Block(32, 8)
    x = torch.randn(4, 32, 8, 8)
    assert torch.equal(block(x), x)
    block = Block(512, 1)  # a single block is not scaled down
    nn.init.normal_(block.narrow.weight, 0, (1 / 1024) ** 0.5)
    grown = block(torch.randn(4, 512, 8, 8))
    assert 1.6 < grown.var() < 2.1  # as much again, less what the border's zeros take
    images = R3Generator(IMAGE, 64, 64, 0)(torch.randn(64, 64))
    assert 0.3 < images.var() < 3
    logits = R3Discriminator(IMAGE, 64, 0)(torch.randn(64, 3, 32, 32))
    assert 1e-3 < logits.var() < 3


def test_r3gan_takes_r1_at_real_and_r2_at_generated_images():
    model = gentex.create("r3gan", image=ImageShape(1, 16, 16), seed=0, width=8, gamma=3.0)
    batch = Batch(torch.rand(5, 1, 16, 16))
    state = torch.get_rng_state()
    loss = next(model.training_step(batch)).loss
    torch.set_rng_state(state)
    fake = model.generator(model.noise(5)).detach().requires_grad_()
    real = (batch.images * 2 - 1).requires_grad_()
    on_real, on_fake = model.discriminator(real), model.discriminator(fake)
    penalties = [
        torch.autograd.grad(logits.sum(), images)[0].square().sum() / 5
        for logits, images in ((on_real, real), (on_fake, fake))
    ]
    expected = nn.functional.softplus(on_fake - on_real).mean() + 3.0 / 2 * sum(penalties)
    torch.testing.assert_close(loss, expected)
