"""TRL's DPOTrainer with three additions: reference scores out of the data, accuracy by kind of error, a rate for each component.

TRL's own `precompute_ref_log_probs` refuses pictures, because its scores would be computed over a dataset that is already
tokenised. Rows of `scored_dataset` bring their scores along; the trainer then reads them and builds no reference model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig
from trl import DPOConfig, DPOTrainer

from ..data.wrong_facts import ERRORS
from .adapters import AdapterMixin
from .arguments import as_mapping, name_cpu_for_bf16
from .component_rates import ComponentRatesMixin
from .pair_scores import ERROR_KEY, REFERENCE_KEYS
from .pushing import PushMixin

REFERENCES = ("scores", "model")


@dataclass
class DPOArguments(DPOConfig):
    """TRL's `DPOConfig` with the family's defaults, a learning rate for each component, and where reference scores come from.

    Args:
        component_learning_rates, muon_learning_rate: as in `StageArguments`.
        reference (`str`, defaults to `"scores"`): `scores` computes what the starting model says of each pair once, keeps it on disk
            and trains with one model in memory; `model` keeps TRL's second model (or switches adapters off) at every step.
        reference_folder (`str`, *optional*): where the scores are kept; a folder beside the cache of `datasets` when not given.
    """

    _VALID_DICT_FIELDS = DPOConfig._VALID_DICT_FIELDS + ["component_learning_rates"]

    component_learning_rates: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Learning rate of each component, by name."}
    )
    muon_learning_rate: float | None = field(default=None, metadata={"help": "Learning rate of Muon; AdamW if none."})
    reference: str = field(default="scores", metadata={"help": "Reference scores on disk, or a model in memory."})
    reference_folder: str | None = field(default=None, metadata={"help": "Where reference scores are kept."})
    max_length: int | None = field(default=None, metadata={"help": "Truncation would cut pictures: off."})
    remove_unused_columns: bool = field(default=False, metadata={"help": "Pairs are drawn from an index."})
    gradient_checkpointing: bool = field(default=False, metadata={"help": "Tiny models have memory to spare."})
    bf16: bool | None = field(default=False, metadata={"help": "Switch on where it was measured to help."})
    report_to: None | str | list[str] = field(default="none", metadata={"help": "Trackers."})

    def __post_init__(self):
        self.component_learning_rates = as_mapping("component_learning_rates", self.component_learning_rates)
        name_cpu_for_bf16(self)
        super().__post_init__()


class NanoVLMsDPOTrainer(AdapterMixin, ComponentRatesMixin, PushMixin, DPOTrainer):
    """DPOTrainer that takes rows with reference scores (`data.reference_scores.scored_dataset`).

    In evaluation it also tells how often the true text of a pair was the likelier one: `pairs/accuracy`, and for each kind of error
    `pairs/accuracy_{kind}`. (TRL's `rewards/accuracies` asks how often the *change* of likelihood favours it.)

    Args:
        errors (`Sequence[str]`): kinds of error, as given to the collator.

    Raises:
        ValueError: if one of the datasets has reference scores and another has not.
    """

    def __init__(
        self, *args, errors: Sequence[str] = ERRORS, train_dataset=None, eval_dataset=None, ref_model=None, **kwargs
    ):
        self.errors = tuple(errors)
        scored = _have_scores(train_dataset, eval_dataset)
        if scored and ref_model is None:
            model = kwargs.get("model", args[0] if args else None)
            ref_model = _NoReference(model.config)
        super().__init__(*args, train_dataset=train_dataset, eval_dataset=eval_dataset, ref_model=ref_model, **kwargs)
        if scored:
            self.ref_model, self.precompute_ref_logps = None, True

    def _compute_loss(self, model, inputs, return_outputs):
        inputs = dict(inputs)
        errors = inputs.pop(ERROR_KEY, None)
        noting = _Noting(model)
        loss = super()._compute_loss(noting, inputs, return_outputs)
        if errors is not None and not self.model.training:
            self._note_pairs(noting.log_probs, errors)
        return loss

    def _note_pairs(self, log_probs: torch.Tensor, errors: torch.Tensor) -> None:
        """Keeps one number a pair; TRL's `log` takes their mean, which so is the share of right pairs."""
        chosen, rejected = log_probs.sum(dim=1).chunk(2)  # (pairs,)
        right, errors = self.accelerator.gather_for_metrics(((chosen > rejected).float(), errors))
        for is_right, error in zip(right.tolist(), errors.tolist(), strict=True):
            names = ["pairs/accuracy"] + ([f"pairs/accuracy_{self.errors[error]}"] if error >= 0 else [])
            for name in names:
                self._metrics["eval"][name].append(is_right)


class _Noting:
    """Calls a model and remembers the log-probabilities that it gave."""

    def __init__(self, model: nn.Module):
        self.model, self.log_probs = model, None

    def __call__(self, **inputs):
        outputs = self.model(**inputs)
        if self.log_probs is None:
            self.log_probs = outputs.log_probs.detach()
        return outputs


class _NoReference(nn.Module):
    """Stands where TRL expects a reference model, so that it loads none."""

    def __init__(self, config: PreTrainedConfig):
        super().__init__()
        self.config = config

    def forward(self, *args, **kwargs):
        """Raises RuntimeError: the scores are in the data."""
        raise RuntimeError("the reference scores are in the data, but the trainer asked a reference model for them.")


def _have_scores(train_dataset, eval_dataset) -> bool:
    """Whether the rows bring reference scores; raises ValueError if only some of the datasets do."""
    evaluated = list(eval_dataset.values()) if isinstance(eval_dataset, dict) else [eval_dataset]
    found = {REFERENCE_KEYS[0] in next(iter(rows)) for rows in [train_dataset, *evaluated] if rows is not None}
    if len(found) > 1:
        raise ValueError(
            "reference scores are in the training rows or in the validation rows alone; give both, or neither, through "
            "scored_dataset."
        )
    return found == {True}


__all__ = ["REFERENCES", "DPOArguments", "NanoVLMsDPOTrainer"]
