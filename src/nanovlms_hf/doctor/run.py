"""The examination: all checks in order on a model and a few rows, in full for a person and in short before a training.

    report = diagnose(model, processor, rows)          # any image-text-to-text model of transformers
    print(report.text())

    check_trainer(trainer, processor)                  # before trainer.train(): raises on what would spoil the run

A check that rests on another is left out where that one found something, so that one fault is reported once. Nothing is left
changed: random states, modes, gradients, buffers and datasets are as before.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import nn
from transformers.utils import logging

from .case import Case, pixel_keys, run
from .checks_gradients import check_gradients
from .checks_outputs import check_packed, check_picture_used, is_packed
from .checks_pictures import check_pictures
from .checks_text import (
    check_end,
    check_placeholders,
    check_supervised,
    is_about_placeholders,
    no_supervised_tokens,
    placeholder_mismatch,
)
from .checks_weights import check_weights
from .examples import SHOWN, AnswerCollator, collate, decode, pictures_of, rows_of
from .finding import ERROR, Finding, Report, sentence
from .undisturbed import undisturbed

logger = logging.get_logger(__name__)
_SHORT_WIDTH = 200  # characters of an example before a training
EXAMINING: ContextVar[bool] = ContextVar("examining", default=False)


def diagnose(
    model: nn.Module,
    processor: Any,
    rows: Iterable[dict[str, Any]],
    collator: Callable | None = None,
    *,
    frozen: Sequence[str] = (),
    packed: bool = False,
    loading_info: dict | None = None,
    stops: Iterable[int] = (),
) -> Report:
    """Looks for the faults with which a training works and learns nothing.

    Args:
        model (`nn.Module`): any image-text-to-text model, PEFT's wrapper around one, or a bare module that takes the collator's
            batches and returns a `loss`.
        processor: its processor, or its image processor where no text takes part.
        rows (`Iterable[dict]`): examples, e.g. of `images` and `messages`; the first three are taken.
        collator (`Callable`, *optional*): what training makes batches with; by default the assistant's words are supervised.
        frozen (`Sequence[str]`): parts that are meant not to train, by names within the parameters' names, e.g. `vision_tower`.
        packed (`bool`, defaults to `False`): check padding-free batches even though the collator packs nothing.
        loading_info (`dict`, *optional*): what `from_pretrained(..., output_loading_info=True)` returned beside the model.
        stops (`Iterable[int]`): tokens at which generation stops beside those of `model.generation_config`.

    Returns:
        `Report`: the findings, the decoded examples, and the checks that could be made.

    Raises:
        ValueError: if there is no row, or the processor has no tokenizer for rows of text without a collator.
    """
    rows = [dict(row) for row, _ in zip(rows, range(SHOWN), strict=False)]
    if not rows:
        raise ValueError("no row was given to look at; give at least one example of images and messages.")
    if collator is None:
        if getattr(processor, "tokenizer", None) is None:
            raise ValueError("the processor has no tokenizer; give the collator that training uses.")
        collator = AnswerCollator(processor)
    case = Case(model, processor, rows, frozen=tuple(frozen), packed=packed, loading_info=loading_info)
    case.stops = _stops(case.plain) | {stop for stop in stops if stop is not None}
    with undisturbed(model):
        model.eval()
        return _examine(case, collator)


def check_trainer(
    trainer: Any, processor: Any, *, frozen: Sequence[str] = (), full_report: bool = False
) -> list[Finding] | Report:
    """The short form, for `run()` of a recipe between building the trainer and `trainer.train()`.

    Three rows of the training data are looked at on the main process and logged. Nothing is changed: the training is bit for bit
    the same. With weights that are split among processes (DeepSpeed ZeRO-3), which one process alone cannot run, nothing is
    checked.

    Args:
        trainer: a `transformers.Trainer`, e.g. TRL's `SFTTrainer`, that has not trained yet.
        processor: its processor, or image processor.
        frozen (`Sequence[str]`): parts that are meant not to train, such as a recipe's `freeze`.
        full_report (`bool`, defaults to `False`): return the report instead, log nothing and raise nothing.

    Returns:
        `list[Finding]`: what was found, warnings only; or the `Report`.

    Raises:
        ValueError: on every process, if something was found that would spoil the run; names each finding with its cure.
    """
    if EXAMINING.get() and not full_report:  # `nanovlms doctor` runs the recipe up to here and looks in full itself
        return []
    if full_report:
        return _examine_trainer(trainer, processor, frozen)
    report, message = Report(), None
    if trainer.is_world_process_zero() and not _is_split(trainer):
        try:
            report = _examine_trainer(trainer, processor, frozen)
        except Exception as error:  # looking must neither end a good run nor leave the other processes waiting
            logger.warning(
                f"the doctor could not look at this run ({type(error).__name__}: {error}); it goes on unexamined."
            )
        message = sentence(finding for finding in report.findings if finding.severity == ERROR) or None
    if trainer.args.world_size > 1:
        message = broadcast_object_list([message])[0]
    if message:
        raise ValueError(f"the doctor stops this run before its first step. {message}")
    _log(report)
    return report.findings


def _examine_trainer(trainer: Any, processor: Any, frozen: Sequence[str]) -> Report:
    model = trainer.accelerator.unwrap_model(trainer.model)
    with undisturbed(model):
        rows = rows_of(trainer.train_dataset)
        if not rows:
            return Report()
        packs = bool(getattr(trainer.args, "packing", False) or getattr(trainer.args, "padding_free", False))
        # Trainer gives the tokenizer's end to the generation config when training starts.
        ends = [getattr(getattr(processor, "tokenizer", None), "eos_token_id", None)]
        return diagnose(model, processor, rows, trainer.data_collator, frozen=frozen, packed=packs, stops=ends)


def _is_split(trainer: Any) -> bool:
    plugin = getattr(trainer.accelerator.state, "deepspeed_plugin", None)
    return plugin is not None and plugin.zero_stage == 3


def _log(report: Report) -> None:
    for example in report.examples:
        logger.warning(f"example ({example.summary()}): {example.text(width=_SHORT_WIDTH)}")
    for finding in report.findings:
        logger.warning(f"the doctor warns of {finding}")


def _stops(model: nn.Module) -> set[int]:
    """Tokens at which a model's generation stops."""
    stops = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return {int(stop) for stop in (stops if isinstance(stops, (list, tuple)) else [stops]) if stop is not None}


