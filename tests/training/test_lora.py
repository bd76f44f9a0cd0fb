"""Adapters in a stage: only they move, they lie alone in their folder, come back on their base, and merge with it."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from small_stages import SFT, finished_sft, flags, run_sft
from transformers import AutoModelForImageTextToText, AutoProcessor, set_seed

from nanovlms_hf import NanoVLMsForConditionalGeneration
from nanovlms_hf.adapter_folders import BASE_FILE, load_merged, weights_digest
from nanovlms_hf.cli import main as nanovlms
from nanovlms_hf.data.world import world_dataset
from nanovlms_hf.training import sft
from nanovlms_hf.training.adapters import peft_config, target_pattern
from nanovlms_hf.training.arguments import DataArguments, ModelArguments, StageArguments, parse
from nanovlms_hf.training.building import build
from nanovlms_hf.training.trainer import NanoVLMsSFTTrainer, SupervisedCollator

LORA = {"use_peft": True, "lora_r": 4, "preset": None, "vocab_size": None, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def base() -> str:
    return str(finished_sft()[0])


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory) -> Path:
    """A LoRA adapter of decoder and tower, with the connector trained whole."""
    folder = tmp_path_factory.mktemp("lora") / "adapter"
    run_sft(
        folder,
        **LORA,
        model_name_or_path=base,
        lora_target_modules=["language_model", "vision_tower"],
        lora_modules_to_save=["connector"],
    )
    return folder


@pytest.fixture(scope="module")
def batch(base) -> dict:
    rows = list(world_dataset("validation", 2, image_size=64))
    return SupervisedCollator(AutoProcessor.from_pretrained(base), assistant_only_loss=True)(rows)


@torch.no_grad()
def logits(model, batch) -> torch.Tensor:
    return model.eval()(**batch).logits


def whole(base: str) -> NanoVLMsForConditionalGeneration:
    return NanoVLMsForConditionalGeneration.from_pretrained(base, dtype="float32")


def trained(output_dir, base: str, **changes) -> NanoVLMsSFTTrainer:
    """A trainer that has trained an adapter as the stage does."""
    model_arguments, _, arguments = parse(
        (ModelArguments, DataArguments, StageArguments),
        flags(SFT, output_dir, **{**LORA, "model_name_or_path": base, **changes}),
    )
    set_seed(0)
    model, processor = build(model_arguments, list)
    trainer = NanoVLMsSFTTrainer(
        model=model,
        args=arguments,
        train_dataset=world_dataset("train", 8, image_size=64),
        processing_class=processor,
        data_collator=SupervisedCollator(processor, assistant_only_loss=True),
        peft_config=peft_config(model_arguments, model),
    )
    trainer.train()
    return trainer


@pytest.mark.parametrize("kind", [{}, {"use_dora": True}, {"use_rslora": True}])
@pytest.mark.parametrize("targets", [["language_model"], ["vision_tower", "connector"], ["q_proj"]])
def test_only_the_adapter_moves(tmp_path, base, kind, targets):
    model = trained(tmp_path, base, **kind, lora_target_modules=targets).model
    start = whole(base).state_dict()
    state = {name.replace(".base_layer", ""): value for name, value in model.get_base_model().state_dict().items()}
    adapters = {name: value for name, value in state.items() if "lora_" in name}
    assert set(state) - set(adapters) == set(start)
    assert all(torch.equal(value, state[name]) for name, value in start.items())
    assert adapters and all(value.any() for value in adapters.values())  # the second matrix of a pair starts at zero
    assert all(any(part in name for part in targets) for name in adapters)
    assert any("magnitude" in name for name in adapters) == bool(kind.get("use_dora"))


def test_each_component_means_its_linear_layers(base):
    model = whole(base)
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)} - {"lm_head"}
    found = set()
    for component in ("vision_tower", "connector", "language_model"):
        arguments = ModelArguments(use_peft=True, lora_target_modules=[component], lora_dropout=0.0)
        adapted = whole(base)
        adapted.add_adapter(peft_config(arguments, adapted))
        names = {name.removesuffix(".lora_A") for name, _ in adapted.named_modules() if name.endswith(".lora_A")}
        assert names == {name for name in linear if name.startswith(f"model.{component}.")}
        found |= names
    assert found == linear


def test_the_paper_shape_can_be_adapted(tmp_path):
    from small_models import build_inputs, build_model

    model = build_model("paper")  # GPT-2's layers are transposed
    arguments = ModelArguments(use_peft=True, lora_target_modules=["language_model", "vision_tower"])
    before = logits(model, build_inputs(model))
    model.add_adapter(peft_config(arguments, model))
    torch.testing.assert_close(logits(model, build_inputs(model)), before)
    assert any("c_attn.lora_A" in name for name, _ in model.named_parameters())
    assert any("vision_tower" in name and "lora_A" in name for name, _ in model.named_parameters())


def test_a_stage_leaves_the_adapter_alone(adapter, base):
    files = {path.name for path in adapter.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", BASE_FILE, "processor_config.json"} <= files
    assert {"training.json", "loss_curve.png"} <= files
    assert not {"config.json", "model.safetensors", "base"} & files
    record = json.loads((adapter / BASE_FILE).read_text())
    assert record == {"base_model_name_or_path": base, "weights_sha256": weights_digest(base)}
    parameters = json.loads((adapter / "training.json").read_text())["parameters"]
    assert 0 < parameters["trainable"] < parameters["total"] / 4
    assert parameters["components"]["connector"]["trainable"]


def test_it_comes_back_with_the_same_bits_by_every_way(adapter, base, batch):
    wanted = logits(PeftModel.from_pretrained(whole(base), str(adapter)), batch)
    assert not torch.allclose(wanted, logits(whole(base), batch), atol=1e-3)
    late = whole(base)
    late.load_adapter(str(adapter))
    for model in (
        late,
        AutoModelForImageTextToText.from_pretrained(adapter),
        NanoVLMsForConditionalGeneration.from_pretrained(adapter),
    ):
        assert torch.equal(logits(model, batch), wanted)


@pytest.mark.parametrize("kind", [{}, {"use_dora": True}, {"use_rslora": True}])
def test_merged_is_base_and_adapter(tmp_path, base, batch, kind, capsys):
    run_sft(tmp_path / "adapter", **LORA, **kind, model_name_or_path=base, lora_modules_to_save="connector")
    wanted = logits(PeftModel.from_pretrained(whole(base), str(tmp_path / "adapter")), batch)
    assert nanovlms(["merge", str(tmp_path / "adapter"), str(tmp_path / "merged")]) == 0
    assert "merged into its weights" in capsys.readouterr().out
    merged = whole(str(tmp_path / "merged"))
    assert merged.state_dict().keys() == whole(base).state_dict().keys()
    torch.testing.assert_close(logits(merged, batch), wanted, rtol=0, atol=1e-5)
    assert AutoProcessor.from_pretrained(tmp_path / "merged").image_seq_length > 0


def test_dora_is_not_half_loaded(tmp_path, base):
    trained(tmp_path, base, use_dora=True).save_model()
    with pytest.raises(ValueError, match="find no place through transformers .* load it with peft.PeftModel"):
        AutoModelForImageTextToText.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="find no place through transformers"):
        whole(base).load_adapter(str(tmp_path))


def test_a_stage_goes_on_from_an_adapter(tmp_path, adapter, base, batch):
    """The next stage's base is the first one's with the adapter merged, so DPO's reference is what SFT left."""
    model, processor = build(ModelArguments(model_name_or_path=str(adapter)), list)
    expected = PeftModel.from_pretrained(whole(base), str(adapter)).merge_and_unload()
    assert torch.equal(logits(model, batch), logits(expected, batch))
    assert processor.tokenizer.get_vocab() == AutoProcessor.from_pretrained(base).tokenizer.get_vocab()
    run_sft(tmp_path / "next", **LORA, model_name_or_path=str(adapter))
    again = whole(str(tmp_path / "next" / "base"))
    assert torch.equal(logits(again, batch), logits(expected, batch))
    assert json.loads((tmp_path / "next" / "adapter_config.json").read_text())["base_model_name_or_path"].endswith(
        "base"
    )
    shutil.move(tmp_path / "next", tmp_path / "moved")  # with its base
    assert nanovlms(["merge", str(tmp_path / "moved"), str(tmp_path / "merged")]) == 0


