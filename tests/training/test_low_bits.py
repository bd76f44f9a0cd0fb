"""Models in 8 and 4 bits: near the full model, trained through an adapter, saved and read again; what cannot be is refused.

Distances are those of the logits at every real token from the full model's: |difference| / |logits|. A random model is the hard case:
nothing in it is redundant. What a trained one shows is printed by `benchmarks/bench_low_bits.py`.
"""

import json
import re
from pathlib import Path

import pytest
import torch
from small_models import build_inputs, build_model
from small_stages import finished_sft, run_sft
from transformers import AutoModelForImageTextToText, AutoProcessor

from nanovlms_hf import NanoVLMsForConditionalGeneration
from nanovlms_hf.adapter_folders import BASE_FILE
from nanovlms_hf.cli import main as nanovlms
from nanovlms_hf.data.world import world_dataset
from nanovlms_hf.evaluation.evaluating import load_model
from nanovlms_hf.training import low_bits
from nanovlms_hf.training.arguments import ModelArguments
from nanovlms_hf.training.building import build
from nanovlms_hf.training.low_bits import LowBitArguments, check_low_bits, low_bit_layers, quantization_config
from nanovlms_hf.training.trainer import SupervisedCollator

bitsandbytes = pytest.importorskip("bitsandbytes")
EIGHT, FOUR = {"load_in_8bit": True}, {"load_in_4bit": True}
FOUR_PLAIN = FOUR | {"use_bnb_nested_quant": False}
QLORA = {"use_peft": True, "lora_r": 4, "preset": None, "vocab_size": None, "learning_rate": 1e-2}
FARTHEST = {"8": 0.02, "4": 0.2}


@pytest.fixture(scope="module")
def base() -> str:
    return str(finished_sft()[0])


@pytest.fixture(scope="module")
def batch(base) -> dict:
    rows = list(world_dataset("validation", 2, image_size=64))
    return SupervisedCollator(AutoProcessor.from_pretrained(base), assistant_only_loss=True)(rows)


@torch.no_grad()
def logits(model, batch) -> torch.Tensor:
    return model.eval()(**batch).logits


def load(folder, **keys) -> NanoVLMsForConditionalGeneration:
    config = quantization_config(LowBitArguments(**keys))
    options = {"quantization_config": config} if config else {}  # a None would undo the bits of a saved model
    return AutoModelForImageTextToText.from_pretrained(folder, dtype="float32", **options)


