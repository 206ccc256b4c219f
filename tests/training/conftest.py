import pytest
import torch

from gentex.data import MemoryDataset


def toy(count: int = 40, side: int = 8) -> MemoryDataset:
    """Random grey images; so few that the runs here go through several epochs."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 1, side, side), generator=generator, dtype=torch.uint8)
    return MemoryDataset("toy", "train", images)


@pytest.fixture
def dataset():
    return toy()


@pytest.fixture(scope="session")
def toys():
    return toy
