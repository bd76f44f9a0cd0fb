"""The smallest DPO stage, run in this process on the model of the smallest SFT stage."""

from pathlib import Path

from small_stages import finished_sft, flags

from nanovlms_hf.training import dpo

DPO = {
    "errors": '{"colour": 1.0, "kind": 1.0}',
    "train_rows": 12,
    "validation_rows": 5,
    "max_steps": 3,
    "per_device_train_batch_size": 4,
    "per_device_eval_batch_size": 2,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
    "seed": 3,
}


def dpo_flags(output_dir: Path, **changes) -> list[str]:
    """The command line of the smallest DPO stage with changes; the scores are kept beside its folder."""
    start = {"model_name_or_path": finished_sft()[0], "reference_folder": Path(output_dir).parent / "scores"}
    return flags(DPO | start, output_dir, **changes)


def run_dpo(output_dir: Path, **changes) -> dict:
    """Runs the smallest DPO stage with changes; returns its summary."""
    return dpo.main(dpo_flags(output_dir, **changes))


def losses(summary: dict, key: str = "loss") -> list[float]:
    """The losses of a run, step by step."""
    return [row[key] for row in summary["loss_history"] if key in row]
