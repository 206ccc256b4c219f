"""uplift@1 on images whose layers are known: stripes are the texture, steps of grey the structure.

Greys of the structure are multiples of 32 in 255 and the stripes' amplitude is less than 16, so
that rounding takes an image apart without error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from gentex.errors import DataError, GentexError
from gentex.interfaces import Layers
from gentex.metrics.uplift import paired_interval, recognition_scores
from gentex.registry import registry
from gentex.tasks import Outcome, Work
from gentex.tasks.uplift import Seen, recognised, run, views

PLUGIN = """
import torch, gentex
from gentex.data import MemoryDataset


@gentex.register("striped", kind="dataset", summary="stripes on steps")
def striped(*, split: str, argument: str, root=None, classes: str = "texture", tests: int = 60):
    n = {"train": 80, "test": tests}[split]
    rng = torch.Generator().manual_seed(len(split))
    labels = torch.arange(n) % 2
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    phase = torch.randint(4, (n, 1, 1), generator=rng)
    kind = labels if classes == "texture" else torch.randint(2, (n,), generator=rng)
    along = torch.where(kind[:, None, None] == 0, x, y)
    texture = 12 * ((along + phase) // 2 % 2 * 2 - 1)
    if classes == "texture":  # as noisy as can be
        steps = torch.randint(2, 7, (n, 16, 16), generator=rng)
    else:  # an edge, upright or lying
        steps = torch.where(labels[:, None, None] == 0, x, y) // 8 * 2 + 3
    images = (32 * steps + texture).to(torch.uint8)[:, None]
    labels = None if classes == "none" else labels
    return MemoryDataset("striped", split, images, labels, classes=("a", "b") if classes else ())


class Plain(gentex.Separator):
    def __init__(self, image):
        super().__init__()


@gentex.register("perfect", license="MIT")
class Perfect(Plain):
    def separate(self, images):
        structure = (images * 255 / 32).round() * 32 / 255
        return gentex.Layers(structure, images - structure)


@gentex.register("nothing", license="MIT")
class Nothing(Plain):
    def separate(self, images):
        return gentex.Layers(images, images - images)


@gentex.register("untrained", license="MIT")
class Untrained(Nothing):
    def __init__(self, image, *, weights: str = ""):
        super().__init__(image)
        self.layer = torch.nn.Conv2d(1, 1, 1)

    def optimizers(self):
        return {"only": torch.optim.Adam(self.parameters())}


@gentex.register("hopeless", license="MIT")
class Hopeless(Untrained):
    def __init__(self, image):
        super().__init__(image)
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    file = tmp_path_factory.mktemp("plugin") / "striped.py"
    file.write_text(PLUGIN)
    loaded = registry().add_file(file)
    yield file
    registry().plugins.remove(loaded)


@pytest.fixture
def cell(plugin: Path, tmp_path: Path) -> Callable[..., Outcome]:
    def run_cell(architecture: str, *, classes: str = "texture", **options: Any) -> Outcome:
        given = {name: options.pop(name) for name in ("seed", "hyperparameters") if name in options}
        fields = {"seed": 0, "hyperparameters": {}, **given}
        work = Work(
            architecture=architecture,
            dataset="striped",
            dataset_options={"classes": classes, **options.pop("dataset_options", {})},
            budget={},
            folder=tmp_path / architecture,
            device="cpu",
            **fields,
        )
        return run(work, **options)

    return run_cell


def value(outcome: Outcome, name: str) -> float:
    return outcome.scores[name].value


@pytest.mark.parametrize(("classes", "other"), [("texture", "structure"), ("structure", "texture")])
def test_separating_helps_where_one_layer_hides_the_other(
    cell: Callable[..., Outcome], classes: str, other: str
) -> None:
    found = cell("perfect", classes=classes)
    assert value(found, f"accuracy-{classes}") == 1
    assert value(found, f"accuracy-{other}") < 0.75
    if classes == "texture":
        assert value(found, "accuracy-image") < 0.9
        assert value(found, "uplift") > 0.15
        assert value(found, "uplift-low") > 0
    assert value(found, "uplift") >= 0


def test_separating_nothing_recognises_nothing_more(cell: Callable[..., Outcome]) -> None:
    found = cell("nothing")
    items = found.items
    assert items["accuracy-structure"] == items["accuracy-image"]
    assert value(found, "accuracy-texture") == 0.5, "an empty texture tells no class"
    assert abs(value(found, "accuracy-both") - value(found, "accuracy-image")) < 0.05
    assert value(found, "uplift-low") <= 0


def test_an_outcome_says_everything(cell: Callable[..., Outcome], tmp_path: Path) -> None:
    found = cell("perfect", seed=7, train_images=10)
    assert next(iter(found.scores)) == "uplift", "tables are ordered by the first metric"
    inputs = ("image", "structure", "texture", "both", "twice", "gaussian")
    for name in inputs:
        assert len(found.items[f"accuracy-{name}"]) == 60
        mean = np.mean(found.items[f"accuracy-{name}"])
        assert value(found, f"accuracy-{name}") == pytest.approx(mean)
        assert found.scores[f"accuracy-{name}"].direction == "higher"
    for name, control in (("uplift", "twice"), ("uplift-over-gaussian", "gaussian")):
        pairs = zip(found.items["accuracy-both"], found.items[f"accuracy-{control}"], strict=True)
        assert found.items[name] == [both - other for both, other in pairs]
        assert value(found, name) == pytest.approx(np.mean(found.items[name]))
        low, high = value(found, f"{name}-low"), value(found, f"{name}-high")
        assert low <= value(found, name) <= high
        assert found.scores[f"{name}-low"].direction == "", "bounds are shown and never rank"
    assert found.protocol["train"] == "20 images"
    assert found.protocol["test"] == "60 images"
    assert found.protocol["classes"] == 2
    assert found.protocol["data resize"] == "none"
    assert found.protocol["features"].startswith("random-conv@")
    assert found.protocol["encoder"] == "one of 5, by seed"
    assert found.cost["encoder"] == 2
    assert all((tmp_path / "perfect" / name).is_file() for name in found.files.values())


def test_the_same_cell_gives_the_same_result_and_a_seed_another(
    cell: Callable[..., Outcome],
) -> None:
    first, second, other = (cell("perfect", seed=seed, train_images=8) for seed in (1, 1, 2))
    assert first.items == second.items
    assert first.items != other.items
    assert first.protocol == other.protocol, "or their rows would not be compared"


def test_neither_batches_nor_the_test_labels_change_what_is_recognised(
    cell: Callable[..., Outcome],
) -> None:
    items = cell("perfect").items
    assert cell("perfect", batch_size=7).items == items
    rng = torch.Generator().manual_seed(0)
    features, labels = torch.randn(90, 5, generator=rng, dtype=torch.float64), torch.arange(90) % 3
    train = Seen({"image": features[:60]}, labels[:60])
    test = Seen({"image": features[60:]}, labels[60:])
    right = recognised(train, test, ["image"])
    for wrong in range(3):
        asked = Seen(test.features, torch.full((30,), wrong))
        assert torch.equal(
            recognised(train, asked, ["image"])[test.labels == wrong], right[test.labels == wrong]
        )


def test_views_lie_in_range_and_split_the_image() -> None:
    images = 0.3 + 0.4 * torch.rand(3, 1, 12, 20, generator=torch.Generator().manual_seed(0))
    structure = 3 * images - 1
    shown = views(images, Layers(structure, images - structure), sigma=2.0)
    assert torch.equal(shown["mirror"].flip(-1), images)
    assert torch.allclose(shown["smooth"] + shown["detail"] - 0.5, images, atol=1e-6)
    assert torch.equal(shown["structure"], structure.clamp(0, 1))
    assert torch.equal(shown["texture"], images - structure + 0.5)
    assert all(view.min() >= 0 and view.max() <= 1 for view in shown.values())
    assert shown["smooth"].std() < 0.5 * images.std()


def test_the_interval_is_that_of_a_mean_of_pairs() -> None:
    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.choice([-1.0, 0.0, 1.0], 400, p=[0.1, 0.7, 0.2]))
    low, high = paired_interval(values)
    mean, error = float(values.mean()), stats.sem(values.numpy())
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=0.1 * error)
    assert paired_interval(torch.zeros(9)) == (0, 0)
    with pytest.raises(DataError, match="1 test images: at least 2"):
        paired_interval(torch.zeros(1))


