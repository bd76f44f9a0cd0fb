"""The SFT stage: data and a model in, a trained model with its processor, curve and summary out.

`recipes/sft.py` calls `main`. What is left in `output_dir` is all that the next stage needs: weights, configuration,
processor, `training.json` with what the run measured, and `loss_curve.png`.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from accelerate import PartialState
from transformers import set_seed
from transformers.utils import logging

from ..data.mixture import Mixture, StreamedMixture
from .adapters import check_adapter_run, peft_config
from .arguments import DataArguments, ModelArguments, StageArguments, parse
from .building import build, check_names, describe_model
from .checked_run import train_checked
from .measuring import describe_data
from .processes import parting_together
from .run_files import checkpoint_to_resume, write_run_files
from .stage_data import count_rows, load_data, picture_side, texts_of
from .trainer import NanoVLMsSFTTrainer, SupervisedCollator

logger = logging.get_logger(__name__)


@parting_together
def main(argv: list[str] | None = None) -> dict:
    """Parses the arguments and runs the stage; returns the summary that is also written to `training.json`."""
    return run(*parse((ModelArguments, DataArguments, StageArguments), argv))


def run(
    model_arguments: ModelArguments,
    data_arguments: DataArguments,
    arguments: StageArguments,
    *,
    build: Callable = build,
    collate: Callable = SupervisedCollator,
    finish: Callable = write_run_files,
    side: int | None = None,
    trainer_class: type[NanoVLMsSFTTrainer] = NanoVLMsSFTTrainer,
) -> dict:
    """Trains as the three groups of arguments say; see `main`.

    Args:
        build (`Callable`): as `building.build`, makes the model and its processor.
        collate (`Callable`): as `SupervisedCollator`, makes the collator of a processor.
        finish (`Callable`): as `write_run_files`, writes what the stage leaves and returns the summary.
        side (`int`, *optional*): side of the pictures that the model sees, in pixels; asked of the model when not given.
        trainer_class (`type`): the trainer.
    """
    check_names(model_arguments)
    check_settings(arguments)
    check_adapter_run(model_arguments, arguments)
    checkpoint = checkpoint_to_resume(arguments)
    train, validation = load_data(data_arguments, side or picture_side(model_arguments), arguments)
    if isinstance(train, Mixture | StreamedMixture):
        arguments.train_sampling_strategy = "sequential"  # rows come mixed; so a run resumes at the very next one
    if checkpoint and _needs_tokenizer(model_arguments):
        folder = tokenizer_to_resume(checkpoint, arguments.output_dir)
        model_arguments = replace(model_arguments, tokenizer_name_or_path=folder)
    set_seed(arguments.seed)  # the trainer seeds too, but only after the weights are drawn
    tokenizer_folder = Path(arguments.output_dir) / "tokenizer"
    if model_arguments.use_peft:
        build = partial(build, base_folder=Path(arguments.output_dir) / "base")
    with PartialState().main_process_first():  # one process trains the tokenizer, the others read what it wrote
        if _needs_tokenizer(model_arguments) and not PartialState().is_main_process:
            model_arguments = replace(model_arguments, tokenizer_name_or_path=str(tokenizer_folder))
        model, processor = build(model_arguments, lambda: texts_of(train, data_arguments))
        if _needs_tokenizer(model_arguments):
            processor.tokenizer.save_pretrained(tokenizer_folder)
    trainer = trainer_class(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=processor,
        data_collator=collate(
            processor,
            assistant_only_loss=arguments.assistant_only_loss,
            pad_to_multiple_of=arguments.pad_to_multiple_of,
        ),
        peft_config=peft_config(model_arguments, model),
    )
    logger.warning(describe_model(trainer.model))
    seconds, first_step = train_checked(trainer, processor, checkpoint, model_arguments.freeze)
    data = describe_data(data_arguments, count_rows(train), count_rows(validation))
    summary = finish(trainer, processor, seconds, first_step, data)
    if arguments.push_to_hub:
        trainer.push_to_hub()
    return summary


def check_settings(arguments: StageArguments) -> None:
    """Raises ValueError for settings of TRL's that this stage's chats about pictures cannot have."""
    if arguments.max_length is not None:
        raise ValueError(
            f"max_length={arguments.max_length} would cut examples off, and with them pictures or answers; leave it out. An "
            "example longer than the decoder's context stops the run and is shown."
        )
    if arguments.completion_only_loss:
        raise ValueError(
            "completion_only_loss=True needs rows of a prompt and a completion, but this stage trains on chats; leave it "
            "out: assistant_only_loss, which is on, takes the loss on the assistant's words alone."
        )


def tokenizer_to_resume(checkpoint: str, output_dir: str) -> str:
    """The folder of the tokenizer that a killed run trained: its checkpoint, or `tokenizer` in its output folder.

    A tokenizer trained anew would give the checkpoint's embeddings other meanings as soon as one row had changed.

    Raises:
        ValueError: if neither folder holds a tokenizer.
    """
    for folder in (Path(checkpoint), Path(output_dir) / "tokenizer"):
        if (folder / "tokenizer.json").is_file():
            return str(folder)
    raise ValueError(
        f"the run cannot be resumed from {checkpoint}: neither it nor {Path(output_dir) / 'tokenizer'} holds the tokenizer "
        "(tokenizer.json) that the model was trained with; put it back, name it with tokenizer_name_or_path, or start "
        "again without resume_from_checkpoint."
    )


def _needs_tokenizer(arguments: ModelArguments) -> bool:
    return not (arguments.model_name_or_path or arguments.tokenizer_name_or_path or arguments.language_model)


__all__ = ["check_settings", "main", "run", "tokenizer_to_resume"]
