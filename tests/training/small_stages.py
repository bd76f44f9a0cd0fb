"""The smallest SFT and tower stages, run in this process, for tests that look at what a stage does and leaves."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from transformers import set_seed

from nanovlms_hf.training import sft, tower_stage
from nanovlms_hf.training.arguments import ModelArguments
from nanovlms_hf.training.building import build

TOWER = {
    "preset": "nanovlm-tiny",
    "train_rows": 8,
    "validation_rows": 2,
    "max_steps": 2,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
    "seed": 3,
}
SFT = TOWER | {"vocab_size": 300}


def flags(base: dict, output_dir: Path, **changes) -> list[str]:
    """The command line of a stage: `base` with changes; None leaves a flag out, a list gives several values."""
    words = []
    for name, value in {**base, "output_dir": output_dir, **changes}.items():
        if value is not None:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words


def run_sft(output_dir: Path, **changes) -> dict:
    """Runs the smallest SFT stage with changes; returns its summary."""
    return sft.main(flags(SFT, output_dir, **changes))


def run_tower(output_dir: Path, **changes) -> dict:
    """Runs the smallest tower stage with changes; returns its summary."""
    return tower_stage.main(flags(TOWER, output_dir, **changes))


@cache
def finished_sft() -> tuple[Path, dict]:
    """Folder and summary of one finished SFT stage of two steps, to be read only."""
    folder = Path(mkdtemp(prefix="nanovlms-sft-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, run_sft(folder)


def tiny_model(seed: int = 0):
    """A nanovlm-tiny of 300 tokens and its processor: the same weights for the same seed."""
    set_seed(seed)
    texts = ["A red dog runs in the garden.", "What do you see? Describe the picture."]
    return build(ModelArguments(preset="nanovlm-tiny", vocab_size=300), lambda: texts)
