from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import gentex
from gentex.errors import DataError, GentexError
from gentex.metrics.layers import structure_psnr
from gentex.registry import registry
from gentex.tasks import Work
from gentex.tasks.separation import run

SIZE = 32

PLUGIN = """
import torch, gentex
from gentex import Layers

@gentex.register('scaled', license='MIT')
class Scaled(gentex.Separator):
    grid = {'share': (0.0, 0.25, 1.0), 'sign': (1, -1)}

    def __init__(self, image, *, share: float = 1.0, sign: int = 1):
        super().__init__()
        self.share, self.sign = share, sign

    def separate(self, images):
        texture = self.sign * self.share * (images - images.mean((2, 3), keepdim=True))
        return Layers(images - texture, texture)

@gentex.register('hoarder', license='MIT')
class Hoarder(gentex.Separator):
    def __init__(self, image, *, copies: int = 0):
        super().__init__()
        self.copies = copies

    def separate(self, images):
        hoard = [images.clone() for _ in range(self.copies)]
        return Layers(images - 0, torch.zeros_like(images))

@gentex.register('bias', license='MIT')
class Bias(gentex.Separator):
    def __init__(self, image):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.full((), 0.3))

    def optimizers(self):
        return {'bias': torch.optim.SGD(self.parameters(), 0.5)}

    def loss(self, batch):
        return (self.bias - batch.layers.texture).square().mean()

    def separate(self, images):
        texture = self.bias.expand_as(images)
        return Layers(images - texture, texture)
"""


