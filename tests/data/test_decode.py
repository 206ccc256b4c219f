"""Every kind of image file comes out as a viewer shows it, or as a DataError with the reason."""

import contextlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps

from gentex.data.decode import (
    MAX_PIXELS,
    UnreadableError,
    fit,
    read_header,
    read_image,
    read_picture,
    to_channels,
)
from gentex.errors import DataError

NOISE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def shown(path, channels=None):
    """The pixels as (H, W, C) or (H, W), after checking that the header tells their shape."""
    pixels = read_image(path, channels)
    assert pixels.dtype == torch.uint8
    if channels is None:
        assert tuple(pixels.shape) == read_header(path)
    array = pixels.permute(1, 2, 0).numpy()
    return array if len(pixels) == 3 else array[..., 0]


def save(path, image, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp", "a.ppm", "a.tga"])
def test_colour_comes_as_it_was_saved(tmp_path, name):
    options = {"lossless": True} if name.endswith("webp") else {}
    np.testing.assert_array_equal(shown(save(tmp_path / name, NOISE, **options)), NOISE)


def test_content_decides_and_not_the_ending(tmp_path):
    np.testing.assert_array_equal(shown(save(tmp_path / "a.jpg", NOISE, format="PNG")), NOISE)


def test_grey_has_one_channel_unless_three_are_wanted(tmp_path):
    path = save(tmp_path / "a.png", NOISE[..., 0])
    np.testing.assert_array_equal(shown(path), NOISE[..., 0])
    np.testing.assert_array_equal(shown(path, 3), np.repeat(NOISE[..., :1], 3, 2))
    with pytest.raises(DataError, match=r"^channels=2: images have 1"):
        read_image(path, 2)


def test_grey_of_colour_is_luma(tmp_path):
    luma = NOISE @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(shown(save(tmp_path / "a.png", NOISE), 1), luma, atol=0.51)


TURNED = {  # EXIF 2.3, tag 0x0112: where row 0 and column 0 are on the screen
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    path = save(tmp_path / f"a.{ending}", NOISE, exif=exif, **options)
    np.testing.assert_array_equal(shown(path), TURNED[orientation](NOISE))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_ignored(tmp_path):
    path = save(tmp_path / "a.webp", NOISE, exif=b"Exif\0\0MM\0*\0\0\xff\xff", lossless=True)
    np.testing.assert_array_equal(shown(path), NOISE)


def test_palette(tmp_path):
    indices = NOISE[..., 0] % 3
    colours = np.array([[255, 0, 0], [10, 200, 30], [0, 0, 255]], np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette(colours.tobytes())
    np.testing.assert_array_equal(shown(save(tmp_path / "a.png", image)), colours[indices])
    laid = colours.copy()
    laid[1] = 255  # transparent, so white
    for transparency in (1, bytes((255, 0, 255))):
        path = save(tmp_path / "b.png", image, transparency=transparency)
        np.testing.assert_array_equal(shown(path), laid[indices])


def test_one_bit(tmp_path):
    bits = NOISE[..., 0] > 100
    np.testing.assert_array_equal(shown(save(tmp_path / "a.png", bits)), bits * np.uint8(255))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_laid_on_white(tmp_path, mode):
    channels = len(mode) - 1
    alpha = NOISE[..., 2:] / 255.0
    image = Image.fromarray(np.squeeze(NOISE[..., :channels])).convert(mode)
    image.putalpha(Image.fromarray(NOISE[..., 2]))
    expected = alpha * NOISE[..., :channels] + (1 - alpha) * 255
    found = shown(save(tmp_path / "a.png", image))
    assert found.ndim == (2 if mode == "LA" else 3)
    np.testing.assert_allclose(found, np.squeeze(expected), atol=1)


def test_a_colour_key_is_transparent(tmp_path):
    path = save(tmp_path / "a.png", NOISE, transparency=tuple(map(int, NOISE[3, 4])))
    expected = NOISE.copy()
    expected[3, 4] = 255
    np.testing.assert_array_equal(shown(path), expected)


@given(hnp.arrays(np.uint16, (3, 5)), st.sampled_from(["png", "tif", "pgm"]))
def test_sixteen_bits_are_scaled(tmp_path_factory, values, ending):
    path = tmp_path_factory.getbasetemp() / f"sixteen.{ending}"
    found = shown(save(path, Image.fromarray(values)))
    np.testing.assert_array_equal(found, np.round(values / 257).astype(np.uint8))


def test_floating_point(tmp_path):
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    found = shown(save(tmp_path / "a.tif", values))
    np.testing.assert_array_equal(found.ravel(), np.arange(256))
    for strange in (values * 2, values - 0.1, values + np.float32("nan")):
        with pytest.raises(DataError, match="where 0 to 1 can be shown"):
            read_image(save(tmp_path / "b.tif", strange))


def test_cmyk(tmp_path):
    inks = np.zeros((16, 16 * 6, 4), np.uint8)
    for i, ink in enumerate(
        [
            (0, 0, 0, 0),
            (255, 0, 0, 0),
            (0, 255, 0, 0),
            (0, 0, 255, 0),
            (0, 0, 0, 255),
            (0, 0, 0, 51),
        ]
    ):
        inks[:, 16 * i : 16 * i + 16] = ink
    seen = [(255,) * 3, (0, 255, 255), (255, 0, 255), (255, 255, 0), (0,) * 3, (204,) * 3]
    expected = np.repeat(np.array(seen, np.uint8), 16, 0)[None].repeat(16, 0)
    image = Image.fromarray(inks, "CMYK")
    np.testing.assert_array_equal(shown(save(tmp_path / "a.tif", image)), expected)
    jpeg = shown(save(tmp_path / "a.jpg", image, quality=100))
    np.testing.assert_allclose(jpeg.astype(int), expected, atol=3)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_an_animation_is_its_first_frame(tmp_path, ending):
    red, blue = (Image.new("RGB", (8, 6), colour) for colour in ("red", "blue"))
    path = save(tmp_path / f"a.{ending}", red, save_all=True, append_images=[blue], duration=50)
    np.testing.assert_allclose(shown(path).astype(int), np.asarray(red), atol=3)


def test_pages_are_their_first(tmp_path):
    first, second = Image.fromarray(NOISE), Image.new("L", (9, 9))
    path = save(tmp_path / "a.tif", first, save_all=True, append_images=[second])
    np.testing.assert_array_equal(shown(path), NOISE)


def icc_profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile, version 2.1, of a display."""
    body, table, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for signature, content in tags.items():
        padded = content + b"\0" * (-len(content) % 4)
        table += signature + struct.pack(">II", offset + len(body), len(content))
        body += padded
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02100000, b"mntr", space, b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


STRAIGHT = b"curv\0\0\0\0\0\0\0\0"  # values are proportional to light
TEXT = {b"desc": b"desc\0\0\0\0\0\0\0\x02a\0".ljust(92, b"\0"), b"cprt": b"text\0\0\0\0a\0"}
WHITE = {b"wtpt": xyz(0.9642, 1, 0.8249)}
SRGB_PRIMARIES = {
    b"rXYZ": xyz(0.43607, 0.22249, 0.01392),
    b"gXYZ": xyz(0.38515, 0.71687, 0.09708),
    b"bXYZ": xyz(0.14307, 0.06061, 0.71410),
}
CURVES = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), STRAIGHT)
LINEAR_RGB = icc_profile(b"RGB ", {**TEXT, **WHITE, **SRGB_PRIMARIES, **CURVES})
LINEAR_GREY = icc_profile(b"GRAY", {**TEXT, **WHITE, b"kTRC": STRAIGHT})


def encoded(linear):
    """IEC 61966-2-1."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_the_colour_profile_is_applied(tmp_path):
    colour = save(tmp_path / "a.png", NOISE, icc_profile=LINEAR_RGB)
    np.testing.assert_allclose(shown(colour), encoded(NOISE / 255), atol=2)
    grey = save(tmp_path / "b.png", NOISE[..., 0], icc_profile=LINEAR_GREY)
    np.testing.assert_allclose(shown(grey), encoded(NOISE[..., 0] / 255), atol=0.51)


def test_the_colour_profile_of_a_transparent_picture_is_applied_before_it_is_laid_on_white(
    tmp_path,
):
    half = np.dstack([np.full((4, 4, 3), 55, np.uint8), np.full((4, 4), 128, np.uint8)])
    path = save(tmp_path / "a.png", half, icc_profile=LINEAR_RGB)
    expected = 128 / 255 * encoded(np.float64(55 / 255)) + 127 / 255 * 255
    np.testing.assert_allclose(shown(path), np.full((4, 4, 3), expected), atol=2)


@pytest.mark.parametrize("profile", [b"no profile", LINEAR_GREY, LINEAR_RGB[:200]])
def test_a_profile_that_does_not_fit_is_ignored(tmp_path, profile):
    path = save(tmp_path / "a.png", NOISE, icc_profile=profile)
    np.testing.assert_array_equal(shown(path), NOISE)


def test_lab(tmp_path):
    smooth = np.asarray(Image.fromarray(NOISE).resize((6, 6)).resize((40, 48)))
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(smooth), srgb, lab, outputMode="LAB")
    found = shown(save(tmp_path / "a.tif", image))
    assert np.abs(found.astype(int) - smooth).mean() < 3


FORMATS = ["png", "jpg", "webp", "gif", "bmp", "tif", "ppm"]


def contents(ending: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, {"jpg": "jpeg", "tif": "tiff"}.get(ending, ending))
    return buffer.getvalue()


@pytest.mark.parametrize("ending", FORMATS)
def test_a_truncated_file_is_refused(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(contents(ending)[: len(contents(ending)) // 2])
    with pytest.raises(UnreadableError) as caught:
        read_image(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}"


@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8),
    st.floats(0.1, 1),
)
@pytest.mark.filterwarnings("ignore")  # Pillow's, on metadata that it cannot make sense of
def test_a_damaged_file_is_an_image_or_a_data_error(tmp_path_factory, ending, changes, kept):
    content = bytearray(contents(ending))
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / f"damaged.{ending}"
    path.write_bytes(content[: int(len(content) * kept)])
    for read in (read_header, read_image):
        with contextlib.suppress(UnreadableError):
            result = read(path)
            assert len(result if read is read_header else result.shape) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"no image at all", "not an image in one of: AVIF, BMP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image in one of"),
    ],
)
def test_what_is_no_image(tmp_path, content, reason):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=reason):
        read_image(path)


