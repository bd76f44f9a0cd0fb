"""Every state a picture file can be in: each one opens as the right RGB, or fails with a sentence that helps."""

import io

import numpy as np
import pytest
from PIL import Image

from nanovlms_hf.data import pictures
from nanovlms_hf.data.pictures import PictureError, encode_png, open_picture, read_header


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(image):
    assert image.mode == "RGB"
    return np.asarray(image).tolist()


CHECKER = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 8, 7]]], dtype=np.uint8))


def test_every_form_of_the_same_picture(tmp_path):
    content = encoded(CHECKER)
    path = tmp_path / "checker.png"
    path.write_bytes(content)
    structs = [
        {"bytes": content, "path": None},
        {"bytes": None, "path": str(path)},
        {"bytes": content, "path": "gone.png"},
    ]
    for form in [path, str(path), content, bytearray(content), *structs, CHECKER, np.asarray(CHECKER)]:
        assert pixels(open_picture(form)) == np.asarray(CHECKER).tolist()


def test_channels_first_array():
    array = np.arange(3 * 2 * 5, dtype=np.uint8).reshape(3, 2, 5)
    assert pixels(open_picture(array)) == array.transpose(1, 2, 0).tolist()


def test_one_pixel():
    assert pixels(open_picture(encoded(Image.new("RGB", (1, 1), (1, 2, 3))))) == [[[1, 2, 3]]]


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(3, [[2], [1]]), (6, [[2, 1]]), (8, [[1, 2]])],  # upside down; to be turned clockwise; to be turned the other way
)
def test_exif_orientation(orientation, expected):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.array([[[1] * 3], [[2] * 3]], dtype=np.uint8))  # 1 wide, 2 high
    content = encoded(stored, exif=exif)
    assert np.asarray(open_picture(content))[:, :, 0].tolist() == expected
    header = read_header(content)
    assert header.size == (len(expected[0]), len(expected)) and header.plain


def palette_with_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((1, 0), 1)
    return encoded(image, transparency=0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 0))), [[[255, 255, 255]]]),
        (encoded(Image.new("RGBA", (1, 1), (200, 0, 0, 255))), [[[200, 0, 0]]]),
        (encoded(Image.new("RGBA", (1, 1), (0, 0, 0, 51))), [[[204, 204, 204]]]),
        (encoded(Image.new("LA", (1, 1), (0, 0))), [[[255, 255, 255]]]),
        (encoded(Image.new("RGB", (1, 1), (0, 0, 0)), transparency=(0, 0, 0)), [[[255, 255, 255]]]),
        (encoded(Image.new("L", (1, 1), 7), transparency=7), [[[255, 255, 255]]]),
        (palette_with_transparency(), [[[255, 255, 255], [200, 100, 0]]]),
        (encoded(Image.new("L", (1, 1), 77)), [[[77, 77, 77]]]),
        (encoded(Image.new("1", (1, 1), 1)), [[[255, 255, 255]]]),
        (encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"), [[[255, 0, 0]]]),
    ],
    ids=["clear", "opaque", "a fifth", "LA", "RGB key", "L key", "P key", "grey", "one bit", "CMYK"],
)
def test_modes(content, expected):
    assert pixels(open_picture(content)) == expected
    assert not read_header(content).plain


@pytest.mark.parametrize("mode", ["La", "RGBa", "PA"])
def test_modes_that_only_exist_in_memory(mode):
    assert pixels(open_picture(Image.new(mode, (1, 1)))) == [[[255, 255, 255]]]


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0, 257, 32896, 65535]], dtype=np.uint16),
        np.array([[0, 257, 32896, 65535]], dtype=np.int32),
        np.array([[0, 1 / 255, 128 / 255, 1]], dtype=np.float32),
        np.array([[-10, -10 + 20 / 255, -10 + 20 * 128 / 255, 10]], dtype=np.float32),
    ],
    ids=["I;16", "I", "F", "F beyond 0..1"],
)
def test_deep_pictures_are_scaled_not_clipped(array):
    expected = [[[v] * 3 for v in (0, 1, 128, 255)]]
    assert pixels(open_picture(array)) == expected
    assert pixels(open_picture(encoded(Image.fromarray(array), "TIFF"))) == expected


def test_sixteen_bit_png():
    array = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    assert pixels(open_picture(encoded(Image.fromarray(array)))) == [[[v] * 3 for v in (0, 1, 128, 255)]]


def test_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (2, 2), color) for color in ("red", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert pixels(open_picture(content)) == [[[255, 0, 0]] * 2] * 2


def test_very_wide_picture_is_fine():
    assert open_picture(encoded(Image.new("RGB", (20_000, 4)))).size == (20_000, 4)


def test_header_does_not_need_the_pixels():
    content = encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "JPEG")
    assert read_header(content[:-300]).size == (64, 64)


def test_png_round_trip():
    assert pixels(open_picture(encode_png(CHECKER))) == np.asarray(CHECKER).tolist()


NOISE = Image.effect_noise((64, 64), 90).convert("RGB")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "row 7 is None: expected a path"),
        ({"bytes": None, "path": None}, "row 7 is empty: both 'bytes' and 'path' are None"),
        (b"", "row 7 has 0 bytes"),
        (b"<html>not found</html>", "does not recognise as a picture"),
        (encoded(NOISE)[:-2000], "row 7 is damaged or cut off"),
        (encoded(NOISE, "JPEG")[:-500], "row 7 is damaged or cut off"),
        (encoded(NOISE, "GIF")[:-500], "row 7 is damaged or cut off"),
        (encoded(NOISE, "WEBP")[:-500], "row 7 is damaged"),
        ("no/such/file.png", "row 7 does not exist at 'no/such/file.png'"),
        (".", "row 7 is the folder '.'"),
        ("https://example.org/a.png", "pictures are not fetched here"),
        (3.5, "row 7 is of type float"),
        (Image.new("RGB", (0, 5)), "row 7 has no pixels: its size is 0x5"),
        (np.zeros((0, 4, 3), np.uint8), "row 7 has no pixels: its size is 4x0"),
        (np.zeros((5, 5, 7), np.uint8), r"row 7 is an array of shape \(5, 5, 7\)"),
        (np.full((2, 2), np.nan), "row 7 holds NaN"),
        (np.array([["a"]]), "expected booleans, integers or floats"),
    ],
)
def test_errors_are_one_sentence(value, sentence):
    with pytest.raises(PictureError, match=sentence) as caught:
        open_picture(value, "row 7")
    assert "\n" not in str(caught.value)


def test_empty_file(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(PictureError, match="has 0 bytes"):
        open_picture(tmp_path / "empty.png")


@pytest.mark.parametrize("factor", [1.5, 4])  # Pillow warns above one limit and refuses above two
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bomb(factor):
    side = int((pictures.MAX_PIXELS * factor) ** 0.5)
    content = encoded(Image.new("1", (side, side)))
    for opener in (open_picture, read_header):
        with pytest.raises(PictureError, match="is too large .*: the limit is 89 million pixels"):
            opener(content)
