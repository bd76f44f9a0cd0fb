"""The settings that make a step fit, in the order of what they cost."""

import pytest
from small_models import COMPOSITIONS
from trl import ModelConfig

from nanovlms_hf import NanoVLMsConfig
from nanovlms_hf.planning import fitting
from nanovlms_hf.planning.fitting import FRAMEWORK, find_fit, largest_that_fits
from nanovlms_hf.planning.predicting import Prediction, predict
from nanovlms_hf.planning.workload import Workload
from nanovlms_hf.training.arguments import ModelArguments, StageArguments


def step(**changes) -> Workload:
    return Workload("sft", NanoVLMsConfig(**COMPOSITIONS["patches"]), batch=8, length=20, **changes)


@pytest.fixture
def sizes(monkeypatch):
    """Bytes of a step by a simple rule, so that each rung of the search can be reached."""

    def rule(workload: Workload) -> Prediction:
        each = 4 if workload.checkpointing else 16
        each = each // 2 if workload.bf16 else each
        weights = 10 if workload.low_bits else 40
        states = 1 if workload.lora else 20 if "8bit" in workload.optim else 80
        return Prediction({"weights": weights, "optimizer": states, "activations": each * workload.batch})

    monkeypatch.setattr(fitting, "predict", rule)
    monkeypatch.setitem(fitting.FRAMEWORK, "cuda", 0)


@pytest.mark.parametrize(
    ("memory", "name", "keys"),
    [
        (248, "the recipe as it is", {}),
        (247, "smaller micro-batches", {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}),
        (152, "smaller micro-batches", {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}),
        (151, "gradient checkpointing", {"per_device_train_batch_size": 4, "gradient_checkpointing": True}),
        (124, "the smallest micro-batches", {"per_device_train_batch_size": 1, "gradient_checkpointing": True}),
        (122, "bfloat16 autocast", {"per_device_train_batch_size": 1, "bf16": True}),
        (121, "an 8-bit optimizer", {"per_device_train_batch_size": 8, "optim": "adamw_bnb_8bit"}),
        (50, "LoRA on the decoder", {"use_peft": True, "per_device_train_batch_size": 4}),
        (20, "LoRA on a decoder in 4 bits", {"use_peft": True, "load_in_4bit": True}),
    ],
)
def test_the_cheapest_rung_is_taken(sizes, memory, name, keys):
    fit = find_fit(step(), memory)
    assert fit.name == name
    assert keys.items() <= fit.keys.items()
    assert fit.keys["per_device_train_batch_size"] * fit.keys["gradient_accumulation_steps"] == 8
    assert fit.prediction.tensors <= memory


def test_nothing_fits_and_adapters_need_a_trained_decoder(sizes):
    assert find_fit(step(), 5) is None
    assert find_fit(step(), 50, pretrained=False) is None


def test_the_update_keeps_its_rows(sizes):
    fit = find_fit(step(accumulation=3), 199)
    assert fit.keys["per_device_train_batch_size"] * fit.keys["gradient_accumulation_steps"] == 24


def test_a_real_step_fits_with_what_is_found():
    workload = step()
    whole = predict(workload).tensors
    fit = find_fit(workload, FRAMEWORK["cuda"] + whole * 2 // 3)
    assert fit.prediction.tensors <= whole * 2 // 3
    assert predict(fit.workload).tensors == fit.prediction.tensors


def test_largest_that_fits():
    assert largest_that_fits([1, 2, 4, 8], lambda size: size <= 5) == 4
    assert largest_that_fits([1, 2, 4, 8], lambda size: False) is None
    assert largest_that_fits([], lambda size: True) is None


def test_every_key_is_one_of_a_recipe(sizes):
    known = set(ModelArguments.__dataclass_fields__) | set(StageArguments.__dataclass_fields__)
    known |= set(ModelConfig.__dataclass_fields__)  # the adapters' and low bits' keys have TRL's names
    for memory in (248, 200, 151, 124, 122, 121, 50, 20):
        assert set(find_fit(step(muon=True), memory).keys) <= known
