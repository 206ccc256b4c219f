"""`gentex separate`: whole commands on photographs of every kind."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

import gentex
from gentex.data.decode import read_image, read_picture
from gentex.data.layers_folder import _read_png
from gentex.pictures import write_png

HALF = """
import gentex

@gentex.hookimpl
def gentex_cards():
    return [
        gentex.Card("half", "half_models:Half", "Halves.", interfaces=("separator",)),
        gentex.Card("learner", "half_models:Learner", "Learns.", interfaces=("separator",)),
        gentex.Card("trained", "half_models:Trained", "Has learnt.", interfaces=("separator",)),
        gentex.Card("maker", "half_models:Maker", "Makes.", interfaces=("generator",)),
    ]
"""
MODELS = """
import torch
from torch import nn
import gentex

class Half(gentex.Separator):
    def __init__(self, image: gentex.ImageShape, *, strength: float = 0.5) -> None:
        super().__init__()
        self.strength = strength

    def separate(self, images):
        texture = self.strength * (images - 0.5)
        return gentex.Layers(images - texture, texture)

class Learner(Half):
    def __init__(self, image: gentex.ImageShape) -> None:
        super().__init__(image)
        self.scale = nn.Parameter(torch.ones(1))

    def optimizers(self):
        return {"only": torch.optim.Adam(self.parameters())}

class Trained(Learner):
    def __init__(self, image: gentex.ImageShape, *, weights: str = "") -> None:
        super().__init__(image)
        self.strength = 0.25 if weights == "default" else 1.0

class Maker(gentex.Generator):
    def __init__(self, image: gentex.ImageShape) -> None:
        super().__init__()

    def sample(self, n, *, rng=None, condition=None): ...
