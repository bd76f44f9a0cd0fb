"""From `ModelArguments` to a model and its processor: a preset, a saved model, or parts put together.

Weights are never half-loaded in silence: every loaded part reports its matched keys, and anything missing or unexpected
raises.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from accelerate import PartialState
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from ..adapter_folders import base_of, is_adapter, load
from ..configuration_nanovlms import NanoVLMsConfig
from ..image_processing_nanovlms import NanoVLMsImageProcessor
from ..locating import check_source
from ..modeling_nanovlms import NanoVLMsForConditionalGeneration, NanoVLMsModel
from ..presets import PRESETS, preset_config
from ..processing_nanovlms import NanoVLMsProcessor
from ..tokenization import SPECIAL_TOKENS, train_tokenizer
from .adapters import check_adapter, peft_config
from .arguments import ModelArguments
from .components import COMPONENTS, check_components, component_of
from .low_bits import (
    check_layers,
    check_low_bits,
    check_trainable,
    in_low_bits,
    parameter_count,
    quantization_config,
    ready_for_adapter,
)

logger = logging.get_logger(__name__)


def freeze(model: PreTrainedModel, components: Iterable[str]) -> None:
    """Stops the named components from training; raises ValueError for a name that is no component."""
    components = list(components)
    check_components("freeze", components)
    for name, parameter in model.named_parameters():
        if component_of(name) in components:
            parameter.requires_grad_(False)


def load_part(part: PreTrainedModel, source: str, component: str | None = None) -> int:
    """Copies the weights of a saved model into a part of the same shape.

    Args:
        part (`PreTrainedModel`): a tower or decoder.
        source (`str`): directory or Hub id of such a model, of a whole nanovlms model, or of a model with a tower of pictures and
            one of texts, such as CLIP and SigLIP, whose `vision_model` is taken.
        component (`str`, *optional*): which part of a whole nanovlms model to take, such as `language_model`.

    Returns:
        `int`: weights (tensors) copied.

    Raises:
        ValueError: unless every weight of the part is in the saved model, in the same shape.
    """
    saved, info = AutoModel.from_pretrained(source, output_loading_info=True, dtype=part.dtype, use_safetensors=True)
    if isinstance(saved, NanoVLMsModel) and component is not None:
        saved, info = _component(saved, component, source), {"missing_keys": _missing_in(info, component)}
    elif isinstance(getattr(saved, "vision_model", None), type(part)):  # a whole CLIP or SigLIP
        prefix, saved = "vision_model.", saved.vision_model
        info = {
            "missing_keys": [name.removeprefix(prefix) for name in info["missing_keys"] if name.startswith(prefix)]
        }
    # A tower may be saved with a pooling head, or a decoder with one for words: names that only the file has are fine.
    absent = sorted(info["missing_keys"])
    theirs, ours = saved.state_dict(), part.state_dict()
    wrong = [
        f"{name} {tuple(theirs[name].shape)} != {tuple(ours[name].shape)}"
        for name in ours
        if name in theirs and theirs[name].shape != ours[name].shape
    ]
    absent += [name for name in ours if name not in theirs]
    if absent or wrong:
        raise ValueError(
            f"{source} does not fit the {type(part).__name__} of this model: {len(ours) - len(absent) - len(wrong)} of "
            f"{len(ours)} weights match, missing {absent[:3]}, of another shape {wrong[:3]}; use the preset it was trained "
            "with, or leave the preset out so that its own configuration is taken."
        )
    part.load_state_dict({name: theirs[name] for name in ours})
    logger.warning(f"{source}: {len(ours)} of {len(ours)} weights loaded into {type(part).__name__}")
    return len(ours)


def _component(saved: NanoVLMsModel, name: str, source: str) -> PreTrainedModel:
    part = getattr(saved, name, None)
    if part is None:
        raise ValueError(
            f"{name}={source!r} is a nanovlms model without a {name}; name a folder that holds one, such as a finished stage 1."
        )
    return part


def _missing_in(info: dict, component: str) -> list[str]:
    return [name for name in info["missing_keys"] if component_of(name) == component]


@torch.no_grad()
def _load_head(model: NanoVLMsForConditionalGeneration, source: str) -> None:
    """The head of a saved decoder, where it is not tied to the embeddings; raises ValueError if it does not fit."""
    whole = AutoConfig.from_pretrained(source).model_type == NanoVLMsConfig.model_type
    kind = NanoVLMsForConditionalGeneration if whole else AutoModelForCausalLM
    saved, info = kind.from_pretrained(
        source, output_loading_info=True, dtype=model.lm_head.weight.dtype, use_safetensors=True
    )
    head = saved.get_output_embeddings()
    if head.weight.shape != model.lm_head.weight.shape or head.bias is not None or info["missing_keys"]:
        raise ValueError(
            f"{source} has no head that fits: {tuple(head.weight.shape)} with{'out' if head.bias is None else ''} bias, missing "
            f"{sorted(info['missing_keys'])[:3]}, where {tuple(model.lm_head.weight.shape)} without bias is needed; save the "
            "decoder as a causal language model, or tie its embeddings."
        )
    model.lm_head.weight.copy_(head.weight)


def build(
    arguments: ModelArguments,
    texts: Callable[[], Iterable[str]],
    config_of: Callable[..., NanoVLMsConfig] = preset_config,
    model_of: Callable[[NanoVLMsConfig], NanoVLMsForConditionalGeneration] = NanoVLMsForConditionalGeneration,
    base_folder: str | Path | None = None,
) -> tuple[NanoVLMsForConditionalGeneration, NanoVLMsProcessor]:
    """Builds or loads the model of a stage and its processor.

    An adapter's folder as `model_name_or_path` means its base with the adapter merged into the weights.

    Args:
        arguments (`ModelArguments`): what to build.
        texts (`Callable[[], Iterable[str]]`): gives the training text, read only when a tokenizer has to be trained.
        config_of (`Callable`): the configuration of a preset, as `preset_config`.
        model_of (`Callable`): makes a new model of a configuration.
        base_folder (`str` or `Path`, *optional*): where the first process saves the model that an adapter is trained on, if it is
            not just a saved model; without it the adapter has no base to be loaded on later.

    Raises:
        ValueError: if the arguments name no model or contradict each other, if weights do not fit, or if 8 or 4 bits are asked
            for where they cannot be had.
    """
    check_names(arguments)
    as_saved = _is_as_saved(arguments)
    if as_saved:  # in fewer bits weight by weight, so that the whole model never lies in memory
        options = _loading_options(arguments) | _low_bit_options(arguments)
        model = NanoVLMsForConditionalGeneration.from_pretrained(arguments.model_name_or_path, **options)
        processor = NanoVLMsProcessor.from_pretrained(arguments.model_name_or_path)
    elif arguments.model_name_or_path:
        model, processor = _load_and_change(arguments)
    else:
        model, processor = _build_new(arguments, texts, config_of, model_of)
    if not as_saved and (arguments.use_peft or in_low_bits(arguments)):
        model = _from_base(model, processor, arguments, base_folder)
    if in_low_bits(arguments):
        check_layers(model, arguments)
    if getattr(model, "is_quantized", False):
        check_trainable(arguments)
        model = ready_for_adapter(model)
    freeze(model, arguments.freeze)
    context = getattr(model.config.text_config, "max_position_embeddings", None)
    if context:  # where the collator stops too long a row
        processor.tokenizer.model_max_length = context
    return model, processor


def _is_as_saved(arguments: ModelArguments) -> bool:
    name = arguments.model_name_or_path
    return bool(name) and not is_adapter(name) and not arguments.vision_tower and not arguments.vocabulary


def _loading_options(arguments: ModelArguments) -> dict:
    return {"dtype": "float32"} | (
        {"attn_implementation": arguments.attn_implementation} if arguments.attn_implementation else {}
    )


def _low_bit_options(arguments: ModelArguments) -> dict:
    """Left out where none are asked for: a None would undo the bits that a model was saved in."""
    config = quantization_config(arguments)
    return {"quantization_config": config} if config else {}


def _load_and_change(arguments: ModelArguments) -> tuple[NanoVLMsForConditionalGeneration, NanoVLMsProcessor]:
    """A saved model with an adapter merged into it, or with other towers."""
    source, options = arguments.model_name_or_path, _loading_options(arguments)
    model, processor = load(source, **options)
    if is_adapter(source):
        logger.warning(f"{source} is an adapter: it was merged into its base, and the stage goes on from there.")
    _check_swapped(model.config, arguments)
    _load_towers(model, arguments)
    _take_normalisations(processor.image_processor, model.config, arguments)
    return model, processor


def _from_base(
    model: NanoVLMsForConditionalGeneration, processor, arguments: ModelArguments, base_folder: str | Path | None
) -> NanoVLMsForConditionalGeneration:
    """Saves a model that lies nowhere yet as the base of an adapter, and takes it up from there in 8 or 4 bits if asked for."""
    peft_config(arguments, model)  # raises for a target that is not there, before anything is written
    with TemporaryDirectory() as passing:
        folder = str(base_folder or passing)
        if not base_folder or PartialState().is_main_process:
            model.save_pretrained(folder)
            processor.save_pretrained(folder)
        if in_low_bits(arguments):
            options = _loading_options(arguments) | _low_bit_options(arguments)
            model = type(model).from_pretrained(folder, **options)
    model.name_or_path = str(base_folder or "")
    return model


def _check_swapped(config: NanoVLMsConfig, arguments: ModelArguments) -> None:
    """Raises ValueError if a tower for a finished model sees pictures of another size: its weights alone might still fit."""
    for component, own in (("vision_tower", config.vision_config), ("vocabulary", config.vocabulary_config)):
        source = getattr(arguments, component)
        if not source or own is None:
            continue
        saved = _saved_config(source, component)
        if (saved.image_size, saved.patch_size) != (own.image_size, own.patch_size):
            raise ValueError(
                f"{component}={source!r} sees {saved.image_size} px with a token every {saved.patch_size} px, but the {component} of "
                f"{arguments.model_name_or_path} {own.image_size} px with one every {own.patch_size} px; merge it when the model is "
                "built, from a preset or from vision_tower and language_model."
            )


def _take_normalisations(image_processor, config: NanoVLMsConfig, arguments: ModelArguments) -> None:
    """Gives each view of a finished model's processor the normalisation of the tower that was swapped in."""
    own = (("vision_tower", config.vision_config, ""), ("vocabulary", config.vocabulary_config, "high_res_"))
    for component, tower, prefix in own:
        if getattr(arguments, component):
            saved = _saved_settings(getattr(arguments, component), tower.image_size)
            for name in ("image_mean", "image_std", "resample"):
                if saved.get(name) is not None:
                    setattr(image_processor, prefix + name, saved[name])


