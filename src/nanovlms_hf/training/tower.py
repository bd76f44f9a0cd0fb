"""Dense pretraining of a vision tower: every patch says what it shows.

The tower learns from boxes alone, before any decoder is there; the heads are thrown away afterwards and the tower is saved
as a model of its own, which `vision_tower:` of the next recipe loads. See `data/dense.py` for why.
"""

import torch
from torch import nn
from transformers import AutoModel
from transformers.configuration_utils import PreTrainedConfig

from ..data.dense import DENSE_TASKS


class DensePretrainingModel(nn.Module):
    """A vision tower with one linear head for each dense task.

    Args:
        vision_config (`PreTrainedConfig`): any tower whose output is a grid of patches, after `num_prefix_tokens` others.
        num_prefix_tokens (`int`): tokens before the grid, which take no part in the patch-wise tasks.
    """

    def __init__(self, vision_config: PreTrainedConfig, num_prefix_tokens: int = 0):
        super().__init__()
        self.vision_tower = AutoModel.from_config(vision_config)
        self.num_prefix_tokens = num_prefix_tokens
        self.heads = nn.ModuleDict(
            {task.name: nn.Linear(vision_config.hidden_size, task.num_classes) for task in DENSE_TASKS}
        )

    def forward(self, pixel_values: torch.Tensor, **labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss and logits of the dense tasks.

        Args:
            pixel_values (`torch.Tensor` of shape `(images, channels, height, width)`): normalised pictures.
            labels: for each task its classes, `(images, patches)`, or `(images,)` for the tasks about the whole picture.

        Returns:
            `dict`: `loss` (with labels), the sum of the tasks' mean cross-entropies, in which a patch of a thing weighs four
            times one of the background; and `logits`, a dictionary of `(images, patches, classes)` or `(images, classes)`.
        """
        features = self.vision_tower(pixel_values).last_hidden_state
        if features.ndim == 4:
            features = features.flatten(2).transpose(1, 2)
        features = features[:, self.num_prefix_tokens :]  # (images, patches, hidden)
        pooled = features.mean(dim=1)
        logits = {task.name: self.heads[task.name](features if task.per_patch else pooled) for task in DENSE_TASKS}
        outputs = {"logits": logits}
        if labels:
            outputs["loss"] = sum(
                _balanced_loss(logits[task.name], labels[task.name], labels["kind"] if task.per_patch else None)
                for task in DENSE_TASKS
            )
        return outputs


def _balanced_loss(logits: torch.Tensor, targets: torch.Tensor, kinds: torch.Tensor | None) -> torch.Tensor:
    """Cross-entropy; with `kinds`, patches of things (kind > 0) weigh four times those of the background.

    A patch that a task ignores adds nothing but counts in the mean: a scene weighs the same whether scenes or crowds stand
    beside it in the batch.
    """
    losses = nn.functional.cross_entropy(
        logits.flatten(0, -2).float(), targets.flatten(), reduction="none", ignore_index=-100
    )
    if kinds is None:
        return losses.mean()
    weights = torch.where(kinds.flatten() > 0, 1.0, 0.25)
    return (losses * weights).sum() / weights.sum()


@torch.no_grad()
def dense_accuracy(model: DensePretrainingModel, batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """Share of right classes for each task, over the patches that show a thing (or the pictures, for global tasks)."""
    labels = {task.name: batch[task.name] for task in DENSE_TASKS}
    logits = model(batch["pixel_values"])["logits"]
    shown = labels["kind"] > 0
    scores = {}
    for task in DENSE_TASKS:
        right = logits[task.name].argmax(-1) == labels[task.name]
        scores[task.name] = (right[shown] if task.per_patch else right).float().mean().item()
    return scores


__all__ = ["DensePretrainingModel", "dense_accuracy"]
