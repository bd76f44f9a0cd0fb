"""Rows to look at: taken from a dataset without using it up, collated without changing them, and decoded with marks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import datasets
import torch
from transformers import ProcessorMixin
from trl.data_utils import prepare_multimodal_messages
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from ..data.mixture import StreamedMixture

SHOWN = 3
_LOOKED_AT = 16  # rows searched for one with a picture
_IGNORED = -100


def pictures_of(row: dict[str, Any]) -> list:
    """The pictures of a row, under whichever of the usual names they stand."""
    for key in ("images", "image", "picture"):
        if row.get(key) is not None:
            return list(row[key]) if isinstance(row[key], (list, tuple)) else [row[key]]
    return []


def rows_of(dataset: Any, wanted: int = SHOWN) -> list[dict[str, Any]]:
    """The first rows of a dataset, the last one replaced by the first with a picture if none of them has one.

    A stream is read from its beginning by an iterator of its own and left as it was; of one whose kind is unknown, which may
    be readable only once, nothing is read.

    Args:
        dataset: a list, a map-style dataset, a `datasets.IterableDataset` or a `StreamedMixture`.
        wanted (`int`, defaults to 3): rows to take at most.
    """
    if dataset is None:
        return []
    if isinstance(dataset, StreamedMixture):
        place = dict(vars(dataset))
        rows = _with_a_picture(dataset.rows(), wanted)
        vars(dataset).update(place)
        return rows
    if isinstance(dataset, datasets.IterableDataset):
        return _with_a_picture(iter(dataset), wanted)
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        return _with_a_picture((dataset[index] for index in range(len(dataset))), wanted)
    return []


def _with_a_picture(rows: Iterable[dict], wanted: int) -> list[dict[str, Any]]:
    rows = iter(rows)
    first = list(islice(rows, wanted))
    if first and not any(map(pictures_of, first)):
        found = next((row for row in islice(rows, _LOOKED_AT - wanted) if pictures_of(row)), None)
        first[-1] = found or first[-1]
    return first


def copied(value: Any) -> Any:
    """A row that may be changed: new dictionaries and lists around the same pictures and strings."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


class AnswerCollator:
    """A collator for any processor with a chat template: supervised are the assistant's words, or the last answer's.

    Where the template marks the assistant's words with a `{% generation %}` block, these are supervised; elsewhere what
    follows the prompt, that is the chat without its last turn and with the beginning of an answer.

    Args:
        processor (`ProcessorMixin`): the model's processor.
    """

    def __init__(self, processor: ProcessorMixin):
        template = getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)
        self.processor, self.marked = processor, "generation %}" in str(template)
        self.collator = DataCollatorForVisionLanguageModeling(processor, assistant_only_loss=self.marked)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Model inputs with `labels`, as TRL's collator gives them."""
        prompts = [None if self.marked or "messages" not in row else self._prompt(copied(row)) for row in rows]
        batch = self.collator(rows)
        for labels, ids, prompt in zip(batch["labels"], batch["input_ids"], prompts, strict=True):
            if prompt is not None:
                length = min(len(prompt), len(ids))
                same = (ids[:length] == prompt[:length]).int().cumprod(0).sum()
                labels[:same] = _IGNORED
        return batch

    def _prompt(self, row: dict[str, Any]) -> torch.Tensor:
        return prompt_batch(self.processor, [row | {"prompt": row["messages"][:-1]}])["input_ids"][0]


def prompt_batch(processor: ProcessorMixin, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Model inputs of rows that hold a `prompt` and its pictures, up to where an answer begins; no labels."""
    chats = [prepare_multimodal_messages(row["prompt"], images=pictures_of(row)) for row in rows]
    return processor.apply_chat_template(
        chats,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
        processor_kwargs={"padding": True, "padding_side": "right", "add_special_tokens": False},
    )


def collate(collator: Callable, processor: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One batch of rows, which stay as they are; with `labels` where the collator gives completions a mask instead.

    Args:
        collator (`Callable`): a trainer's collator; one that leaves rows as they are is taken to belong to prompts alone.
        processor: the processor, for such prompts.
        rows (`list[dict]`): the rows.
    """
    batch = collator(copied(rows))
    if isinstance(batch, list):
        batch = prompt_batch(processor, copied(rows))
    batch = dict(batch)
    mask = batch.pop("completion_mask", None)
    if mask is not None and "labels" not in batch:
        batch["labels"] = torch.where(mask == 1, batch["input_ids"], _IGNORED)
    return batch


@dataclass(frozen=True)
class Example:
    """A row as the model gets it.

    Args:
        parts (`tuple[tuple[str, bool], ...]`): its text in runs, each with whether it is supervised; a run of placeholders
            stands as `<image>x64`.
        tokens, supervised (`int`): tokens of the row, and how many of them are supervised.
        pictures (`int`): pictures of the row.
    """

    parts: tuple[tuple[str, bool], ...]
    tokens: int
    supervised: int
    pictures: int

    def summary(self) -> str:
        """Its numbers in words."""
        return f"{self.tokens} tokens, {self.supervised} supervised, {self.pictures} picture(s)"

    def text(self, colour: bool = False, width: int = 600) -> str:
        """The row with supervised text in `[[ ]]`, or in bold green, cut after `width` characters."""
        before, after = ("\033[1;32m", "\033[0m") if colour else ("[[", "]]")
        written, left = [], width
        for text, supervised in self.parts:
            cut = text if len(text) <= left else text[:left] + " ..."
            written.append(f"{before}{cut}{after}" if supervised else cut)
            left -= len(text)
            if left <= 0:
                break
        return "".join(written)

    def to_dict(self) -> dict:
        """The example as `--json` prints it."""
        return {
            "text": [{"text": text, "supervised": supervised} for text, supervised in self.parts],
            "tokens": self.tokens,
            "supervised": self.supervised,
            "pictures": self.pictures,
        }


def decode(batch: dict[str, Any], tokenizer: Any, image_token_id: int | None, pictures: int) -> Example:
    """The first row of a batch, decoded.

    Args:
        batch (`dict`): `input_ids` of shape `(rows, tokens)`, and `attention_mask` and `labels` where there are any.
        tokenizer: decodes it.
        image_token_id (`int`, *optional*): id of the placeholder.
        pictures (`int`): pictures of the row.
    """
    ids = batch["input_ids"][0]
    kept = batch["attention_mask"][0].bool() if "attention_mask" in batch else torch.ones_like(ids, dtype=torch.bool)
    labels = batch["labels"][0] if "labels" in batch else torch.full_like(ids, _IGNORED)
    kinds = [
        ("image" if token == image_token_id else "text", label != _IGNORED)
        for token, label in zip(ids[kept].tolist(), labels[kept].tolist(), strict=True)
    ]
    parts, start = [], 0
    for end in range(1, len(kinds) + 1):
        if end < len(kinds) and kinds[end] == kinds[start]:
            continue
        kind, supervised = kinds[start]
        run = ids[kept][start:end]
        if kind == "image":
            text = f"{tokenizer.decode(run[:1])}x{end - start}"
        else:
            text = tokenizer.decode(run, skip_special_tokens=False)
        parts.append((text, supervised))
        start = end
    return Example(tuple(parts), int(kept.sum()), int((labels[kept] != _IGNORED).sum()), pictures)


__all__ = [
    "SHOWN",
    "AnswerCollator",
    "Example",
    "collate",
    "copied",
    "decode",
    "pictures_of",
    "prompt_batch",
    "rows_of",
]