def _load_towers(model: NanoVLMsForConditionalGeneration, arguments: ModelArguments) -> None:
    """Loads the towers that the arguments name."""
    if arguments.vision_tower:
        load_part(model.model.vision_tower, arguments.vision_tower, "vision_tower")
    if arguments.vocabulary:
        if model.config.vocabulary_config is None:
            raise ValueError(
                f"vocabulary={arguments.vocabulary!r} is given, but {arguments.model_name_or_path} was built without a vision "
                "vocabulary; merge it when the model is built, from a preset or from vision_tower and language_model."
            )
        load_part(model.model.vocabulary, arguments.vocabulary, "vocabulary")


def _carry_connector(model: NanoVLMsForConditionalGeneration, source: str) -> None:
    """Takes the vocabulary's connector from the model of stage 1 that the decoder comes from, if it is one and shapes fit.

    Decoder and connector were trained together: with both, the merged model, or stage 1 that goes on, reads from its first step.
    Joined by channel the connector gives a part of the width only, and starts from random weights.
    """
    config = AutoConfig.from_pretrained(source)
    merged = model.config.vocabulary_config is not None
    ours = model.config.vocabulary_config if merged else model.config.vision_config
    for has in (ours, getattr(config, "vision_config", None)):
        if getattr(has, "model_type", None) != "nanovlms_vocabulary":
            return
    connector = model.model.vocabulary_connector if merged else model.model.connector
    saved = AutoModel.from_pretrained(source, dtype=model.dtype, use_safetensors=True).connector.state_dict()
    shapes = {name: weight.shape for name, weight in connector.state_dict().items()}
    fits = {name: weight.shape for name, weight in saved.items()} == shapes
    if fits:
        connector.load_state_dict(saved)
    logger.warning(
        f"{source}: the vocabulary's connector {'goes on from' if fits else 'has another shape than'} that of stage 1"
        f"{'' if fits else ' and starts from random weights'}"
    )


