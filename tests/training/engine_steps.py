"""Two training steps of a small model in one process of several, by an engine's own interface: run by `test_engines.py`.

    torchrun --nproc_per_node 2 engine_steps.py ENGINE OUTPUT

ENGINE is `fsdp2` or `zero0` to `zero3`. Each process takes its part of the batch; the first writes the losses, averaged over all, the
number of processes, and the share of the weights that it holds.
"""

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

sys.path.append(str(Path(__file__).parents[1]))
from small_models import build_inputs, build_model

STEPS, RATE = 3, 1e-3


def batch_of(model, rank: int, world: int) -> dict:
    """This process's rows of a batch of four, a picture each."""
    inputs = build_inputs(model, pictures=(1, 1, 1, 1))
    inputs["labels"] = inputs["input_ids"].clone()
    rows = slice(rank * 4 // world, (rank + 1) * 4 // world)
    return {name: value[rows] for name, value in inputs.items()}


def fsdp2(model, rank: int, world: int) -> tuple[list[float], float]:
    """torch's `fully_shard` on each module that is not to be split, and on the whole."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (world,))
    batch = batch_of(model, rank, world)
    whole = sum(parameter.numel() for parameter in model.parameters())
    for module in list(model.modules()):
        if type(module).__name__ in model._no_split_modules:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    held = sum(parameter.to_local().numel() for parameter in model.parameters())
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    losses = []
    for _ in range(STEPS):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(_mean(loss, world))
    return losses, held / whole


def zero(model, rank: int, world: int, stage: int) -> tuple[list[float], float]:
    """DeepSpeed's ZeRO through `deepspeed.initialize`, without accelerate."""
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # gloo alone: nothing is compiled
    batch = batch_of(model, rank, world)
    settings = {
        "train_micro_batch_size_per_gpu": 4 // world,
        "gradient_accumulation_steps": 1,
        "zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": 0},
        "zero_force_ds_cpu_optimizer": False,
    }
    whole = sum(parameter.numel() for parameter in model.parameters())
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=settings)
    held = sum(getattr(parameter, "ds_tensor", parameter).numel() for parameter in engine.module.parameters())
    losses = []
    for _ in range(STEPS):
        loss = engine(**batch).loss
        engine.backward(loss)
        engine.step()
        losses.append(_mean(loss, world))
    return losses, held / whole


def _mean(loss: torch.Tensor, world: int) -> float:
    total = loss.detach().clone()
    dist.all_reduce(total)
    return total.item() / world


def main(name: str, output: str) -> None:
    """Runs the engine and writes what was seen."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    model = build_model("patches").train()
    losses, share = fsdp2(model, rank, world) if name == "fsdp2" else zero(model, rank, world, int(name[-1]))
    if rank == 0:
        Path(output).write_text(json.dumps({"processes": world, "losses": losses, "share": share}))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    main(*sys.argv[1:])
