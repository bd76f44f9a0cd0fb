"""Tiny vision-language models as ordinary Hugging Face models; importing this package registers the Auto classes."""

import logging

from .compat import AutoModelForVision2Seq
from .configuration_nanovlms import NanoVLMsConfig, NanoVLMsVisionConfig, NanoVLMsVocabularyConfig
from .image_processing_nanovlms import NanoVLMsImageProcessor
from .modeling_nanovlms import (
    NanoVLMsForConditionalGeneration,
    NanoVLMsModel,
    NanoVLMsVisionModel,
    NanoVLMsVisionVocabulary,
    register_connector,
)
from .processing_nanovlms import NanoVLMsProcessor
from .registration import register

register()
# At every start bitsandbytes, where it is installed, misses a package of faster kernels that nothing here needs.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(
    lambda record: "Failed to load CPU gemm_4bit_forward" not in str(record.msg)
)

__version__ = "0.1.0"

__all__ = [
    "AutoModelForVision2Seq",
    "NanoVLMsConfig",
    "NanoVLMsForConditionalGeneration",
    "NanoVLMsImageProcessor",
    "NanoVLMsModel",
    "NanoVLMsProcessor",
    "NanoVLMsVisionConfig",
    "NanoVLMsVisionModel",
    "NanoVLMsVisionVocabulary",
    "NanoVLMsVocabularyConfig",
    "register_connector",
]