def _examine(case: Case, collator: Callable) -> Report:
    report = Report()

    def check(name: str, function: Callable[..., list[Finding]], *arguments) -> list[Finding]:
        report.checks.append(name)
        found = function(case, *arguments)
        report.findings += found
        return found

    check("weights", check_weights)
    refused = _collate(case, collator)
    report.checks.append("batches")
    if refused:
        report.findings.append(refused)
        return report
    if case.has_text:
        report.examples = [
            decode(single, case.tokenizer, case.image_token_id, len(pictures_of(row)))
            for row, single in zip(case.rows, case.singles, strict=True)
        ]
    learned = check("supervised tokens", check_supervised) if case.has_labels else []
    if case.has_text and not any(finding.severity == ERROR for finding in learned):
        check("end of answers", check_end)
    pictures = any(pixel_keys(single) for single in case.singles)
    spoilt = (
        [finding for finding in check("pictures", check_pictures) if finding.severity == ERROR] if pictures else []
    )
    if any(finding.code == "pictures_blank" for finding in spoilt):
        return report  # SmolVLM drops them, and nothing can be learned of what stands behind them
    if case.has_text and check("placeholders", check_placeholders):
        return report
    failed = _try_forward(case)
    report.checks.append("forward pass")
    if failed:
        report.findings.append(failed)
        return report
    unused = spoilt or (check("picture changes the answer", check_picture_used) if pictures else [])
    if case.has_text and (case.packed or is_packed(case)) and len(case.rows) > 1:
        check("packing", check_packed)
    check("gradients", check_gradients, not unused)
    return report


def _collate(case: Case, collator: Callable) -> Finding | None:
    """Fills the case's batches; what the collator refuses is a finding."""
    try:
        case.singles = [collate(collator, case.processor, [row]) for row in case.rows]
        case.batch = collate(collator, case.processor, case.rows)
    except Exception as error:  # a processor may raise anything, and training would end with it
        said = " ".join(str(error).split())
        if "0 supervised tokens" in said:
            return no_supervised_tokens(said.rstrip("."))
        if is_about_placeholders(error):
            return placeholder_mismatch(f"the processor refuses an example: {said.rstrip('.')}")
        return _refused("batch_refused", f"no batch can be made of the first rows: {type(error).__name__}: {said}")
    return None


@torch.no_grad()
def _try_forward(case: Case) -> Finding | None:
    try:
        run(case, case.shown)
    except Exception as error:  # whatever it is, training would end with it
        said = " ".join(str(error).split())
        if is_about_placeholders(error):
            return placeholder_mismatch(f"the forward pass refuses an example: {said.rstrip('.')}")
        return _refused("forward_fails", f"the model cannot run an example: {type(error).__name__}: {said}")
    return None


def _refused(code: str, what: str) -> Finding:
    return Finding(
        code,
        what.rstrip("."),
        "training would stop at this very row",
        "mend what the error names; run the processor and the model on that row alone",
    )


def examine_saved(source: str, data: str, packed: bool = False, number: int = SHOWN) -> Report:
    """Looks at a saved image-text-to-text model with rows of a source entry.

    Args:
        source (`str`): folder or Hub id of a model that `AutoModelForImageTextToText` loads, its processor beside it.
        data (`str`): source entry (YAML, see docs/data.md).
        packed (`bool`, defaults to `False`): check padding-free batches too.
        number (`int`, defaults to 3): rows to read at most.

    Raises:
        ValueError: if the model or the source is wrong.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from ..data.sources import load_source
    from ..locating import check_source

    if not os.path.isfile(data):
        raise ValueError(f"--data {data} does not exist; give the path of a source entry (YAML, see docs/data.md).")
    check_source("--model", source)
    rows = rows_of(load_source(data), number)
    processor = AutoProcessor.from_pretrained(source)
    model, info = AutoModelForImageTextToText.from_pretrained(source, dtype="float32", output_loading_info=True)
    return diagnose(model, processor, rows, packed=packed, loading_info=info)


__all__ = ["EXAMINING", "check_trainer", "diagnose", "examine_saved"]
