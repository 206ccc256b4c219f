from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import gentex
from gentex.errors import DataError, GentexError, HyperparameterError
from gentex.registry import registry
from gentex.tasks import Outcome, Work, generation
from gentex.tasks.generation import distribution_scores, feature_space, run

OPTIONS = {"size": 16}
DIRECTIONS = {
    "fd": "lower",
    "fd-infinity": "lower",
    "kid": "lower",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "swd": "lower",
    "diversity": "",
    "copying": "",
    "near-copies": "",
}


def work(folder: Path, architecture: str = "dcgan[width=4]", **changes: Any) -> Work:
    name, _, rest = architecture.partition("[")
    given = {"width": int(rest.rstrip("]").partition("=")[2])} if rest else {}
    fields: dict[str, Any] = {
        "architecture": name,
        "hyperparameters": given,
        "dataset": "digits",
        "dataset_options": OPTIONS,
        "seed": 0,
        "budget": {"steps": 2},
        "folder": folder,
        "device": "cpu",
        **changes,
    }
    return Work(**fields)


@pytest.fixture
def oracle(tmp_path: Path) -> Iterator[str]:
    """A generator that hands out training images."""
    file = tmp_path / "oracle.py"
    file.write_text(
        "import torch, gentex\n"
        "@gentex.register('oracle', license='MIT')\n"
        "class Oracle(gentex.Generator):\n"
        "    def __init__(self, image):\n"
        "        super().__init__()\n"
        "        data = gentex.load_dataset('digits', 'train', size=image.height)\n"
        "        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))\n"
        "        self.register_buffer('images', data.batch(order).images)\n"
        "        self.next = 0\n"
        "    def sample(self, n, *, rng=None, condition=None):\n"
        "        self.next += n\n"
        "        return self.images[self.next - n : self.next]\n"
    )
    plugin = registry().add_file(file)
    yield "oracle"
    registry().plugins.remove(plugin)


def test_an_outcome_has_scores_with_floor_protocol_curves_and_files(tmp_path: Path) -> None:
    outcome = run(work(tmp_path), samples=50)
    assert isinstance(outcome, Outcome)
    assert list(outcome.scores)[: len(DIRECTIONS)] == list(DIRECTIONS)
    for name, direction in DIRECTIONS.items():
        assert outcome.scores[name].direction == direction
        assert outcome.scores[name].floor is not None
    assert outcome.scores["copying"].floor == pytest.approx(0.5)
    assert outcome.scores["near-copies"].floor == pytest.approx(0.02), "one of 50"
    assert "inception-score" not in outcome.scores, "there is no classifier"
    assert {"train-time", "train-throughput", "sample-throughput", "peak-memory"} <= set(
        outcome.scores
    )
    assert outcome.protocol["N"] == 50
    assert outcome.protocol["copies of"] == "250 training images"
    assert outcome.protocol["image"] == "1×16×16"
    assert outcome.protocol["data resize"] == "Lanczos (Pillow), of the largest centred part"
    assert outcome.protocol["resize"] == "none", "for the feature space"
    assert outcome.protocol["likelihood draws"] == 1
    assert outcome.protocol["features"].startswith("random-conv")
    assert outcome.cost["steps"] == 2
    assert set(outcome.curves) >= {"discriminator", "generator"}
    for name in outcome.files.values():
        assert (tmp_path / name).exists()
    model = gentex.load(tmp_path / "model")
    assert gentex.sample(model, 3, seed=0).shape == (3, 1, 16, 16)


def test_the_same_cell_gives_the_same_scores(tmp_path: Path) -> None:
    first, second = (run(work(tmp_path / n), samples=40).scores for n in "ab")
    for name in DIRECTIONS:
        assert first[name] == second[name]


def test_handing_out_training_images_scores_like_the_floor(tmp_path: Path, oracle: str) -> None:
    scores = run(work(tmp_path, oracle), samples=300).scores
    trained = run(work(tmp_path / "gan"), samples=300).scores
    assert scores["copying"].value > 0.99
    assert scores["near-copies"].value > 0.99
    assert scores["diversity"].value == pytest.approx(1, abs=0.15)
    for name in ("fd", "fd-infinity", "kid", "swd", "precision", "recall", "coverage"):
        value, floor = scores[name].value, scores[name].floor
        assert floor is not None
        assert abs(value - floor) < 0.2 * abs(trained[name].value - floor), name
    assert "train-time" not in scores, "nothing was trained"


def test_n_is_what_both_splits_can_give(tmp_path: Path) -> None:
    assert run(work(tmp_path), samples=10**6).protocol["N"] == 355


def test_a_trained_encoder_is_a_feature_space(tmp_path: Path) -> None:
    model = gentex.create("conv-vae", image=(1, 16, 16), width=4, latent=8, seed=0)
    gentex.save(model, tmp_path / "vae")
    outcome = run(work(tmp_path / "run"), samples=40, features=f"encoder:{tmp_path / 'vae'}")
    assert outcome.protocol["features"].startswith("encoder:vae:conv-vae:")
    with pytest.raises(DataError, match="encodes images of 1×16×16; these are 1×8×8"):
        run(
            work(tmp_path / "x", dataset_options={"size": 8}),
            samples=40,
            features=f"encoder:{tmp_path / 'vae'}",
        )
    gan = gentex.create("dcgan", image=(1, 16, 16), width=4)
    gentex.save(gan, tmp_path / "gan")
    with pytest.raises(DataError, match="no Encoder"):
        run(work(tmp_path / "y"), samples=40, features=f"encoder:{tmp_path / 'gan'}")


