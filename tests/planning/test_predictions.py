"""The predicted peak is within a tenth of what the real trainers' tensors take, counted one by one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from real_runs import ADAPTER, run_dpo, run_sft, run_tower
from trl.trainer import utils as trl_utils

from nanovlms_hf.planning.predicting import predict
from nanovlms_hf.planning.workload import Lora, LowBits
from nanovlms_hf.training.low_bits import LowBitArguments


@dataclass
class Case:
    """A real run, and how its step differs from the plainest one."""

    run: Callable
    settings: dict = field(default_factory=dict)
    changes: dict = field(default_factory=dict)


LORA = Lora(rank=8, dropout=0.0)
CASES = {
    "sft": Case(run_sft),
    "sft, accumulated, AdamW tensor by tensor": Case(
        run_sft,
        {"batch": 4, "gradient_accumulation_steps": 2, "optim": "adamw_torch"},
        {"accumulation": 2, "optim": "adamw_torch"},
    ),
    "sft, checkpointing, bfloat16": Case(
        run_sft, {"gradient_checkpointing": True, "bf16": True}, {"checkpointing": True, "bf16": True}
    ),
    "sft, 8-bit optimizer": Case(run_sft, {"optim": "adamw_bnb_8bit"}, {"optim": "adamw_bnb_8bit"}),
    "sft, LoRA": Case(run_sft, {"peft_config": ADAPTER}, {"lora": LORA}),
    "sft, LoRA beside a tower that trains whole": Case(
        run_sft,
        {"peft_config": replace(ADAPTER, modules_to_save=["model.vision_tower"])},
        {"lora": replace(LORA, whole=("vision_tower",))},
    ),
    "sft, LoRA on 4 bits": Case(
        run_sft,
        {"peft_config": ADAPTER, "low_bits": LowBitArguments(load_in_4bit=True)},
        {"lora": LORA, "low_bits": LowBits(4)},
    ),
    "sft, LoRA on 8 bits": Case(
        run_sft,
        {"peft_config": ADAPTER, "low_bits": LowBitArguments(load_in_8bit=True)},
        {"lora": LORA, "low_bits": LowBits(8)},
    ),
    "sft, two towers": Case(run_sft, {"preset": "vary-nano", "batch": 2}),
    "dpo": Case(run_dpo),
    "dpo, LoRA, checkpointing": Case(
        run_dpo,
        {"peft_config": ADAPTER, "gradient_checkpointing": True},
        {"lora": LORA, "checkpointing": True},
    ),
    "tower": Case(run_tower),
}


@pytest.mark.parametrize("name", CASES)
def test_prediction_is_within_a_tenth_of_the_measured_peak(name, tmp_path, monkeypatch):
    # TRL's buffer for logits is 32768 wide whatever the vocabulary: beside a tiny model it would hide all else.
    monkeypatch.setattr(trl_utils, "_CHUNKED_LOGPROB_CHUNK_SIZE", 1024)
    case = CASES[name]
    measured, workload = case.run(tmp_path, **case.settings)
    predicted = predict(workload.with_(**case.changes)).tensors
    print(f"{name}: measured {measured:,} predicted {predicted:,} ({predicted / measured - 1:+.1%})")
    assert abs(predicted / measured - 1) < 0.1


def test_prediction_with_the_buffer_that_trl_really_takes(tmp_path):
    measured, workload = run_sft(tmp_path)
    prediction = predict(workload)
    assert abs(prediction.tensors / measured - 1) < 0.1
    assert prediction.components["logits"] > prediction.tensors / 2
