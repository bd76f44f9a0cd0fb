"""Image processor of the nanovlms family: any picture in, `(num_images, 3, size, size)` floats out.

PIL only, no torchvision. Odd pictures are converted rightly instead of being refused or garbled: EXIF rotation is
applied, transparency is laid on white, 16-bit and CMYK pictures are scaled to 8-bit RGB. What cannot be a picture gets
one sentence. For a model with a vision vocabulary each picture comes in two views, the second at high resolution, made in one
pass with a normalisation of its own. This file imports transformers, PIL and numpy only, so that it runs alone from a Hub repository.
"""

import io
import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from transformers.image_processing_utils import BatchFeature
from transformers.image_utils import (
    IMAGENET_STANDARD_MEAN,
    IMAGENET_STANDARD_STD,
    PILImageResampling,
    SizeDict,
    is_valid_image,
    load_image,
)
from transformers.processing_utils import ImagesKwargs
from transformers.utils import logging

try:
    from transformers.image_processing_backends import PilBackend
except ImportError:  # transformers 4.57
    from .transformers4_nanovlms import PilBackend

logger = logging.get_logger(__name__)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scales a 16- or 32-bit grey picture to 8 bits: by its bit depth, or not at all where its values already fit."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        scale = 255.0 if values.max(initial=0.0) <= 1.0 else 1.0
    else:  # I;16 and relatives hold 16 bits; plain I holds a 16-bit PNG as a rule
        scale = 255.0 / 65535.0 if image.mode != "I" or values.max(initial=0) > 255 else 1.0
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts a PIL picture of any mode to RGB as a person would see it.

    Args:
        image (`PIL.Image.Image`): a picture; EXIF rotation is applied, transparency is laid on white, 16-bit grey is
            scaled to 8 bits, palette and CMYK are converted.

    Raises:
        ValueError: if the picture has no pixels or its data are truncated.
    """
    if image.width < 1 or image.height < 1:
        raise ValueError(
            f"the picture is {image.width}x{image.height} pixels, but at least 1x1 is needed; leave it out or mend the file."
        )
    try:
        image.load()
    except (OSError, SyntaxError) as error:
        raise ValueError(
            f"the picture cannot be decoded ({error}); the file is truncated or damaged: fetch it again or leave it out."
        ) from error
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bit(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _is_path(source) -> bool:
    """Whether a name was meant as a path; what is neither path nor address is base64, which has no dot and is not short."""
    if isinstance(source, os.PathLike):
        return True
    if source.startswith(("http://", "https://", "data:")):
        return False
    return "." in source or len(source) < 64


class NanoVLMsImageProcessorKwargs(ImagesKwargs, total=False):
    """Settings of the second view; see `NanoVLMsImageProcessor`."""

    high_res_size: dict | None
    high_res_resample: int | None
    high_res_image_mean: list | None
    high_res_image_std: list | None


class NanoVLMsImageProcessor(PilBackend):
    """Resizes, rescales and normalises pictures for a nanovlms model.

    Args:
        size (`dict`, defaults to `{"height": 224, "width": 224}`): size of the output, in pixels; the picture is resized
            directly, without cropping, so that boxes and words about its corners stay true. CLIP's way is
            `{"shortest_edge": 224}` with `do_center_crop` and `crop_size`.
        resample (`int`, defaults to bicubic): PIL resampling filter.
        image_mean, image_std (`list[float]`): normalisation after rescaling to [0, 1].
        high_res_size (`dict`, *optional*): height and width of a second view, `high_res_pixel_values`, resized directly, for a
            model with a vision vocabulary; no second view when not given.
        high_res_resample (`int`, *optional*), high_res_image_mean, high_res_image_std (`list[float]`, *optional*): the second
            view's filter and normalisation; the first one's when not given.

    Raises:
        ValueError: for something that is no picture, an empty or truncated one, or one with no pixels.
    """

    _auto_class = "AutoImageProcessor"  # saved image processors carry this file

    resample = PILImageResampling.BICUBIC
    image_mean = IMAGENET_STANDARD_MEAN
    image_std = IMAGENET_STANDARD_STD
    size = {"height": 224, "width": 224}
    default_to_square = True
    do_resize = True
    do_rescale = True
    do_normalize = True
    do_convert_rgb = True
    high_res_size = None
    high_res_resample = None
    high_res_image_mean = None
    high_res_image_std = None
    valid_kwargs = NanoVLMsImageProcessorKwargs

    @property
    def model_input_names(self) -> list[str]:
        """Names of what a call returns."""
        return ["pixel_values"] + (["high_res_pixel_values"] if self.high_res_size else [])

    def fetch_images(self, image_url_or_urls):
        """Opens paths, URLs and encoded bytes; pictures already open pass through. See the class for what it raises."""
        if isinstance(image_url_or_urls, (list, tuple)):
            return [self.fetch_images(item) for item in image_url_or_urls]
        if isinstance(image_url_or_urls, (str, os.PathLike, bytes)):
            return self._open(image_url_or_urls)
        if not is_valid_image(image_url_or_urls):
            kind = "None" if image_url_or_urls is None else f"a value of type {type(image_url_or_urls).__name__}"
            raise ValueError(f"a picture is {kind}; give a PIL image, an array, a path or a URL for each placeholder.")
        return image_url_or_urls

    @staticmethod
    def _open(source) -> Image.Image:
        name = f"{len(source)} bytes" if isinstance(source, bytes) else str(source)[:200]
        try:
            if isinstance(source, bytes):
                return to_rgb(Image.open(io.BytesIO(source)))
            if os.path.isfile(source):
                # transformers' load_image would convert to RGB before the mode can be read
                with Image.open(source) as image:
                    return to_rgb(image)
            if _is_path(source):
                raise FileNotFoundError("there is no such file")
            return load_image(str(source))
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(
                f"{name} cannot be read as a picture ({error}); give an existing, complete picture file such as PNG, JPEG or "
                "WebP."
            ) from error

    def convert_to_rgb(self, image, input_data_format=None):
        """`to_rgb` for PIL pictures, transformers' own conversion for arrays."""
        if isinstance(image, Image.Image):
            return np.asarray(to_rgb(image))
        return super().convert_to_rgb(image, input_data_format=input_data_format)

    def process_image(self, image, do_convert_rgb=None, input_data_format=None, **kwargs) -> np.ndarray:
        """One picture as `(channels, height, width)`; raises ValueError if it has no pixels."""
        if not isinstance(image, Image.Image) and hasattr(image, "shape") and 0 in tuple(image.shape):
            raise ValueError(
                f"the picture array has shape {tuple(image.shape)}, which holds no pixels; leave it out or mend the data."
            )
        return super().process_image(
            image, do_convert_rgb=do_convert_rgb, input_data_format=input_data_format, **kwargs
        )

    def _preprocess(self, images, do_resize, size, **kwargs) -> BatchFeature:
        # A 20,000-pixel-wide strip squeezed into a square is legal, but is hardly what anyone means.
        for image in images:
            height, width = image.shape[-2:]
            if do_resize and max(height, width) > 32 * max(min(height, width), 1) and max(height, width) > 1024:
                logger.warning_once(
                    f"a picture of {width}x{height} pixels is squeezed into {size.width}x{size.height}: little of it will "
                    "be visible; crop or tile it first."
                )
        second = {
            name: kwargs.pop(f"high_res_{name}", None) for name in ("size", "resample", "image_mean", "image_std")
        }
        views = super()._preprocess(images, do_resize=do_resize, size=size, **kwargs)
        if second["size"] is None:
            return views
        options = kwargs | {name: value for name, value in second.items() if value is not None}
        options |= {"do_resize": True, "size": SizeDict(**dict(second["size"])), "do_center_crop": False}
        views["high_res_pixel_values"] = super()._preprocess(images, **options)["pixel_values"]
        return views


__all__ = ["NanoVLMsImageProcessor", "to_rgb"]
