"""Models in 8 and 4 bits through bitsandbytes: what a recipe may say of them, and what is refused.

8 bits are LLM.int8 (arXiv 2208.07339), 4 bits QLoRA's nf4 with double quantisation (arXiv 2305.14314).
"""

import logging as plain_logging
from dataclasses import dataclass, field

import torch
from peft import prepare_model_for_kbit_training
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel
from transformers.utils import is_bitsandbytes_available, logging

from .components import COMPONENTS

logger = logging.get_logger(__name__)
BLOCK = 64  # bitsandbytes scales 4-bit weights in blocks of 64


@dataclass
class LowBitArguments:
    """In how many bits the weights are held; names as in TRL's `ModelConfig`.

    Args:
        load_in_8bit (`bool`, defaults to `False`): hold linear layers in 8 bits.
        load_in_4bit (`bool`, defaults to `False`): hold linear layers in 4 bits; excludes `load_in_8bit`.
        bnb_4bit_quant_type (`str`, defaults to `"nf4"`): the 4-bit numbers, `nf4` or `fp4`.
        use_bnb_nested_quant (`bool`, defaults to `True`): double quantisation: the scales of 4-bit blocks in 8 bits.
        full_precision_modules (`list[str]`): components and modules that stay in full precision; the head stays there with any
            list.
    """

    load_in_8bit: bool = field(default=False, metadata={"help": "Hold linear layers in 8 bits."})
    load_in_4bit: bool = field(default=False, metadata={"help": "Hold linear layers in 4 bits."})
    bnb_4bit_quant_type: str = field(default="nf4", metadata={"help": "4-bit numbers.", "choices": ["nf4", "fp4"]})
    use_bnb_nested_quant: bool = field(default=True, metadata={"help": "Double quantisation of 4-bit weights."})
    full_precision_modules: list[str] = field(
        default_factory=lambda: [name for name in COMPONENTS if name != "language_model"],
        metadata={"help": "Components and modules that stay in full precision."},
    )

    def __post_init__(self):
        if isinstance(self.full_precision_modules, str):
            self.full_precision_modules = [self.full_precision_modules]
        if self.load_in_8bit and self.load_in_4bit:
            raise ValueError("load_in_8bit and load_in_4bit were both given; give one of them.")


def in_low_bits(arguments: LowBitArguments) -> bool:
    """Whether the recipe asks for 8 or 4 bits."""
    return arguments.load_in_8bit or arguments.load_in_4bit


def check_low_bits(arguments: LowBitArguments, *, training: bool) -> None:
    """Raises ValueError where 8 or 4 bits are asked for and cannot be had, before anything is loaded.

    Args:
        arguments (`LowBitArguments`): the recipe's keys, with those of adapters for a training.
        training (`bool`): whether the model is to be trained: weights in 8 or 4 bits take no gradient, so an adapter must.
    """
    if not in_low_bits(arguments):
        return
    key = "load_in_8bit" if arguments.load_in_8bit else "load_in_4bit"
    if not is_bitsandbytes_available():
        raise ValueError(
            f"{key} needs bitsandbytes, which is not installed; install it with `pip install 'nanovlms-hf[bitsandbytes]'`, or leave "
            f"{key} out."
        )
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    supported = supported_devices()
    if device.type not in supported:
        raise ValueError(
            f"{key} was asked for on the device {device.type!r}, but this bitsandbytes runs on {', '.join(sorted(supported))} only; "
            f"leave {key} out, or train on one of these."
        )
    if training:
        check_trainable(arguments)


def check_trainable(arguments: LowBitArguments) -> None:
    """Raises ValueError unless an adapter is trained: for a model that is in 8 or 4 bits, asked for or saved so."""
    if not getattr(arguments, "use_peft", False):
        raise ValueError(
            "a model in 8 or 4 bits holds its weights as whole numbers, which take no gradient, so it cannot be trained by itself; add "
            "use_peft: true to train an adapter on it, or start from a model in full precision."
        )


