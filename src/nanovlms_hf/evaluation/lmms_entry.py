"""What the entry point `lmms_eval.models` gives lmms-eval: a name and where the class is.

Apart from the adapter, because lmms-eval reads it while its own modules are still loading.
"""


def manifests():
    """The manifest of the model `nanovlms`."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(
        model_id="nanovlms",
        chat_class_path="nanovlms_hf.evaluation.lmms_adapter.NanoVLMs",
        aliases=("nanovlms_hf",),
    )


__all__ = ["manifests"]
