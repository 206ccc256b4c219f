"""One seed for every source of random numbers, and their states."""

import io
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gentex.seeding import random_state, restore_random_state, seed_everything, seeded


def draws():
    """A number from every source; the normal ones keep half a pair in hand for the next call."""
    return [
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),
        np.random.normal(),
        torch.rand(()).item(),
        torch.randn(3).tolist(),
    ]


@given(seed=st.integers(-(2**31), 2**63 - 1))
def test_a_seed_decides_every_source(seed):
    with seeded(None):
        seed_everything(seed)
        first = draws()
        seed_everything(seed)
        assert draws() == first


def test_other_seeds_give_other_numbers_in_every_source():
    with seeded(1):
        one = draws()
    with seeded(2):
        other = draws()
    assert all(a != b for a, b in zip(one, other, strict=True))


@given(burn=st.integers(0, 5), ahead=st.integers(0, 5))
def test_a_restored_state_gives_the_same_numbers(burn, ahead):
    with seeded(0):
        for _ in range(burn):
            draws()
        state = random_state()
        wanted = draws()
        for _ in range(ahead):
            draws()
        restore_random_state(state)
        assert draws() == wanted


def test_a_state_is_plain_data():
    """It survives being written to a file that may hold no code."""
    with seeded(0):
        draws()
        file = io.BytesIO()
        torch.save(random_state(), file)
        wanted = draws()
        file.seek(0)
        restore_random_state(torch.load(file, weights_only=True))
        assert draws() == wanted


def test_a_block_leaves_no_trace():
    seed_everything(5)
    wanted = draws()
    seed_everything(5)
    with seeded(1):
        inside = draws()
    assert draws() == wanted
    assert inside != wanted
    seed_everything(5)
    with pytest.raises(ZeroDivisionError), seeded(1):
        draws()[0] / 0
    assert draws() == wanted


def test_without_a_seed_numbers_go_on():
    seed_everything(5)
    wanted = draws()
    seed_everything(5)
    with seeded(None):
        assert draws() == wanted
    assert draws() != wanted


def test_blocks_nest():
    with seeded(1):
        draws()
        wanted = draws()
    with seeded(1):
        draws()
        with seeded(2):
            draws()
        assert draws() == wanted
