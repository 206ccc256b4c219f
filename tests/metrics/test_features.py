from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gentex import Encoder, ImageShape
from gentex.errors import DataError
from gentex.metrics import frechet_distance, precision_recall_density_coverage
from gentex.metrics.features import FeatureSpace, mean_over_encoders, pixels, random_conv

SHAPES = [ImageShape(1, 28, 28), ImageShape(3, 32, 48), ImageShape(2, 3, 5), ImageShape(4, 1, 1)]


def images(n: int, shape: ImageShape, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, *shape), generator=rng, dtype=torch.uint8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("space", [random_conv, pixels])
def test_any_shape(space, shape: ImageShape) -> None:
    made = space(shape)
    for encoder, features in zip(made.encoders, made.features(images(5, shape)), strict=True):
        assert features.shape == (5, encoder.dim)
        assert features.dtype == torch.float64
        assert features.isfinite().all()
        assert features.std(dim=0).max() > 0


@pytest.mark.parametrize("space", [random_conv, pixels])
def test_neither_batches_nor_the_number_type_matter(space) -> None:
    shape = ImageShape(3, 20, 24)
    made, some = space(shape), images(11, shape)
    whole = made.features(some)
    for other in (made.features(some, batch_size=3), made.features(some.float() / 255)):
        for a, b in zip(whole, other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_random_conv_is_the_same_for_everyone() -> None:
    """The name holds a hash of the weights; they are drawn so that every machine gets the same."""
    before = torch.get_rng_state()
    space = random_conv(ImageShape(3, 32, 32))
    assert torch.equal(torch.get_rng_state(), before)
    assert space.name == random_conv(ImageShape(3, 64, 16)).name == "random-conv@e096806e"
    assert len(space.encoders) == 5
    assert random_conv(ImageShape(1, 32, 32)).name == "random-conv@d0db5864"
    one, other = space.features(images(4, ImageShape(3, 32, 32)))[:2]
    assert not torch.allclose(one, other)


def test_random_conv_has_the_means_of_the_pixels() -> None:
    shape = ImageShape(3, 32, 32)
    some = images(6, shape)
    features = random_conv(shape).features(some)[0]
    means = some.double().mean(dim=(2, 3)) / 255
    torch.testing.assert_close(features[:, :3], (means + 0.02).log(), rtol=1e-5, atol=1e-6)


class Mean(Encoder):
    dim = 1

    def encode(self, images: Tensor) -> Tensor:
        assert not self.training
        return images.mean(dim=(1, 2, 3))[:, None]


class Spread(Mean):
    def encode(self, images: Tensor) -> Tensor:
        return images.flatten(1).std(dim=1, keepdim=True)


def test_any_encoder_can_be_a_space() -> None:
    encoder = Mean().train()
    (features,) = FeatureSpace("mean", (encoder,)).features(torch.full((3, 1, 2, 2), 255).byte())
    assert torch.equal(features, torch.ones(3, 1, dtype=torch.float64))
    assert encoder.training


def test_the_mean_over_encoders() -> None:
    space = FeatureSpace("two", (Mean(), Spread()))
    shape = ImageShape(1, 8, 8)
    real, fake = (space.features(images(30, shape, seed)) for seed in (0, 1))
    both = [frechet_distance(a, b) for a, b in zip(real, fake, strict=True)]
    assert mean_over_encoders(frechet_distance, real, fake) == pytest.approx(sum(both) / 2)
    scores = mean_over_encoders(precision_recall_density_coverage, real, fake)
    assert isinstance(scores, dict)
    assert scores.keys() == {"precision", "recall", "density", "coverage"}


def test_only_classifiers_have_logits() -> None:
    class Sign(Mean):
        def classify(self, features: Tensor) -> Tensor:
            assert features.dtype == torch.float32
            return torch.cat([features, -features], dim=1)

    some = images(3, ImageShape(1, 8, 8))
    space = FeatureSpace("signs", (Sign(),))
    features = space.features(some)
    logits = space.logits(features)
    assert logits is not None
    assert torch.equal(logits[0], torch.cat([features[0], -features[0]], dim=1))
    mixed = FeatureSpace("mixed", (Sign(), Mean()))
    assert mixed.logits(mixed.features(some)) is None


def test_images_of_no_shape() -> None:
    with pytest.raises(DataError, match=r"shape \(3, 8\)"):
        pixels(ImageShape(1, 8, 8)).features(torch.zeros(3, 8))
    with pytest.raises(DataError, match="N ≥ 1"):
        pixels(ImageShape(1, 8, 8)).features(torch.zeros(0, 1, 8, 8))


# ------------------------------------------------------------------- weights that the user has


@pytest.fixture
def nothing_cached(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("GENTEX_WEIGHTS", raising=False)


@pytest.mark.usefixtures("nothing_cached")
@pytest.mark.parametrize("name", ["inception", "inception_v1_bvlc", "lpips", "dinov2"])
def test_no_weights_is_one_error(name: str) -> None:
    import gentex.metrics.features as spaces

    with pytest.raises(DataError, match="needs a file of weights, and nothing is downloaded"):
        getattr(spaces, name)(ImageShape(3, 32, 32))


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    from gentex.metrics.features import inception

    with pytest.raises(DataError, match="no file of weights, nor a folder"):
        inception(ImageShape(3, 32, 32), argument=str(tmp_path / "nothing.pth"))


def test_weights_of_another_network(tmp_path: Path) -> None:
    from gentex.metrics.features import inception, inception_v1_bvlc, timm_model

    path = tmp_path / "linear.pth"
    torch.save(torch.nn.Linear(3, 2).state_dict(), path)
    for space in (inception, inception_v1_bvlc):
        with pytest.raises(DataError, match="weights of another network"):
            space(ImageShape(3, 32, 32), argument=str(path))
    with pytest.raises(DataError, match="weights of another network"):
        timm_model(ImageShape(3, 32, 32), argument="resnet10t", weights=path)
    path.write_bytes(b"no weights at all")
    with pytest.raises(DataError, match="can't be read as weights"):
        inception(ImageShape(3, 32, 32), argument=str(path))


def test_grey_or_rgb(tmp_path: Path) -> None:
    from gentex.metrics.features.inception_v1 import InceptionV1

    with pytest.raises(DataError, match="1 or 3 channels, not 2"):
        InceptionV1(ImageShape(2, 32, 32))


def test_timm_model_from_a_file(tmp_path: Path) -> None:
    import timm

    from gentex.metrics.features import timm_model

    torch.manual_seed(0)
    network = timm.create_model("test_resnet", pretrained=False)
    path = tmp_path / "test_resnet.pth"
    torch.save(network.state_dict(), path)
    space = timm_model(ImageShape(3, 20, 30), argument="test_resnet", weights=tmp_path)
    assert space.name.startswith("timm-test_resnet@")
    data = timm.data.resolve_model_data_config(network)
    assert space.resize == "bilinear, antialiased, 160×160"
    some = torch.rand(2, 3, *data["input_size"][1:])  # no resizing
    mean, std = (torch.tensor(data[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        features = network.eval().forward_features((some - mean) / std)
        expected = network.forward_head(features, pre_logits=True)
    torch.testing.assert_close(space.features(some)[0].float(), expected)
    (whole,) = space.features(images(3, ImageShape(1, 20, 30)))
    assert whole.shape == (3, *expected.shape[1:])
    (single,) = space.features(images(3, ImageShape(1, 20, 30)), batch_size=1)
    torch.testing.assert_close(single, whole, rtol=1e-4, atol=1e-5)

    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "test_vit.pth")
    smaller = timm_model(ImageShape(3, 20, 30), argument="test_vit", weights=tmp_path, img_size=64)
    assert smaller.resize == "bicubic, antialiased, 64×64"
    assert smaller.features(images(2, ImageShape(3, 20, 30)))[0].shape == (2, 64)
    with pytest.raises(DataError, match=r"did you mean .*resnet18"):
        timm_model(ImageShape(3, 32, 32), argument="resnet8")


# ------------------------------------------------------------------------------- Inception-v3


@pytest.fixture(scope="module")
def fid_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of no use but of the right shapes, with live batch norm statistics."""
    from gentex.metrics.features.inception_v3 import InceptionV3

    torch.manual_seed(0)
    encoder = InceptionV3(ImageShape(3, 32, 32))
    encoder.network.fc = encoder.classifier
    state = encoder.network.state_dict()
    for name, tensor in state.items():
        if name.endswith(("running_var", "bn.weight")):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "bn.bias")):
            tensor.normal_(0, 0.3)
    path = tmp_path_factory.mktemp("weights") / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(state, path)
    return path


@pytest.mark.parametrize("size", [32, 320])
def test_inception_is_the_network_of_fid(fid_weights: Path, size: int) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    from gentex.metrics.features import inception

    theirs = FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], str(fid_weights))
    shape = ImageShape(3, size, size)
    space = inception(shape, weights=fid_weights.parent)
    assert space.name.startswith("inception-v3-fid@")
    some = images(2, shape)
    features, logits = theirs(some)
    torch.testing.assert_close(space.features(some)[0].float(), features, rtol=1e-4, atol=1e-5)
    (ours,) = space.logits(space.features(some)) or ()
    torch.testing.assert_close(ours.float(), logits, rtol=1e-4, atol=1e-4)


def test_inception_of_torchvision(tmp_path: Path) -> None:
    from torchvision.models import Inception3

    from gentex.metrics.features import inception

    torch.manual_seed(0)
    network = Inception3(init_weights=False).eval()
    path = tmp_path / "inception_v3_google-0cc3c7bd.pth"
    torch.save(network.state_dict(), path)
    shape = ImageShape(3, 299, 299)
    space = inception(shape, argument=str(path))
    assert space.name.startswith("inception-v3-torchvision@")
    network.fc = torch.nn.Identity()
    some = images(1, shape)
    with torch.no_grad():
        expected = network((some.float() - 128) / 128)
    torch.testing.assert_close(space.features(some)[0].float(), expected, rtol=1e-4, atol=1e-5)


# -------------------------------------------------------------- real weights, where they are had

WEIGHTS = Path(os.environ.get("GENTEX_DATA", "")) / "weights"
real_weights = pytest.mark.skipif(
    not (WEIGHTS / "bvlc_googlenet_rgb_fp16.pth").is_file(),
    reason="GENTEX_DATA names no folder with weights/",
)


@real_weights
def test_inception_v1_knows_photographs() -> None:
    from PIL import Image
    from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

    from gentex.metrics.features import inception_v1_bvlc

    lines = (WEIGHTS / "synset_words.txt").read_text().splitlines()
    classes = [line.split()[0] for line in lines]
    paths = sorted((WEIGHTS / "sample_photos").glob("*.JPEG"))
    labels = torch.tensor([classes.index(path.name.split("_")[0]) for path in paths])
    photos = [resize(Image.open(path).convert("RGB"), 256) for path in paths]
    crops = torch.stack([pil_to_tensor(center_crop(photo, 224)) for photo in photos])

    shape = ImageShape(3, 224, 224)
    space = inception_v1_bvlc(shape, argument=str(WEIGHTS / "bvlc_googlenet_rgb_fp16.pth"))
    assert space.name == "inception-v1-bvlc@b02f2813"
    (logits,) = space.logits(space.features(crops)) or ()
    assert (logits.argmax(dim=1) == labels).sum() >= 20  # of 24
    top5 = logits.topk(5, dim=1).indices
    assert (top5 == labels[:, None]).any(dim=1).sum() >= 23


@real_weights
def test_distance_in_lpips_is_lpips() -> None:
    """The example in the documentation of torchmetrics."""
    from gentex.metrics.features import lpips

    rng = torch.Generator().manual_seed(42)
    one, other = (torch.rand(2, 3, 100, 100, generator=rng) for _ in range(2))
    space = lpips(ImageShape(3, 100, 100), argument=str(WEIGHTS))
    (a,), (b,) = space.features(one), space.features(other)
    expected = torch.tensor([0.1024, 0.0938], dtype=torch.float64)
    torch.testing.assert_close((a - b).square().sum(dim=1), expected, rtol=0, atol=5e-5)
