"""What an update does: against reference loops written out by hand."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import gentex
from gentex import Batch, ImageShape, Trainable, Update
from gentex.data import batches
from gentex.errors import GentexError, TrainingError, UnknownNameError
from gentex.seeding import seeded


class TinyGAN(Trainable):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(
            nn.Unflatten(1, (6, 1, 1)),
            nn.ConvTranspose2d(6, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 1, 4),
            nn.Flatten(0),
        )

    def optimizers(self):
        return {
            name: torch.optim.Adam(network.parameters(), 1e-2, (0.5, 0.999), fused=True)
            for name, network in self.named_children()
        }

    def training_step(self, batch):
        real = batch.images * 2 - 1
        fake = self.generator(torch.randn(len(batch), 6))
        loss = softplus(-self.discriminator(real)) + softplus(self.discriminator(fake.detach()))
        yield Update("discriminator", loss.mean())
        yield Update("generator", softplus(-self.discriminator(fake)).mean())


class Linear(Trainable):
    """One layer that is trained towards the mean grey of an image, `updates` times a step."""

    def __init__(self, updates=1, lr=0.01):
        super().__init__()
        self.updates, self.lr = updates, lr
        with seeded(1):
            self.layer = nn.Linear(64, 1)

    def optimizers(self):
        return {"only": torch.optim.SGD(self.parameters(), self.lr)}

    def error(self, batch):
        wanted = batch.images.flatten(1).mean(1, keepdim=True)
        return (self.layer(batch.images.flatten(1)) - wanted).square().mean()

    def training_step(self, batch):
        for _ in range(self.updates):
            yield Update(None, self.error(batch))


def same(one, other):
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


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


class Odd(Linear):
    """Yields what it is told to."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def optimizers(self):
        return {**super().optimizers(), "other": torch.optim.SGD([nn.Parameter(torch.ones(1))])}

    def training_step(self, batch):
        return self.step(self, batch)


def yields(make):
    def step(model, batch):
        yield make(model, batch)

    return step


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        (lambda m, b: m.error(b), TrainingError, "returned a Tensor; it must be a generator"),
        (lambda m, b: None, TrainingError, "returned a NoneType; it must be a generator"),
        (yields(lambda m, b: m.error(b)), TrainingError, "yielded a Tensor, not an Update"),
        (yields(lambda m, b: None), TrainingError, "yielded a NoneType, not an Update"),
        (
            yields(lambda m, b: Update("onyl", m.error(b))),
            UnknownNameError,
            "no optimizer 'onyl'; did you mean 'only'",
        ),
        (
            yields(lambda m, b: Update(None, m.error(b))),
            TrainingError,
            "must name its optimizer: one of only, other",
        ),
        (
            yields(lambda m, b: Update("only", m.layer(b.images.flatten(1)))),
            TrainingError,
            r"loss 'only' has shape \(4, 1\); a scalar is wanted",
        ),
        (
            yields(lambda m, b: Update("only", m.error(b), {"psnr": b.images})),
            TrainingError,
            r"log 'psnr' has shape \(4, 1, 8, 8\)",
        ),
        (
            yields(lambda m, b: Update("only", m.error(b).detach())),
            TrainingError,
            "'only' does not depend on any parameter",
        ),
        (
            yields(lambda m, b: Update("only", 0.5)),
            TrainingError,
            "'only' does not depend on any parameter",
        ),
        (
            yields(lambda m, b: Update("other", m.error(b))),
            TrainingError,
            "'other' depends on none of its parameters",
        ),
    ],
)
def test_what_is_wrong_with_a_step_is_said(dataset, step, error, message):
    with pytest.raises(error, match=message):
        gentex.train(Odd(step), dataset, steps=1, batch_size=4, device="cpu")


def test_optimisers_without_a_loss_are_an_error(dataset):
    class Silent(Trainable):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def optimizers(self):
            return {"only": torch.optim.SGD(self.parameters())}

    with pytest.raises(TypeError, match=r"Silent has optimizers\(\) but neither loss"):
        gentex.train(Silent(), dataset, steps=1, batch_size=4, device="cpu")


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cdua"}, "no device 'cdua'; did you mean 'cuda'"),
        ({"device": "meta"}, "no device 'meta'"),
        ({"precision": "bf61"}, "no precision 'bf61'; did you mean 'bf16'"),
        ({"ema": 1.5}, "ema=1.5: a decay from 0 to below 1"),
        ({"batch_size": 0}, "batch_size=0: a number above zero"),
        ({"clip_grad_norm": -1.0}, r"clip_grad_norm=-1.0: a number above zero"),
        ({"log_every": 0}, "log_every=0: a number above zero"),
        ({"checkpoint_every": 0}, "checkpoint_every=0: a number above zero"),
    ],
)
def test_bad_options_name_what_is_allowed(dataset, options, message):
    with pytest.raises(GentexError, match=message):
        gentex.train(Linear(), dataset, steps=1, **{"device": "cpu", **options})


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
