"""TRL's SFTTrainer with two additions: a learning rate for each component, and a collator that stops on silence.

"Training works but learns nothing" is the field's most reported failure; its commonest cause is a label mask that masks
everything. The collator looks at every batch and stops with the decoded example as soon as one holds nothing to learn.
"""

import re
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from trl import SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from ..data.mixture import Mixture, StreamedMixture
from .adapters import AdapterMixin
from .component_rates import ComponentRatesMixin
from .pushing import PushMixin


@dataclass
class SupervisedCollator(DataCollatorForVisionLanguageModeling):
    """TRL's collator for pictures and chats, refusing an example that has nothing to learn or is too long for the decoder.

    Raises:
        ValueError: with the decoded example, if an example of the batch has no token to learn, or more tokens than the
            tokenizer's `model_max_length`, which `build` sets to the decoder's context.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Collates chats and pictures; see the class for what it raises."""
        batch = super().torch_call(examples)
        image_token = getattr(self.processor, "image_token", "<image>")
        check_length(batch, self.processor.tokenizer, image_token)
        check_supervised(batch, self.processor.tokenizer, image_token)
        return batch


def _readable(batch: dict[str, torch.Tensor], row: int, tokenizer, image_token: str) -> str:
    """The beginning of a decoded row; a picture's hundreds of placeholders are written as one and their number."""
    text = tokenizer.decode(batch["input_ids"][row][batch["attention_mask"][row] == 1])
    runs = re.compile(f"(?:{re.escape(image_token)}){{2,}}")
    text = runs.sub(lambda run: f"{image_token}x{len(run.group()) // len(image_token)}", text)
    return text if len(text) <= 600 else text[:600] + " ..."


def check_length(batch: dict[str, torch.Tensor], tokenizer, image_token: str = "<image>") -> None:
    """Raises ValueError, with the beginning of the longest example, if it has more tokens than the decoder's context.

    A decoder with rotary positions would go on without an error, on positions that it never learns to read.
    """
    lengths = batch["attention_mask"].sum(dim=-1)  # (batch,)
    row = int(lengths.argmax())
    if lengths[row] > tokenizer.model_max_length:
        raise ValueError(
            f"an example has {int(lengths[row])} tokens with its pictures, but the decoder's context is "
            f"{tokenizer.model_max_length}. It begins: {_readable(batch, row, tokenizer, image_token)!r}. Shorten or split the "
            "text, give fewer pictures an example, or build the model with a larger max_position_embeddings."
        )


def check_supervised(batch: dict[str, torch.Tensor], tokenizer, image_token: str = "<image>") -> None:
    """Raises ValueError, with the decoded example, if one of the batch has no label that counts.

    The end of a turn is supervised even where the turn has no words: it does not count.
    """
    labels = batch["labels"]
    supervised = ((labels != -100) & (labels != tokenizer.eos_token_id)).sum(dim=-1)  # (batch,)
    silent = (supervised == 0).nonzero().flatten().tolist()
    if not silent:
        return
    text = _readable(batch, silent[0], tokenizer, image_token)
    raise ValueError(
        f"{len(silent)} of {len(supervised)} examples in a batch have 0 supervised tokens, so nothing would be learned from "
        f"them. The first reads: {text!r}. Give it an assistant turn with words, and keep the template's "
        "{% generation %} block around the assistant's words."
    )


def _is_mixture(rows) -> bool:
    return isinstance(rows, Mixture | StreamedMixture)


def _first_row(rows: Mixture | StreamedMixture) -> Dataset:
    row = rows[0] if isinstance(rows, Mixture) else next(rows.rows())
    return Dataset.from_dict({"row": [0]}).with_transform(lambda _: {key: [value] for key, value in row.items()})


class NanoVLMsSFTTrainer(AdapterMixin, ComponentRatesMixin, PushMixin, SFTTrainer):
    """SFTTrainer that takes mixtures, with Muon (`args.muon_learning_rate`) or a learning rate for each component.

    A `Mixture` or `StreamedMixture` may be given as a dataset. TRL, which knows only the classes of `datasets`, is shown its
    first row; the trainer then reads the mixture itself, so that no list of rows is kept.
    """

    def __init__(self, *args, train_dataset=None, eval_dataset=None, **kwargs):
        shown = [_first_row(rows) if _is_mixture(rows) else rows for rows in (train_dataset, eval_dataset)]
        super().__init__(*args, train_dataset=shown[0], eval_dataset=shown[1], **kwargs)
        if _is_mixture(train_dataset):
            self.train_dataset = train_dataset
        if _is_mixture(eval_dataset):
            self.eval_dataset = eval_dataset

    def get_train_dataloader(self) -> DataLoader:
        """As Trainer's; a streamed mixture, which knows its process, is not dealt out among the processes once more."""
        if not isinstance(self.train_dataset, StreamedMixture):
            return super().get_train_dataloader()
        return DataLoader(
            self.train_dataset,
            batch_size=self._train_batch_size,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            drop_last=self.args.dataloader_drop_last,
        )


__all__ = ["NanoVLMsSFTTrainer", "SupervisedCollator", "check_length", "check_supervised"]
