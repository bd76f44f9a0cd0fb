"""The settings under which a training step fits into an amount of memory, tried in the order of what they cost.

The order: for DPO the reference's scores computed once; a smaller micro-batch with more accumulation (the same update, a little slower), gradient checkpointing (the same update, a
third slower), bfloat16 autocast (slightly other numbers), an 8-bit optimizer (slightly other updates), LoRA (another, smaller
training), and LoRA on weights in 4 bits. A micro-batch below a quarter of the recipe's is put off until checkpointing has been
tried, since very small ones leave the machine idle.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .predicting import Prediction, predict
from .workload import Lora, LowBits, Workload

# What is not tensors. A CUDA context with cuBLAS' and cuDNN's workspaces, and a process that has imported torch, transformers,
# TRL and PEFT; see docs/plan.md for where the figures come from.
FRAMEWORK = {"cuda": 800_000_000, "cpu": 700_000_000}


@dataclass(frozen=True)
class Step:
    """One rung of the search.

    Args:
        name (`str`): what is tried.
        keys (`dict`): keys of the recipe that it sets.
        smallest_share (`float`): the smallest part of the recipe's micro-batch that is taken here.
    """

    name: str
    keys: dict
    smallest_share: float = 0.0


@dataclass(frozen=True)
class Fit:
    """Settings under which a step fits.

    Args:
        name (`str`): what they are, in words.
        keys (`dict`): keys to set in the recipe.
        workload (`Workload`): the step with them.
        prediction (`Prediction`): what it takes.
    """

    name: str
    keys: dict
    workload: Workload
    prediction: Prediction


def largest_that_fits(batches: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """The largest of some ascending micro-batches that fits; found by halving, since what fits once fits with less."""
    low, high = 0, len(batches)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(batches[middle]) else (low, middle)
    return batches[low - 1] if low else None


def find_fit(workload: Workload, memory: int, *, pretrained: bool = True) -> Fit | None:
    """The first settings, in the order of the module's text, under which a step fits.

    Args:
        workload (`Workload`): the step as the recipe has it.
        memory (`int`): bytes there are.
        pretrained (`bool`): whether the decoder has been trained before; if not, adapters are not tried.

    Returns:
        `Fit`, or None if nothing fits.
    """
    available = memory - FRAMEWORK[workload.device]
    rows = workload.batch * workload.accumulation
    found: dict[int, tuple[Workload, Prediction]] = {}
    for step in _steps(workload, pretrained):
        changed = apply_keys(workload, step.keys)

        def fits(batch: int, changed: Workload = changed) -> bool:
            chosen = changed.with_(batch=batch, accumulation=rows // batch)
            found[batch] = chosen, predict(chosen)
            return found[batch][1].tensors <= available

        batch = largest_that_fits(_micro_batches(rows, workload.batch, step.smallest_share), fits)
        if batch is not None:
            split = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": rows // batch}
            return Fit(step.name, {**split, **step.keys}, *found[batch])
    return None


def _micro_batches(rows: int, given: int, smallest_share: float) -> list[int]:
    """Micro-batches of the same update, none above the recipe's, smallest first."""
    return [size for size in range(1, given + 1) if rows % size == 0 and size >= smallest_share * given]


def _steps(workload: Workload, pretrained: bool) -> Iterator[Step]:
    whole = workload.lora is None
    keys: dict = {}
    yield Step("the recipe as it is", dict(keys), 1.0)
    if workload.kind == "dpo" and workload.reference and whole:
        keys["reference"] = "scores"
        yield Step("the reference's scores computed once", dict(keys), 1.0)
    yield Step("smaller micro-batches", dict(keys), 0.25)
    if not workload.checkpointing and workload.kind not in ("tower", "marks"):
        keys["gradient_checkpointing"] = True
        yield Step("gradient checkpointing", dict(keys), 0.25)
    yield Step("the smallest micro-batches", dict(keys))
    if not workload.bf16:
        keys["bf16"] = True
        yield Step("bfloat16 autocast", dict(keys))
    if whole and "8bit" not in workload.optim:
        eight = {"optim": "adamw_bnb_8bit"} | ({"muon_learning_rate": None} if workload.muon else {})
        yield Step("an 8-bit optimizer", {**keys, **eight})
    if workload.kind not in ("sft", "dpo", "grpo") or not pretrained:
        return
    if whole:
        keys |= {"use_peft": True} | ({"muon_learning_rate": None} if workload.muon else {})
        yield from _with_and_without_checkpointing("LoRA on the decoder", keys)
    if workload.low_bits is None or workload.low_bits.bits == 8:
        yield from _with_and_without_checkpointing("LoRA on a decoder in 4 bits", {**keys, "load_in_4bit": True})


def _with_and_without_checkpointing(name: str, keys: dict) -> Iterator[Step]:
    # Beside an adapter TRL lets gradients into the frozen towers as soon as there is checkpointing, which can take more than it saves.
    without = {key: value for key, value in keys.items() if key != "gradient_checkpointing"}
    if without != keys:
        yield Step(name, without, 0.25)
    yield Step(name, dict(keys))


def apply_keys(workload: Workload, keys: dict) -> Workload:
    """A step with keys of its recipe changed."""
    changes: dict = {}
    for key, value in keys.items():
        if key == "gradient_checkpointing":
            changes["checkpointing"] = value
        elif key == "bf16":
            changes["bf16"] = value
        elif key == "optim":
            changes["optim"] = value
        elif key == "muon_learning_rate":
            changes["muon"] = value is not None
        elif key == "reference":
            changes["reference"] = value != "scores"
        elif key == "use_peft":
            changes["lora"] = workload.lora or Lora()
        elif key == "load_in_4bit":
            changes["low_bits"] = LowBits(4)
    return workload.with_(**changes)


__all__ = ["FRAMEWORK", "Fit", "apply_keys", "find_fit", "largest_that_fits"]
