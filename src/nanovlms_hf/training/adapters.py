"""Adapters through PEFT: what a recipe may say of them, the targets that our components mean, and what trainers add.

LoRA (arXiv 2106.09685), rank-stabilised LoRA (arXiv 2312.03732) and DoRA (arXiv 2402.09353) are PEFT's own; the keys are those of TRL's
`ModelConfig`. What is added here: a target may be named as a component, which means all linear layers of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel
from torch import nn
from transformers import PreTrainedModel, TrainingArguments
from transformers.pytorch_utils import Conv1D

from ..adapter_folders import weights_digest, write_base
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
        ValueError: if a target is neither a component nor the name of a linear layer of this model, if a module to train whole is
            not there, or if the recipe freezes what it adapts.
    """
    if not arguments.use_peft:
        return None
    _check_frozen(arguments)
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


def check_adapter(arguments: AdapterArguments) -> None:
    """Raises ValueError for numbers that PEFT would take and that mean nothing."""
    if not arguments.use_peft:
        return
    if arguments.lora_r < 1 or arguments.lora_alpha <= 0 or not 0 <= arguments.lora_dropout < 1:
        raise ValueError(
            f"lora_r={arguments.lora_r}, lora_alpha={arguments.lora_alpha}, lora_dropout={arguments.lora_dropout} make no adapter; "
            "give a rank of at least 1, an alpha above 0 and a dropout from 0 to below 1."
        )
    if not arguments.lora_target_modules:
        raise ValueError("lora_target_modules is empty, so nothing would be adapted; name a component or a layer.")


def check_adapter_run(arguments: AdapterArguments, training: TrainingArguments) -> None:
    """Raises ValueError where an adapter and the settings of its training contradict each other.

    Args:
        arguments (`ModelArguments`): the recipe's keys on the model and the adapter.
        training (`TrainingArguments`): those on the training.
    """
    if not arguments.use_peft:
        return
    _check_frozen(arguments)
    if getattr(training, "muon_learning_rate", None):
        raise ValueError(
            "muon_learning_rate and use_peft were both given, but Muon is made for whole weights, not for an adapter's two factors; leave "
            "muon_learning_rate out."
        )
    base = arguments.model_name_or_path
    if base and Path(base).resolve() == Path(training.output_dir).resolve():
        raise ValueError(
            f"output_dir={training.output_dir} is the folder of the model that the adapter is trained on, and the two cannot lie in one; "
            "give another output_dir."
        )
    if training.push_to_hub and (not base or Path(base).is_dir()):
        raise ValueError(
            "push_to_hub would publish an adapter whose base is no repository of the Hub, so nobody could load it; push the base first "
            "and name it in model_name_or_path, or push what `nanovlms merge` writes."
        )


def _check_frozen(arguments: AdapterArguments) -> None:
    named = {*arguments.lora_target_modules, *(arguments.lora_modules_to_save or [])}
    twice = sorted(named & set(getattr(arguments, "freeze", [])))
    if twice:
        raise ValueError(
            f"freeze and the adapter's keys both name {twice}; with use_peft only what lora_target_modules and "
            "lora_modules_to_save name trains, so leave freeze out."
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
    parts, wanted = [], set()
    for target in targets:
        prefix = f"model.{target}." if target in COMPONENTS else None
        found = [name for name in layers if _means(target, prefix, name)]
        if not found:
            raise ValueError(_unknown_target(model, target, layers))
        wanted.update(found)
        leaves = sorted({name.rsplit(".", 1)[-1] for name in found})
        inner = rf"(?:.+\.)?(?:{'|'.join(map(re.escape, leaves))})"
        parts.append(f"{re.escape(prefix)}{inner}" if prefix else rf"(?:.*\.)?{re.escape(target)}")
    pattern = "|".join(parts)
    matched = {name for name, _ in model.named_modules() if re.fullmatch(pattern, name)}
    return pattern if matched == wanted else "|".join(map(re.escape, sorted(wanted)))


def _means(target: str, prefix: str | None, layer: str) -> bool:
    return layer.startswith(prefix) if prefix else layer == target or layer.endswith(f".{target}")


def _unknown_target(model: PreTrainedModel, target: str, layers: list[str]) -> str:
    if target == "lm_head":
        return (
            "lora_target_modules names 'lm_head', which TRL's losses read past its adapter, so it would never learn; leave it out, or "
            "name it in lora_modules_to_save where it is not tied to the embeddings."
        )
    components = ", ".join(name for name in COMPONENTS if hasattr(model.model, name))
    known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in layers}))
    return (
        f"lora_target_modules names {target!r}, which is no linear layer of this model; name a component that it has "
        f"({components}) or a layer ({known})."
    )


def _whole_modules(model: PreTrainedModel, names: list[str]) -> list[str]:
    """The names as PEFT takes them: ends of the names of modules."""
    ends = [f"model.{name}" if name in COMPONENTS else name for name in names]
    modules = [name for name, _ in model.named_modules() if name]
    for name, end in zip(names, ends, strict=True):
        if not any(module == end or module.endswith(f".{end}") for module in modules):
            components = ", ".join(part for part in COMPONENTS if hasattr(model.model, part))
            raise ValueError(
                f"lora_modules_to_save names {name!r}, which this model has not; name a component that it has ({components}) or "
                "a module."
            )
    return ends


class AdapterMixin:
    """For a `transformers.Trainer` that may train an adapter: writes beside each saved adapter which base it belongs to.

    With a base in 8 or 4 bits TRL rounds the adapter to bfloat16, where small steps are lost and a module that trains whole
    cannot be joined to float32 ones; here what trains stays in float32.
    """

    _base_digest: str | None = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if isinstance(self.model, PeftModel):
            for parameter in self.model.parameters():
                if parameter.requires_grad and parameter.dtype == torch.bfloat16:
                    parameter.data = parameter.data.float()

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        super()._save(output_dir, state_dict)
        model = self.accelerator.unwrap_model(self.model)
        if not isinstance(model, PeftModel) or not self.args.should_save:
            return
        base = model.get_base_model().name_or_path
        if base:
            if self._base_digest is None:
                self._base_digest = weights_digest(base)
            write_base(Path(output_dir or self.args.output_dir), base, self._base_digest)


__all__ = [
    "AdapterArguments",
    "AdapterMixin",
    "check_adapter",
    "check_adapter_run",
    "linear_layers",
    "peft_config",
    "target_pattern",
]
