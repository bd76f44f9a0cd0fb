"""Models in 8 and 4 bits through bitsandbytes: what a recipe may say of them.

8 bits are LLM.int8 (arXiv 2208.07339), 4 bits QLoRA's nf4 with double quantisation (arXiv 2305.14314).
"""

from dataclasses import dataclass, field

import torch
from transformers import BitsAndBytesConfig

from .components import COMPONENTS


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


def quantization_config(arguments: LowBitArguments) -> BitsAndBytesConfig | None:
    """What `from_pretrained` takes as `quantization_config`; None where the recipe asks for full precision."""
    if not (arguments.load_in_8bit or arguments.load_in_4bit):
        return None
    kept = [f"model.{name}" if name in COMPONENTS else name for name in arguments.full_precision_modules]
    kept = [
        "lm_head",
        *(name for name in kept if name != "lm_head"),
    ]  # a list of one's own drops transformers' default
    if arguments.load_in_8bit:
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=arguments.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=arguments.use_bnb_nested_quant,
        bnb_4bit_compute_dtype=torch.bfloat16 if torch.accelerator.is_available() else torch.float32,
        llm_int8_skip_modules=kept,
    )


__all__ = ["LowBitArguments", "quantization_config"]
