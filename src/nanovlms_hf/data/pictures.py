"""Open any picture as plain 8-bit RGB, or say in one sentence why it cannot be opened.

Real datasets hold pictures in every state: transparent stickers, 16-bit scans, photos that a camera stored sideways,
downloads cut off half-way. Everything that enters training or the command line passes through `open_picture`, so that a
row looks the same wherever it came from. Three choices deserve a word:

- transparency is laid on white, the colour of the page that such pictures were drawn for (a bare `convert("RGB")` would
  show whatever colour the file keeps under the transparent parts, mostly black);
- 16-bit and floating-point pictures are scaled, because Pillow's own conversion has clipped everything above 255;
- the size is read from the header and refused before any pixel is decoded, so a small hostile file cannot fill the memory.

The image processor does its own conversion, since it has to run alone on the Hub; this module serves the data side.
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

# Pillow's own warning line (a quarter of a GiB as RGB); we refuse where Pillow only warns.
MAX_PIXELS = 89_478_485

_ORIENTATION_TAG = 0x0112
_SIDEWAYS = (5, 6, 7, 8)


class PictureError(ValueError):
    """A picture that cannot be opened; the message is one sentence saying which, why, and what would be accepted."""


@dataclass(frozen=True)
class PictureHeader:
    """What a file says of itself before its pixels are decoded.

    Attributes:
        size: (width, height) in pixels as shown, i.e. after the EXIF orientation.
        mode: Pillow's mode name, for example "RGB" or "I;16".
        plain: True where decoding alone gives 8-bit RGB; False where `open_picture` has to convert something.
    """

    size: tuple[int, int]
    mode: str
    plain: bool


def open_picture(value: Any, name: str = "the picture") -> Image.Image:
    """Open a picture given in any of the usual forms.

    Args:
        value: a path (str or Path), encoded bytes, a `datasets` struct {"bytes", "path"}, a PIL picture, or an array of
            shape (height, width), (height, width, channels) or (channels, height, width) with 1 to 4 channels.
        name: what the error sentence calls it, for example "row 7".

    Returns:
        A decoded PIL picture of mode RGB: EXIF orientation applied, transparency on white, 16-bit and float values scaled
        to 0..255, the first frame of an animation.

    Raises:
        PictureError: None, empty, not a picture, truncated, without pixels, or more than `MAX_PIXELS`.
    """
    if isinstance(value, np.ndarray):
        return _flatten(_from_array(value, name))
    image = _open_lazily(value, name)
    _check_size(image.size, name)
    try:
        if getattr(image, "n_frames", 1) > 1:
            image.seek(0)
        image.load()
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, zlib.error ...
        raise PictureError(
            f"{name} is damaged or cut off and cannot be decoded ({_short(error)}): download or save it again."
        ) from error
    return _flatten(_upright(image))


def read_header(value: Any, name: str = "the picture") -> PictureHeader:
    """Read size and mode of a picture without decoding its pixels.

    Args:
        value, name: as for `open_picture`.

    Returns:
        The `PictureHeader`. A truncated file passes, since only its beginning is read.

    Raises:
        PictureError: as `open_picture`, except for damage behind the header.
    """
    if isinstance(value, np.ndarray):
        return PictureHeader(_from_array(value, name).size, "array", plain=False)
    image = _open_lazily(value, name)
    _check_size(image.size, name)
    width, height = image.size
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
    except Exception:  # a broken EXIF block: the pixels may be fine, but `datasets` would stumble over it
        return PictureHeader((width, height), image.mode, plain=False)
    size = (height, width) if orientation in _SIDEWAYS else (width, height)
    plain = image.mode == "RGB" and not image.has_transparency_data and not isinstance(value, Image.Image)
    return PictureHeader(size, image.mode, plain)


def encode_png(image: Image.Image) -> bytes:
    """Return the picture as PNG bytes, so that a converted picture can travel in a dataset without loss.

    Args:
        image: a PIL picture.

    Returns:
        The bytes of a PNG file.
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _open_lazily(value: Any, name: str) -> Image.Image:
    if value is None:
        raise PictureError(f"{name} is None: expected a path, bytes, {{'bytes', 'path'}}, a PIL picture or an array.")
    if isinstance(value, Image.Image):
        return value
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
        if content is None and path is None:
            raise PictureError(f"{name} is empty: both 'bytes' and 'path' are None; give one of them.")
        return _open_lazily(content if content is not None else path, name)
    if isinstance(value, bytes | bytearray | memoryview):
        if len(value) == 0:
            raise PictureError(f"{name} has 0 bytes: the file is empty; download or save it again.")
        return _identify(io.BytesIO(bytes(value)), name, f"{len(value)} bytes that")
    if isinstance(value, str | os.PathLike):
        return _open_path(os.fspath(value), name)
    raise PictureError(
        f"{name} is of type {type(value).__name__}: expected a path, bytes, {{'bytes', 'path'}}, a PIL picture or an array."
    )


