"""What an update does: against reference loops written out by hand."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus
from toy_models import Linear, TinyGAN, same

import gentex
from gentex import Batch, ImageShape, Trainable, Update
from gentex.data import batches
from gentex.seeding import seeded


def test_equals_a_loop_written_out(dataset):
    """The plain recipe, with all gradients of every loss, gives the same bits."""
    with seeded(0):
        ours = TinyGAN()
    theirs = copy.deepcopy(ours).to(memory_format=torch.channels_last)
    gentex.train(ours, dataset, steps=7, batch_size=12, seed=3, device="cpu")

    g, d = theirs.generator, theirs.discriminator
    adam_g = torch.optim.Adam(g.parameters(), 1e-2, (0.5, 0.999), fused=True)
    adam_d = torch.optim.Adam(d.parameters(), 1e-2, (0.5, 0.999), fused=True)
    stream = batches(dataset, 12, seed=3)
    with seeded(3):
        for _ in range(7):
            real = next(stream).images.contiguous(memory_format=torch.channels_last)
            fake = g(torch.randn(12, 6))
            d.zero_grad()
            (softplus(-d(real * 2 - 1)) + softplus(d(fake.detach()))).mean().backward()
            adam_d.step()
            g.zero_grad()
            softplus(-d(fake)).mean().backward()
            adam_g.step()
    assert same(ours, theirs)


def test_dcgan_equals_a_loop_without_restricted_gradients(toys):
    pytest.importorskip("gentex_gan", reason="the gan plugin is not installed")
    dataset = toys(side=16)
    ours = gentex.create("dcgan", image=ImageShape(1, 16, 16), width=8, seed=0)
    theirs = copy.deepcopy(ours)
    gentex.train(ours, dataset, steps=4, batch_size=8, device="cpu")

    optimizers = theirs.optimizers()
    stream = batches(dataset, 8)
    with seeded(0):
        for _ in range(4):
            images = next(stream).images.contiguous(memory_format=torch.channels_last)
            for update in theirs.training_step(Batch(images)):
                theirs.zero_grad()
                update.loss.backward()
                optimizers[update.optimizer].step()
    assert same(ours, theirs)


def test_an_update_sees_only_the_parameters_of_its_optimiser(dataset):
    seen = []

    class Watched(TinyGAN):
        def optimizers(self):
            made = super().optimizers()
            for name, optimizer in made.items():
                optimizer.register_step_pre_hook(lambda *_, name=name: seen.append(self.held(name)))
            return made

        def held(self, name):
            grads = {n: p.grad is not None for n, p in self.named_parameters()}
            return (
                name,
                {n.partition(".")[0] for n, has in grads.items() if has},
                all(has for n, has in grads.items() if n.startswith(name)),
            )

    model = Watched()
    gentex.train(model, dataset, steps=2, batch_size=4, device="cpu")
    assert seen == 2 * [
        ("discriminator", {"discriminator"}, True),
        ("generator", {"generator"}, True),
    ]
    assert all(p.grad is None for p in model.parameters())


def test_gradients_from_before_do_not_count(dataset):
    fresh, used = Linear(), Linear()
    used.error(next(batches(dataset, 4))).backward()
    for model in (fresh, used):
        gentex.train(model, dataset, steps=1, batch_size=4, device="cpu")
    assert same(fresh, used)


def test_code_after_a_yield_sees_the_updated_parameters(dataset):
    weights = []

    class Watched(Linear):
        def training_step(self, batch):
            weights.append(self.layer.weight.detach().clone())
            loss = self.error(batch)
            (wanted,) = torch.autograd.grad(loss, self.layer.weight, retain_graph=True)
            yield Update(None, loss)
            weights.append(self.layer.weight.detach().clone())
            torch.testing.assert_close(weights[-1], weights[-2] - self.lr * wanted)

    gentex.train(Watched(), dataset, steps=2, batch_size=4, device="cpu")
    assert len(weights) == 4
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[0], weights[1])


def test_convolutions_run_channels_last_and_other_ranks_are_left(toys):
    strides = []

    class Volume(Trainable):
        def __init__(self):
            super().__init__()
            self.flat, self.deep = nn.Conv2d(2, 2, 3), nn.Conv3d(1, 2, 1)

        def optimizers(self):
            return {"only": torch.optim.SGD(self.parameters(), 0.1)}

        def loss(self, batch):
            strides.append(batch.images.is_contiguous(memory_format=torch.channels_last))
            pairs = torch.cat([batch.images, batch.images], 1)
            return self.flat(self.deep(pairs[:, None])[:, 0]).mean()

    model = Volume()
    gentex.train(model, toys(), steps=1, batch_size=2, device="cpu")
    assert strides == [True]
    assert model.flat.weight.is_contiguous(memory_format=torch.channels_last)
    assert model.deep.weight.is_contiguous()


def test_a_model_without_optimisers_is_left_alone(dataset):
    class Classic(Trainable):
        def training_step(self, batch):
            raise AssertionError("there is nothing to train")

        def finish(self, batches):
            raise AssertionError("there is nothing to finish")

    model = Classic().eval()
    history = gentex.train(model, dataset, steps=5, device="cpu")
    assert (history.steps, history.images, history.curves) == (0, 0, {})
    assert not model.training


def test_finish_is_called_once_with_every_image_in_evaluation_mode(dataset):
    calls = []

    class Fitted(Linear):
        def finish(self, batches):
            assert not torch.is_grad_enabled()
            assert not self.training
            images = torch.cat([batch.images for batch in batches])
            assert not images.is_inference()
            calls.append((self.layer.weight.clone(), images))

    model = Fitted()
    gentex.train(model, dataset, steps=3, batch_size=16, device="cpu", ema=0.5)
    ((weight, images),) = calls
    assert torch.equal(weight, model.layer.weight)  # the averaged ones
    assert torch.equal(images, dataset.images.float() / 255)
    assert model.training


def test_the_mode_while_training_is_training(dataset):
    class Watched(Linear):
        def training_step(self, batch):
            assert self.training
            assert self.layer.training
            return super().training_step(batch)

    gentex.train(Watched().eval(), dataset, steps=1, batch_size=4, device="cpu")


@pytest.mark.slow
def test_compiled_it_learns_the_same(dataset):
    """Through the default compiler: close to eager, as kernels round in another order."""
    eager, compiled = Linear(updates=2), Linear(updates=2)
    gentex.train(eager, dataset, steps=3, batch_size=8, device="cpu")
    counters = torch._dynamo.utils.counters["stats"]
    counters.clear()
    try:
        gentex.train(compiled, dataset, steps=3, batch_size=8, device="cpu", compile=True)
    except torch._inductor.exc.InvalidCxxCompiler:
        pytest.skip("no C++ compiler, which torch.compile needs on the CPU")
    assert counters["unique_graphs"] == 1
    assert not same(Linear(), compiled)
    for one, other in zip(eager.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one, other)
