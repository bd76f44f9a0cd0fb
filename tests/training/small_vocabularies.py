"""The smallest stage 1, marks stage and merge, run in this process, for tests that look at what they do and leave."""

import atexit
import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from small_stages import flags

from nanovlms_hf import vocabulary
from nanovlms_hf.training import marks_stage, pretrain

DECODER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
DECODER |= {"num_key_value_heads": 2, "head_dim": 16}
PAGES = {"name": "pages", "weight": 2, "documents": {"columns": [1], "min_words": 2, "max_words": 4}}
EXPRESSIONS = {"name": "expressions", "weight": 1, "referring": {}}
COMMON = {
    "preset": "vary-nano",
    "mixture": json.dumps([PAGES, EXPRESSIONS]),
    "train_rows": 8,
    "validation_rows": 2,
    "per_device_train_batch_size": 2,
    "max_steps": 2,
    "learning_rate": 1e-3,
    "muon_learning_rate": 0.01,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "save_strategy": "no",
    "disable_tqdm": True,
    "dataloader_pin_memory": False,
    "seed": 3,
}
STAGE_1 = COMMON | {"overrides": json.dumps({"text_config": DECODER}), "test_rows": 2}
BY_CHANNEL = {"connector": "linear", "vocabulary_join": "channel", "vocabulary_channels": 20}
STAGE_2 = COMMON | {"overrides": json.dumps({"text_config": DECODER} | BY_CHANNEL)}


def run_marks(output_dir: Path, **changes) -> dict:
    """Runs the smallest marks stage with changes; returns its summary."""
    return marks_stage.main(flags(COMMON, output_dir, **changes))


def run_stage_1(output_dir: Path, **changes) -> dict:
    """Runs the smallest stage 1 with changes; returns its summary."""
    return vocabulary.main(flags(STAGE_1, output_dir, **changes))


def run_stage_2(output_dir: Path, **changes) -> dict:
    """Runs the smallest stage 2 with changes; returns its summary."""
    return pretrain.main(flags(STAGE_2, output_dir, **changes))


@cache
def finished_stage_1() -> tuple[Path, dict]:
    """Folder and summary of one finished stage 1 of two steps, to be read only."""
    folder = Path(mkdtemp(prefix="nanovlms-vocabulary-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, run_stage_1(folder)


@cache
def finished_stage_2() -> tuple[Path, dict]:
    """Folder and summary of one finished stage 2 on `finished_stage_1`, its vocabulary frozen; to be read only."""
    folder = Path(mkdtemp(prefix="nanovlms-merged-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, run_stage_2(folder, vocabulary=finished_stage_1()[0], freeze="vocabulary")