def test_what_is_no_file(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for a writer
    for name, reason in {
        "nowhere.png": "no such file",
        "link.png": "a broken link",
        "pipe.png": "not a regular file",
        ".": "not a regular file",
    }.items():
        with pytest.raises(UnreadableError, match=reason):
            read_header(tmp_path / name)


@pytest.mark.parametrize("side", [MAX_PIXELS // 10_000 + 1, 50_000_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_by_its_header(tmp_path, side):
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 10_000, side, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"\0" * 99))
    for read in (read_header, read_image):
        with pytest.raises(UnreadableError, match=f"more than {MAX_PIXELS:,} pixels"):
            read(path)


def smooth_image(height: int, width: int, channels: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / 9.0
    waves = [128 + 90 * np.sin(x + c) * np.cos(y - c) for c in range(channels)]
    return np.stack(waves, 2).astype(np.uint8)


@given(*[st.integers(4, 70)] * 2, *[st.integers(1, 40)] * 2, st.sampled_from([1, 3]))
def test_fit_is_what_pillow_makes_of_the_centre(height, width, new_height, new_width, channels):
    array = smooth_image(height, width, channels)
    picture = Image.fromarray(array if channels == 3 else array[..., 0])
    wanted = ImageOps.fit(picture, (new_width, new_height), Image.Resampling.LANCZOS)
    wanted = np.asarray(wanted).reshape(new_height, new_width, channels)
    found = fit(torch.from_numpy(array).permute(2, 0, 1), (new_height, new_width))
    # Pillow may take the axes in the other order, and rounds after each.
    np.testing.assert_allclose(found.permute(1, 2, 0).numpy().astype(int), wanted, atol=3)


def test_fit_treats_the_images_of_a_stack_alone():
    stack = torch.randint(0, 256, (2, 5, 3, 20, 30), dtype=torch.uint8)
    for i in range(2):
        for j in range(5):
            assert torch.equal(fit(stack, 16)[i, j], fit(stack[i, j], 16))


def test_fit_averages_what_it_merges():
    stripes = torch.tensor([0, 255], dtype=torch.uint8).repeat(32).expand(1, 64, 64)
    inner = fit(stripes, 16)[0, 4:-4, 4:-4].int()
    assert ((inner - 127).abs() <= 3).all()


def test_fit_at_its_own_size_is_a_copy():
    image = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    same = fit(image, (20, 30))
    assert torch.equal(same, image)
    same[0, 0, 0] += 1
    assert not torch.equal(same, image)


def test_grey_of_arrays_is_grey_of_files(tmp_path):
    path = save(tmp_path / "a.png", NOISE)
    arrays = torch.from_numpy(NOISE).permute(2, 0, 1)[None]
    assert torch.equal(to_channels(arrays, 1)[0], read_image(path, 1))
    assert torch.equal(to_channels(arrays[:, :1], 3)[0, 2], arrays[0, 0])
    assert to_channels(arrays[:0], 1).shape == (0, 1, 48, 40)


WIDE = np.random.default_rng(0).integers(0, 65536, (9, 7, 4), dtype=np.uint16)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_sixteen_bits_of_each_colour_are_kept_in_tiff(tmp_path, byteorder, compression):
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb", "byteorder": byteorder, "compression": compression}
    tifffile.imwrite(path, WIDE[..., :3], rowsperstrip=2, **options)
    found = read_picture(path).pixels.permute(1, 2, 0).double() * 65535
    np.testing.assert_array_equal(found.round(), WIDE[..., :3])
    tifffile.imwrite(path, WIDE, extrasamples=["unassalpha"], **options)
    found = read_picture(path).pixels.permute(1, 2, 0)
    values = WIDE / 65535
    expected = values[..., :3] * values[..., 3:] + 1 - values[..., 3:]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_sixteen_bits_are_turned_upright(tmp_path):
    path = tmp_path / "a.tif"
    tag = (274, "H", 1, 6, True)  # EXIF orientation: the first row is at the right
    tifffile.imwrite(path, WIDE[..., :3], photometric="rgb", extratags=[tag])
    found = read_picture(path).pixels.permute(1, 2, 0).double() * 65535
    np.testing.assert_array_equal(found.round(), np.rot90(WIDE[..., :3], -1))
