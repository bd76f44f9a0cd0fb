"""The model of a training step on fake tensors, and its inputs."""

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoModelForImageTextToText, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ..configuration_nanovlms import NanoVLMsConfig
from ..data.dense import DENSE_TASKS
from ..data.marks import mark_tasks
from ..modeling_nanovlms import NanoVLMsForConditionalGeneration, NanoVLMsVisionVocabulary
from ..training.marks_stage import MarksModel
from ..training.reading_model import ReadingModel
from ..training.tower import DensePretrainingModel
from .low_bit_layers import quantise
from .workload import Lora, Workload, names


def build_model(workload: Workload) -> tuple[nn.Module, int]:
    """The model of a step as it trains, frozen and quantised, on the meta device, and its number of parameters."""
    with torch.device("meta"):
        model = _plain(workload)
    if isinstance(model, PreTrainedModel):
        model.tie_weights()
    model.train()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    for name, parameter in model.named_parameters():
        if names(name, workload.frozen):
            parameter.requires_grad_(False)
    if workload.low_bits is not None:
        model.requires_grad_(False)  # what bitsandbytes leaves in full precision is frozen beside an adapter too
        quantise(model, workload.low_bits, torch.bfloat16 if workload.device == "cuda" else torch.float32)
    if workload.checkpointing:
        _switch_checkpointing_on(model, workload)
    return model, parameters


def adapt(model: PreTrainedModel, lora: Lora) -> nn.Module:
    """The model with an adapter, all else frozen."""
    options = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_dropout=lora.dropout,
        use_dora=lora.use_dora,
        target_modules=_targets(model, lora),
        modules_to_save=_whole_modules(model, lora) or None,
    )
    return get_peft_model(model, options, low_cpu_mem_usage=True)


def to_fake(model: nn.Module) -> None:
    """Moves a model from the meta device to fake tensors on the CPU; call it inside a `fake_mode()`."""
    shared: dict[int, torch.Tensor] = {}
    for module in model.modules():
        for table in (module._parameters, module._buffers):
            for name, tensor in table.items():
                if tensor is not None and tensor.device.type == "meta":
                    if id(tensor) not in shared:
                        empty = torch.empty(tensor.shape, dtype=tensor.dtype)
                        is_weight = isinstance(tensor, nn.Parameter)
                        shared[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if is_weight else empty
                        shared[-id(tensor)] = tensor  # keeps the id from being given again
                    table[name] = shared[id(tensor)]


def _plain(workload: Workload) -> nn.Module:
    config = workload.config
    if workload.attn_implementation:
        config._attn_implementation = workload.attn_implementation
    if workload.kind == "tower":
        return DensePretrainingModel(config.vision_config, config.num_prefix_tokens)
    if workload.kind == "marks":
        return MarksModel(NanoVLMsVisionVocabulary(config.vision_config), workload.marks[0])
    if workload.kind == "vocabulary":
        return ReadingModel(config, *workload.marks)
    if isinstance(config, NanoVLMsConfig):
        return NanoVLMsForConditionalGeneration(config)
    try:
        return AutoModelForImageTextToText.from_config(config)
    except ValueError as error:
        raise ValueError(
            f"a model of type {config.model_type!r} is no image-text-to-text model of transformers; name one that is."
        ) from error


def _switch_checkpointing_on(model: nn.Module, workload: Workload) -> None:
    switch = getattr(model, "gradient_checkpointing_enable", None)
    if switch is None:
        raise ValueError(
            f"gradient_checkpointing=True, but the model of a {workload.kind} stage cannot recompute its activations; leave it out."
        )
    # a random state is a few kB, but cannot be read from a fake tensor
    switch(gradient_checkpointing_kwargs={"use_reentrant": False, "preserve_rng_state": False})
    if workload.lora is not None:
        model.enable_input_require_grads()


def _targets(model: nn.Module, lora: Lora) -> list[str]:
    head = model.get_output_embeddings()
    layers = [
        name for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D) and module is not head
    ]
    found = [name for name in layers if names(name, lora.targets)]
    if not found:
        raise ValueError(f"lora_target_modules={list(lora.targets)} names no linear layer of {type(model).__name__}.")
    return found