def distance(model, full, batch) -> float:
    wanted = logits(full, batch)
    return ((logits(model, batch) - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("keys", [EIGHT, FOUR, FOUR_PLAIN, FOUR | {"bnb_4bit_quant_type": "fp4"}])
def test_it_stays_near_the_full_model_in_fewer_bytes(base, batch, keys):
    full = load(base)
    model = load(base, **keys)
    assert 0 < distance(model, full, batch) < FARTHEST["8" if keys == EIGHT else "4"]
    assert model.get_memory_footprint() < full.get_memory_footprint()
    names = set(low_bit_layers(model))
    assert names == {
        name
        for name, module in full.named_modules()
        if isinstance(module, torch.nn.Linear) and name.startswith("model.language_model.")
    }
    assert model.lm_head.weight is model.get_input_embeddings().weight  # tied, and in full precision
    assert model.lm_head.weight.dtype == torch.float32


@pytest.mark.parametrize("keys", [EIGHT, FOUR])
def test_what_stays_in_full_precision_can_be_chosen(base, batch, keys):
    model = load(base, **keys, full_precision_modules=["connector", "q_proj"])
    names = set(low_bit_layers(model))
    assert any(name.startswith("model.vision_tower.") for name in names)
    assert not any("connector" in name or name.endswith("q_proj") or name == "lm_head" for name in names)
    with torch.no_grad():
        assert torch.isfinite(logits(model, batch)).all()
    untied = build_model("patches")
    assert "lm_head" in quantization_config(LowBitArguments(**keys, full_precision_modules=[])).llm_int8_skip_modules
    assert untied.lm_head.weight is not untied.get_input_embeddings().weight


@pytest.mark.parametrize("keys", [EIGHT, FOUR, FOUR_PLAIN])
def test_it_is_saved_after_an_inference_and_read_again(tmp_path, base, batch, keys):
    """On CPUs with AVX512-BF16 bitsandbytes 0.50 alone would save other weights than it read."""
    model = load(base, **keys)
    wanted = logits(model, batch)
    model.save_pretrained(tmp_path)
    assert torch.equal(logits(model, batch), wanted)
    assert torch.equal(logits(AutoModelForImageTextToText.from_pretrained(tmp_path), batch), wanted)


@pytest.mark.parametrize("keys", [EIGHT, FOUR])
def test_a_model_saved_in_low_bits_takes_an_adapter_only(tmp_path, base, keys, capsys):
    load(base, **keys).save_pretrained(tmp_path / "small")
    AutoProcessor.from_pretrained(base).save_pretrained(tmp_path / "small")
    changes = {"preset": None, "vocab_size": None, "model_name_or_path": tmp_path / "small"}
    with pytest.raises(ValueError, match="cannot be trained by itself; add use_peft"):
        run_sft(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()
    run_sft(tmp_path / "out", **changes, use_peft=True)
    assert nanovlms(["merge", str(tmp_path / "out"), str(tmp_path / "merged")]) == 2
    assert "no adapter can be merged without a loss" in capsys.readouterr().err


def test_a_step_after_an_evaluation_still_learns(base, batch):
    """bitsandbytes' layout for inference passes no gradient on: adapters below the top would stop to learn."""
    from peft import get_peft_model

    from nanovlms_hf.training.adapters import peft_config

    arguments = ModelArguments(model_name_or_path=base, use_peft=True, lora_dropout=0.0, **FOUR)
    model, _ = build(arguments, list)
    model = get_peft_model(model, peft_config(arguments, model))
    logits(model, batch)
    model.train()(**batch).loss.backward()
    silent = [name for name, value in model.named_parameters() if "lora_B" in name and not value.grad.any()]
    assert not silent


@pytest.mark.parametrize("composition", ["paper", "patches"])
@pytest.mark.parametrize("keys", [EIGHT, FOUR, FOUR_PLAIN])
def test_widths_that_are_no_multiple_of_64(tmp_path, composition, keys):
    full = build_model(composition)
    full.save_pretrained(tmp_path / "full")
    model = load(tmp_path / "full", **keys)
    assert any(layer.in_features % 64 for layer in low_bit_layers(model).values())
    inputs = build_inputs(full)
    assert distance(model, full, inputs) < (0.1 if keys == EIGHT else 0.6)  # 32 channels, weights scaled up
    wanted = logits(model, inputs)
    model.save_pretrained(tmp_path / "saved")
    assert torch.equal(logits(load(tmp_path / "saved"), inputs), wanted)


def test_odd_widths_are_named(tmp_path, processor, caplog):
    build_model("paper").save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    arguments = {"model_name_or_path": str(tmp_path), "use_peft": True, **FOUR}
    build(ModelArguments(**arguments), list)
    assert "widths that are no multiple of 64" in caplog.text
    assert "add to full_precision_modules: [c_attn, c_fc, c_proj]" in caplog.text
    with pytest.raises(ValueError, match="keeps every linear layer in full precision"):
        build(ModelArguments(**arguments, full_precision_modules=["model"]), list)


@pytest.mark.parametrize("keys", [EIGHT, FOUR])
def test_qlora_trains_the_adapter_alone(tmp_path, base, batch, keys):
    changes = {**QLORA, **keys, "model_name_or_path": base, "lora_modules_to_save": "connector", "max_steps": 3}
    summary = run_sft(tmp_path / "adapter", **changes, eval_strategy="steps", eval_steps=1)
    files = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert {"adapter_model.safetensors", BASE_FILE} <= files and "model.safetensors" not in files
    full = finished_sft()[1]["parameters"]["total"]
    parameters = summary["parameters"]
    assert parameters["total"] - parameters["trainable"] == full  # two weights of 4 bits in a number count as two
    losses = [row["loss"] for row in summary["loss_history"] if "loss" in row]
    assert losses[-1] < losses[0]
    # Merged, the adapter lies on the full base.
    assert nanovlms(["merge", str(tmp_path / "adapter"), str(tmp_path / "merged")]) == 0
    adapted = load_model(str(tmp_path / "adapter"), torch.device("cpu"))[0]
    assert torch.equal(logits(adapted, batch), logits(load(tmp_path / "merged"), batch))
    small = load_model(str(tmp_path / "adapter"), torch.device("cpu"), LowBitArguments(**keys))[0]
    assert 0 < distance(small, adapted, batch) < FARTHEST["8" if keys == EIGHT else "4"]


def test_qlora_of_a_new_model_has_a_full_base(tmp_path):
    run_sft(tmp_path / "run", use_peft=True, **FOUR)
    assert not low_bit_layers(load(tmp_path / "run" / "base"))
    assert json.loads((tmp_path / "run" / BASE_FILE).read_text())["base_model_name_or_path"].endswith("base")


@pytest.mark.parametrize("optimizer", ["adamw_bnb_8bit", "paged_adamw_8bit"])
def test_8_bit_optimizers(tmp_path, base, optimizer):
    plain = run_sft(tmp_path / "plain", model_name_or_path=base, preset=None, vocab_size=None, max_steps=3)
    changes = {"model_name_or_path": base, "preset": None, "vocab_size": None, "max_steps": 3, "optim": optimizer}
    small = run_sft(tmp_path / "small", **changes)
    losses = [[row["loss"] for row in run["loss_history"] if "loss" in row] for run in (plain, small)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    run_sft(tmp_path / "adapter", **{**QLORA, **FOUR, "model_name_or_path": base, "optim": optimizer})
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_the_page_loads_a_model_in_low_bits(base):
    page = (Path(__file__).parents[2] / "docs" / "small_memory.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    names: dict = {}
    exec(compile(block.replace("runs/demo", base), "docs/small_memory.md", "exec"), names)
    assert low_bit_layers(names["model"])


def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, base, monkeypatch):
    output = tmp_path / "out"
    changes = {"model_name_or_path": base, "preset": None, "vocab_size": None}
    with pytest.raises(ValueError, match="load_in_4bit and load_in_8bit|both given"):
        run_sft(output, **changes, **EIGHT, **FOUR)
    with pytest.raises(ValueError, match="cannot be trained by itself; add use_peft"):
        run_sft(output, **changes, **FOUR)
    with monkeypatch.context() as patch:
        patch.setattr(low_bits, "is_bitsandbytes_available", lambda: False)
        with pytest.raises(ValueError, match="needs bitsandbytes, which is not installed"):
            run_sft(output, **changes, **EIGHT, use_peft=True)
        with pytest.raises(ValueError, match="needs bitsandbytes"):
            load_model(base, torch.device("cpu"), LowBitArguments(**EIGHT))
    with monkeypatch.context() as patch:
        patch.setattr(low_bits, "supported_devices", lambda: {"cuda"})
        with pytest.raises(ValueError, match="'cpu', but this bitsandbytes runs on cuda only"):
            run_sft(output, **changes, **EIGHT, use_peft=True)
    assert not Path(output).exists()
    check_low_bits(LowBitArguments(**FOUR), training=False)
