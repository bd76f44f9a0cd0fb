"""TRL's SFTTrainer with two additions: a learning rate for each component, and a collator that stops on silence.

"Training works but learns nothing" is the field's most reported failure; its commonest cause is a label mask that masks
everything. The collator looks at every batch and stops with the decoded example as soon as one holds nothing to learn.
"""

from dataclasses import dataclass
from typing import Any

import torch
from trl import SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from .building import COMPONENTS, component_of
from .muon import MuonWithAdamW, muon_groups


@dataclass
class SupervisedCollator(DataCollatorForVisionLanguageModeling):
    """TRL's collator for pictures and chats, refusing a batch in which an example has no supervised token.

    Raises:
        ValueError: with the decoded example, if an example of the batch has no token to learn.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Collates chats and pictures; see the class for what it raises."""
        batch = super().torch_call(examples)
        check_supervised(batch, self.processor.tokenizer)
        return batch


def check_supervised(batch: dict[str, torch.Tensor], tokenizer) -> None:
    """Raises ValueError, with the decoded example, if one of the batch has no label that counts.

    The end of a turn is supervised even where the turn has no words: it does not count.
    """
    labels = batch["labels"]
    supervised = ((labels != -100) & (labels != tokenizer.eos_token_id)).sum(dim=-1)  # (batch,)
    silent = (supervised == 0).nonzero().flatten().tolist()
    if not silent:
        return
    row = silent[0]
    kept = batch["input_ids"][row][batch["attention_mask"][row] == 1]
    text = tokenizer.decode(kept)
    raise ValueError(
        f"{len(silent)} of {len(supervised)} examples in a batch have 0 supervised tokens, so nothing would be learned from "
        f"them. The first reads: {text[:600]!r}. Give it an assistant turn with words, and keep the template's "
        "{% generation %} block around the assistant's words."
    )


class NanoVLMsSFTTrainer(SFTTrainer):
    """SFTTrainer with Muon (`args.muon_learning_rate`) or a learning rate for each component."""

    def create_optimizer(self, model=None):
        """The optimizer that `StageArguments` asks for.

        Raises:
            ValueError: if a component is unknown, or if Muon and rates by component are both asked for.
        """
        rates = dict(self.args.component_learning_rates or {})
        muon_rate = self.args.muon_learning_rate
        if self.optimizer is not None or not (rates or muon_rate):
            return super().create_optimizer(model)
        if rates and muon_rate:
            raise ValueError("component_learning_rates and muon_learning_rate were both given; give one of them.")
        model = model or self.model
        if muon_rate:
            decay = self.args.weight_decay
            groups = muon_groups(
                model.named_parameters(), lr=self.args.learning_rate, muon_lr=muon_rate, weight_decay=decay
            )
            self.optimizer = MuonWithAdamW(groups, lr=self.args.learning_rate)
        else:
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = optimizer_class(self._groups_by_component(model, rates), **options)
        return self.optimizer

    def _groups_by_component(self, model: torch.nn.Module, rates: dict[str, float]) -> list[dict]:
        unknown = sorted(set(rates) - set(COMPONENTS))
        if unknown:
            raise ValueError(
                f"component_learning_rates names {unknown}, which is no component; choose from {', '.join(COMPONENTS)}."
            )
        decayed = set(self.get_decay_parameter_names(model))
        groups: dict[tuple[str, bool], list] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((component_of(name), name in decayed), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": float(rates.get(component, self.args.learning_rate)),
                "weight_decay": self.args.weight_decay if decays else 0.0,
            }
            for (component, decays), parameters in groups.items()
        ]


__all__ = ["NanoVLMsSFTTrainer", "SupervisedCollator", "check_supervised"]