def _open_path(path: str, name: str) -> Image.Image:
    if "://" in path:
        raise PictureError(
            f"{name} is the address {path!r}: pictures are not fetched here; download it and give its path."
        )
    file = Path(path)
    if file.is_dir():
        raise PictureError(f"{name} is the folder {path!r}: give the path of one picture file.")
    if not file.is_file():
        raise PictureError(
            f"{name} does not exist at {path!r}: correct the path (relative ones start at {os.curdir!r})."
        )
    if file.stat().st_size == 0:
        raise PictureError(f"{name} at {path!r} has 0 bytes: the file is empty; download or save it again.")
    return _identify(file, name, f"the file {path!r}, which")


def _identify(source: Any, name: str, what: str) -> Image.Image:
    try:
        return Image.open(source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(_too_large(name, _short(error))) from error
    except Image.UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is {what} Pillow does not recognise as a picture: expected PNG, JPEG, WebP, GIF, TIFF, BMP or alike."
        ) from error
    except Exception as error:
        raise PictureError(f"{name} is damaged and cannot be opened ({_short(error)}): save it again.") from error


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels: its size is {width}x{height}; at least 1x1 is needed.")
    if width * height > MAX_PIXELS:
        raise PictureError(_too_large(name, f"{width}x{height}, {width * height / 1e6:.0f} million pixels"))


def _too_large(name: str, detail: str) -> str:
    return f"{name} is too large ({detail}): the limit is {MAX_PIXELS / 1e6:.0f} million pixels; shrink it first."


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return image


def _flatten(image: Image.Image) -> Image.Image:
    """Any mode to RGB."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_uint8(np.asarray(image), "the picture")).convert("RGB")
    if image.has_transparency_data:
        drawing = image.convert("LA") if image.mode == "La" else image  # "La" knows no direct way to RGBA
        drawing = drawing.convert("RGBA")
        page = Image.new("RGBA", drawing.size, (255, 255, 255, 255))
        return Image.alpha_composite(page, drawing).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)  # (channels, height, width) -> (height, width, channels)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]  # (height, width)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (2, 3, 4)):
        raise PictureError(
            f"{name} is an array of shape {array.shape}: expected (height, width) or (height, width, channels) "
            "with 1 to 4 channels."
        )
    _check_size((array.shape[1], array.shape[0]), name)
    return Image.fromarray(np.ascontiguousarray(_to_uint8(array, name)))


def _to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    """Scale by what the number type promises; stretch from darkest to brightest only where it promises nothing."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind not in "iuf":
        raise PictureError(f"{name} is an array of {array.dtype}: expected booleans, integers or floats.")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise PictureError(f"{name} holds NaN or infinite values: replace them before saving the picture.")
    low, high = float(values.min()), float(values.max())
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        values = values / 257.0  # 65535 = 255 * 257
    elif array.dtype.kind == "f" and low >= 0 and high <= 1:
        values = values * 255.0
    elif low >= 0 and high <= 255:
        pass
    elif array.dtype.kind != "f" and low >= 0 and high <= 65535:
        values = values / 257.0  # 16-bit files that Pillow opens as 32-bit "I"
    else:
        values = (values - low) * (255.0 / (high - low) if high > low else 0.0)
    return np.rint(values).astype(np.uint8)


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:160] or type(error).__name__
