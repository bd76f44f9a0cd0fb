"""Two processes over gloo against one process at the same global batch, both stages, launched as a user would.

Both see the same rows a step and weigh each row (SFT: each supervised token) the same, so the losses differ by the order of
float32 sums only: about 1e-6 of the loss a step, which a few optimizer steps enlarge. 1e-4 is far above that and far
below what a lost half batch would make (some 1e-2). The tower's patch weights are normalised in each process alone, which
makes its losses a weighted mean of two halves: up to some percent from the mean over the whole batch.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_stages import SFT, TOWER, flags, run_sft, run_tower

from nanovlms_hf.training.processes import parting_together

ROOT = Path(__file__).parents[2]
STEPS = {"max_steps": 3, "train_rows": 16, "weight_decay": 0.01}


def launch(script: str, argv: list[str]) -> None:
    """Runs a recipe in two processes; the configuration's port 0 lets any other training on this machine be."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2"]
    command += [
        "--config_file",
        str(ROOT / "recipes" / "accelerate_configs" / "cpu.yaml"),
        str(ROOT / "recipes" / script),
    ]
    environment = os.environ | {
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run([*command, *argv], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def losses(summary: dict, key: str = "loss") -> list[float]:
    return [row[key] for row in summary["loss_history"] if key in row]


def test_sft_in_two_processes_is_sft_in_one(tmp_path):
    changes = STEPS | {"eval_strategy": "steps", "eval_steps": 3}
    launch("sft.py", flags(SFT, tmp_path / "two", **changes, per_device_train_batch_size=2))
    two = json.loads((tmp_path / "two" / "training.json").read_text())
    one = run_sft(tmp_path / "one", **changes, per_device_train_batch_size=4)
    assert (two["processes"], one["processes"]) == (2, 1)
    assert two["images_seen"] == one["images_seen"] == 12
    assert len(losses(two)) == 3
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert losses(two, "eval_loss") == pytest.approx(losses(one, "eval_loss"), rel=1e-4)
    # The tokenizer that the first process trained is the one that both used and left.
    assert (tmp_path / "two" / "tokenizer.json").read_text() == (tmp_path / "one" / "tokenizer.json").read_text()


def test_an_adapter_in_two_processes_is_one_in_one(tmp_path):
    changes = STEPS | {"use_peft": True, "lora_dropout": 0.0, "lora_modules_to_save": "connector"}
    launch("sft.py", flags(SFT, tmp_path / "two", **changes, per_device_train_batch_size=2))
    two = json.loads((tmp_path / "two" / "training.json").read_text())
    one = run_sft(tmp_path / "one", **changes, per_device_train_batch_size=4)
    assert (two["processes"], one["processes"]) == (2, 1)
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two"))
    assert first.keys() == second.keys()
    # Both went from one base, which the first process wrote.
    weights = [load_file(tmp_path / name / "base" / "model.safetensors") for name in ("one", "two")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=2e-3)


def test_the_tower_stage_in_two_processes_is_that_in_one(tmp_path):
    changes = STEPS | {"crowd_share": 0.0, "muon_learning_rate": 0.02}
    launch("pretrain_tower.py", flags(TOWER, tmp_path / "two", **changes, per_device_train_batch_size=2))
    two = json.loads((tmp_path / "two" / "training.json").read_text())
    one = run_tower(tmp_path / "one", **changes, per_device_train_batch_size=4)
    assert (two["processes"], one["processes"]) == (2, 1)
    assert two["images_seen"] == one["images_seen"] == 12
    assert losses(two) == pytest.approx(losses(one), rel=0.05)
    assert (tmp_path / "two" / "model.safetensors").is_file()


def test_accumulated_steps_are_one_large_step(tmp_path):
    whole = run_sft(tmp_path / "whole", **STEPS, per_device_train_batch_size=4)
    parts = run_sft(tmp_path / "parts", **STEPS, per_device_train_batch_size=2, gradient_accumulation_steps=2)
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)
    assert parts["images_seen"] == whole["images_seen"] == 12
    changes = STEPS | {"crowd_share": 0.0}
    whole = run_tower(tmp_path / "tower", **changes, per_device_train_batch_size=4)
    parts = run_tower(tmp_path / "parts", **changes, per_device_train_batch_size=2, gradient_accumulation_steps=2)
    assert losses(parts) == pytest.approx(losses(whole), rel=0.05)
    assert parts["images_seen"] == whole["images_seen"] == 12


def test_a_launch_ends_with_its_connections_closed(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    assert parting_together(lambda: torch.distributed.is_initialized())()
    assert not torch.distributed.is_initialized()
    assert parting_together(lambda: "alone")() == "alone"
