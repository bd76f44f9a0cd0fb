"""Linear heads that tell what each token of a tower shows, and their loss; see `data/marks.py`."""

import torch
from torch import nn

from ..data.marks import IGNORED, mark_tasks

_EMPTY_WEIGHT = 0.1  # of a token or slot with nothing in it: on a page most are empty


class MarkHeads(nn.ModuleDict):
    """One linear head for each kind of marks.

    Args:
        width (`int`): channels of a token.
        slots (`int`): characters a token can be marked with; at least 1.

    Raises:
        ValueError: if there is no slot.
    """

    def __init__(self, width: int, slots: int):
        if slots < 1:
            raise ValueError(f"slots={slots}: give a token room for at least 1 character.")
        tasks = mark_tasks(slots)
        super().__init__({task.name: nn.Linear(width, task.slots * task.num_classes) for task in tasks})
        self.tasks = tasks

    def loss(self, features: torch.Tensor, marks: dict[str, torch.Tensor]) -> torch.Tensor:
        """Sum of the kinds' mean cross-entropies by their weights; an empty token or slot weighs a tenth of a marked one.

        Args:
            features (`torch.Tensor` of shape `(images, tokens, width)`): a tower's output.
            marks (`dict`): for each kind the classes of shape `(images, tokens, slots)`, -100 where none is to be learned.
        """
        losses = []
        for task in self.tasks:
            targets = marks[task.name].flatten()
            logits = self._logits(task, features).flatten(0, -2).float()
            each = nn.functional.cross_entropy(logits, targets, reduction="none", ignore_index=IGNORED)
            empty = (targets == 0) & task.has_empty
            weights = torch.where(empty, _EMPTY_WEIGHT, 1.0) * (targets != IGNORED)
            losses.append(task.weight * (each * weights).sum() / weights.sum().clamp(min=1.0))
        return torch.stack(losses).sum()

    @torch.no_grad()
    def accuracy(self, features: torch.Tensor, marks: dict[str, torch.Tensor]) -> dict[str, float]:
        """Share of right classes for each kind of marks, over what is marked with something."""
        shares = {}
        for task in self.tasks:
            said, targets = self._logits(task, features).argmax(-1), marks[task.name]
            counted = targets > 0 if task.has_empty else targets != IGNORED
            if counted.any():
                shares[task.name] = (said == targets)[counted].float().mean().item()
        return shares

    def _logits(self, task, features: torch.Tensor) -> torch.Tensor:
        return self[task.name](features).unflatten(
            -1, (task.slots, task.num_classes)
        )  # (images, tokens, slots, classes)


__all__ = ["MarkHeads"]
