"""Batches of preference pairs, and how likely a model finds the two texts of each.

A batch holds the chosen texts first and the rejected ones behind them, as TRL's: `(2 * pairs, length)`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

from .trainer import check_length

ERROR_KEY = "error_numbers"
REFERENCE_KEYS = ("ref_chosen_logps", "ref_rejected_logps")
_NOT_FOR_THE_MODEL = ("completion_mask", ERROR_KEY, *REFERENCE_KEYS)


@dataclass
class PreferenceCollator(DataCollatorForVisionPreference):
    """TRL's collator for pictures and preference pairs, which also takes reference scores and the kind of error along.

    Args:
        processor, max_length, pad_to_multiple_of: as in TRL's collator.
        errors (`Sequence[str]`): kinds of error; a row's `error` goes into the batch as its number in this list, -1 if it has none.

    Raises:
        ValueError: if the two texts of a pair are the same, a picture is missing, or an example has more tokens than the
            tokenizer's `model_max_length`, which `build` sets to the decoder's context.
    """

    errors: Sequence[str] = ()

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Collates pairs; see the class for what it raises."""
        for example in examples:
            check_pair(example)
        # TRL's collator writes into the rows that it is given.
        batch = super().torch_call([{key: value for key, value in example.items()} for example in examples])
        check_length(batch, self.processor.tokenizer, getattr(self.processor, "image_token", "<image>"))
        if self.errors:
            numbers = [self.errors.index(row["error"]) if row.get("error") in self.errors else -1 for row in examples]
            batch[ERROR_KEY] = torch.tensor(numbers)  # (pairs,)
        for key in REFERENCE_KEYS:
            if key in examples[0]:
                batch[key] = torch.tensor([float(row[key]) for row in examples])  # (pairs,)
        return batch


def check_pair(row: dict[str, Any]) -> None:
    """Raises ValueError, with the texts' beginning, for a pair of equal texts, or one that asks for a picture it lacks."""
    said = _words(row["chosen"])
    if said == _words(row["rejected"]):
        raise ValueError(
            f"a preference row has the same text as chosen and rejected ({said[:80]!r}), so there is nothing to prefer; leave the "
            "row out, or mend it."
        )
    if row.get("image") is None and any(picture is None for picture in row.get("images") or [None]) and _asks(row):
        raise ValueError(
            f"the preference row whose chosen text is {said[:80]!r} lacks its picture; give one, or leave the row out."
        )


def _words(turns) -> str:
    if isinstance(turns, str):
        return turns
    parts = [turn["content"] for turn in turns]
    return " ".join(
        part if isinstance(part, str) else " ".join(block.get("text") or "" for block in part) for part in parts
    )


def _asks(row: dict[str, Any]) -> bool:
    """Whether the prompt has a place for a picture."""
    prompt = row["prompt"]
    return not isinstance(prompt, str) and any(
        block["type"] == "image"
        for turn in prompt
        if not isinstance(turn["content"], str)
        for block in turn["content"]
    )


@torch.inference_mode()
def pair_log_probs(model: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of the chosen and the rejected texts, each summed over its tokens; float32, `(pairs,)` each.

    The head is applied to the texts' places alone, so that no logits of pictures and prompts are kept.
    """
    core = model.get_base_model() if isinstance(model, PeftModel) else model
    batch = {key: value.to(core.device) for key, value in batch.items() if isinstance(value, torch.Tensor)}
    inputs = {key: value for key, value in batch.items() if key not in _NOT_FOR_THE_MODEL}
    hidden = core.base_model(**inputs, use_cache=False).last_hidden_state[:, :-1]  # (2 * pairs, length - 1, hidden)
    places = batch["completion_mask"][:, 1:].bool()
    logits = core.get_output_embeddings()(hidden[places]).float()  # (tokens of the texts, vocabulary)
    of_tokens = logits.log_softmax(dim=-1).gather(-1, batch["input_ids"][:, 1:][places][:, None])[:, 0]
    rows = places.nonzero()[:, 0]
    sums = of_tokens.new_zeros(len(places)).index_add(0, rows, of_tokens)
    return tuple(sums.cpu().chunk(2))


def score_rows(
    model: nn.Module, collate: PreferenceCollator, rows: Iterable[dict], batch_size: int = 16
) -> Iterator[tuple[float, float]]:
    """Log-probabilities of the chosen and the rejected text of each row, in order.

    Args:
        model (`nn.Module`): a model; dropout is off while it scores. Of a PEFT model the adapters count as they are set.
        collate (`PreferenceCollator`): makes batches.
        rows (`Iterable[dict]`): pairs.
        batch_size (`int`, defaults to 16): pairs scored at once.
    """
    was_training = model.training
    model.eval()
    try:
        waiting: list[dict] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == batch_size:
                yield from _scored(model, collate, waiting)
                waiting = []
        if waiting:
            yield from _scored(model, collate, waiting)
    finally:
        model.train(was_training)


def _scored(model: nn.Module, collate: PreferenceCollator, rows: list[dict]) -> list[tuple[float, float]]:
    chosen, rejected = pair_log_probs(model, collate(rows))
    return list(zip(chosen.tolist(), rejected.tolist(), strict=True))


__all__ = [
    "ERROR_KEY",
    "REFERENCE_KEYS",
    "PreferenceCollator",
    "check_pair",
    "pair_log_probs",
    "score_rows",
]