"""


@pytest.fixture(autouse=True)
def half(site):
    site.install("half", HALF)
    (site.folder / "half_models.py").write_text(MODELS)


@pytest.fixture
def photos(tmp_path):
    """A folder with a photograph of each kind."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    colour = Image.fromarray(pixels)
    colour.save(folder / "colour.png", icc_profile=PROFILE)
    colour.convert("L").save(folder / "grey.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    colour.save(folder / "turned.jpg", exif=exif, quality=100)
    alpha = Image.fromarray(np.dstack([pixels, np.full((20, 30), 128, np.uint8)]))
    alpha.save(folder / "clear.png")
    return folder


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def read(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_a_folder_in_a_process_of_its_own(python, photos, tmp_path):
    (photos / "broken.png").write_bytes((photos / "grey.png").read_bytes()[:60])
    (photos / "notes.txt").write_text("no picture")
    out = tmp_path / "out"
    result = python("-m", "gentex", "separate", photos, "--method", "half", "-o", out)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "broken.png" in result.stderr
    assert "notes" not in result.stderr
    assert "4 of 5 separated by half" in result.stdout
    kinds = ("layers", "structure", "texture")
    assert {path.name for path in out.iterdir()} == {
        f"{name}-{kind}.png" for name in ("clear", "colour", "grey", "turned") for kind in kinds
    }


@pytest.mark.parametrize("name", ["colour.png", "grey.png", "turned.jpg", "clear.png"])
def test_layers_add_up_to_the_upright_photograph_at_its_own_size(command, photos, tmp_path, name):
    result = command("separate", photos / name, "--method", "half", "-o", tmp_path / "out")
    assert (result.code, result.err) == (0, "")
    stem = name.partition(".")[0]
    structure, texture, sheet = (
        read(tmp_path / "out" / f"{stem}-{kind}.png") for kind in ("structure", "texture", "layers")
    )
    expected = read_image(photos / name).permute(1, 2, 0).squeeze(2).numpy().astype(int)
    assert structure.shape == texture.shape == expected.shape
    assert abs(structure + texture - 128 - expected).max() <= 1
    assert abs(structure - (expected + 127.5) / 2).max() <= 0.5
    width = expected.shape[1]
    assert sheet.shape == (expected.shape[0], 3 * width + 16, *expected.shape[2:])
    assert np.array_equal(sheet[:, :width], expected)
    assert np.array_equal(sheet[:, width + 8 : 2 * width + 8], structure)
    assert np.array_equal(sheet[:, 2 * width + 16 :], texture)


def test_the_turned_photograph_stands(photos):
    assert read_picture(photos / "turned.jpg").pixels.shape == (3, 30, 20)


def test_colours_are_those_of_the_file_and_the_profile_stays(command, tmp_path):
    # A profile that exchanges red and blue: converting by it would be seen.
    profile = bytearray(PROFILE)
    start = 128 + 4
    tags = {bytes(profile[at : at + 4]): at for at in range(start, start + 17 * 12, 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    pixels = np.full((8, 8, 3), (200, 40, 90), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "odd.png", icc_profile=bytes(profile))
    assert abs(read_image(tmp_path / "odd.png")[0].int() - 200).min() > 20  # it would be seen
    command("separate", tmp_path / "odd.png", "--method", "half", "-o", tmp_path / "out")
    for kind in ("structure", "texture", "layers"):
        with Image.open(tmp_path / "out" / f"odd-{kind}.png") as image:
            assert image.info["icc_profile"] == bytes(profile)
    sheet = read(tmp_path / "out" / "odd-layers.png")
    assert sheet[0, 0].tolist() == [200, 40, 90]


def test_a_profile_for_other_values_is_left_out(tmp_path):
    Image.new("L", (4, 4), 100).save(tmp_path / "grey.png", icc_profile=PROFILE)
    picture = read_picture(tmp_path / "grey.png")
    assert picture.profile is None
    assert torch.equal((picture.pixels * 255).round(), torch.full((1, 4, 4), 100.0))
    Image.new("CMYK", (4, 4), (0, 0, 0, 255)).save(tmp_path / "ink.tiff")
    assert read_picture(tmp_path / "ink.tiff").pixels.shape == (3, 4, 4)


def test_sixteen_bits(command, tmp_path):
    levels = np.random.default_rng(1).integers(0, 65536, (9, 7), dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    arguments = ("--method", "half", "--depth", "16", "-o", tmp_path / "out")
    assert command("separate", tmp_path / "deep.png", *arguments).code == 0
    structure, texture = (
        read(tmp_path / "out" / f"deep-{kind}.png") for kind in ("structure", "texture")
    )
    assert abs(structure - (levels + 32767.5) / 2).max() <= 0.5
    assert abs(structure + texture - 32768 - levels).max() <= 1


def test_sixteen_bits_of_each_colour(command, tmp_path):
    levels = np.random.default_rng(3).integers(0, 65536, (9, 7, 3))
    write_png(tmp_path / "deep.png", levels.astype(np.uint16))
    arguments = ("--method", "half", "--depth", "16", "-o", tmp_path / "out")
    assert command("separate", tmp_path / "deep.png", *arguments).code == 0
    for kind, expected in (
        ("structure", (levels + 32767.5) / 2),
        ("texture", (levels + 32768.5) / 2),
    ):
        layer = _read_png(tmp_path / "out" / f"deep-{kind}.png", signed=False)
        found = 65535 * layer.permute(1, 2, 0).double().numpy()
        assert abs(found - expected).max() <= 1


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1, 3)], ids=str)
@pytest.mark.parametrize("profile", [None, PROFILE], ids=["plain", "profile"])
def test_png_of_sixteen_bits_is_what_pillow_reads(tmp_path, shape, profile):
    levels = np.random.default_rng(2).integers(0, 65536, shape, dtype=np.uint16)
    write_png(tmp_path / "a.png", levels, profile=profile)
    layer = _read_png(tmp_path / "a.png", signed=False)
    assert np.array_equal((65535 * layer.permute(1, 2, 0).squeeze(2).double()).round(), levels)
    with Image.open(tmp_path / "a.png") as image:
        image.verify()  # the checksums
        assert image.info.get("icc_profile") == profile


def test_progress_over_many_is_shown_where_somebody_looks(python, photos, tmp_path, monkeypatch):
    def shown(*inputs):
        result = python("-m", "gentex", "separate", *inputs, "--method", "half", "-o", tmp_path)
        assert result.returncode == 0
        return result.stderr

    assert not shown(photos).strip()
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes of a pipe a terminal
    assert all(f"{k}/4" in shown(photos) for k in (0, 4))
    assert "/1" not in shown(photos / "grey.png")


def test_arrays(command, photos, tmp_path):
    out = tmp_path / "out"
    command("separate", photos, "--method", "half", "--format", "npy", "-o", out)
    structure, texture = (np.load(out / f"colour-{k}.npy") for k in ("structure", "texture"))
    assert structure.dtype == texture.dtype == np.float32
    expected = read(photos / "colour.png") / 255
    assert structure.shape == (20, 30, 3)
    assert abs(structure + texture - expected).max() < 1e-6
    assert np.load(out / "grey-texture.npy").shape == (20, 30)
    assert (out / "colour-layers.png").exists()
    assert not (out / "colour-structure.png").exists()


def test_photographs_of_one_name_do_not_overwrite_each_other(command, photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in ("grey.jpg", "grey.png"):
        Image.new("L", (4, 4), 90).save(other / name)
    out = tmp_path / "out"
    inputs = (photos / "grey.png", other / "grey.png", other / "grey.jpg")
    assert command("separate", *inputs, "--method", "half", "-o", out).code == 0
    names = [path.name for path in out.glob("*-layers.png")]
    assert set(names) == {f"grey.{x}-layers.png" for x in ("jpg", "png", "png-2")}


def test_strength_and_parameters(command, photos, tmp_path):
    def texture(*arguments):
        photo = photos / "grey.png"
        result = command("separate", photo, "--method", "half", "-o", tmp_path / "out", *arguments)
        assert result.code == 0
        return read(tmp_path / "out" / "grey-texture.png")

    whole = read(photos / "grey.png") + 0.5
    assert abs(texture("--strength", "1.0") - whole).max() <= 1
    assert abs(texture("-p", "strength=0.0") - 128).max() == 0


def test_learned_methods_take_their_weights(command, photos, tmp_path):
    photo, out = photos / "grey.png", tmp_path / "out"
    assert command("separate", photo, "--method", "trained", "-o", out).code == 0
    expected = 128 + 0.25 * (read(photo) - 127.5)
    assert abs(read(out / "grey-texture.png") - expected).max() <= 1
    result = command("separate", photo, "--method", "learner", "-o", out)
    assert result.code == 2
    assert "trained" in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--method", "hafl"), "did you mean 'half'?"),
        (("--method", "maker"), "no separator 'maker'"),
        (("--method", "half", "-p", "strenght=1"), "did you mean 'strength'?"),
        (("--method", "half", "-p", "strength"), "key=value"),
        (("--method", "half", "-p", "strength=much"), "strength='much'"),
        (("--method", "half", "--depth", "12"), "'8', '16'"),
        (("--method", "half", "--device", "cup"), "cup"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_end_with_code_2_and_nothing_written(command, photos, tmp_path, arguments, says):
    result = command("separate", photos, *arguments, "-o", tmp_path / "out")
    assert result.code == 2
    assert says in result.err
    assert not (tmp_path / "out").exists()


def test_a_photograph_is_never_written_over(command, tmp_path):
    for name in ("x.png", "x-structure.png"):
        Image.new("L", (4, 4), 90).save(tmp_path / name)
    before = (tmp_path / "x-structure.png").read_bytes()
    result = command("separate", tmp_path, "--method", "half", "-o", tmp_path)
    assert result.code == 2
    assert "x-structure.png is one of the photographs" in result.err
    assert (tmp_path / "x-structure.png").read_bytes() == before
    assert not (tmp_path / "x-layers.png").exists()


def test_a_folder_that_cannot_be_written_is_said(command, photos, tmp_path):
    (tmp_path / "file").write_text("")
    result = command("separate", photos, "--method", "half", "-o", tmp_path / "file" / "out")
    assert result.code == 2
    assert f"cannot write into {tmp_path / 'file' / 'out'}" in result.err
    assert "Traceback" not in result.err


def test_what_is_not_there_is_named_and_the_rest_separated(command, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    inputs = (tmp_path / "gone.png", photos / "grey.png", tmp_path / "empty")
    result = command("separate", *inputs, "--method", "half", "-o", tmp_path / "out")
    assert result.code == 1
    assert "gone.png: no such file" in result.err
    assert "empty: a folder without images" in result.err
    assert (tmp_path / "out" / "grey-layers.png").exists()


def test_tiles_leave_no_seams(command, tmp_path, monkeypatch):
    from gentex.commands import separation

    monkeypatch.setattr(separation, "TILE", 48)
    monkeypatch.setattr(separation, "OVERLAP", 16)
    pixels = np.random.default_rng(3).integers(0, 256, (70, 110, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    assert command("separate", tmp_path / "large.png", "--method", "half", "-o", tmp_path).code == 0
    assert abs(read(tmp_path / "large-structure.png") - (pixels + 127.5) / 2).max() <= 0.5001


def test_a_trained_separator_is_taken_from_its_folder(command, photos, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    trained = gentex.create("unet", image=gentex.ImageShape(3, 16, 16), width=4, seed=1)
    torch.nn.init.normal_(trained.tail.bias, generator=torch.Generator().manual_seed(0))
    gentex.save(trained, run)
    done = command("separate", photos, "--method", run, "--format", "npy", "-o", out)
    assert done.code == 1
    assert "3 of 4 separated" in done.out
    assert "grey.png: " in done.err
    assert "is for 3 channels; the photograph has 1" in done.err
    pixels = read_image(photos / "colour.png")[None].float() / 255
    expected = trained.eval().separate(pixels).texture[0].detach().permute(1, 2, 0).numpy()
    assert np.allclose(np.load(out / "colour-texture.npy"), expected, atol=1e-5)

    refused = command("separate", photos, "--method", run, "--strength", 1, "-o", out)
    assert (refused.code, "takes no --strength" in refused.err) == (2, True)
    generator = gentex.create("conv-vae", image=gentex.ImageShape(3, 16, 16), width=4)
    gentex.save(generator, tmp_path / "vae")
    refused = command("separate", photos, "--method", tmp_path / "vae", "-o", out)
    assert (refused.code, "is no Separator" in refused.err) == (2, True)
