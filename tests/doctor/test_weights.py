"""Weights that did not load: what the loader reported, what the file says, and what the numbers say."""

import json

import pytest
import torch
from patients import KINDS, llava, ours
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration


def change_file(folder, change) -> None:
    """Rewrites the weights of a saved model."""
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})


def without(part: str):
    return lambda weights: {name: value for name, value in weights.items() if part not in name}


@pytest.fixture
def saved(tmp_path):
    llava().model.save_pretrained(tmp_path)
    return tmp_path


def loaded(folder, **options):
    patient = llava()
    patient.model, info = LlavaForConditionalGeneration.from_pretrained(folder, output_loading_info=True, **options)
    return patient, info


@pytest.mark.parametrize("told", [True, False], ids=["told", "asked again"])
def test_a_part_that_the_file_lacks(saved, told):
    change_file(saved, without("multi_modal_projector"))
    patient, info = loaded(saved)
    patient.options = {"loading_info": info if told else None}
    (finding,) = patient.examined().findings
    assert (finding.code, finding.severity) == ("weights_not_loaded", "error")
    assert "4 weights are not in the file and stayed random (model.multi_modal_projector.linear_1.bias" in finding.what


@pytest.mark.parametrize("told", [True, False], ids=["told", "asked again"])
def test_weights_that_the_model_does_not_take(saved, told):
    change_file(saved, lambda weights: weights | {"surplus.weight": torch.ones(2, 2)})
    patient, info = loaded(saved)
    patient.options = {"loading_info": info if told else None}
    (finding,) = patient.examined().findings
    assert (finding.code, finding.severity) == ("weights_not_loaded", "warning")
    assert "1 weights are in the file but not in the model (surplus.weight)" in finding.what


def test_weights_of_another_shape(saved):
    name = next(name for name in load_file(saved / "model.safetensors") if name.endswith("linear_1.weight"))
    change_file(saved, lambda weights: weights | {name: torch.ones(3, 3)})
    patient, info = loaded(saved, ignore_mismatched_sizes=True)
    patient.options = {"loading_info": info}
    (finding,) = patient.examined().findings
    assert finding.code == "weights_not_loaded" and "have another shape there" in finding.what


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_model_named_after_a_folder_but_of_other_numbers(kind, tmp_path):
    patient = KINDS[kind]()
    patient.model.save_pretrained(tmp_path)
    patient.model = type(patient.model).from_pretrained(tmp_path)
    assert patient.codes() == []
    torch.manual_seed(1)
    patient.model = type(patient.model)(patient.model.config)
    assert patient.model.name_or_path == str(tmp_path)
    (finding,) = patient.examined().findings
    assert finding.code == "weights_not_loaded" and "built from its configuration alone" not in finding.why
    assert "are unlike those of the same name" in finding.what


@torch.no_grad()
def test_a_swapped_or_moved_part_is_no_fault(tmp_path):
    patient = ours()
    patient.model.save_pretrained(tmp_path)
    patient.model = type(patient.model).from_pretrained(tmp_path)
    for parameter in patient.model.model.vision_tower.parameters():
        parameter.normal_(std=0.02)
    for parameter in patient.model.model.language_model.parameters():
        parameter.add_(0.01 * torch.randn_like(parameter))
    assert patient.codes() == []


def test_a_folder_that_is_gone_is_not_asked(saved):
    patient, _ = loaded(saved)
    (saved / "model.safetensors").unlink()
    assert patient.codes() == []


def test_the_sharded_file_is_read_too(tmp_path):
    patient = llava()
    patient.model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]) > 20
    torch.manual_seed(5)
    patient.model = LlavaForConditionalGeneration.from_pretrained(tmp_path)
    assert patient.codes() == []
    patient.model = LlavaForConditionalGeneration(patient.model.config)
    assert patient.codes() == ["weights_not_loaded"]
