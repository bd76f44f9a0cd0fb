"""Checks of what the model says: whether pictures take part in it, and whether packing changes it."""

from typing import Any

import torch

from .case import Case, logits_of, pixel_keys, run, signal
from .finding import Finding

_SAME = 1e-6  # relative difference of two outputs that are the same
_PACKED = {torch.float32: 1e-4, torch.float64: 1e-4}  # of a row packed with others; half precision is coarser
_PACKED_IN_HALF = 3e-2


def check_picture_used(case: Case) -> list[Finding]:
    """Whether a blank picture, or one of shuffled pixels, changes what is said where answers are read."""
    batch = case.shown
    said = signal(case, batch)
    noise = float((signal(case, batch) - said).abs().max())
    bound = max(4 * noise, _SAME * float(said.abs().max()))
    ignored = []
    for key in pixel_keys(batch):
        changes = [
            float((signal(case, batch | {key: control}) - said).abs().max())
            for control in (_blank(batch[key]), _shuffled(batch[key]))
        ]
        if max(changes) <= bound:
            ignored.append((key, max(changes)))
    if not ignored:
        return []
    named = ", ".join(f"`{key}` (logits move by {change:.1e})" for key, change in ignored)
    return [
        Finding(
            "picture_ignored",
            f"a blank picture and one of shuffled pixels in its place leave the answers' logits as they are: {named}",
            "the model answers from the words alone, however long it trains",
            "see that the features reach the decoder: the connector's weights are not all zero, placeholders are not masked "
            "out of the attention, and pixel_values are handed on",
        )
    ]


def _pictures(value: torch.Tensor) -> torch.Tensor:
    """One line of values a picture; a batch of patches counts as one picture."""
    if value.ndim < 4:
        return value.reshape(1, -1)
    return value.reshape(-1, value.shape[-3:].numel())  # (pictures, channels * height * width)


def _blank(value: torch.Tensor) -> torch.Tensor:
    lines = _pictures(value)
    return lines.mean(1, keepdim=True).expand_as(lines).reshape(value.shape).contiguous()


def _shuffled(value: torch.Tensor) -> torch.Tensor:
    lines = _pictures(value)
    order = torch.randperm(lines.shape[1], generator=torch.Generator().manual_seed(0)).to(value.device)
    return lines[:, order].reshape(value.shape)


def is_packed(case: Case) -> bool:
    """Whether the batch holds several rows in one."""
    return case.batch is not None and "input_ids" in case.batch and len(case.batch["input_ids"]) < len(case.rows)


@torch.no_grad()
def check_packed(case: Case) -> list[Finding]:
    """Whether rows that are packed into one get the logits that each of them gets alone."""
    alone = [_trimmed(single) for single in case.singles]
    packed = case.batch if is_packed(case) else _padding_free(alone)
    ids = torch.cat([single["input_ids"][0] for single in alone])
    if packed["input_ids"].shape[0] != 1 or packed["input_ids"].shape[1] < len(ids):
        return [_cannot_compare("rows are packed into several, or cut")]
    if not torch.equal(packed["input_ids"][0, : len(ids)], ids):
        return [_cannot_compare("the packed tokens are not those of the rows, one behind the other")]
    together = logits_of(run(case, packed))[0, : len(ids)].float()
    expected = torch.cat([logits_of(run(case, single))[0].float() for single in alone])
    scale = float(expected.abs().max())
    difference = float((together - expected).abs().max())
    tolerance = _PACKED.get(next(case.plain.parameters()).dtype, _PACKED_IN_HALF)
    if difference <= tolerance * scale:
        return []
    return [
        Finding(
            "packed_differs",
            f"logits of packed examples differ from those of the same examples alone by {difference:.1e} (largest logit "
            f"{scale:.1e})",
            "examples read each other's words or stand at wrong positions: the model learns what it never meets again",
            "hand on position_ids that restart at 0 with each example and no attention_mask, with an attention implementation "
            "that reads them (flash_attention_2, sdpa or eager of transformers 5), or do not pack",
        )
    ]


def _cannot_compare(what: str) -> Finding:
    return Finding(
        "packed_differs",
        f"{what}: the packed batch cannot be compared with the rows alone",
        "packing that changes the rows trains on other data than was given",
        "let the collator put whole examples one behind the other into one row",
    )


def _trimmed(batch: dict[str, Any]) -> dict[str, Any]:
    """A row without padding and mask, as packing needs it."""
    kept = {key: value for key, value in batch.items() if key not in ("attention_mask", "labels", "position_ids")}
    if "attention_mask" in batch and batch["attention_mask"].shape == batch["input_ids"].shape:
        mask = batch["attention_mask"][0].bool()
        kept["input_ids"] = batch["input_ids"][:, mask]
    return {key: value for key, value in kept.items() if key == "input_ids" or key in _of_pictures(batch)}


def _of_pictures(batch: dict[str, Any]) -> set[str]:
    return {key for key in batch if "pixel" in key or "image" in key}


def _padding_free(alone: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Rows in one, told apart by positions that restart."""
    positions = [torch.arange(single["input_ids"].shape[1]) for single in alone]
    packed = {"input_ids": torch.cat([single["input_ids"] for single in alone], dim=1)}
    packed["position_ids"] = torch.cat(positions)[None]
    for key in sorted(set().union(*(_of_pictures(single) for single in alone))):
        holders = [single for single in alone if key in single]
        by_row = any(single[name].ndim == 5 for single in holders for name in pixel_keys(single))
        # flat pictures stand behind each other; SmolVLM's are (rows, pictures, channels, height, width)
        packed[key] = torch.cat([single[key] for single in holders], dim=1 if by_row else 0)
    return packed


__all__ = ["check_packed", "check_picture_used", "is_packed"]
