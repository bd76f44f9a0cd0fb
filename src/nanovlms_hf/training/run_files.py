"""What a finished stage leaves in its folder, and where a killed one is taken up again."""

import json
import math
import platform
from pathlib import Path

import torch
import transformers
import trl
from transformers import Trainer, TrainerState, TrainingArguments
from transformers.utils import logging

from .curves import draw_loss_curve
from .measuring import code_revision, command_line, count_parameters, hardware, peak_memory_mib
from .stage_data import count_rows

logger = logging.get_logger(__name__)


def checkpoint_to_resume(arguments: TrainingArguments) -> str | None:
    """The checkpoint that `resume_from_checkpoint` means: a path, or with `true` or `auto` the last one in `output_dir`.

    Where `output_dir` holds none, a warning says so and the run starts from the beginning.

    Raises:
        ValueError: if the named folder is not there.
    """
    asked = arguments.resume_from_checkpoint
    if asked is None or str(asked).lower() in ("", "false", "none"):
        return None
    if str(asked).lower() in ("true", "auto"):
        whole = [path for path in Path(arguments.output_dir).glob("checkpoint-*") if _is_whole(path)]
        if not whole and arguments.process_index == 0:
            logger.warning(
                f"resume_from_checkpoint={asked}, but there is no checkpoint in {arguments.output_dir}; starting from the "
                "beginning. To go on with an earlier run, give its output_dir."
            )
        return str(max(whole, key=lambda path: int(path.name.split("-")[-1]))) if whole else None
    if not Path(asked).is_dir():
        raise ValueError(
            f"resume_from_checkpoint={asked} is no folder; give a checkpoint folder, or `auto` for the last one."
        )
    return str(asked)


def _is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint was written to its end; the trainer writes its state last, so a kill leaves none, or half a one."""
    try:
        return isinstance(json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def step_of(checkpoint: str | None) -> int:
    """The optimizer step that a checkpoint was written at; 0 for none."""
    return TrainerState.load_from_json(str(Path(checkpoint) / "trainer_state.json")).global_step if checkpoint else 0


def rows_seen(trainer: Trainer, step: int) -> int:
    """Rows that were trained on up to an optimizer step, all processes together.

    The last step of an epoch may hold fewer rows than a batch; rows that fill up the last batch of several processes are
    repeats and do not count.
    """
    arguments, rows = trainer.args, count_rows(trainer.train_dataset)
    at_once = arguments.train_batch_size * arguments.world_size
    batches = rows // at_once if arguments.dataloader_drop_last else math.ceil(rows / at_once)
    rows = min(rows, batches * at_once)
    steps_an_epoch = max(math.ceil(batches / arguments.gradient_accumulation_steps), 1)
    epochs, rest = divmod(step, steps_an_epoch)
    return epochs * rows + min(rest * at_once * arguments.gradient_accumulation_steps, rows)


def run_summary(trainer: Trainer, seconds: float, first_step: int = 0, data: dict | None = None) -> dict:
    """What a training run measured: steps, pictures, time, memory, losses, and what it was given.

    Args:
        trainer (`Trainer`): a trainer that has trained.
        seconds (`float`): wall-clock time of the training, since `first_step`.
        first_step (`int`, defaults to 0): the step that a resumed run was taken up at.
        data (`dict`, *optional*): what it trained on (`measuring.describe_data`).

    Returns:
        `dict`: `images_seen` counts rows from the very start; `train_seconds`, `images_per_second` and `peak_memory_mib` (of
        the first process) are those of the last session when the run was resumed.
    """
    arguments, state = trainer.args, trainer.state
    rows = rows_seen(trainer, state.global_step)
    fresh = rows - rows_seen(trainer, first_step)
    losses = [row["loss"] for row in state.log_history if "loss" in row]
    return {
        "train_seconds": round(seconds, 1),
        "optimizer_steps": state.global_step,
        "images_seen": rows,
        "images_per_second": round(fresh / seconds, 2) if seconds else None,
        "resumed_at_step": first_step or None,
        "processes": arguments.world_size,
        "seed": arguments.seed,
        "final_train_loss": losses[-1] if losses else None,
        "best_validation_loss": state.best_metric,
        "best_checkpoint_step": getattr(state, "best_global_step", None),
        "device": str(arguments.device),
        "hardware": hardware(arguments.device),
        "peak_memory_mib": peak_memory_mib(arguments.device),
        "parameters": count_parameters(trainer.accelerator.unwrap_model(trainer.model)),
        "data": data,
        "batch_size": arguments.train_batch_size * arguments.world_size * arguments.gradient_accumulation_steps,
        "learning_rate": arguments.learning_rate,
        "muon_learning_rate": getattr(arguments, "muon_learning_rate", None),
        "command": command_line(),
        "code": code_revision(),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__},
        "python": platform.python_version(),
        "loss_history": [row for row in state.log_history if "loss" in row or "eval_loss" in row],
    }


def write_run_files(
    trainer: Trainer, processor, seconds: float, first_step: int = 0, data: dict | None = None
) -> dict:
    """Saves model and processor, `training.json` and `loss_curve.png` to `output_dir`.

    Args:
        trainer (`Trainer`): a trainer that has trained.
        processor (`ProcessorMixin`): saved beside the model.
        seconds (`float`): wall-clock time of the training, since `first_step`.
        first_step (`int`, defaults to 0): the step that a resumed run was taken up at.
        data (`dict`, *optional*): what it trained on (`measuring.describe_data`).

    Returns:
        `dict`: what stands in `training.json`.
    """
    # The weights first: what was trained is safe, whatever the summary may meet. Pushing comes when all is there.
    trainer.save_model(trainer.args.output_dir, _internal_call=True)
    summary = run_summary(trainer, seconds, first_step, data)
    if trainer.is_world_process_zero():
        processor.save_pretrained(trainer.args.output_dir)
        write_summary(trainer, summary)
    return summary


def write_summary(trainer: Trainer, summary: dict) -> None:
    """Writes `training.json` and `loss_curve.png` to `output_dir`; for the first process alone."""
    folder = Path(trainer.args.output_dir)
    (folder / "training.json").write_text(json.dumps(summary, indent=1))
    draw_loss_curve(trainer.state.log_history, folder / "loss_curve.png")


__all__ = ["checkpoint_to_resume", "rows_seen", "run_summary", "step_of", "write_run_files", "write_summary"]
