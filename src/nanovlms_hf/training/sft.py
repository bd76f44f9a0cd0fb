"""The SFT stage: data and a model in, a trained model with its processor, curve and summary out.

`recipes/sft.py` calls `main`. What is left in `output_dir` is all that the next stage needs: weights, configuration,
processor, `training.json` with what the run measured, and `loss_curve.png`.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from accelerate import PartialState
from datasets import Dataset, IterableDataset
from transformers import AutoConfig, set_seed
from transformers.utils import logging

from ..data.sources import load_sources, split_rows
from ..data.world import world_dataset, world_texts
from ..presets import preset_config
from .arguments import DataArguments, ModelArguments, StageArguments, parse, world_config
from .building import build, check_names, describe_model
from .measuring import describe_data
from .run_files import checkpoint_to_resume, step_of, write_run_files
from .trainer import NanoVLMsSFTTrainer, SupervisedCollator

logger = logging.get_logger(__name__)
TOKENIZER_ROWS = 20_000


def main(argv: list[str] | None = None) -> dict:
    """Parses the arguments and runs the stage; returns the summary that is also written to `training.json`."""
    return run(*parse((ModelArguments, DataArguments, StageArguments), argv))


def run(model_arguments: ModelArguments, data_arguments: DataArguments, arguments: StageArguments) -> dict:
    """Trains as the three groups of arguments say; see `main`."""
    check_names(model_arguments)
    check_settings(arguments)
    checkpoint = checkpoint_to_resume(arguments)
    train, validation = load_data(data_arguments, _image_size(model_arguments))
    if checkpoint and _needs_tokenizer(model_arguments):
        folder = tokenizer_to_resume(checkpoint, arguments.output_dir)
        model_arguments = replace(model_arguments, tokenizer_name_or_path=folder)
    set_seed(arguments.seed)  # the trainer seeds too, but only after the weights are drawn
    tokenizer_folder = Path(arguments.output_dir) / "tokenizer"
    with PartialState().main_process_first():  # one process trains the tokenizer, the others read what it wrote
        if _needs_tokenizer(model_arguments) and not PartialState().is_main_process:
            model_arguments = replace(model_arguments, tokenizer_name_or_path=str(tokenizer_folder))
        model, processor = build(model_arguments, lambda: texts_of(train, data_arguments))
        if _needs_tokenizer(model_arguments):
            processor.tokenizer.save_pretrained(tokenizer_folder)
    logger.warning(describe_model(model))
    trainer = NanoVLMsSFTTrainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=processor,
        data_collator=SupervisedCollator(
            processor,
            assistant_only_loss=arguments.assistant_only_loss,
            pad_to_multiple_of=arguments.pad_to_multiple_of,
        ),
    )
    first_step = step_of(checkpoint)  # read now: a newer checkpoint may replace this one
    started = time.time()
    trainer.train(resume_from_checkpoint=checkpoint)
    data = describe_data(data_arguments, len(train), len(validation) if validation is not None else 0)
    summary = write_run_files(trainer, processor, time.time() - started, first_step, data)
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


def load_data(arguments: DataArguments, image_size: int) -> tuple[Dataset, Dataset | None]:
    """Training and validation rows with the columns `images` and `messages`.

    Args:
        arguments (`DataArguments`): what to train on.
        image_size (`int`): the model's picture size, for drawn pictures.

    Raises:
        ValueError: if the picture world is asked for without `train_rows`, or the sources stream or leave no rows.
    """
    if not arguments.sources:
        if not arguments.train_rows:
            raise ValueError("train_rows is not set, but the picture world is endless; say how many rows to train on.")
        options = {
            "seed": arguments.world_seed,
            "image_size": arguments.picture_size or image_size,
            "mixture": arguments.mixture,
            "world": world_config(arguments.world),
        }
        validation = (
            world_dataset("validation", arguments.validation_rows, **options) if arguments.validation_rows else None
        )
        return world_dataset("train", arguments.train_rows, **options), validation
    rows = load_sources(arguments.sources, seed=arguments.world_seed)
    if isinstance(rows, IterableDataset):
        raise ValueError(
            f"the sources {arguments.sources} stream, but this stage splits and shuffles rows by number; set `streaming: "
            "false` in them, or `limit` a copy that fits the disk."
        )
    if len(rows) < 2:
        raise ValueError(f"the sources {arguments.sources} leave {len(rows)} row(s); at least 2 are needed to train.")
    train, validation = rows, None
    if arguments.validation_rows:
        share = min(arguments.validation_rows, max(len(rows) // 10, 1)) / len(rows)
        parts = split_rows(rows, share, seed=arguments.world_seed)
        train, validation = parts["train"], parts["validation"]
    if arguments.train_rows and arguments.train_rows < len(train):
        train = train.select(range(arguments.train_rows))
    return train, validation


def texts_of(train: Dataset, arguments: DataArguments) -> Iterator[str]:
    """The words of the training rows, for a tokenizer; pictures are not opened."""
    rows = min(len(train), TOKENIZER_ROWS)
    if not arguments.sources:
        world = world_config(arguments.world)
        yield from world_texts("train", rows, seed=arguments.world_seed, mixture=arguments.mixture, world=world)
        return
    for messages in train.select_columns("messages").select(range(rows))["messages"]:
        yield from _words(messages)


def _words(messages: Iterable[dict]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        yield from [content] if isinstance(content, str) else (part["text"] for part in content if part.get("text"))


def _needs_tokenizer(arguments: ModelArguments) -> bool:
    return not (arguments.model_name_or_path or arguments.tokenizer_name_or_path or arguments.language_model)


def _image_size(arguments: ModelArguments) -> int:
    if arguments.preset:
        return preset_config(arguments.preset).vision_config.image_size
    if arguments.model_name_or_path:
        return AutoConfig.from_pretrained(arguments.model_name_or_path).vision_config.image_size
    if arguments.vision_tower:
        return AutoConfig.from_pretrained(arguments.vision_tower).image_size
    raise ValueError("the recipe names no model: give preset, model_name_or_path, or vision_tower and language_model.")


__all__ = ["check_settings", "load_data", "main", "run", "texts_of", "tokenizer_to_resume"]
