"""Lower precisions, and gradients too large: against reference loops written out by hand."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from toy_models import Linear, same

import gentex
from gentex import Update
from gentex.data import batches


def by_hand(model, dataset, *, one_region):
    """Three steps in bf16: a region for each forward pass, or one around each whole step."""
    optimizer = model.optimizers()["only"]
    stream = batches(dataset, 4)
    for _ in range(3):
        batch = next(stream)
        with torch.autocast("cpu", torch.bfloat16) if one_region else nullcontext():
            for _ in range(model.updates):
                with torch.autocast("cpu", torch.bfloat16):
                    loss = model.error(batch)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
    return model


def test_every_resumption_has_an_autocast_region_of_its_own(dataset):
    model = Linear(updates=3)
    gentex.train(model, dataset, steps=3, batch_size=4, precision="bf16", device="cpu")
    fresh = by_hand(Linear(updates=3), dataset, one_region=False)
    stale = by_hand(Linear(updates=3), dataset, one_region=True)
    assert same(model, fresh)
    assert not same(fresh, stale)  # what the regions are for


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_learns_in_every_precision(dataset, precision):
    model = Linear()
    found = []
    model.layer.register_forward_hook(lambda _, __, out: found.append(out.dtype))
    history = gentex.train(
        model, dataset, steps=120, batch_size=8, precision=precision, device="cpu", log_every=1
    )
    losses = [value for _, value in history.curves["loss"]]
    assert losses[-1] < 0.2 * losses[0]
    wanted = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    assert set(found) == {wanted}
    assert model.layer.weight.dtype == torch.float32


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("optimizer", ["fused Adam", "SGD"])
def test_fp16_passes_over_a_step_whose_gradients_overflow(dataset, clip, optimizer):
    """The loss is finite, but not its gradient times the scale of 65536."""
    weights = []

    class Steep(Linear):
        def optimizers(self):
            if optimizer == "SGD":
                return {**super().optimizers(), "other": self.other()}
            return {"only": torch.optim.Adam(self.parameters(), fused=True), "other": self.other()}

        def other(self):
            self.weight = nn.Parameter(torch.ones(()))
            return torch.optim.SGD([self.weight], 0.1)

        def training_step(self, batch):
            steep = 1e35 if len(weights) == 1 else 1.0
            weights.append(self.layer.weight.detach().clone())
            yield Update("only", self.error(batch) * steep)
            before = self.weight.item()
            yield Update("other", self.weight * 2)
            assert self.weight.item() == pytest.approx(before - 0.1 * min(2, clip or 2))

    model = Steep()
    gentex.train(
        model,
        dataset,
        steps=3,
        batch_size=4,
        precision="fp16",
        device="cpu",
        clip_grad_norm=clip,
    )
    assert not torch.equal(weights[0], weights[1])
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[2], model.layer.weight)
    assert bool(model.layer.weight.isfinite().all())


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_clips_as_torch_does(dataset, precision):
    ours, theirs = Linear(lr=1.0), Linear(lr=1.0)
    gentex.train(
        ours,
        dataset,
        steps=5,
        batch_size=4,
        device="cpu",
        clip_grad_norm=0.05,
        precision=precision,
    )
    optimizer = theirs.optimizers()["only"]
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    stream = batches(dataset, 4)
    norms = []
    for _ in range(5):
        with torch.autocast("cpu", torch.float16, enabled=precision == "fp16"):
            loss = theirs.error(next(stream))
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norms.append(nn.utils.clip_grad_norm_(theirs.parameters(), 0.05).item())
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert max(norms) > 0.05
    assert same(ours, theirs)
