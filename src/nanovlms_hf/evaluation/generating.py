"""Answers of a model to many questions at once: batched, greedy, and the same text as one by one.

Rows are padded on the left, so that the last prompt token of each stands where generation begins. What an item may add is bounded
by its own length, not by the batch's, so the batch size changes nothing but the speed. (In 32-bit floats the sums of a batch are
ordered differently, and two tokens that are equal to the last bit may swap; `docs/log.md` says how often it was seen.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, ProcessorMixin

from .items import Item


@dataclass
class Asked:
    """An item with the pictures that it is given."""

    item: Item
    pictures: list[Image.Image]


def prompt_text(processor: ProcessorMixin, item: Item) -> str:
    """The chat up to where the model goes on: the user's turn, and the beginning that the item gives."""
    return processor.apply_chat_template(item.messages(), add_generation_prompt=True, tokenize=False) + item.prefix


def _encode(processor, texts: list[str], asked: Sequence[Asked], side: str) -> dict:
    grouped = [one.pictures for one in asked]
    if not any(grouped):
        images = None
    elif all(grouped):
        images = grouped
    else:  # rows without a picture in between: the placeholders say which text each picture belongs to
        images = [picture for group in grouped for picture in group]
    return processor(
        images=images,
        text=texts,
        padding=True,
        padding_side=side,
        add_special_tokens=False,
        return_tensors="pt",
    )


def context_length(model: PreTrainedModel) -> int | None:
    """The decoder's longest sequence, where its configuration names one."""
    text = model.config.get_text_config()
    return getattr(text, "max_position_embeddings", None) or getattr(text, "n_positions", None)


@torch.inference_mode()
def answer_batch(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    asked: Sequence[Asked],
    max_new_tokens: int = 64,
    **generation_options,
) -> list[str | None]:
    """What the model says to each question, decoded greedily.

    Args:
        model (`PreTrainedModel`): any image-text-to-text model, in evaluation mode.
        processor (`ProcessorMixin`): its processor, with a chat template.
        asked (`Sequence[Asked]`): the questions of one batch.
        max_new_tokens (`int`, defaults to 64): longest answer, in tokens.
        generation_options: passed to `generate`.

    Returns:
        `list[str | None]`: one answer an item, without special tokens; None where the question alone fills the decoder's context.
    """
    inputs = _encode(processor, [prompt_text(processor, one.item) for one in asked], asked, "left").to(model.device)
    limit = context_length(model)
    lengths = inputs["attention_mask"].sum(1).tolist()
    room = [max_new_tokens if limit is None else min(max_new_tokens, limit - length) for length in lengths]
    if min(room) < 1:
        fitting = [one for one, free in zip(asked, room, strict=True) if free > 0]
        if not fitting:
            return [None] * len(asked)
        rest = iter(answer_batch(model, processor, fitting, max_new_tokens, **generation_options))
        return [next(rest) if free > 0 else None for free in room]
    options = {"do_sample": False, **generation_options}
    generated = model.generate(**inputs, max_new_tokens=max(room), **options)
    added = generated[:, inputs["input_ids"].shape[1] :]  # (batch, new tokens)
    words = [row[:free] for row, free in zip(added, room, strict=True)]
    return [text.strip() for text in processor.batch_decode(words, skip_special_tokens=True)]


@torch.inference_mode()
def completion_nll(
    model: PreTrainedModel, processor: ProcessorMixin, asked: Sequence[Asked], completions: Sequence[str]
) -> list[dict[str, float]]:
    """How likely the model finds given words after each question: the basis of `perplexity`.

    Args:
        model, processor, asked: as in `answer_batch`.
        completions (`Sequence[str]`): the words that should follow the item's prompt and beginning.

    Returns:
        `list[dict]`: `nll`, the summed negative log-likelihood in nats, and `tokens`, for each item; the end-of-turn token is not
        counted.
    """
    starts = [prompt_text(processor, one.item) for one in asked]
    joints = [" " if one.item.prefix else "" for one in asked]
    wholes = [start + joint + text for start, joint, text in zip(starts, joints, completions, strict=True)]
    begun = _encode(processor, starts, asked, "right")
    inputs = _encode(processor, wholes, asked, "right").to(model.device)
    logits = model(**inputs).logits.float()  # (batch, length, vocabulary)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    losses = cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")  # (batch, length - 1)
    scores = []
    for row in range(len(asked)):
        first = _shared(begun["input_ids"][row][begun["attention_mask"][row].bool()].tolist(), ids[row].tolist())
        last = int(mask[row].sum())
        scores.append({"nll": float(losses[row, first - 1 : last - 1].sum()), "tokens": last - first})
    return scores


def _shared(first: list[int], second: list[int]) -> int:
    """Number of tokens that two sequences begin with alike; a tokenizer may join the last word with what follows."""
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    return count


__all__ = ["Asked", "answer_batch", "completion_nll", "context_length", "prompt_text"]