def _whole_modules(model: nn.Module, lora: Lora) -> list[str]:
    modules = [name for name, _ in model.named_modules() if name]
    whole = []
    for wanted in lora.whole:
        found = [name for name in modules if names(name, [wanted]) or name.endswith(f".{wanted}")]
        if not found:
            raise ValueError(f"lora_modules_to_save names {wanted!r}, which {type(model).__name__} has not.")
        outermost = [name for name in found if not any(name.startswith(f"{other}.") for other in found)]
        whole += outermost
    return whole


def chat_inputs(workload: Workload) -> dict[str, torch.Tensor]:
    """A micro-batch for any image-text-to-text model; call it inside a `fake_mode()`.

    Pictures are `(pictures, channels, side, side)`, or `(rows, pictures, channels, side, side)` for models such as SmolVLM. Whole
    numbers are real: the model counts placeholders in them.

    Returns:
        `dict`: `input_ids`, `attention_mask`, `labels` of shape `(rows, length)`, the pictures, and `marks` where the stage has them.
    """
    config, rows = workload.config, workload.rows
    pictures = workload.pictures * workload.tiles
    placeholders = tokens_of_a_picture(config) * pictures
    length = max(workload.length, placeholders + 2)
    image_token = image_token_of(config)
    ids = torch.full((rows, length), next(token for token in (2, 3) if token != image_token), dtype=torch.long)
    ids[:, :placeholders] = image_token
    mask = torch.ones_like(ids)
    if workload.padded if workload.padded is not None else rows > 1:
        mask[0, -1] = 0
    labels = ids.clone()
    labels[:, : max(placeholders, length - (workload.supervised or length))] = -100
    inputs = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    if pictures:
        inputs |= _views(config, rows, pictures)
    if workload.kind == "vocabulary" and workload.marks[1]:
        inputs["marks"] = mark_inputs(workload, rows)
    return inputs


def _views(config, rows: int, pictures: int) -> dict[str, torch.Tensor]:
    shape = picture_shape(config.vision_config)
    if hasattr(config, "scale_factor"):  # Idefics3 and SmolVLM keep the pictures of a row together
        return {"pixel_values": torch.empty(rows, pictures, *shape)}
    views = {"pixel_values": torch.empty(rows * pictures, *shape)}
    if getattr(config, "vocabulary_config", None) is not None:
        views["high_res_pixel_values"] = torch.empty(rows * pictures, *picture_shape(config.vocabulary_config))
    return views


def tokens_of_a_picture(config) -> int:
    """Placeholders that one view of a picture takes."""
    if isinstance(config, NanoVLMsConfig):
        return config.image_seq_length
    vision = config.vision_config
    patches = (_side(vision.image_size) // _side(vision.patch_size)) ** 2
    if hasattr(config, "scale_factor"):
        return patches // config.scale_factor**2
    return patches + (getattr(config, "vision_feature_select_strategy", "default") == "full")


def picture_shape(vision) -> tuple[int, int, int]:
    """`(channels, side, side)` of the pictures that a tower sees."""
    side = _side(vision.image_size)
    return getattr(vision, "num_channels", 3), side, side


def _side(size) -> int:
    return size if isinstance(size, int) else size[0]


def image_token_of(config) -> int:
    """Id of the placeholder."""
    token = getattr(config, "image_token_id", None)
    return token if token is not None else config.image_token_index


def mark_inputs(workload: Workload, images: int) -> dict[str, torch.Tensor]:
    """Marks of pictures: `(images, tokens, slots)` a kind."""
    vision = workload.config.vision_config
    tokens = (vision.image_size // vision.patch_size) ** 2
    return {
        task.name: torch.ones(images, tokens, task.slots, dtype=torch.long) for task in mark_tasks(workload.marks[0])
    }


def dense_inputs(workload: Workload) -> dict[str, torch.Tensor]:
    """Pictures and classes of the tower's stage."""
    vision = workload.config.vision_config
    patches = (vision.image_size // vision.patch_size) ** 2
    labels = {
        task.name: torch.ones((workload.batch, patches) if task.per_patch else (workload.batch,), dtype=torch.long)
        for task in DENSE_TASKS
    }
    return {"pixel_values": torch.empty(workload.batch, *picture_shape(vision)), **labels}


__all__ = [
    "adapt",
    "build_model",
    "chat_inputs",
    "dense_inputs",
    "image_token_of",
    "mark_inputs",
    "picture_shape",
    "to_fake",
    "tokens_of_a_picture",
]