def check_names(arguments: ModelArguments) -> None:
    """Raises ValueError if the arguments name no model, contradict each other, or name what cannot be found."""
    if arguments.model_name_or_path:
        others = ("preset", "language_model", "connector", "overrides", "tokenizer_name_or_path", "vocab_size")
        twice = {name: getattr(arguments, name) for name in others if getattr(arguments, name)}
        if twice:
            said = " and ".join(f"{name}={value!r}" for name, value in twice.items())
            raise ValueError(
                f"{said} and model_name_or_path={arguments.model_name_or_path!r} both name the model; give one of them."
            )
        if is_adapter(arguments.model_name_or_path):
            base_of(arguments.model_name_or_path)  # raises if it is not to be found
    elif not arguments.preset and not (arguments.vision_tower and arguments.language_model):
        raise ValueError(
            "the recipe names no model: give preset, model_name_or_path, or both vision_tower and language_model."
        )
    check_components("freeze", arguments.freeze)  # before anything slow
    check_adapter(arguments)
    check_low_bits(arguments, training=True)
    for name in ("model_name_or_path", "vision_tower", "vocabulary", "language_model", "tokenizer_name_or_path"):
        if getattr(arguments, name):
            check_source(name, getattr(arguments, name))


def _build_new(
    arguments: ModelArguments, texts, config_of, model_of
) -> tuple[NanoVLMsForConditionalGeneration, NanoVLMsProcessor]:
    overrides = dict(arguments.overrides or {})
    if arguments.vocabulary:  # its own shape, whatever the preset's: that is what swapping one for another means
        overrides["vocabulary_config"] = _saved_config(arguments.vocabulary, "vocabulary")
    if arguments.connector:
        overrides["connector"] = arguments.connector
    tokenizer = _tokenizer(arguments, texts)
    try:
        if arguments.preset:
            config = config_of(arguments.preset, vocab_size=_vocab_size(arguments, tokenizer), **overrides)
        else:
            config = NanoVLMsConfig(
                vision_config=_saved_config(arguments.vision_tower, "vision_tower"),
                text_config=_saved_config(arguments.language_model, "language_model"),
                **overrides,
            )
    except ValueError as error:
        if not arguments.vocabulary:
            raise
        raise ValueError(f"the vision vocabulary {arguments.vocabulary} does not fit this merge: {error}") from error
    config.image_token_id = tokenizer.convert_tokens_to_ids("<image>")
    pad = tokenizer.pad_token_id  # may lie outside a loaded decoder's table until that is resized
    config.text_config.pad_token_id = pad if pad < config.text_config.vocab_size else None
    if arguments.attn_implementation:
        config._attn_implementation = arguments.attn_implementation
    model = model_of(config)
    if arguments.language_model:
        load_part(model.model.language_model, arguments.language_model, "language_model")
        if config.tie_word_embeddings:
            model.tie_weights()
        else:
            _load_head(model, arguments.language_model)
        model.resize_token_embeddings(max(len(tokenizer), config.text_config.vocab_size))
    _load_towers(model, arguments)
    if arguments.language_model and (arguments.vocabulary or arguments.vision_tower):
        _carry_connector(model, arguments.language_model)
    for holder in (config.text_config, model.generation_config):
        holder.eos_token_id = tokenizer.eos_token_id
        holder.pad_token_id = tokenizer.pad_token_id
    return model, make_processor(config, tokenizer, arguments.vision_tower, arguments.vocabulary)


