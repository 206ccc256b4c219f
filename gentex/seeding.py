"""One seed that reaches every source of random numbers, and their states to save and restore."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

State = dict[str, Any]


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators (torch's on every device)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Within the block, random numbers come from `seed`; afterwards from where they came before.

    None leaves everything as it is.
    """
    if seed is None:
        yield
        return
    before = random_state()
    seed_everything(seed)
    try:
        yield
    finally:
        restore_random_state(before)


def random_state() -> State:
    """The state of every global generator, as tensors and plain values (no pickled code)."""
    twister = np.random.get_state(legacy=False)
    keys = torch.from_numpy(twister["state"]["key"].astype(np.int64))
    state: State = {
        "python": random.getstate(),
        "numpy": (keys, twister["state"]["pos"], twister["has_gauss"], twister["gauss"]),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random_state(state: State) -> None:
    """Put back what `random_state` returned; generators of devices that are gone are left out."""
    version, words, gauss_next = state["python"]
    random.setstate((version, tuple(words), gauss_next))
    keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        for index, value in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(value, index)
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
