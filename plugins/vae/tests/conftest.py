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
    """8-bit images of one bright bar on dark, upright or level, with a little noise: 1×16×16."""
    images = torch.randint(0, 32, (256, 1, 16, 16))
    for i, image in enumerate(images):
        place = 3 * (i // 2 % 5)
        bar = image[0, place : place + 3] if i % 2 else image[0, :, place : place + 3]
        bar += 192
    return MemoryDataset("bars", "train", images.to(torch.uint8))