def test_cached_reference_features_change_no_score(tmp_path: Path) -> None:
    scores = [
        run(work(tmp_path / name, cache=cache, hyperparameters={"width": width}), samples=40).scores
        for name, cache, width in (
            ("none", None, 4),
            ("written", tmp_path / "cache", 8),
            ("read", tmp_path / "cache", 4),
        )
    ]
    assert len(list((tmp_path / "cache").iterdir())) == 2, "of the test and of the training images"
    for name in DIRECTIONS:
        assert scores[2][name] == scores[0][name]
    assert scores[1]["fd"] != scores[0]["fd"]


def test_the_inception_score_is_asked_of_classifiers(tmp_path: Path) -> None:
    file = tmp_path / "sure.py"
    file.write_text(
        "import torch, gentex\n"
        "from gentex.metrics.features import FeatureSpace\n"
        "class Sure(gentex.Encoder):\n"
        "    dim = 8\n"
        "    def encode(self, images):\n"
        "        return images.mean(dim=(1, 2))[:, :8]\n"
        "    def classify(self, features):\n"
        "        return 100 * features\n"
        "@gentex.register('sure', kind='features')\n"
        "def sure(image, *, argument='', device='cpu'):\n"
        "    return FeatureSpace('sure', (Sure(),))\n"
    )
    plugin = registry().add_file(file)
    try:
        score = run(work(tmp_path), samples=50, features="sure").scores["inception-score"]
    finally:
        registry().plugins.remove(plugin)
    assert (score.direction, score.unit) == ("higher", "")
    assert 1 <= score.value <= 8
    assert score.floor is not None
    assert 1.5 < score.floor <= 8, "that of the test images, whose classes vary"


def test_unequal_n_is_refused() -> None:
    images = gentex.load_dataset("digits", "train", size=8)
    some = images.batch(range(60)).images.mul(255).to(torch.uint8)
    space = feature_space("random-conv", images.image, torch.device("cpu"))
    assert distribution_scores(some[:20], some[20:40], some, space)
    for real, fake, training in ((20, 19, 60), (19, 20, 60), (20, 20, 19)):
        with pytest.raises(DataError, match=f"{real} test, {fake} fake and {training} training"):
            distribution_scores(some[:real], some[:fake], some[:training], space)


def test_training_images_are_looked_through_as_far_as_memory_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = gentex.load_dataset("digits", "train", size=8)
    space = feature_space("random-conv", data.image, torch.device("cpu"))
    width = sum(encoder.dim for encoder in space.encoders)
    whole = generation._training_images(data, 300, space)
    assert len(whole) == len(data)
    everything = data.batch(range(len(data))).images.mul(255).round().to(torch.uint8)
    assert sorted(whole.flatten(1).tolist()) == sorted(everything.flatten(1).tolist())
    assert len(generation._training_images(data, 30, space)) == 150
    monkeypatch.setattr(generation, "TRAINING_VALUES", 350 * width)
    fewer = generation._training_images(data, 300, space)
    assert len(fewer) == 350
    assert torch.equal(fewer[:300], whole[:300]), "the floor is made of the same images"
    assert len(generation._training_images(data, 400, space)) == 400


def test_a_likelihood_model_reports_bits_per_dimension(tmp_path: Path) -> None:
    vae = run(work(tmp_path, "conv-vae[width=4]"), samples=40)
    assert vae.scores["bits-per-dim"].direction == "lower"
    assert 0 < vae.scores["bits-per-dim"].value < 20
    gan = run(work(tmp_path / "gan"), samples=40)
    assert "bits-per-dim" not in gan.scores
    assert vae.protocol == gan.protocol, "or they would not stand in one table"


def test_draws_tighten_the_bounds_that_take_them(tmp_path: Path) -> None:
    bits = {
        (name, draws): run(
            work(tmp_path, f"{name}[width=4]", dataset_options={}),
            samples=40,
            likelihood_draws=draws,
        ).scores["bits-per-dim"]
        for name in ("conv-vae", "vq-vae")
        for draws in (1, 30)
    }
    assert bits["conv-vae", 30].value < bits["conv-vae", 1].value - 1e-3
    assert bits["vq-vae", 30] == bits["vq-vae", 1], "it is one term of a sum, without a draw"
    outcome = run(work(tmp_path), samples=40, likelihood_draws=30)
    assert outcome.protocol["likelihood draws"] == 30
    with pytest.raises(HyperparameterError, match="likelihood_draws=0: at least 1"):
        run(work(tmp_path), samples=40, likelihood_draws=0)


@pytest.mark.parametrize("name", ["conv-vae", "flow-matching"])
def test_every_score_has_a_card(tmp_path: Path, name: str) -> None:
    scores = run(work(tmp_path, f"{name}[width=4]"), samples=40).scores
    assert {"bits-per-dim", "evaluations"} & set(scores)
    for metric, score in scores.items():
        card = registry().resolve("metric", metric).card
        assert (score.direction, score.unit) == (card.direction, card.unit), metric


def test_data_that_is_cut_or_left_as_it_is_was_not_resized(tmp_path: Path) -> None:
    own = work(tmp_path, dataset="digits", dataset_options={}, architecture="conv-vae")
    cut = work(tmp_path, dataset="photo-textures", dataset_options={"size": 16})
    for cell in (own, cut):
        assert run(cell, samples=20).protocol["data resize"] == "none"


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^19 samples .* at least 20 are needed"):
        run(work(tmp_path), samples=19)
    assert not list(tmp_path.iterdir()), "and nothing was trained"
    with pytest.raises(GentexError, match="did you mean 'random-conv'"):
        run(work(tmp_path), features="random-cov")


def test_training_does_not_depend_on_the_callers_random_state(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = run(work(tmp_path / "a"), samples=40).scores["fd"]
    torch.manual_seed(2)
    assert run(work(tmp_path / "b"), samples=40).scores["fd"] == first