def _vocab_size(arguments: ModelArguments, tokenizer: PreTrainedTokenizerBase) -> int:
    """Rows of the decoder's table: those of a saved decoder, which has spare ones as a rule, or one for each token."""
    if arguments.language_model:
        return _saved_config(arguments.language_model, "language_model").vocab_size
    return len(tokenizer)


def _saved_config(source: str, component: str) -> PreTrainedConfig:
    """The configuration of a saved tower or decoder, or of that part of a whole nanovlms model, CLIP or SigLIP."""
    config = AutoConfig.from_pretrained(source)
    if not isinstance(config, NanoVLMsConfig):
        return getattr(config, "vision_config", config) if component == "vision_tower" else config
    key = {"vision_tower": "vision_config", "vocabulary": "vocabulary_config", "language_model": "text_config"}[
        component
    ]
    if getattr(config, key) is None:
        raise ValueError(
            f"{component}={source!r} is a nanovlms model without a {component}; name a folder that holds one."
        )
    return getattr(config, key)


def make_processor(
    config: NanoVLMsConfig,
    tokenizer: PreTrainedTokenizerBase,
    vision_tower: str | None = None,
    vocabulary: str | None = None,
) -> NanoVLMsProcessor:
    """The processor that fits a configuration and a tokenizer.

    Each view gets the normalisation that its saved tower was trained with, and the first one the crop and the filter too.
    """
    side = config.vision_config.image_size
    saved = _saved_settings(vision_tower, side)
    settings = {"size": {"height": side, "width": side}}
    settings |= {name: saved[name] for name in ("image_mean", "image_std", "resample") if saved.get(name) is not None}
    crop = _sides(saved.get("crop_size") or {}, "height", "width")
    if saved.get("do_center_crop") and set(crop.values()) == {side}:  # CLIP's way: the shorter side, then the middle
        settings |= {"do_center_crop": True, "size": _sides(saved["size"], "shortest_edge"), "crop_size": crop}
    if config.vocabulary_config is not None:
        side = config.vocabulary_config.image_size
        saved = _saved_settings(vocabulary, side)
        settings["high_res_size"] = {"height": side, "width": side}
        own = {name: saved.get(name) or getattr(NanoVLMsImageProcessor, name) for name in ("image_mean", "image_std")}
        own["resample"] = saved.get("resample", NanoVLMsImageProcessor.resample)
        settings |= {f"high_res_{name}": value for name, value in own.items()}
    image_processor = NanoVLMsImageProcessor(**settings)
    return NanoVLMsProcessor(image_processor, tokenizer, image_seq_length=config.image_seq_length)


