"""Checks of what the text teaches: supervised tokens, the end of an answer, placeholders and the features they stand for."""

import inspect
import re
from typing import Any

import torch

from .case import Case, pixel_keys
from .examples import pictures_of
from .finding import WARNING, Finding

_IGNORED = -100
_SENTINEL = "Qzx7"
_ABOUT_PLACEHOLDERS = re.compile(
    r"placeholder|image[_ ]?tokens?|<image>|image features|number of (images|pictures)|image token count",
    re.IGNORECASE,
)


def check_supervised(case: Case) -> list[Finding]:
    """Rows with nothing to learn, and placeholders that are to be learned."""
    ends = end_tokens(case)
    silent = [
        index
        for index, single in enumerate(case.singles)
        if not any(token not in ends for token in _supervised(single).tolist())
    ]
    if silent:
        return [no_supervised_tokens(f"{len(silent)} of {len(case.singles)} examples have 0 supervised tokens")]
    learned = sum(int((_supervised(single) == case.image_token_id).sum()) for single in case.singles)
    if not learned:
        return []
    return [
        Finding(
            "placeholders_supervised",
            f"{learned} placeholders of pictures (id {case.image_token_id}) are among the labels",
            "the model spends its loss on saying the placeholder, and may say it to users",
            "take the loss on the assistant's words alone (assistant_only_loss: true), or set the placeholders' labels to -100",
            WARNING,
        )
    ]


def no_supervised_tokens(what: str) -> Finding:
    """The finding of rows without a label that counts."""
    return Finding(
        "no_supervised_tokens",
        what,
        "no loss is taken on them: the run goes on and learns nothing",
        "give each row an assistant turn with words, keep the template's {% generation %} block around them, and let no "
        "max_length cut them off",
    )


def _supervised(batch: dict[str, Any]) -> torch.Tensor:
    labels = batch["labels"]
    return labels[labels != _IGNORED]


def check_end(case: Case) -> list[Finding]:
    """Whether the end of an answer is taught, and whether generation stops on what is taught."""
    ends = end_tokens(case)
    if not case.has_labels:
        closing = template_end(case)
        return [_never_stops(case, {closing})] if closing is not None and _goes_on(case, {closing}) else []
    taught = {token for single in case.singles for token in _supervised(single).tolist()} & ends
    if taught:
        return [_never_stops(case, taught)] if _goes_on(case, taught) else []
    pad = case.tokenizer.pad_token_id
    if pad in ends and any(pad in _after_the_answer(single) for single in case.singles):
        return [
            Finding(
                "pad_hides_end",
                f"the token that ends an answer is the padding too ({_named(case, [pad])}), and its labels are masked as padding",
                "the model never learns to stop: it goes on until max_new_tokens",
                "give the tokenizer a padding token of its own and resize the embeddings, or mask labels by attention_mask "
                "instead of by the padding's id",
            )
        ]
    return [
        Finding(
            "end_never_supervised",
            f"no label of {len(case.singles)} examples is a token that ends an answer ({_named(case, sorted(ends))})",
            "the model never learns to stop: it goes on until max_new_tokens",
            "write the end of the turn into the template, inside its {% generation %} block, and let no max_length cut it off",
        )
    ]


def _after_the_answer(batch: dict[str, Any]) -> list[int]:
    """Tokens behind the last supervised one of a batch's first row."""
    places = (batch["labels"][0] != _IGNORED).nonzero().flatten()
    return batch["input_ids"][0][int(places[-1]) + 1 :].tolist() if len(places) else []


def _goes_on(case: Case, taught: set[int]) -> bool:
    can_generate = getattr(case.plain, "generation_config", None) is not None
    return can_generate and not taught & case.stops


def _never_stops(case: Case, taught: set[int]) -> Finding:
    stops = _named(case, sorted(case.stops)) or "no token"
    return Finding(
        "end_never_stops",
        f"answers end with {_named(case, sorted(taught))}, but generation stops at {stops} (generation_config.eos_token_id)",
        "a model that learned to end its answers still goes on until max_new_tokens",
        "set model.generation_config.eos_token_id to the id of the token that ends an answer in the template (a list may name "
        "several)",
    )


