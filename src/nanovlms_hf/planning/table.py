"""The table of what fits: for each preset the largest micro-batch by memory and way of training, as Markdown."""

from collections.abc import Iterable, Iterator

from ..presets import PRESETS, preset_config
from .fitting import FRAMEWORK, largest_that_fits
from .models import tokens_of_a_picture
from .predicting import predict
from .workload import Lora, LowBits, Workload

BEGIN, END = "<!-- plan table -->", "<!-- end of plan table -->"
MEMORIES = (6, 8, 12, 16, 24)
TEXT_TOKENS = 256
_LARGEST = 1024
_TRACED = (16, 32)  # from here on the blocks of logits are full: each further row takes as much as the one before
_BATCHES = [2**power for power in range(_LARGEST.bit_length())]
WAYS: dict[str, dict] = {
    "full": {},
    "full, checkpointing, 8-bit AdamW": {"checkpointing": True, "optim": "adamw_bnb_8bit"},
    "LoRA": {"lora": Lora()},
    "LoRA on 4 bits, checkpointing": {"lora": Lora(), "low_bits": LowBits(4), "checkpointing": True},
}


def table_rows(presets: Iterable[str] = tuple(PRESETS)) -> Iterator[str]:
    """The table's lines: two of head, then one for each preset and way."""
    yield "| preset | parameters | tokens | way | " + " | ".join(f"{memory} GB" for memory in MEMORIES) + " |"
    yield "|---|---|---|---|" + "---|" * len(MEMORIES)
    for name in presets:
        config = preset_config(name)
        length = min(tokens_of_a_picture(config) + TEXT_TOKENS, config.text_config.max_position_embeddings)
        for way, settings in WAYS.items():
            workload = Workload(kind="sft", config=preset_config(name), length=length, bf16=True, **settings)
            largest, parameters = largest_batches(workload)
            head = [name, f"{parameters / 1e6:,.1f}M", str(length)] if way == "full" else ["", "", ""]
            yield "| " + " | ".join([*head, way, *largest]) + " |"


def largest_batches(workload: Workload) -> tuple[list[str], int]:
    """The largest micro-batch, a power of two, for each of `MEMORIES`, and the model's parameters.

    Up to 32 rows a step is traced; beyond, its peak lies on the line through those of 16 and 32 rows.
    """
    peaks: dict[int, int] = {}
    parameters = 0

    def peak(batch: int) -> int:
        nonlocal parameters
        few, many = _TRACED
        if batch > many:
            return peak(many) + (peak(many) - peak(few)) * (batch - many) // (many - few)
        if batch not in peaks:
            prediction = predict(workload.with_(batch=batch))
            peaks[batch], parameters = prediction.tensors, prediction.parameters
        return peaks[batch]

    largest = []
    for memory in MEMORIES:
        available = memory * 10**9 - FRAMEWORK[workload.device]
        batch = largest_that_fits(_BATCHES, lambda batch, available=available: peak(batch) <= available)
        largest.append("-" if batch is None else f"{batch}+" if batch == _LARGEST else str(batch))
    return largest, parameters


def table(presets: Iterable[str] = tuple(PRESETS)) -> str:
    """The table as Markdown."""
    return "\n".join(table_rows(presets))


__all__ = ["BEGIN", "END", "MEMORIES", "TEXT_TOKENS", "WAYS", "largest_batches", "table", "table_rows"]
