"""What the tests of this plugin share: a training loop in a few lines."""

from collections.abc import Callable, Iterable

import pytest
import torch

from gentex import Batch, Trainable

Drive = Callable[[Trainable, Iterable[Batch]], list[str]]


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def drive() -> Drive:
    """Train a model on batches; returns the names of the optimisers in the order they stepped."""

    def run(model: Trainable, batches: Iterable[Batch]) -> list[str]:
        optimizers, taken = model.optimizers(), []
        for batch in batches:
            for update in model.training_step(batch):
                optimizer = optimizers[update.optimizer]
                parameters = [p for group in optimizer.param_groups for p in group["params"]]
                optimizer.zero_grad()
                update.loss.backward(inputs=parameters)
                optimizer.step()
                taken.append(update.optimizer)
        return taken

    return run
