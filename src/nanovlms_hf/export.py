"""Exit doors: a one-tower model whose parts fit, saved as transformers' own Llava or SmolVLM class.

Tool chains that know those classes (vLLM, llama.cpp, MLX, ONNX exporters) then take it, without this package and without code
in the repository. Nothing is approximated: a part that has no equal there is refused, and before anything is saved both models
are given the same pictures and text and must say the same numbers.
"""

import re
from pathlib import Path

import torch
from transformers import (
    AutoProcessor,
    CLIPImageProcessorPil,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from .configuration_nanovlms import NanoVLMsConfig
from .locating import check_source
from .modeling_nanovlms import NanoVLMsForConditionalGeneration

TARGETS = ("llava", "smolvlm")
DECODERS = {"llava": ("llama", "mistral", "qwen2", "qwen3"), "smolvlm": ("llama",)}
TOLERANCE = 1e-4


def export(source: str | Path, output: str | Path, to: str) -> str:
    """Saves a model, and for Llava its processor, as a class of transformers.

    Args:
        source (`str` or `Path`): saved model, or its repository on the Hub.
        output (`str` or `Path`): folder to write.
        to (`str`): `llava` or `smolvlm`.

    Returns:
        `str`: what was written and how far the two models' logits were apart.

    Raises:
        ValueError: if the target is unknown, the parts do not fit it, or the two models differ in what they say.
    """
    if to not in TARGETS:
        raise ValueError(f"--to {to} is no class to export to; choose one of {', '.join(TARGETS)}.")
    check_source("the model", str(source))
    model = NanoVLMsForConditionalGeneration.from_pretrained(source, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(source)
    target = convert(model, to)
    difference = compare(model, target)
    target.generation_config = model.generation_config
    target.save_pretrained(output)
    if to == "llava":
        llava_processor(processor, target.config).save_pretrained(output)
        return (
            f"{output} holds a {type(target).__name__} with its processor; logits differ by at most {difference:.1e}"
        )
    processor.tokenizer.save_pretrained(output)
    return (
        f"{output} holds a {type(target).__name__} with its tokenizer; logits differ by at most {difference:.1e}. SmolVLM's processor "
        "puts tokens around each picture that this model never saw: make the inputs with the nanovlms processor, and give "
        "pixel_values as (batch, pictures, channels, height, width)"
    )


def convert(model: NanoVLMsForConditionalGeneration, to: str) -> PreTrainedModel:
    """The same model as a class of transformers, with copied weights.

    Raises:
        ValueError: with every reason why the parts do not fit.
    """
    reasons = misfits(model, to)
    if reasons:
        raise ValueError(f"this model cannot be exported to {to}: {'; '.join(reasons)}.")
    config = model.config
    if to == "llava":
        target = LlavaForConditionalGeneration(_llava_config(config))
        renames = {r"^model\.connector\.projection\.": "model.multi_modal_projector."}
    else:
        target = SmolVLMForConditionalGeneration(_smolvlm_config(config))
        renames = {
            r"^model\.connector\.projection\.": "model.connector.modality_projection.",
            r"^model\.language_model\.": "model.text_model.",
            r"^model\.vision_tower\.": "model.vision_model.",
        }
    weights = {}
    for name, value in model.state_dict().items():
        if config.vision_config.model_type == "nanovlms_vision":
            name, value = _as_siglip(name, value)
        for pattern, replacement in renames.items():
            name = re.sub(pattern, replacement, name)
        weights[name] = value
    if to == "smolvlm":  # no bias there; one of ours is known to be zero
        weights.pop("model.connector.modality_projection.proj.bias", None)
        weights = {name: value for name, value in weights.items() if not name.startswith("model.vision_model.head.")}
    target.load_state_dict(weights, strict=True)
    target.tie_weights()
    return target.eval()


def misfits(model: NanoVLMsForConditionalGeneration, to: str) -> list[str]:
    """Why a model has no equal among the target's configurations, each reason with its cure; empty if it has."""
    config: NanoVLMsConfig = model.config
    vision = config.vision_config
    reasons = []
    if getattr(config, "vocabulary_config", None) is not None:
        reasons.append("it has two towers, and the class has one")
    towers = ("siglip_vision_model", "nanovlms_vision", *(["clip_vision_model"] if to == "llava" else []))
    if vision.model_type not in towers:
        reasons.append(f"its tower is a {vision.model_type}, and one of {', '.join(towers)} is needed")
    elif vision.model_type == "nanovlms_vision" and (
        vision.stem != "linear" or vision.use_cls_token or vision.qk_norm
    ):
        reasons.append(
            f"its tower has stem={vision.stem!r}, use_cls_token={vision.use_cls_token}, qk_norm={vision.qk_norm}, and only "
            "stem='linear', use_cls_token=False, qk_norm=False has the shape of a SigLIP tower"
        )
    if config.text_config.model_type not in DECODERS[to]:
        reasons.append(
            f"its decoder is a {config.text_config.model_type}, and one of {', '.join(DECODERS[to])} is needed"
        )
    if config.connector_norm:
        reasons.append("its connector has a LayerNorm (connector_norm=True), and the class has none there")
    if config.image_tokens == "cls":
        reasons.append("its decoder sees the CLS token alone (image_tokens='cls'), and the class shows it the patches")
    return reasons + (_llava_misfits(config) if to == "llava" else _smolvlm_misfits(model))


def _llava_misfits(config: NanoVLMsConfig) -> list[str]:
    reasons = []
    if config.connector != "mlp" or config.connector_hidden_size not in (None, config.text_config.hidden_size):
        reasons.append(
            f"its connector is {config.connector!r} with connector_hidden_size={config.connector_hidden_size}, and 'mlp' of the "
            "decoder's width is needed"
        )
    if config.vision_feature_layer is None and config.vision_config.model_type != "clip_vision_model":
        reasons.append(
            "its connector reads the tower's output after the last LayerNorm, and Llava reads a hidden state before it (train with "
            "vision_feature_layer=-1)"
        )
    return reasons


def _smolvlm_misfits(model: NanoVLMsForConditionalGeneration) -> list[str]:
    config, reasons = model.config, []
    if config.connector != "pixel_shuffle":
        reasons.append(f"its connector is {config.connector!r}, and 'pixel_shuffle' is needed")
    elif config.connector_bias and model.model.connector.projection.proj.bias.any():
        reasons.append("its connector has a bias, and the class has none there (train with connector_bias=False)")
    if config.vision_feature_layer is not None:
        reasons.append(
            f"its connector reads hidden state {config.vision_feature_layer} of the tower, and the class reads its output (train "
            "with vision_feature_layer=None)"
        )
    return reasons


def _as_siglip(name: str, value: torch.Tensor) -> tuple[str, torch.Tensor]:
    """A weight of our encoder with a linear stem under the name and in the shape that SigLIP gives it."""
    name = name.replace(
        "vision_tower.embeddings.patch_embedding.projection.", "vision_tower.embeddings.patch_embedding."
    )
    name = name.replace("vision_tower.layers.", "vision_tower.encoder.layers.")
    if name == "model.vision_tower.embeddings.position_embedding":
        return f"{name}.weight", value[0]  # (patches, hidden)
    return name, value


def _tower_fields(config: NanoVLMsConfig) -> dict:
    vision = config.vision_config
    shared = ("image_size", "patch_size", "num_channels", "hidden_size", "intermediate_size", "num_hidden_layers")
    more = ("num_attention_heads", "hidden_act", "layer_norm_eps", "attention_dropout")
    return {name: getattr(vision, name) for name in shared + more}


def _llava_config(config: NanoVLMsConfig) -> LlavaConfig:
    clip = config.vision_config.model_type == "clip_vision_model"
    vision = config.vision_config
    if vision.model_type == "nanovlms_vision":
        vision = SiglipVisionConfig(**_tower_fields(config), vision_use_head=False)
    return LlavaConfig(
        vision_config=vision,
        text_config=config.text_config,
        image_token_index=config.image_token_id,
        image_seq_length=config.image_seq_length,
        projector_hidden_act=config.connector_act,
        multimodal_projector_bias=config.connector_bias,
        # CLIP's output is its last hidden state: the LayerNorm after it is for its pooled token alone
        vision_feature_layer=-1 if config.vision_feature_layer is None else config.vision_feature_layer,
        vision_feature_select_strategy="default" if clip and config.image_tokens == "patches" else "full",
        tie_word_embeddings=config.tie_word_embeddings,
    )


def _smolvlm_config(config: NanoVLMsConfig) -> SmolVLMConfig:
    return SmolVLMConfig(
        vision_config=_tower_fields(config),
        text_config=config.text_config.to_dict(),
        scale_factor=config.pixel_shuffle_factor,
        image_token_id=config.image_token_id,
        pad_token_id=config.text_config.pad_token_id,
        tie_word_embeddings=config.tie_word_embeddings,
    )


@torch.no_grad()
def compare(ours: NanoVLMsForConditionalGeneration, theirs: PreTrainedModel, rows: int = 2) -> float:
    """The largest difference of logits on noise pictures and random words.

    Args:
        ours, theirs: the two models, in float32.
        rows (`int`, defaults to 2): rows of one picture each.

    Raises:
        ValueError: if they are further apart than `TOLERANCE`, or if neither looks at its picture.
    """
    config, generator = ours.config, torch.Generator().manual_seed(0)
    side = config.vision_config.image_size
    words = torch.randint(config.text_config.vocab_size, (rows, 9), generator=generator)
    words = torch.where(words == config.image_token_id, (words + 1) % config.text_config.vocab_size, words)
    placeholders = torch.full((rows, config.image_seq_length), config.image_token_id)
    ids = torch.cat([words[:, :4], placeholders, words[:, 4:]], dim=1)
    pixels = torch.randn(rows, config.vision_config.num_channels, side, side, generator=generator)
    nested = pixels[:, None] if isinstance(theirs, SmolVLMForConditionalGeneration) else pixels
    expected = ours(input_ids=ids, pixel_values=pixels).logits
    difference = (theirs(input_ids=ids, pixel_values=nested).logits - expected).abs().max().item()
    if difference > TOLERANCE:
        raise ValueError(
            f"the exported model's logits differ from the original's by {difference:.1e}, more than {TOLERANCE}; nothing was saved. "
            "Please report the model's configuration."
        )
    return difference


def llava_processor(processor, config: LlavaConfig) -> LlavaProcessor:
    """Llava's processor with the same tokenizer, template, size and normalisation."""
    saved = processor.image_processor
    clip = config.vision_config.model_type == "clip_vision_model"
    options = {
        "size": {"height": saved.size["height"], "width": saved.size["width"]},
        "image_mean": list(saved.image_mean),
        "image_std": list(saved.image_std),
        "resample": saved.resample,
    }
    if clip:
        options |= {"do_center_crop": False, "default_to_square": True}
    image_processor = (CLIPImageProcessorPil if clip else SiglipImageProcessorPil)(**options)
    return LlavaProcessor(
        image_processor,
        processor.tokenizer,
        patch_size=config.vision_config.patch_size,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        chat_template=processor.chat_template,
        image_token=processor.image_token,
        num_additional_image_tokens=1 if clip else 0,
    )


__all__ = ["DECODERS", "TARGETS", "compare", "convert", "export", "llava_processor", "misfits"]