def supported_devices() -> set[str]:
    """The kinds of devices that the installed bitsandbytes says it runs on."""
    import bitsandbytes

    return set(getattr(bitsandbytes, "supported_torch_devices", {"cuda"}))


def quantization_config(arguments: LowBitArguments) -> BitsAndBytesConfig | None:
    """What `from_pretrained` takes as `quantization_config`; None where full precision is asked for.

    Example: `AutoModelForImageTextToText.from_pretrained(folder, quantization_config=quantization_config(LowBitArguments(
    load_in_4bit=True)))`.
    """
    if not in_low_bits(arguments):
        return None
    kept = [f"model.{name}" if name in COMPONENTS else name for name in arguments.full_precision_modules]
    # A list of one's own drops transformers' default, the head, which is the token table where the two are tied.
    kept = ["lm_head", *(name for name in kept if name != "lm_head")]
    if arguments.load_in_8bit:
        _hush_casts()
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=arguments.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=arguments.use_bnb_nested_quant,
        bnb_4bit_compute_dtype=torch.bfloat16 if torch.accelerator.is_available() else torch.float32,
        llm_int8_skip_modules=kept,
    )


class _NoCasts(plain_logging.Filter):
    """Drops the line that bitsandbytes writes for each layer at each step."""

    def filter(self, record: plain_logging.LogRecord) -> bool:
        return "inputs will be cast from" not in record.getMessage()


_NO_CASTS = _NoCasts()


def _hush_casts() -> None:
    plain_logging.getLogger("bitsandbytes.autograd._functions").addFilter(_NO_CASTS)


def low_bit_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Name -> layer of a model's linear layers in 8 or 4 bits."""
    if not is_bitsandbytes_available():
        return {}
    import bitsandbytes

    kinds = (bitsandbytes.nn.Linear8bitLt, bitsandbytes.nn.Linear4bit)
    return {name: module for name, module in model.named_modules() if isinstance(module, kinds)}


def check_layers(model: PreTrainedModel, arguments: LowBitArguments) -> None:
    """Looks at a model that was just loaded in 8 or 4 bits.

    Layers whose widths are no multiple of 64 are named in a warning: they are computed right, but bitsandbytes' fast kernels do not
    take them.

    Raises:
        ValueError: if `full_precision_modules` left no layer to hold in fewer bits.
    """
    layers = low_bit_layers(model)
    if not layers:
        raise ValueError(
            f"full_precision_modules={arguments.full_precision_modules} keeps every linear layer in full precision, so nothing would be "
            "held in fewer bits; name fewer of them, or leave load_in_8bit and load_in_4bit out."
        )
    odd = sorted(name for name, layer in layers.items() if layer.in_features % BLOCK or layer.out_features % BLOCK)
    if arguments.load_in_4bit and odd:
        ends = sorted({name.rsplit(".", 1)[-1] for name in odd})
        logger.warning(
            f"{len(odd)} of {len(layers)} layers in 4 bits have widths that are no multiple of {BLOCK} ({', '.join(ends)}; the first is "
            f"{odd[0]}, {layers[odd[0]].in_features} to {layers[odd[0]].out_features}): fast kernels do not take them. To keep them in "
            f"full precision add to full_precision_modules: [{', '.join(ends)}]."
        )


def ready_for_adapter(model: PreTrainedModel) -> PreTrainedModel:
    """A model in 8 or 4 bits as QLoRA trains on it: nothing of its own learns, norms and tables are in float32."""
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)


def parameter_count(parameter: nn.Parameter) -> int:
    """The weights in a parameter; bitsandbytes packs two of 4 bits into each number."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else torch.Size(state.shape).numel()


__all__ = [
    "BLOCK",
    "LowBitArguments",
    "check_layers",
    "check_low_bits",
    "check_trainable",
    "in_low_bits",
    "low_bit_layers",
    "parameter_count",
    "quantization_config",
    "ready_for_adapter",
    "supported_devices",
]
