import pytest
import torch

from gentex.data import MemoryDataset
from gentex.seeding import seeded


@pytest.fixture(autouse=True)
def _seeded():
    with seeded(0):
        yield


@pytest.fixture
def bars() -> MemoryDataset:
    """Images of one bright bar on dark, upright or level: 1×8×8."""
    images = torch.full((64, 1, 8, 8), 32)
    for i, image in enumerate(images):
        place = i // 2 % 6
        bar = image[0, place : place + 3] if i % 2 else image[0, :, place : place + 3]
        bar += 192
    return MemoryDataset("bars", "train", images.to(torch.uint8))


@pytest.fixture
def noise() -> MemoryDataset:
    """Images of independent pixels, N(0.6, 0.15²): 1×8×8. They are N(0.2, 0.3²) in [-1, 1]."""
    images = 255 * (0.6 + 0.15 * torch.randn(512, 1, 8, 8))
    return MemoryDataset("noise", "train", images.round().clamp(0, 255).to(torch.uint8))


@pytest.fixture
def awaken():
    """Gives weights to what is zero at first, so that a network without training does something."""

    def awakened(model):
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.05)
        return model.eval()

    return awakened
