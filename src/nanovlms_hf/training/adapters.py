"""Adapters through PEFT: what a recipe may say of them, and the targets that our components mean.

LoRA (arXiv 2106.09685), rank-stabilised LoRA (arXiv 2312.03732) and DoRA (arXiv 2402.09353) are PEFT's own; the keys are those of TRL's
`ModelConfig`. What is added here: a target may be named as a component, which means all linear layers of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from peft import LoraConfig
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from .components import COMPONENTS


@dataclass
class AdapterArguments:
    """Whether a stage trains an adapter instead of the model's own weights, and which; names as in TRL's `ModelConfig`.

    Args:
        use_peft (`bool`, defaults to `False`): train an adapter; the stage leaves the adapter alone.
        lora_r (`int`, defaults to 16): rank of the adapter's matrices.
        lora_alpha (`int`, defaults to 32): the adapter counts `lora_alpha / lora_r`-fold.
        lora_dropout (`float`, defaults to 0.05): dropout before the adapter.
        lora_target_modules (`list[str]`): what is adapted: components (`vision_tower`, `vocabulary`, `connector`,
            `vocabulary_connector`, `language_model`: all linear layers of them) and names of layers, such as `q_proj`.
        lora_modules_to_save (`list[str]`, *optional*): components or modules that train whole, beside the adapter.
        use_rslora (`bool`, defaults to `False`): scale by `lora_alpha / sqrt(lora_r)`.
        use_dora (`bool`, defaults to `False`): learn the length of each weight apart from its direction.
    """

    use_peft: bool = field(default=False, metadata={"help": "Train an adapter instead of the model's own weights."})
    lora_r: int = field(default=16, metadata={"help": "Rank of the adapter."})
    lora_alpha: int = field(default=32, metadata={"help": "The adapter counts lora_alpha / lora_r-fold."})
    lora_dropout: float = field(default=0.05, metadata={"help": "Dropout before the adapter."})
    lora_target_modules: list[str] = field(
        default_factory=lambda: ["language_model"],
        metadata={"help": "What is adapted: components, or names of layers such as q_proj."},
    )
    lora_modules_to_save: list[str] | None = field(
        default=None, metadata={"help": "Components or modules that train whole, beside the adapter."}
    )
    use_rslora: bool = field(default=False, metadata={"help": "Scale the adapter by lora_alpha / sqrt(lora_r)."})
    use_dora: bool = field(default=False, metadata={"help": "Learn length and direction of each weight apart."})

    def __post_init__(self):
        if isinstance(self.lora_target_modules, str):  # `lora_target_modules: language_model` in a YAML file
            self.lora_target_modules = [self.lora_target_modules]
        if isinstance(self.lora_modules_to_save, str):
            self.lora_modules_to_save = [self.lora_modules_to_save]


def peft_config(arguments: AdapterArguments, model: PreTrainedModel) -> LoraConfig | None:
    """What TRL's trainers take as `peft_config`; None where the recipe asks for no adapter.

    Args:
        arguments (`AdapterArguments`): the recipe's keys.
        model (`PreTrainedModel`): the model to adapt, for the names of its layers.

    Raises:
        ValueError: if a target is neither a component nor the name of a linear layer of this model.
    """
    if not arguments.use_peft:
        return None
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=arguments.lora_r,
        lora_alpha=arguments.lora_alpha,
        lora_dropout=arguments.lora_dropout,
        target_modules=target_pattern(model, arguments.lora_target_modules),
        modules_to_save=_whole_modules(model, arguments.lora_modules_to_save or []) or None,
        use_rslora=arguments.use_rslora,
        use_dora=arguments.use_dora,
    )


def linear_layers(model: nn.Module) -> list[str]:
    """The names of a model's linear layers, GPT-2's transposed ones among them, without its head."""
    head = model.get_output_embeddings()
    return [
        name for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D) and module is not head
    ]


def target_pattern(model: PreTrainedModel, targets: Iterable[str]) -> str:
    """The regular expression that PEFT takes, matching the linear layers that the targets mean and no other module.

    Args:
        model (`PreTrainedModel`): the model to adapt.
        targets (`Iterable[str]`): components, and names of layers or their last parts.

    Raises:
        ValueError: if a target means no linear layer of this model.
    """
    layers = linear_layers(model)
    parts = []
    for target in targets:
        prefix = _prefix(target)
        if prefix:
            leaves = sorted({name.rsplit(".", 1)[-1] for name in layers if name.startswith(prefix)})
            part = rf"{re.escape(prefix)}(?:.+\.)?(?:{'|'.join(map(re.escape, leaves))})" if leaves else None
        else:
            named = any(name == target or name.endswith(f".{target}") for name in layers)
            part = rf"(?:.*\.)?{re.escape(target)}" if named else None
        if part is None:
            known = sorted({name.rsplit(".", 1)[-1] for name in layers})
            raise ValueError(
                f"lora_target_modules names {target!r}, which is no linear layer of this model; name a component that it has "
                f"({', '.join(name for name in COMPONENTS if hasattr(model.model, name))}) or a layer ({', '.join(known)})."
            )
        parts.append(part)
    return "|".join(parts)


def _prefix(target: str) -> str | None:
    return f"model.{target}." if target in COMPONENTS else None


def _whole_modules(model: PreTrainedModel, names: list[str]) -> list[str]:
    return [f"model.{name}" if name in COMPONENTS else name for name in names]


__all__ = ["AdapterArguments", "linear_layers", "peft_config", "target_pattern"]