def test_images_that_are_hard_for_both_widen_nothing() -> None:
    easy = torch.tensor([1.0] * 30 + [0.0] * 10)
    both = torch.cat([torch.ones(40), torch.zeros(60)])
    twice = torch.cat([easy, torch.zeros(60)])
    scores = recognition_scores({"both": both, "twice": twice, "gaussian": both})
    assert scores["uplift"] == pytest.approx(0.1)
    unpaired = 1.96 * (both.var() / 100 + twice.var() / 100) ** 0.5
    assert scores["uplift-high"] - scores["uplift-low"] < 1.3 * float(unpaired)
    assert scores["uplift-over-gaussian-low"] == scores["uplift-over-gaussian-high"] == 0


def test_mistakes(cell: Callable[..., Outcome]) -> None:
    with pytest.raises(GentexError, match=r"'untrained' is trained .*: untrained\[weights=default"):
        cell("untrained")
    with pytest.raises(GentexError, match=r"learned ones that come with weights$"):
        cell("hopeless")
    assert cell("untrained", hyperparameters={"weights": "default"}).cost["parameters"] == 2
    with pytest.raises(DataError, match="'striped' has no classes"):
        cell("perfect", classes="none")
    with pytest.raises(DataError, match=r"2 classes of 'striped' .* with 1 images; at least 2"):
        cell("perfect", train_images=1)
    with pytest.raises(DataError, match="1 test images"):
        cell("perfect", dataset_options={"tests": 1})
    with pytest.raises(GentexError, match="did you mean 'random-conv'"):
        cell("perfect", features="random-cov")


def test_the_whole_command(plugin: Path, tmp_path: Path) -> None:
    command = "--task uplift@1 --dataset striped --architecture perfect,nothing"
    done = subprocess.run(
        [sys.executable, "-m", "gentex.bench", "run", *command.split(), "--plugin", plugin],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "300"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = subprocess.run(
        [sys.executable, "-m", "gentex.bench", "report", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    (table,) = json.loads(report.stdout)
    assert table["budget"] == "untrained"
    assert [row["architecture"] for row in table["rows"]] == ["perfect", "nothing"]
    assert table["rows"][0]["scores"]["uplift"]["mean"] > 0.1
