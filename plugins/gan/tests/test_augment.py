import pytest
import torch
from gentex_gan import ada
from gentex_gan.augment import POLICIES, Augment, color, cutout, translation
from hypothesis import given
from hypothesis import strategies as st

sides = st.integers(8, 40)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("policy", ["", *POLICIES, "color, translation,cutout", "ada"])
def test_gradients_come_through_to_the_images(policy):
    augment = Augment(policy)
    if policy == "ada":
        augment.p.fill_(0.8)
    images = noise(8, 3, 16, 16).requires_grad_()
    augmented = augment(images)
    assert augmented.shape == images.shape
    assert torch.equal(augmented, images) == (policy == "")
    (gradient,) = torch.autograd.grad(augmented.square().sum(), images)
    assert gradient.abs().flatten(1).sum(1).min() > 0


@given(sides, sides, st.integers(0, 2**16))
def test_translation_moves_each_image_by_whole_pixels(height, width, seed):
    torch.manual_seed(seed)
    images = noise(3, 2, height, width)
    down, right = int(height / 8 + 0.5), int(width / 8 + 0.5)
    padded = torch.nn.functional.pad(images, (right, right, down, down))
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (N, C, shifts, shifts, H, W)
    for moved, possible in zip(translation(images), windows, strict=True):
        assert (possible == moved[:, None, None]).all(-1).all(-1).all(0).any()


def test_translation_reaches_its_limits_both_ways():
    where = translation(torch.ones(500, 1, 16, 16))[:, 0]
    assert where[:, :2].sum((1, 2)).min() == 0
    assert where[:, 1].sum(1).max() == 16
    assert where[:, -2:].sum((1, 2)).min() == 0


@given(sides, sides, st.integers(0, 2**16))
def test_cutout_takes_one_rectangle(height, width, seed):
    torch.manual_seed(seed)
    gone = cutout(torch.ones(4, 2, height, width)) == 0
    assert torch.equal(gone[:, 0], gone[:, 1])
    rows, columns = gone[:, 0].any(2), gone[:, 0].any(1)
    assert torch.equal(gone[:, 0], rows[:, :, None] & columns[:, None, :])
    for line, side in ((rows, int(height / 2 + 0.5)), (columns, int(width / 2 + 0.5))):
        assert (line.sum(1) <= side).all()
        assert (line.sum(1) >= side // 2).all()  # its centre is inside
        assert ((line.int().diff(dim=1) == 1).sum(1) <= 1).all()


def test_cutout_is_centred_anywhere():
    gone = cutout(torch.ones(2000, 1, 16, 16))[:, 0] == 0
    often = gone.float().mean(0)
    torch.testing.assert_close(often, often.flip((0, 1)), atol=0.06, rtol=0)  # nothing preferred
    assert often[0, 0] > 0.04  # (5/17)², the corner being hit less often than
    assert often[8, 8] > 0.18  # the middle, (8/17)²


def test_color_changes_images_as_the_paper_says():
    images = noise(2000, 3, 4, 4)
    changed = color(images)
    shift = changed.mean((1, 2, 3)) - images.mean((1, 2, 3))
    assert -0.5 <= shift.min() < -0.49
    assert 0.49 < shift.max() <= 0.5
    grey, grey_changed = images.mean(1), changed.mean(1)
    contrast = grey_changed.std((1, 2)) / grey.std((1, 2))  # saturation leaves grey alone
    assert 0.5 <= contrast.min() < 0.51
    assert 1.49 < contrast.max() <= 1.5
    chroma = (changed - grey_changed[:, None]).std((1, 2, 3)) / contrast
    saturation = chroma / (images - grey[:, None]).std((1, 2, 3))
    assert saturation.min() < 0.02
    assert 1.98 < saturation.max() <= 2 + 1e-4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_ada_at_zero_probability_changes_nothing(channels):
    images = noise(4, channels, 16, 24)
    torch.testing.assert_close(ada.adaptive(images, torch.tensor(0.0)), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (torch.diag(torch.tensor([-1.0, 1.0, 1.0])), lambda x: x.flip(3)),
        (ada._rotation(torch.tensor([torch.pi / 2]))[0], lambda x: x.rot90(1, (2, 3))),
        (
            ada._translation(torch.tensor([1.0]), torch.tensor([2.0]))[0],
            lambda x: torch.nn.functional.pad(x, (0, 1, 0, 2), mode="reflect")[..., 2:, 1:],
        ),
        (torch.diag(torch.tensor([0.0, 0.0, 1.0])), lambda x: x[..., 7:9, 7:9].mean((2, 3), True)),
    ],
    ids=["flip", "quarter turn", "shift", "point"],
)
def test_warps_that_are_known(matrix, expected):
    images = noise(2, 3, 16, 16)
    warped = ada.warp(images, matrix.expand(2, 3, 3))
    expected = expected(images).expand_as(images)
    inner = (..., slice(0, 13), slice(0, 14))  # mirrored borders differ in whether they repeat
    torch.testing.assert_close(warped[inner], expected[inner], atol=1e-5, rtol=1e-5)


def test_a_warp_keeps_shapes_in_images_that_are_not_square():
    """Half a turn and back to back quarter turns agree: pixels are square whatever the frame."""
    half = ada._rotation(torch.tensor([torch.pi]))
    quarter = ada._rotation(torch.tensor([torch.pi / 2]))
    images = noise(1, 1, 16, 32)
    torch.testing.assert_close(
        ada.warp(images, quarter @ quarter), images.flip((2, 3)), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(ada.warp(images, half), images.flip((2, 3)), atol=1e-4, rtol=0)
    middle = ada.warp(images, quarter)[..., 8:24]
    torch.testing.assert_close(middle, images[..., 8:24].rot90(1, (2, 3)), atol=1e-4, rtol=0)


def test_hue_and_saturation_leave_grey_alone():
    torch.manual_seed(0)
    matrices, shift = ada.colour(500, 3, torch.tensor(1.0))
    grey = matrices @ torch.ones(3)
    torch.testing.assert_close(grey, grey[:, :1].expand(-1, 3), atol=1e-4, rtol=1e-4)
    assert shift.std() > 0.15
    signs = grey[:, 0].sign()  # luma is flipped in half of the images
    assert 0.4 < (signs < 0).float().mean() < 0.6


def test_transformations_happen_as_often_as_p_says():
    torch.manual_seed(0)
    moved = ada.happens(torch.ones(4000), torch.zeros(4000), torch.tensor(0.3))
    assert moved.mean().item() == pytest.approx(0.3, abs=0.03)


def test_ada_is_steered_to_its_target():
    augment = Augment("ada")
    sure, unsure = torch.ones(100), torch.cat([torch.ones(70), -torch.ones(30)])  # r = 1 and 0.4
    augment.adapt(sure)
    assert augment.p.item() == pytest.approx(100 / 500_000)
    augment.adapt(unsure)
    assert augment.p.item() == pytest.approx(0, abs=1e-9)
    augment.adapt(unsure)
    assert augment.p.item() == 0
    for _ in range(5001):
        augment.adapt(sure)
    assert augment.p.item() == 1


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_adaptive_augmentation_is_float32_under_autocast(p):
    augment = Augment("ada")
    augment.p.fill_(p)
    images = 2 * torch.rand(4, 3, 64, 64) - 1
    torch.manual_seed(0)
    expected = augment(images)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        found = augment(images)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    if p == 0:
        torch.testing.assert_close(found, images, atol=1e-4, rtol=0)
