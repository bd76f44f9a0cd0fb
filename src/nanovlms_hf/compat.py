"""Makes `AutoModelForVision2Seq`, removed in transformers 5, available again.

`setattr(transformers, ...)` is not enough: importing `transformers.processing_utils` runs `transformers/__init__` a second
time and replaces the module object, so the attribute is lost, while earlier importers keep the old object. Attributes on
the lazy-module *class* are seen by every such object, whatever the order of imports.
"""

from transformers.models.auto import modeling_auto
from transformers.models.auto.auto_factory import _BaseAutoModelClass, auto_class_update
from transformers.utils.import_utils import _LazyModule


def _vision2seq_class() -> type:
    if "AutoModelForVision2Seq" in vars(modeling_auto):
        return modeling_auto.AutoModelForVision2Seq

    class AutoModelForVision2Seq(_BaseAutoModelClass):
        """Auto class of picture-to-text models; the same mapping as `AutoModelForImageTextToText`."""

        _model_mapping = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    # Pickling looks a class up by module and name: let both point at where transformers 4 had it.
    AutoModelForVision2Seq.__module__ = modeling_auto.__name__
    AutoModelForVision2Seq.__qualname__ = "AutoModelForVision2Seq"
    return auto_class_update(AutoModelForVision2Seq, head_doc="vision-to-text modeling")


AutoModelForVision2Seq = _vision2seq_class()


def install(**classes: type) -> None:
    """Makes classes importable from `transformers` by name, in every import order.

    Args:
        classes: name -> class. Names that transformers itself has are left alone.
    """
    for name, cls in classes.items():
        if not hasattr(modeling_auto, name):
            setattr(modeling_auto, name, cls)
        if name not in vars(_LazyModule):
            setattr(_LazyModule, name, cls)


__all__ = ["AutoModelForVision2Seq", "install"]