def test_what_was_merged_trains_whole(adapter):
    assert all(parameter.requires_grad for parameter in load_merged(adapter)[0].parameters())


def test_an_adapter_of_a_new_model_has_its_base_beside_it(tmp_path, batch):
    run_sft(tmp_path / "run", use_peft=True, lora_r=2)
    base = str(tmp_path / "run" / "base")
    adapted = AutoModelForImageTextToText.from_pretrained(tmp_path / "run")
    assert not torch.equal(logits(adapted, batch), logits(whole(base), batch))
    assert (tmp_path / "run" / "base" / "processor_config.json").is_file()


def test_a_killed_run_is_taken_up_again(tmp_path, base):
    changes = {**LORA, "model_name_or_path": base, "save_strategy": "steps", "save_steps": 1, "lora_dropout": 0.0}
    run_sft(tmp_path / "whole", **changes, max_steps=3)
    run_sft(tmp_path / "parts", **changes, max_steps=3)
    parts = tmp_path / "parts"
    for leftover in ("checkpoint-2", "checkpoint-3"):
        shutil.rmtree(parts / leftover)
    assert (parts / "checkpoint-1" / BASE_FILE).is_file() and not (parts / "checkpoint-1/model.safetensors").exists()
    summary = run_sft(parts, **changes, max_steps=3, resume_from_checkpoint="auto")
    assert summary["resumed_at_step"] == 1
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (tmp_path / "whole", parts))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_rates_by_component(tmp_path, base):
    rates = {"connector": 0.0, "language_model": 1e-2}
    changes = {"lora_target_modules": ["connector", "language_model"], "component_learning_rates": json.dumps(rates)}
    model = trained(tmp_path, base, **changes).model
    moved = {name: bool(value.any()) for name, value in model.named_parameters() if "lora_B" in name}
    assert {name for name, has in moved.items() if not has} == {name for name in moved if ".connector." in name}
    with pytest.raises(ValueError, match="names .'connector'., of which the adapter trains nothing"):
        trained(tmp_path, base, component_learning_rates=json.dumps(rates))


