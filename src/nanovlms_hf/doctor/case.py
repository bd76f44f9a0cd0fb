"""What is examined: a model, its processor and collator, and a few rows as batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from .examples import pictures_of

# Keys of collators that belong to a trainer, not to a model.
_NOT_FOR_THE_MODEL = ("assistant_masks", "ref_chosen_logps", "ref_rejected_logps", "part")


@dataclass
class Case:
    """A model and rows under examination.

    Args:
        model (`nn.Module`): the model as it trains: PEFT's wrapper around it, or a bare module, included.
        processor: its processor, or image processor where no text takes part.
        rows (`list[dict]`): the rows.
        singles (`list[dict]`): a batch for each row alone.
        batch (`dict`, *optional*): all rows in one batch.
        frozen (`Sequence[str]`): parts that are meant not to train, by a name within their parameters' names.
        stops (`set[int]`): tokens at which generation ends.
        packed (`bool`): whether rows are packed in training though `batch` is not.
        loading_info (`dict`, *optional*): what `from_pretrained(output_loading_info=True)` gave.
    """

    model: nn.Module
    processor: Any
    rows: list[dict[str, Any]]
    singles: list[dict[str, Any]] = field(default_factory=list)
    batch: dict[str, Any] | None = None
    frozen: Sequence[str] = ()
    stops: set[int] = field(default_factory=set)
    packed: bool = False
    loading_info: dict | None = None

    @property
    def plain(self) -> nn.Module:
        """The model without PEFT's wrapper."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def tokenizer(self) -> Any:
        """The tokenizer; None where no text takes part."""
        return getattr(self.processor, "tokenizer", None)

    @property
    def image_token_id(self) -> int | None:
        """The id of the placeholder that the model looks for."""
        config = getattr(self.plain, "config", None)
        for holder, name in (
            (config, "image_token_id"),
            (config, "image_token_index"),
            (self.processor, "image_token_id"),
        ):
            if getattr(holder, name, None) is not None:
                return getattr(holder, name)
        return None

    @property
    def has_text(self) -> bool:
        """Whether the batches hold text."""
        return bool(self.singles) and "input_ids" in self.singles[0] and self.tokenizer is not None

    @property
    def has_labels(self) -> bool:
        """Whether the batches hold labels for the text."""
        return self.has_text and isinstance(self.singles[0].get("labels"), torch.Tensor)

    @property
    def shown(self) -> dict[str, Any]:
        """The batch of the first row with pictures, or of the first row."""
        for row, single in zip(self.rows, self.singles, strict=True):
            if pictures_of(row) and pixel_keys(single):
                return single
        return self.singles[0]


def pixel_keys(batch: dict[str, Any]) -> list[str]:
    """The names of a batch's pictures: `pixel_values`, and a second view's where there is one."""
    return [
        key
        for key, value in batch.items()
        if "pixel_values" in key and isinstance(value, torch.Tensor) and value.is_floating_point()
    ]


def run(case: Case, batch: dict[str, Any]) -> Any:
    """The model's outputs for a batch, on the model's device; the caller says whether gradients are kept."""
    device = next(case.model.parameters()).device
    inputs = {
        key: _moved(value, device)
        for key, value in batch.items()
        if key not in _NOT_FOR_THE_MODEL and isinstance(value, (torch.Tensor, dict))
    }
    if "input_ids" in inputs:
        inputs["use_cache"] = False  # as in training: with a cache transformers looks for no packed examples
    return case.model(**inputs)


def _moved(value: torch.Tensor | dict, device: torch.device) -> torch.Tensor | dict:
    if isinstance(value, dict):
        return {key: _moved(item, device) for key, item in value.items()}
    return value.to(device) if isinstance(value, torch.Tensor) else value


def logits_of(outputs: Any) -> torch.Tensor | None:
    """The outputs' logits, one tensor of shape `(batch, tokens, vocabulary)`; None where there are none."""
    logits = outputs.get("logits") if hasattr(outputs, "get") else getattr(outputs, "logits", None)
    return logits if isinstance(logits, torch.Tensor) and logits.ndim == 3 else None


def signal(case: Case, batch: dict[str, Any]) -> torch.Tensor:
    """What the model says, flat and in full precision: logits from which answers are read, all its logits, or its loss."""
    with torch.no_grad():
        outputs = run(case, batch)
    logits = logits_of(outputs)
    if logits is not None and "input_ids" in batch:
        return logits[answer_positions(case, batch).to(logits.device)].float().flatten()
    several = outputs.get("logits") if hasattr(outputs, "get") else None
    if isinstance(several, dict):
        return torch.cat([value.float().flatten() for value in several.values()])
    return loss_of(outputs, batch).float().flatten()


def answer_positions(case: Case, batch: dict[str, Any]) -> torch.Tensor:
    """Where answers are read, a mask of shape `(batch, tokens)`: before each supervised token, else at all words."""
    ids = batch["input_ids"]
    mask = torch.zeros_like(ids, dtype=torch.bool)
    if isinstance(batch.get("labels"), torch.Tensor):
        mask[:, :-1] = batch["labels"][:, 1:] != -100
    if mask.any():
        return mask
    return (ids != case.image_token_id) & (batch.get("attention_mask", torch.ones_like(ids)) == 1)


def loss_of(outputs: Any, batch: dict[str, Any]) -> torch.Tensor:
    """The outputs' loss; without labels that of predicting each next token."""
    loss = outputs.get("loss") if hasattr(outputs, "get") else getattr(outputs, "loss", None)
    if loss is not None and torch.isfinite(loss).all():
        return loss.mean()
    logits = logits_of(outputs)
    if logits is None:
        raise ValueError("the model gives neither a loss nor logits of shape (batch, tokens, vocabulary)")
    targets = batch["input_ids"][:, 1:].to(logits.device)
    return nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), targets.flatten())


__all__ = ["Case", "answer_positions", "logits_of", "loss_of", "pixel_keys", "run", "signal"]