def _named(case: Case, ids: list[int]) -> str:
    return ", ".join(f"{case.tokenizer.convert_ids_to_tokens(token)!r} = {token}" for token in ids)


def end_tokens(case: Case) -> set[int]:
    """Tokens that may end an answer: the template's, the tokenizer's and those at which generation stops."""
    known = {template_end(case), case.tokenizer.eos_token_id, *case.stops}
    return {token for token in known if token is not None}


def template_end(case: Case) -> int | None:
    """The special token that the chat template writes behind an assistant's words; None if it writes none."""
    for words in ([{"type": "text", "text": _SENTINEL}], _SENTINEL):
        chat = [{"role": "user", "content": words}, {"role": "assistant", "content": words}]
        try:
            written = case.processor.apply_chat_template(chat, tokenize=False)
        except Exception:  # templates are programs, and some take only one of the two forms
            continue
        if isinstance(written, str) and written.count(_SENTINEL) >= 2:
            break
    else:
        return None
    special = set(case.tokenizer.all_special_ids)
    special |= {token for token, added in case.tokenizer.added_tokens_decoder.items() if added.special}
    tail = case.tokenizer(written.rsplit(_SENTINEL, 1)[1], add_special_tokens=False)["input_ids"]
    return next((token for token in tail if token in special), None)


def check_placeholders(case: Case) -> list[Finding]:
    """Whether each row has as many placeholders as its pictures have features."""
    for number, (row, single) in enumerate(zip(case.rows, case.singles, strict=True), 1):
        pictures = len(pictures_of(row))
        placeholders = (
            int((single["input_ids"] == case.image_token_id).sum()) if case.image_token_id is not None else 0
        )
        if pictures and not pixel_keys(single):
            return [
                placeholder_mismatch(
                    f"example {number} has {pictures} picture(s), but its batch holds no pixel_values"
                )
            ]
        features = _features(case, single) if pixel_keys(single) else 0
        if features is not None and features != placeholders:
            return [
                placeholder_mismatch(
                    f"example {number} has {placeholders} placeholders (id {case.image_token_id}), but its {pictures} "
                    f"picture(s) give {features} features"
                )
            ]
    return []


def placeholder_mismatch(what: str) -> Finding:
    """The finding of placeholders that do not fit the pictures."""
    return Finding(
        "placeholder_mismatch",
        what,
        "features have no place to go to or fill another picture's, or the forward pass raises",
        "make text and pictures with one call of the processor that belongs to the model, keep its number of placeholders a "
        "picture (image_seq_length, patch_size) that of the model, and truncate nothing",
    )


def is_about_placeholders(error: Exception) -> bool:
    """Whether an error of a processor or model is about placeholders and pictures that do not fit."""
    return isinstance(error, (ValueError, RuntimeError, IndexError)) and bool(_ABOUT_PLACEHOLDERS.search(str(error)))


@torch.no_grad()
def _features(case: Case, batch: dict[str, Any]) -> int | None:
    """How many tokens the pictures of a batch give; None where the model does not tell."""
    encode = getattr(case.plain, "get_image_features", None)
    if encode is None:
        return None
    device = next(case.plain.parameters()).device
    known = inspect.signature(encode).parameters
    inputs = {
        key: value.to(device) for key, value in batch.items() if key in known and isinstance(value, torch.Tensor)
    }
    inputs.pop("input_ids", None)
    try:
        features = encode(**inputs)
    except (TypeError, ValueError, RuntimeError):  # what the forward pass will say is plainer
        return None
    features = getattr(features, "pooler_output", features)
    parts = features if isinstance(features, (list, tuple)) else [features]
    return sum(part.numel() // part.shape[-1] for part in parts)


__all__ = [
    "check_end",
    "check_placeholders",
    "check_supervised",
    "end_tokens",
    "is_about_placeholders",
    "no_supervised_tokens",
    "placeholder_mismatch",
    "template_end",
]