@pytest.fixture(autouse=True, scope="module")
def separators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A classic separator with a grid, and one that trains."""
    file = tmp_path_factory.mktemp("plugin") / "separators.py"
    file.write_text(PLUGIN)
    plugin = registry().add_file(file)
    yield
    registry().plugins.remove(plugin)


def work(folder: Path, architecture: str, **changes: Any) -> Work:
    fields: dict[str, Any] = {
        "architecture": architecture,
        "dataset": "composites:easy",
        "dataset_options": {"size": SIZE, "channels": 1},
        "seed": 0,
        "budget": {"steps": 20},
        "folder": folder,
        "device": "cpu",
        **changes,
    }
    return Work(**fields)


def test_defaults_tuned_and_oracle_are_three_columns(tmp_path: Path) -> None:
    outcome = run(work(tmp_path, "scaled"), tuning=16)
    scores = outcome.scores
    default, tuned, oracle = (
        scores[f"structure-psnr{kind}"].value for kind in ("", "-tuned", "-oracle")
    )
    assert default < tuned <= oracle
    assert outcome.cost["grid_points"] == 6
    # What was chosen on training composites is one point of the grid, and its test values are told.
    test = gentex.load_dataset("composites:easy", "test", size=SIZE, channels=1)
    batch = test.batch(range(len(test)))
    assert batch.layers is not None
    points = []
    for share, sign in ((0.0, 1), (0.25, 1), (1.0, 1), (0.25, -1), (1.0, -1)):
        model = gentex.create("scaled", image=test.image, share=share, sign=sign)
        points.append(structure_psnr(batch.layers, model.separate(batch.images)))
    best = torch.stack(points).amax(0).double()
    assert outcome.items["structure-psnr-oracle"] == pytest.approx(best.tolist(), rel=1e-5)
    recorded = outcome.items["structure-psnr-tuned"]
    assert any(recorded == pytest.approx(p.tolist(), rel=1e-5) for p in points)
    # What was chosen is told, and from what.
    assert outcome.chosen["share"]["choices"] == [0.0, 0.25, 1.0]
    values = {name: choice["value"] for name, choice in outcome.chosen.items()}
    model = gentex.create("scaled", image=test.image, **values)
    its = structure_psnr(batch.layers, model.separate(batch.images)).double()
    assert recorded == pytest.approx(its.tolist(), rel=1e-5)


def test_what_the_suite_sets_is_not_tuned(tmp_path: Path) -> None:
    outcome = run(work(tmp_path, "scaled", hyperparameters={"share": 0.0, "sign": 1}), tuning=4)
    assert outcome.cost["grid_points"] == 1
    assert "structure-psnr-tuned" not in outcome.scores
    assert outcome.chosen == {}
    assert "structure-psnr-tuned" not in run(work(tmp_path, "scaled"), tuning=0).scores


def test_a_score_is_the_mean_over_sources_of_the_means_of_their_items(tmp_path: Path) -> None:
    outcome = run(work(tmp_path, "gaussian"), tuning=0)
    test = gentex.load_dataset("composites:easy", "test", size=SIZE, channels=1)
    values = torch.tensor(outcome.items["structure-psnr"])
    sources = test.sources  # type: ignore[attr-defined]  # composites have it
    means = [
        values[[i for i, s in enumerate(sources) if s == source]].mean() for source in set(sources)
    ]
    expected = float(torch.stack(means).mean())
    assert outcome.scores["structure-psnr"].value == pytest.approx(expected, rel=1e-5)
    assert outcome.protocol["sources"] == len(means)


def test_a_learned_separator_trains_and_is_left_in_the_folder(tmp_path: Path) -> None:
    outcome = run(work(tmp_path, "bias"))
    assert outcome.cost["steps"] == 20
    model = gentex.load(tmp_path / "model")
    assert abs(float(next(model.parameters()).detach())) < 0.02, "textures have mean zero"
    sheet = Image.open(tmp_path / outcome.files["image, structure, texture; right: the truth"])
    assert sheet.width > sheet.height / 2


def test_a_budget_of_nothing_measures_the_separator_as_it_comes(tmp_path: Path) -> None:
    outcome = run(work(tmp_path, "bias", budget={"steps": 0}))
    assert outcome.cost["steps"] == 0
    assert float(next(gentex.load(tmp_path / "model").parameters()).detach()) == pytest.approx(0.3)


def test_memory_is_that_of_separating_a_megapixel(tmp_path: Path) -> None:
    """Of a separator that holds as many copies of its image at once as it is told to."""
    pytest.importorskip("resource")
    found = {}
    for copies in (0, 100):
        outcome = run(work(tmp_path, "hoarder", hyperparameters={"copies": copies}))
        score = outcome.scores["separation-memory"]
        assert (score.direction, score.unit) == ("lower", "MiB/megapixel")
        found[copies] = score.value
        assert outcome.scores["peak-memory"].value > 100, "of all that was done, PyTorch included"
    expected = 100 * 4 * 1e6 / 2**20  # float32, one channel
    assert found[100] - found[0] == pytest.approx(expected, rel=0.1)
    assert found[0] < 0.1 * expected


def test_data_without_a_train_split_are_measured_without_tuning(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    for name in ("structure", "texture"):
        (tmp_path / name).mkdir()
        levels = torch.randint(60, 120, (3, 16, 16), generator=rng, dtype=torch.uint8)
        for i, picture in enumerate(levels):
            Image.fromarray(picture.numpy()).save(tmp_path / name / f"{i}.png")
    mine = {"dataset": f"layers-folder:{tmp_path}", "dataset_options": {}}
    scores = run(work(tmp_path / "out", "scaled", **mine)).scores
    assert "structure-psnr" in scores
    assert "structure-psnr-tuned" not in scores
    with pytest.raises(DataError, match="layers to train on go into a folder train/"):
        run(work(tmp_path / "out", "bias", **mine))
    as_it_comes = run(work(tmp_path / "out", "bias", budget={"steps": 0}, **mine))
    assert as_it_comes.cost["steps"] == 0


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not know the layers"):
        run(work(tmp_path, "gaussian", dataset="digits", dataset_options={}))
    with pytest.raises(GentexError, match="is no Separator"):
        run(work(tmp_path, "dcgan", dataset_options={"size": 32}))
