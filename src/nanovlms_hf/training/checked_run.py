"""The middle of every stage: the run is held before its first step, trained, and timed."""

import time
from collections.abc import Sequence

from transformers import Trainer

from ..doctor import check_trainer
from .run_files import step_of


def train_checked(
    trainer: Trainer, processor, checkpoint: str | None, frozen: Sequence[str] = ()
) -> tuple[float, int]:
    """Trains, from a checkpoint on if there is one.

    Args:
        trainer (`Trainer`): a trainer that has not trained yet.
        processor: its processor, or image processor.
        checkpoint (`str`, *optional*): folder to resume from.
        frozen (`Sequence[str]`): parts that are meant not to train.

    Returns:
        `tuple[float, int]`: the seconds that training took, and the step that it began at.

    Raises:
        ValueError: before the first step, if the doctor finds what would spoil the run.
    """
    check_trainer(trainer, processor, frozen=frozen)
    first_step = step_of(checkpoint)  # read now: a newer checkpoint may replace this one
    started = time.time()
    trainer.train(resume_from_checkpoint=checkpoint)
    return time.time() - started, first_step


__all__ = ["train_checked"]
