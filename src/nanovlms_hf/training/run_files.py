"""What a finished stage leaves in its folder, and where a killed one is taken up again."""

import json
import platform
from pathlib import Path

import torch
import transformers
import trl
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from .curves import draw_loss_curve


def checkpoint_to_resume(arguments: TrainingArguments) -> str | None:
    """The checkpoint that `resume_from_checkpoint` means: a path, or with `true` or `auto` the last one in `output_dir`.

    Raises:
        ValueError: if the named folder is not there.
    """
    asked = arguments.resume_from_checkpoint
    if asked is None or str(asked).lower() in ("", "false", "none"):
        return None
    if str(asked).lower() in ("true", "auto"):
        folder = Path(arguments.output_dir)
        return get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if not Path(asked).is_dir():
        raise ValueError(f"resume_from_checkpoint={asked} is no folder; give a checkpoint folder, or `auto` for the last one.")
    return str(asked)


def run_summary(trainer: Trainer, seconds: float) -> dict:
    """What a training run measured: steps, pictures, time, losses, versions.

    Args:
        trainer (`Trainer`): a trainer that has trained.
        seconds (`float`): wall-clock time of the training.
    """
    arguments, state = trainer.args, trainer.state
    rows = state.global_step * arguments.train_batch_size * arguments.gradient_accumulation_steps * arguments.world_size
    losses = [row["loss"] for row in state.log_history if "loss" in row]
    return {
        "train_seconds": round(seconds, 1),
        "optimizer_steps": state.global_step,
        "images_seen": rows,
        "images_per_second": round(rows / seconds, 2) if seconds else None,
        "processes": arguments.world_size,
        "seed": arguments.seed,
        "final_train_loss": losses[-1] if losses else None,
        "best_validation_loss": state.best_metric,
        "best_checkpoint_step": getattr(state, "best_global_step", None),
        "device": str(arguments.device),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__},
        "python": platform.python_version(),
        "loss_history": [row for row in state.log_history if "loss" in row or "eval_loss" in row],
    }


def write_run_files(trainer: Trainer, processor, seconds: float) -> dict:
    """Saves model and processor, `training.json` and `loss_curve.png` to `output_dir`.

    Args:
        trainer (`Trainer`): a trainer that has trained.
        processor (`ProcessorMixin`): saved beside the model.
        seconds (`float`): wall-clock time of the training.

    Returns:
        `dict`: what stands in `training.json`.
    """
    summary = run_summary(trainer, seconds)
    trainer.save_model(trainer.args.output_dir)
    if trainer.is_world_process_zero():
        folder = Path(trainer.args.output_dir)
        processor.save_pretrained(folder)
        (folder / "training.json").write_text(json.dumps(summary, indent=1))
        draw_loss_curve(trainer.state.log_history, folder / "loss_curve.png")
    return summary


__all__ = ["checkpoint_to_resume", "run_summary", "write_run_files"]
