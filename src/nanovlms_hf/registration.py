"""Registers the family with transformers' Auto classes and names tables; runs once, when the package is imported.

`Auto*.register` alone is not enough: `transformers serve` and TRL look classes up by name (`getattr(transformers, ...)`) or
in the `MODEL_FOR_*_MAPPING_NAMES` tables, which `register` does not touch.

The console script `transformers` does not import this package: `nanovlms serve DIR` is `transformers serve` with the
family registered.
"""

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForImageTextToText,
    AutoModelForMultimodalLM,
    AutoProcessor,
)
from transformers.models.auto import modeling_auto

from . import compat
from .configuration_nanovlms import NanoVLMsConfig, NanoVLMsVisionConfig, NanoVLMsVocabularyConfig
from .image_processing_nanovlms import NanoVLMsImageProcessor
from .modeling_nanovlms import (
    NanoVLMsForConditionalGeneration,
    NanoVLMsModel,
    NanoVLMsVisionModel,
    NanoVLMsVisionVocabulary,
)
from .processing_nanovlms import NanoVLMsProcessor


def register() -> None:
    """Registers every class of the family; safe to call more than once."""
    AutoConfig.register("nanovlms_vision", NanoVLMsVisionConfig, exist_ok=True)
    AutoConfig.register("nanovlms_vocabulary", NanoVLMsVocabularyConfig, exist_ok=True)
    AutoConfig.register("nanovlms", NanoVLMsConfig, exist_ok=True)
    AutoModel.register(NanoVLMsVisionConfig, NanoVLMsVisionModel, exist_ok=True)
    AutoModel.register(NanoVLMsVocabularyConfig, NanoVLMsVisionVocabulary, exist_ok=True)
    AutoModel.register(NanoVLMsConfig, NanoVLMsModel, exist_ok=True)
    AutoModelForImageTextToText.register(NanoVLMsConfig, NanoVLMsForConditionalGeneration, exist_ok=True)
    AutoModelForMultimodalLM.register(NanoVLMsConfig, NanoVLMsForConditionalGeneration, exist_ok=True)
    AutoImageProcessor.register(NanoVLMsConfig, image_processor_classes={"pil": NanoVLMsImageProcessor}, exist_ok=True)
    AutoImageProcessor.register(
        NanoVLMsVocabularyConfig, image_processor_classes={"pil": NanoVLMsImageProcessor}, exist_ok=True
    )
    AutoProcessor.register(NanoVLMsConfig, NanoVLMsProcessor, exist_ok=True)

    generation_class = NanoVLMsForConditionalGeneration.__name__
    modeling_auto.MODEL_MAPPING_NAMES["nanovlms"] = NanoVLMsModel.__name__
    modeling_auto.MODEL_MAPPING_NAMES["nanovlms_vision"] = NanoVLMsVisionModel.__name__
    modeling_auto.MODEL_MAPPING_NAMES["nanovlms_vocabulary"] = NanoVLMsVisionVocabulary.__name__
    modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES["nanovlms"] = generation_class
    modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES["nanovlms"] = generation_class
    compat.install(
        AutoModelForVision2Seq=compat.AutoModelForVision2Seq,
        NanoVLMsForConditionalGeneration=NanoVLMsForConditionalGeneration,
        NanoVLMsModel=NanoVLMsModel,
    )


__all__ = ["register"]
