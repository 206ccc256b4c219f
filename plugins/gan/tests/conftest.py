import pytest

from gentex.seeding import seeded


@pytest.fixture(autouse=True)
def _seeded():
    with seeded(0):
        yield
