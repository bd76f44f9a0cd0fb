"""The DPO stage (arXiv 2305.18290): pairs and a trained model in, a model that prefers the chosen texts out.

`recipes/dpo.py` calls `main`. What is left in `output_dir` is what an SFT stage leaves.
"""

import hashlib
import json
import time
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from datasets import Dataset
from transformers import PreTrainedModel, ProcessorMixin, set_seed
from transformers.utils import logging

from ..data.reference_scores import (
    ReferenceScores,
    compute_scores,
    default_folder,
    read_scores,
    scored_dataset,
    scores_key,
    write_scores,
)
from ..data.wrong_facts import ERRORS
from .adapters import check_adapter_run, peft_config
from .arguments import ModelArguments, parse
from .building import build, check_names, describe_model
from .checked_run import train_checked
from .dpo_trainer import REFERENCES, DPOArguments, NanoVLMsDPOTrainer
from .pair_scores import PreferenceCollator, score_rows
from .preference_data import PreferenceDataArguments, describe_pairs, load_pairs
from .processes import parting_together
from .run_files import checkpoint_to_resume, write_run_files
from .stage_data import count_rows, picture_side

logger = logging.get_logger(__name__)


@parting_together
def main(argv: list[str] | None = None) -> dict:
    """Parses the arguments and runs the stage; returns the summary that is also written to `training.json`."""
    return run(*parse((ModelArguments, PreferenceDataArguments, DPOArguments), argv))


def run(model_arguments: ModelArguments, data_arguments: PreferenceDataArguments, arguments: DPOArguments) -> dict:
    """Trains as the three groups of arguments say; see `main`."""
    check_names(model_arguments)
    check_settings(model_arguments, arguments)
    check_adapter_run(model_arguments, arguments)
    checkpoint = checkpoint_to_resume(arguments)
    train, validation = load_pairs(data_arguments, picture_side(model_arguments))
    set_seed(arguments.seed)
    base_folder = Path(arguments.output_dir) / "base" if model_arguments.use_peft else None
    model, processor = build(model_arguments, list, base_folder=base_folder)
    collate = PreferenceCollator(processor, pad_to_multiple_of=arguments.pad_to_multiple_of, errors=ERRORS)
    adapter = peft_config(model_arguments, model)
    for rows in (train, validation):
        _try_first_rows(rows, collate, arguments)
    if arguments.reference == "scores":
        train, validation = (with_reference(rows, model, collate, arguments) for rows in (train, validation))
    # TRL would load one from the folder's name, and so without a tower that was swapped in or an adapter that was merged.
    in_memory = arguments.reference == "model" and not model_arguments.use_peft
    trainer = NanoVLMsDPOTrainer(
        model=model,
        ref_model=deepcopy(model) if in_memory else None,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=processor,
        data_collator=collate,
        peft_config=adapter,
    )
    logger.warning(describe_model(trainer.model))
    seconds, first_step = train_checked(trainer, processor, checkpoint, model_arguments.freeze)
    data = describe_pairs(data_arguments, count_rows(train), count_rows(validation))
    summary = write_run_files(trainer, processor, seconds, first_step, data)
    if arguments.push_to_hub:
        trainer.push_to_hub()
    return summary


def check_settings(model_arguments: ModelArguments, arguments: DPOArguments) -> None:
    """Raises ValueError for settings that a stage of pairs about pictures cannot have."""
    if not model_arguments.model_name_or_path:
        raise ValueError("DPO goes on from a trained model, and the recipe names none; give model_name_or_path.")
    if arguments.max_length is not None:
        raise ValueError(
            f"max_length={arguments.max_length} would cut examples off, and with them pictures or texts; leave it out. An example "
            "longer than the decoder's context stops the run and is shown."
        )
    if arguments.reference not in REFERENCES:
        raise ValueError(f"reference={arguments.reference!r} is unknown; choose one of {', '.join(REFERENCES)}.")
    if arguments.precompute_ref_log_probs:
        raise ValueError(
            "precompute_ref_log_probs=True is refused by TRL for pictures; leave it out: reference: scores, the default, does the "
            "same."
        )
    others = [name for name in ("sync_ref_model", "ld_alpha") if getattr(arguments, name)]
    if others and arguments.reference == "scores":
        raise ValueError(
            f"{others[0]} needs the reference model at every step, but reference is 'scores'; set reference: model."
        )


