"""What a training step does, as far as its memory depends on it: a model's configuration, its inputs' sizes, its settings."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from transformers import PreTrainedConfig

# What other models call the parts that our components are.
_OTHER_NAMES = {
    "vision_tower": ("vision_model", "vision_encoder", "visual"),
    "connector": ("multi_modal_projector", "modality_projection"),
    "language_model": ("text_model",),
}
KINDS = ("sft", "vocabulary", "marks", "tower", "dpo", "grpo")


def names(path: str, components: Iterable[str]) -> bool:
    """Whether a parameter or module lies in one of some components or modules, by our names or those of other models."""
    parts = path.split(".")
    return any(
        path == name or name in parts or any(other in parts for other in _OTHER_NAMES.get(name, ()))
        for name in components
    )


@dataclass(frozen=True)
class Lora:
    """An adapter, as `AdapterArguments` names it.

    Args:
        rank (`int`, defaults to 16): rank of its matrices.
        targets (`tuple[str, ...]`, defaults to `("language_model",)`): components (all linear layers of them) and layers' names.
        dropout (`float`, defaults to 0.05): dropout before it.
        use_dora (`bool`, defaults to `False`): DoRA.
        whole (`tuple[str, ...]`): components and modules that train whole, in copies beside the frozen ones.
    """

    rank: int = 16
    targets: tuple[str, ...] = ("language_model",)
    dropout: float = 0.05
    use_dora: bool = False
    whole: tuple[str, ...] = ()


@dataclass(frozen=True)
class LowBits:
    """Linear layers held in few bits, as `LowBitArguments` names it.

    Args:
        bits (`int`): 4 or 8.
        nested (`bool`, defaults to `True`): double quantisation of 4 bits.
        kept (`tuple[str, ...]`): components and modules in full precision, the head always.
    """

    bits: int
    nested: bool = True
    kept: tuple[str, ...] = ("vision_tower", "vocabulary", "connector", "vocabulary_connector")


@dataclass(frozen=True)
class Workload:
    """One training step.

    Args:
        kind (`str`): one of `KINDS`: what is trained and by which loss.
        config (`PreTrainedConfig`): the model's configuration (that of the whole model for `marks` and `tower` too).
        batch (`int`): rows of a micro-batch; pairs for `dpo`.
        length (`int`): tokens of a row with its pictures' tokens; the longest row's, since the others are padded to it.
        supervised (`int`, *optional*): of these the ones with a loss; all that are not of pictures when not given.
        pictures (`int`): pictures of a row.
        tiles (`int`): views a picture is cut into, for models such as SmolVLM.
        accumulation (`int`): micro-batches of an update.
        padded (`bool`, *optional*): whether rows differ in length, so that attention needs a mask; with more than one row when
            not given.
        optim (`str`): name of transformers' `OptimizerNames`.
        muon (`bool`): Muon for the matrices (`muon_learning_rate`).
        max_grad_norm (`float`): 0 for no clipping.
        checkpointing (`bool`): gradient checkpointing.
        bf16 (`bool`): autocast to bfloat16.
        frozen (`tuple[str, ...]`): components that do not train.
        lora (`Lora`, *optional*): the adapter that trains in place of the model.
        low_bits (`LowBits`, *optional*): weights in few bits.
        reference (`bool`): `dpo` and `grpo`: whether the reference's log-probabilities are computed in the step.
        completion (`int`): `grpo`: tokens of an answer, a part of `length`.
        generated (`int`): `grpo`: answers written at a time.
        marks (`tuple[int, float]`): `vocabulary` and `marks`: slots and weight of the marks.
        attn_implementation (`str`, *optional*): `sdpa`, `eager`, ...
        device (`str`): `cuda` or `cpu`.
    """

    kind: str
    config: PreTrainedConfig
    batch: int = 8
    length: int = 256
    supervised: int | None = None
    pictures: int = 1
    tiles: int = 1
    accumulation: int = 1
    padded: bool | None = None
    optim: str = "adamw_torch_fused"
    muon: bool = False
    max_grad_norm: float = 1.0
    checkpointing: bool = False
    bf16: bool = False
    frozen: tuple[str, ...] = ()
    lora: Lora | None = None
    low_bits: LowBits | None = None
    reference: bool = True
    completion: int = 0
    generated: int = 0
    marks: tuple[int, float] = (6, 0.0)
    attn_implementation: str | None = None
    device: str = "cuda"
    notes: tuple[str, ...] = field(default=(), compare=False)

    def with_(self, **changes: Any) -> "Workload":
        """The same step with some settings changed."""
        return replace(self, **changes)

    @property
    def rows(self) -> int:
        """Rows that go through the model at a time."""
        return 2 * self.batch if self.kind == "dpo" else self.batch


__all__ = ["KINDS", "Lora", "LowBits", "Workload", "names"]
