"""The table of what fits: for each preset the largest micro-batch by memory and way of training, as Markdown."""

from collections.abc import Iterable, Iterator

import torch
from trl.kernels import chunked_logprob
from trl.trainer import utils as trl_utils

from ..presets import PRESETS, preset_config
from .fitting import FRAMEWORK, largest_that_fits
from .models import tokens_of_a_picture
from .predicting import StepTrace, predict
from .tracing import COMPONENTS
from .workload import Lora, LowBits, Workload

BEGIN, END = "<!-- plan table -->", "<!-- end of plan table -->"
MEMORIES = (6, 8, 12, 16, 24)
TEXT_TOKENS = 256
_LARGEST = 1024
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


class PeakByBatch:
    """Peak bytes of an SFT step on a GPU for any micro-batch, from two traces of small ones.

    The same operations run for any batch, and after each the bytes alive are a constant and a part for each row; except those of
    TRL's buffer of logits, which is never longer than 4,096 tokens. The peak is the largest of these sums.
    """

    def __init__(self, workload: Workload):
        self.workload = workload
        few, many = (StepTrace(workload.with_(batch=batch)) for batch in (2, 4))
        self.parameters = few.parameters
        width = 2 if workload.bf16 else 4
        self.longest = chunked_logprob.TOKEN_CHUNK_SIZE * trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE * width
        # each (operations, components)
        self.two, self.four = torch.tensor(few.timeline).double(), torch.tensor(many.timeline).double()

    def __call__(self, batch: int) -> int:
        """Bytes of tensors at the peak of a micro-batch."""
        if batch == 1:  # nothing is padded: no mask, so other operations
            return predict(self.workload.with_(batch=1)).tensors
        alive = self.two + (self.four - self.two) * (batch - 2) / 2
        logits = COMPONENTS.index("logits")
        alive[:, logits] = alive[:, logits].clamp(max=self.longest)
        return int(alive.sum(dim=1).max())


def largest_batches(workload: Workload) -> tuple[list[str], int]:
    """The largest micro-batch, a power of two, for each of `MEMORIES`, and the model's parameters."""
    peak = PeakByBatch(workload)
    largest = []
    for memory in MEMORIES:
        available = memory * 10**9 - FRAMEWORK[workload.device]
        batch = largest_that_fits(_BATCHES, lambda batch, available=available: peak(batch) <= available)
        largest.append("-" if batch is None else f"{batch}+" if batch == _LARGEST else str(batch))
    return largest, peak.parameters


def table(presets: Iterable[str] = tuple(PRESETS)) -> str:
    """The table as Markdown."""
    return "\n".join(table_rows(presets))


__all__ = ["BEGIN", "END", "MEMORIES", "TEXT_TOKENS", "WAYS", "PeakByBatch", "largest_batches", "table", "table_rows"]
