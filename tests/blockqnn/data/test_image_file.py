"""What an image file says beside its pixels: orientation, transparency, depth, several images."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from blockqnn.data.datasets import contents, describe, open_split
from blockqnn.data.image_file import UnreadableImageError, header, pixels
from blockqnn.settings import DataSettings

WHITE = (255, 255, 255)
# Three rows of two pixels, all different, in blocks large enough for JPEG to keep them apart.
LEVELS = np.array([[0, 50], [100, 150], [200, 250]], np.uint8)
UPRIGHT = np.kron(LEVELS, np.ones((16, 16), np.uint8))
# What a camera stores for each orientation, so that it is seen as UPRIGHT.
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.T,
    6: UPRIGHT.T[::-1],
    7: UPRIGHT.T[::-1, ::-1],
    8: UPRIGHT.T[:, ::-1],
}


def oriented(path, orientation, stored):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=95)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_photographs_are_seen_upright_and_so_are_their_sizes(tmp_path, orientation, suffix):
    path = tmp_path / f"a{suffix}"
    oriented(path, orientation, STORED[orientation])
    assert (header(path).height, header(path).width) == (48, 32)
    found = pixels(path, 1, WHITE, None)
    assert found.shape == (48, 32, 1)
    centres = found[8::16, 8::16, 0].astype(int)
    assert np.abs(centres - LEVELS).max() <= 8


def test_orientation_that_stands_behind_the_pixels_of_a_png_counts(tmp_path):
    path = tmp_path / "late.png"
    Image.fromarray(np.ascontiguousarray(STORED[6])).save(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + body
    late = struct.pack(">I", len(body)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    whole = path.read_bytes()
    path.write_bytes(whole[:-12] + late + whole[-12:])
    assert (header(path).height, header(path).width) == (48, 32)
    assert np.array_equal(pixels(path, 1, WHITE, None)[..., 0], UPRIGHT)


def test_odd_orientations_and_damaged_exif_are_no_orientation(tmp_path):
    for number, exif in enumerate((b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\xff\xff")):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(UPRIGHT).save(path, exif=exif)
        assert (header(path).height, header(path).width) == (48, 32)
        assert pixels(path, 1, WHITE, None).shape == (48, 32, 1)


def rgba():
    """Half red, half transparent black."""
    image = np.zeros((2, 4, 4), np.uint8)
    image[:, :2] = (255, 0, 0, 255)
    return Image.fromarray(image)


def half(colour=(255, 0, 0), background=WHITE):
    wanted = np.zeros((2, 4, 3), np.uint8)
    wanted[:, :2], wanted[:, 2:] = colour, background
    return wanted


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("background", [WHITE, (0, 0, 0), (10, 20, 30)])
def test_transparent_pixels_are_the_background(tmp_path, suffix, background):
    path = tmp_path / f"a{suffix}"
    rgba().save(path, lossless=True)
    assert np.array_equal(pixels(path, 3, background, None), half(background=background))


def test_transparency_counts_in_every_mode_that_can_have_it(tmp_path):
    grey = np.array([[0, 0, 7, 7]] * 2, np.uint8)
    opaque = Image.fromarray((grey == 0) * np.uint8(255))
    palette = Image.fromarray(np.array([[0, 0, 1, 1]] * 2, np.uint8), "P")
    palette.putpalette([255, 0, 0, 1, 2, 3])
    cases = {
        "LA.png": (
            Image.merge("LA", (Image.fromarray(grey), opaque)),
            {},
            (0, 0, 0),
        ),
        "L-key.png": (Image.fromarray(grey), {"transparency": 7}, (0, 0, 0)),
        "RGB-key.png": (
            Image.fromarray(half(background=(1, 2, 3))),
            {"transparency": (1, 2, 3)},
            (255, 0, 0),
        ),
        "P-index.png": (palette, {"transparency": 1}, (255, 0, 0)),
        "P-bytes.png": (palette, {"transparency": b"\xff\x00"}, (255, 0, 0)),
        "P-index.gif": (palette, {"transparency": 1}, (255, 0, 0)),
    }
    for name, (image, options, colour) in cases.items():
        image.save(tmp_path / name, **options)
        found = pixels(tmp_path / name, 3, WHITE, None)
        assert np.array_equal(found, half(colour)), name
        assert header(tmp_path / name).transparent, name
    assert pixels(tmp_path / "LA.png", 1, WHITE, None)[0, :, 0].tolist() == [0, 0, 255, 255]
    assert pixels(tmp_path / "L-key.png", 1, (0, 0, 0), None)[0, :, 0].tolist() == [0] * 4


def test_half_transparent_pixels_are_mixed_with_the_background(tmp_path):
    Image.new("RGBA", (2, 2), (0, 100, 200, 128)).save(tmp_path / "a.png")
    found = pixels(tmp_path / "a.png", 3, WHITE, None)[0, 0]
    # 128 / 255 of the colour and the rest of white.
    assert np.abs(found.astype(int) - [127, 177, 227]).max() <= 1


def test_a_tinted_background_makes_grey_images_coloured(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("LA", (3, 3), (90, 0)).save(tmp_path / name / f"{number}.png")
    name = f"folder:{tmp_path}"
    assert describe(DataSettings(name)).shape == (3, 3, 1)
    tinted = DataSettings(name, background=(1, 2, 3))
    assert describe(tinted).shape == (3, 3, 3)
    assert open_split(tinted, "train").read(np.array([0])).images[0, 0, 0].tolist() == [1, 2, 3]


def test_cmyk_is_converted_to_what_is_seen(tmp_path):
    Image.new("RGB", (16, 16), (200, 100, 50)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    found = pixels(tmp_path / "a.jpg", 3, WHITE, None)[8, 8]
    assert np.abs(found.astype(int) - [200, 100, 50]).max() <= 6


def png_of_16_bits(path):
    """A coloured PNG of 16 bits a channel, which Pillow reads but does not write."""

    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    rows = b"".join(b"\0" + bytes(2 * 3 * 2) for _ in range(2))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def animation(path):
    frames = [Image.new("RGB", (4, 4), (level, 0, 0)) for level in (0, 90, 180)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def zeros(kind):
    """Writes an image of numbers of that kind."""
    return lambda path: Image.fromarray(np.zeros((2, 2), kind)).save(path)


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("a.png", zeros(np.uint16), "(16 bits a channel)"),
        ("a.tif", zeros(np.uint16), "(16 bits a channel)"),
        ("a.tif", zeros(np.float32), "more than 8 bits (F, in Pillow's words)"),
        ("a.tif", zeros(np.int32), "(32 bits a channel)"),
        ("a.png", png_of_16_bits, "(16 bits a channel)"),
        ("a.gif", animation, "holds 3 images"),
        ("a.tif", animation, "holds 3 images"),
        ("a.webp", animation, "holds 3 images"),
        ("a.png", animation, "holds 3 images"),
        ("a.png", lambda p: p.write_bytes(b""), "is empty"),
        ("a.jpg", lambda p: p.write_bytes(b"<html>not found</html>"), "is no image, whatever"),
        ("a.png", lambda p: p.symlink_to("/nonexistent/b.png"), "is a link to /nonexistent/b.png"),
    ],
)
def test_what_would_lose_its_meaning_or_is_no_image_is_refused(tmp_path, name, make, words):
    make(tmp_path / name)
    with pytest.raises(UnreadableImageError) as refusal:
        header(tmp_path / name)
    assert words in str(refusal.value)


def test_an_image_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    Image.new("L", (50, 50)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableImageError, match="has more than 2,000 pixels"):
        header(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    os.utime(tmp_path / "a.png", (1, 1))
    assert header(tmp_path / "a.png").height == 50, "a large one is read, and no warning said"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_an_image_that_is_cut_short_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableImageError, match="cannot be read"):
        pixels(path, 3, WHITE, None)


def test_a_large_photograph_is_scaled_to_what_scaling_all_its_pixels_gives(tmp_path):
    x = np.linspace(0, 255, 640)[None, :].repeat(480, 0).astype(np.uint8)
    Image.fromarray(x).save(tmp_path / "a.jpg", quality=95)
    found = pixels(tmp_path / "a.jpg", 1, WHITE, (24, 32))[..., 0]
    wanted = (np.arange(32) + 0.5) / 32 * 255
    assert np.abs(found.astype(int) - wanted).max() <= 6


def test_contents_say_how_many_images_are_grey(tmp_path):
    for name, mode in (("ant", "L"), ("bee", "RGB")):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.new(mode, (3, 3), 90 + number if mode == "L" else (number, 9, 9)).save(
                tmp_path / name / f"{number}.png"
            )
    found = contents(DataSettings(f"folder:{tmp_path}"))
    assert found.notes == ("3 of 6 training images are grey; they are read as coloured",)