def test_an_adapter_of_another_base_is_refused(tmp_path, adapter, base, capsys):
    other = tmp_path / "other"
    shutil.copytree(base, other)
    weights = load_file(other / "model.safetensors")
    weights["model.language_model.norm.weight"] += 1e-3
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    assert nanovlms(["merge", str(adapter), str(tmp_path / "out"), "--base", str(other)]) == 2
    assert "was trained on other weights" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    # Without a record the shapes still tell.
    bare, wide = tmp_path / "bare", tmp_path / "wide"
    shutil.copytree(adapter, bare)
    (bare / BASE_FILE).unlink()
    run_sft(wide, overrides=json.dumps({"text_config": {"hidden_size": 128, "head_dim": 32}}), max_steps=1)
    assert nanovlms(["merge", str(bare), str(tmp_path / "out"), "--base", str(wide)]) == 2
    assert "belongs to another base" in capsys.readouterr().err
    config = json.loads((bare / "adapter_config.json").read_text())
    (bare / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "runs/gone"}))
    assert nanovlms(["merge", str(bare), str(tmp_path / "out")]) == 2
    assert "give --base" in capsys.readouterr().err
    assert nanovlms(["merge", base, str(tmp_path / "out")]) == 2
    assert "holds no adapter" in capsys.readouterr().err
    assert nanovlms(["merge", str(adapter), base]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora_target_modules": ["eyes"]}, "names 'eyes', which is no linear layer"),
        ({"lora_target_modules": ["vocabulary"]}, "names 'vocabulary', which is no linear layer"),
        ({"lora_target_modules": ["lm_head"]}, "TRL's losses read past its adapter"),
        ({"lora_modules_to_save": ["ears"]}, "names 'ears', which this model has not"),
        ({"freeze": ["language_model"]}, "both name .'language_model'."),
        ({"lora_r": 0}, "make no adapter"),
        ({"lora_dropout": 1.0}, "make no adapter"),
        ({"muon_learning_rate": 0.02}, "Muon is made for whole weights"),
        ({"push_to_hub": True}, "no repository of the Hub"),
    ],
)
def test_what_makes_no_adapter_stops_before_training(tmp_path, base, changes, message):
    output = tmp_path / "out"
    with pytest.raises(ValueError, match=message):
        run_sft(output, **{**LORA, "model_name_or_path": base, **changes})
    assert not list(output.glob("*"))


def test_a_wrong_target_of_a_new_model_writes_no_base(tmp_path):
    with pytest.raises(ValueError, match="names 'eyes'"):
        run_sft(tmp_path / "out", use_peft=True, lora_target_modules=["eyes"])
    assert not (tmp_path / "out" / "base").exists()


def test_the_base_and_its_adapter_lie_apart(base):
    with pytest.raises(ValueError, match="cannot lie in one"):
        sft.main(flags(SFT, Path(base), **LORA, model_name_or_path=base))


def test_targets_are_exact_where_a_pattern_would_catch_more(base):
    model = whole(base)
    model.model.connector.extra = torch.nn.ModuleDict({"proj": torch.nn.ReLU()})
    assert target_pattern(model, ["connector"]) == r"model\.connector\.projection\.proj"