def _sides(size: dict | int, *names: str) -> dict[str, int]:
    """A size as a mapping; older processors, such as that of CLIP-L/14, are saved with a plain number."""
    return dict(size) if isinstance(size, dict) else dict.fromkeys(names, size)


def _saved_settings(tower: str | None, side: int) -> dict:
    """The image processor saved beside a tower; empty for a tower saved without one: ours, mean and deviation 0.5.

    Raises:
        ValueError: if it is one of ours and makes pictures of another size than the tower sees.
    """
    if not tower:
        return {}
    try:
        saved = NanoVLMsImageProcessor.get_image_processor_dict(tower)[0]
    except OSError:
        logger.warning(f"{tower} holds no image processor; mean and deviation 0.5 are taken for its pictures.")
        return {}
    size = saved.get("size") or {}
    ours = saved.get("image_processor_type") == NanoVLMsImageProcessor.__name__
    if ours and not saved.get("high_res_size") and set(size.values()) != {side}:
        raise ValueError(
            f"{tower}/preprocessor_config.json makes pictures of {size}, but the tower in the same folder sees {side}x{side} "
            "pixels; put the file back that was saved with the tower."
        )
    return saved


def _tokenizer(arguments: ModelArguments, texts) -> PreTrainedTokenizerBase:
    source = arguments.tokenizer_name_or_path or arguments.language_model
    if not source:
        if arguments.preset not in PRESETS:
            preset_config(arguments.preset)  # raises with the list of presets
        preset = PRESETS[arguments.preset]
        vocab_size = arguments.vocab_size or preset.vocab_size
        return train_tokenizer(texts(), vocab_size, preset.context, preset.whole_words)
    tokenizer = AutoTokenizer.from_pretrained(source)
    missing = [token for token in SPECIAL_TOKENS[3:] if token not in tokenizer.get_vocab()]
    if missing:
        tokenizer.add_special_tokens({"extra_special_tokens": missing}, replace_extra_special_tokens=False)
    if "<|end|>" not in tokenizer.get_vocab():
        tokenizer.add_special_tokens({"eos_token": "<|end|>"})
    tokenizer.eos_token = "<|end|>"  # the template ends each turn with it
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    return tokenizer


def describe_model(model: NanoVLMsForConditionalGeneration) -> str:
    """One line with the parameters, total and trainable, by component."""
    total = {component: 0 for component in COMPONENTS}
    trainable = dict(total)
    for name, parameter in model.named_parameters():
        total[component_of(name)] += parameter_count(parameter)
        trainable[component_of(name)] += parameter_count(parameter) * parameter.requires_grad
    parts = ", ".join(
        f"{component} {total[component]:,} ({trainable[component]:,} train)"
        for component in COMPONENTS
        if total[component]
    )
    return f"{sum(total.values()):,} parameters: {parts}"


__all__ = [
    "COMPONENTS",
    "build",
    "check_names",
    "component_of",
    "describe_model",
    "freeze",
    "load_part",
    "make_processor",
]
