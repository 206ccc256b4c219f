import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gentex import Layers, Separator
from gentex.errors import HyperparameterError
from gentex.separation import separate_tiled


class Blur(Separator):
    """Means over 9×9 pixels, borders repeated; remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def separate(self, images):
        self.seen.append(tuple(images.shape[-2:]))
        padded = torch.nn.functional.pad(images, (4,) * 4, mode="replicate")
        structure = torch.nn.functional.avg_pool2d(padded, 9, 1)
        return Layers(structure, images - structure)


class Mean(Separator):
    """Structure is the mean of all that it is given: no method looks further."""

    def separate(self, images):
        structure = images.mean((-2, -1), keepdim=True).expand_as(images)
        return Layers(structure, images - structure)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(20, 40), st.integers(16, 19))
def test_a_local_method_gives_what_it_gives_for_the_whole(height, width, tile, overlap):
    image, blur = noise(2, 3, height, width), Blur()
    tiled = separate_tiled(blur, image, tile=tile, overlap=overlap)
    assert max(max(shape) for shape in blur.seen) <= tile
    assert (tiled.structure - blur.separate(image).structure).abs().max() < 1e-6
    assert torch.equal(tiled.texture, image - tiled.structure)


def test_an_image_of_one_tile_is_separated_whole():
    image, blur = noise(1, 3, 40, 64), Blur()
    tiled = separate_tiled(blur, image, tile=64, overlap=32)
    assert blur.seen == [(40, 64)]
    assert torch.equal(tiled.structure, blur.separate(image).structure)


def test_where_tiles_disagree_one_fades_into_the_other():
    image = torch.arange(200.0).expand(1, 1, 8, 200) / 200
    across = separate_tiled(Mean(), image, tile=100, overlap=40).structure[0, 0, 3]
    steps = across.diff()
    assert (steps >= -1e-6).all()  # three levels, from each smoothly up to the next
    assert steps.max() < 0.025
    assert across[0] == pytest.approx(image[..., :100].mean().item(), abs=1e-6)
    assert across[-1] == pytest.approx(image[..., 112:].mean().item(), abs=1e-6)


def test_constant_images_stay_constant_whatever_the_tiles():
    for tile, overlap in ((10, 0), (10, 1), (10, 9), (33, 2)):
        found = separate_tiled(Mean(), torch.full((1, 1, 47, 71), 0.3), tile=tile, overlap=overlap)
        assert (found.structure - 0.3).abs().max() < 1e-6


def test_values_that_are_refused():
    for tile, overlap in ((64, 64), (64, -1), (0, 0)):
        with pytest.raises(HyperparameterError, match=f"tile={tile}, overlap={overlap}"):
            separate_tiled(Mean(), noise(1, 1, 8, 8), tile=tile, overlap=overlap)


def test_tiles_begin_at_multiples_of_16_and_no_network_sees_where():
    class Blocks(Separator):
        """Means over blocks of 16×16, as a network that halves its maps four times has them."""

        def separate(self, images):
            h, w = images.shape[-2:]
            blocks = torch.nn.functional.avg_pool2d(images, 16, ceil_mode=True)
            structure = blocks.repeat_interleave(16, -2).repeat_interleave(16, -1)[..., :h, :w]
            return Layers(structure, images - structure)

    for height, width in ((201, 333), (128, 160), (97, 129), (300, 511)):
        image = noise(1, 1, height, width)
        found = separate_tiled(Blocks(), image, tile=96, overlap=32).structure
        assert (found - Blocks().separate(image).structure).abs().max() < 1e-6


def test_a_separator_without_tensors_knows_where_it_was_moved_to():
    separator = Blur()
    assert separator.device == torch.device("cpu")
    assert separator.to("meta").device == torch.device("meta")
    image = noise(1, 1, 8, 8)
    with pytest.raises(NotImplementedError, match="meta"):  # so that is where it is separated
        separate_tiled(separator, image)
    assert separator.double().device == torch.device("meta")