def _try_first_rows(rows: Dataset | None, collate: PreferenceCollator, arguments: DPOArguments) -> None:
    """Raises ValueError for pairs that cannot be trained on, before scoring all takes its time."""
    if rows is not None and len(rows):
        collate([rows[index] for index in range(min(len(rows), arguments.per_device_train_batch_size))])


def with_reference(
    rows: Dataset | None, model: PreTrainedModel, collate: PreferenceCollator, arguments: DPOArguments
) -> Dataset | None:
    """The pairs with the scores that a model gives them now, from disk where it has scored them before.

    Args:
        rows (`Dataset`, *optional*): the pairs.
        model (`PreTrainedModel`): the reference, before it trains; of a PEFT model the base, with adapters off.
        collate (`PreferenceCollator`): makes batches.
        arguments (`DPOArguments`): `reference_folder`, the batch size and the precision.

    Returns:
        `Dataset`: see `scored_dataset`; None for None. All processes of a launch share the work, the first one reads and writes.
    """
    if rows is None:
        return None
    state = PartialState()
    folder = arguments.reference_folder or default_folder()
    key = scores_key(model_digest(model), rows, reference_settings(collate.processor, arguments))
    found = [read_scores(folder, key) if state.is_main_process else None]
    broadcast_object_list(found)
    scores = found[0]
    if scores is None or len(scores) != len(rows):
        scores = _computed_together(rows, model, collate, arguments)
        if state.is_main_process:
            write_scores(folder, key, scores)
    return scored_dataset(rows, scores)


def _computed_together(
    rows: Dataset, model: PreTrainedModel, collate: PreferenceCollator, arguments: DPOArguments
) -> ReferenceScores:
    state, started = PartialState(), time.time()
    if getattr(model, "hf_quantizer", None) is None:  # a model in 8 or 4 bits is where it was loaded
        model.to(arguments.device)
    adapters_off = model.disable_adapter() if hasattr(model, "disable_adapter") else nullcontext()
    autocast = torch.autocast(arguments.device.type, torch.bfloat16, enabled=bool(arguments.bf16))
    mine = rows.select(range(state.process_index, len(rows), state.num_processes))
    batch_size = arguments.precompute_ref_batch_size or arguments.per_device_train_batch_size
    with adapters_off, autocast:
        part = compute_scores(mine, lambda shown: score_rows(model, collate, shown, batch_size))
    parts = gather_object([(part.chosen, part.rejected, part.digests)])
    columns = [_interleaved([piece[column] for piece in parts], len(rows)) for column in range(3)]
    logger.warning(f"reference scores of {len(rows)} pairs took {time.time() - started:.0f} s")
    return ReferenceScores(*columns)


def _interleaved(parts: list, length: int):
    """Row i comes from process i modulo their number."""
    whole = parts[0].repeat(len(parts))[:length].copy() if len(parts[0]) else parts[0]
    for start, part in enumerate(parts):
        whole[start :: len(parts)] = part
    return whole


def model_digest(model: PreTrainedModel) -> str:
    """Changes with the weights of a model and with what its configuration makes of them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if "lora_" in name:
            continue
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    settings = {key: value for key, value in model.config.to_dict().items() if not key.startswith("_")}
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def reference_settings(processor: ProcessorMixin, arguments: DPOArguments) -> dict:
    """What else changes a score: how texts become tokens and pictures pixels, and the precision."""
    tokenizer = json.loads(processor.tokenizer.backend_tokenizer.to_str())
    of_last_call = ("padding", "truncation")  # a tokenizer keeps what it was last asked for
    return {
        "tokenizer": {key: value for key, value in tokenizer.items() if key not in of_last_call},
        "template": processor.chat_template,
        "pictures": processor.image_processor.to_dict(),
        "bf16": bool(arguments.bf16),
    }


__all__ = ["check_settings", "main", "model_digest", "run", "with_reference"]
