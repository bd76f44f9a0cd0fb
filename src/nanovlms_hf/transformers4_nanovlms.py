"""Stand-ins for what transformers 4.57 lacks, so that a Hub repository's files load there too.

With transformers 5 nothing in this file is run. It is no second implementation: each stand-in does what its namesake of
transformers 5 does for this family, and nothing more. The package itself needs transformers 5.
"""

from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from transformers import generation
from transformers.image_processing_utils import BaseImageProcessor, BatchFeature
from transformers.image_transforms import normalize, rescale, resize
from transformers.image_utils import ChannelDimension, infer_channel_dimension_format, make_flat_list_of_images
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as _ATTENTION_FUNCTIONS
from transformers.processing_utils import ProcessingKwargs
from transformers.processing_utils import ProcessorMixin as _ProcessorMixin

# Modeling -------------------------------------------------------------------------------------------------------------

init = SimpleNamespace(normal_=torch.nn.init.normal_, zeros_=torch.nn.init.zeros_)


def torch_compilable_check(condition, message: str) -> None:
    """Raises ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def merge_with_config_defaults(function):
    """transformers 4.57 reads the configuration's defaults elsewhere."""
    return function


def capture_outputs(**options):
    """Hidden states and attentions on request, as 4.57 calls it."""
    from transformers.utils.generic import check_model_inputs

    return check_model_inputs(**options)


def _attention_function(implementation: str, eager):
    """The attention function of an implementation's name; `eager` for the plain one."""
    return eager if implementation == "eager" else _ATTENTION_FUNCTIONS[implementation]


ALL_ATTENTION_FUNCTIONS = SimpleNamespace(get_interface=_attention_function)


class GenerationMixin(generation.GenerationMixin):
    """Gives the pictures with the prompt alone: transformers 4 would send them again with every new token."""

    def prepare_inputs_for_generation(self, input_ids, cache_position=None, **kwargs):
        pictures = {name: kwargs.pop(name, None) for name in ("pixel_values", "high_res_pixel_values")}
        inputs = super().prepare_inputs_for_generation(input_ids, cache_position=cache_position, **kwargs)
        if cache_position is None or cache_position[0] == 0:
            return inputs | pictures
        return inputs | dict.fromkeys(pictures)


# Pictures -------------------------------------------------------------------------------------------------------------

_FIELDS = ("do_resize", "size", "resample", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
_FIELDS += ("do_convert_rgb", "high_res_size", "high_res_resample", "high_res_image_mean", "high_res_image_std")


class PilBackend(BaseImageProcessor):
    """Resize, rescale and normalise with PIL and numpy."""

    rescale_factor = 1 / 255

    def __init__(self, **kwargs):
        fields = {name: kwargs.pop(name, None) for name in _FIELDS}
        super().__init__(**kwargs)
        for name, value in fields.items():
            setattr(self, name, getattr(type(self), name) if value is None else value)

    def preprocess(self, images, return_tensors=None, **kwargs) -> BatchFeature:
        options = {name: kwargs.get(name) if kwargs.get(name) is not None else getattr(self, name) for name in _FIELDS}
        images = make_flat_list_of_images(self.fetch_images(images))
        convert = options.pop("do_convert_rgb")
        size = SimpleNamespace(**options.pop("size"))
        arrays = [self.process_image(image, do_convert_rgb=convert) for image in images]
        return self._preprocess(arrays, size=size, return_tensors=return_tensors, **options)

    def convert_to_rgb(self, image, input_data_format=None):
        return image

    def process_image(self, image, do_convert_rgb=None, input_data_format=None, **kwargs) -> np.ndarray:
        if do_convert_rgb or isinstance(image, Image.Image):
            image = self.convert_to_rgb(image, input_data_format=input_data_format)
        image = np.asarray(image)
        if image.ndim == 2:
            image = image[None]  # (1, height, width)
        if infer_channel_dimension_format(image) == ChannelDimension.LAST:
            image = image.transpose(2, 0, 1)  # (channels, height, width)
        return image

    def _preprocess(self, images, do_resize, size, return_tensors=None, **options) -> BatchFeature:
        first = {"data_format": ChannelDimension.FIRST, "input_data_format": ChannelDimension.FIRST}
        done = []
        for image in images:
            if do_resize:
                image = resize(image, (size.height, size.width), resample=options["resample"], **first)
            if options["do_rescale"]:
                image = rescale(image, options["rescale_factor"], **first)
            if options["do_normalize"]:
                image = normalize(image, options["image_mean"], options["image_std"], **first)
            done.append(image)
        return BatchFeature({"pixel_values": done}, tensor_type=return_tensors)


# Pictures and text ----------------------------------------------------------------------------------------------------


class _Kwargs(ProcessingKwargs, total=False):
    _defaults = {}


class ProcessorMixin(_ProcessorMixin):
    """Fills the placeholders in, then tokenises; both parts are found by the Auto classes."""

    attributes = ["image_processor", "tokenizer"]
    image_processor_class = "AutoImageProcessor"
    tokenizer_class = "AutoTokenizer"

    def validate_inputs(self, **kwargs):
        pass

    def __call__(self, images=None, text=None, **kwargs) -> BatchFeature:
        options = self._merge_kwargs(_Kwargs, tokenizer_init_kwargs=self.tokenizer.init_kwargs, **kwargs)
        return_tensors = options["text_kwargs"].pop("return_tensors", None)
        options["text_kwargs"].pop("return_mm_token_type_ids", None)
        self.validate_inputs(images=images, text=text)
        batch = {}
        if images is not None:
            batch |= self.image_processor(images, **options["images_kwargs"] | {"return_tensors": return_tensors})
        if text is not None:
            texts = [text] if isinstance(text, str) else text
            filled = [sample.replace(self.image_token, self.replace_image_token(batch, 0)) for sample in texts]
            batch |= self.tokenizer(filled, **options["text_kwargs"])
        return BatchFeature(batch, tensor_type=return_tensors)


__all__ = [
    "ALL_ATTENTION_FUNCTIONS",
    "GenerationMixin",
    "PilBackend",
    "ProcessorMixin",
    "capture_outputs",
    "init",
    "merge_with_config_defaults",
    "torch_compilable_check",
]
