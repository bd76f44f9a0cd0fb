"""Engines of large trainings on the CPUs of a test machine: their own interfaces over gloo, and the files that accelerate reads.

accelerate itself runs FSDP and DeepSpeed on GPUs only; on a CPU it falls back to DDP without a word. What can be tried here is that
the model trains under the engines and gives the losses of one process.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.utils import DistributedType
from engine_steps import RATE, STEPS, batch_of
from small_models import build_model

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "recipes" / "accelerate_configs"
KINDS = {
    "cpu": DistributedType.MULTI_GPU,
    "single_gpu": DistributedType.NO,
    "ddp": DistributedType.MULTI_GPU,
    "multi_node": DistributedType.MULTI_GPU,
    "fsdp2": DistributedType.FSDP,
    "deepspeed_zero2": DistributedType.DEEPSPEED,
    "deepspeed_zero3": DistributedType.DEEPSPEED,
}
needs_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="deepspeed is not installed (extra `engines`)"
)


def test_every_configuration_has_its_test():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_reads_the_configuration(name):
    config = load_config_from_file(str(CONFIGS / f"{name}.yaml"))  # raises for a key that it does not know
    assert config.distributed_type == KINDS[name]
    assert config.num_processes >= config.num_machines >= 1
    assert config.use_cpu == (name == "cpu")


def test_plugins_take_the_settings():
    from accelerate.utils import FullyShardedDataParallelPlugin

    settings = yaml.safe_load((CONFIGS / "fsdp2.yaml").read_text())["fsdp_config"]
    fields = {name.removeprefix("fsdp_"): value for name, value in settings.items()}
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=fields["version"],
        reshard_after_forward=fields["reshard_after_forward"],
        auto_wrap_policy=fields["auto_wrap_policy"],
        cpu_ram_efficient_loading=fields["cpu_ram_efficient_loading"],
        state_dict_type=fields["state_dict_type"],
    )
    model = build_model("patches")
    plugin.set_auto_wrap_policy(model)
    wrapped = {type(module).__name__ for module in model.modules()} & set(model._no_split_modules)
    assert wrapped and plugin.fsdp_version == 2


def launch(engine: str, output: Path) -> dict:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0"]
    command += ["--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    script = Path(__file__).with_name("engine_steps.py")
    done = subprocess.run(
        [*command, str(script), engine, str(output)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(output.read_text())


@pytest.fixture(scope="module")
def alone() -> list[float]:
    """The losses of one process on the whole batch."""
    model = build_model("patches").train()
    batch = batch_of(model, 0, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    losses = []
    for _ in range(STEPS):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    return losses


def test_fsdp2_in_two_processes_is_one_process(tmp_path, alone):
    seen = launch("fsdp2", tmp_path / "seen.json")
    assert seen["processes"] == 2
    assert seen["losses"] == pytest.approx(alone, rel=1e-4)
    assert 0.45 < seen["share"] < 0.6  # each holds half of the weights


@needs_deepspeed
@pytest.mark.parametrize("stage", [2, 3])
def test_zero_in_two_processes_is_one_process(tmp_path, alone, stage):
    seen = launch(f"zero{stage}", tmp_path / "seen.json")
    assert seen["processes"] == 2
    assert seen["losses"] == pytest.approx(alone, rel=1e-4)
    assert 0.45 < seen["share"] < 0.6 if stage == 3 else seen["share"] == 1
