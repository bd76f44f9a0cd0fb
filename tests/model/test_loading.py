"""Saving and loading: the same bits back, ties as they were, and a sentence where weights and configuration disagree."""

import json
import pathlib
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import COMPOSITIONS, build_inputs, build_model, text_fields, vision_fields
from transformers import AutoModel, AutoModelForImageTextToText
from transformers.utils import logging

from nanovlms_hf import NanoVLMsConfig, NanoVLMsForConditionalGeneration, NanoVLMsModel, NanoVLMsVisionModel
from nanovlms_hf.modeling_nanovlms import WeightsDoNotFitError, WeightsNotFoundError, WeightsUnreadableError


def change_weights(folder, change):
    path = pathlib.Path(folder) / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


@torch.no_grad()
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_a_saved_model_gives_the_same_bits(composition, tmp_path):
    model = build_model(composition)
    inputs = build_inputs(model, (1, 2))
    model.save_pretrained(tmp_path)
    files = {path.name for path in tmp_path.iterdir()}
    assert {name for name in files if not name.endswith(".py")} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
    }
    again = NanoVLMsForConditionalGeneration.from_pretrained(tmp_path)
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)
    assert again.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("decoder", ["gpt2", "llama", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_ties_survive_a_round_trip(decoder, tied, tmp_path):
    model = build_model("patches", text_config=text_fields(decoder, tie_word_embeddings=tied))
    assert (model.lm_head.weight is model.get_input_embeddings().weight) == tied
    model.save_pretrained(tmp_path)
    assert ("lm_head.weight" in load_file(tmp_path / "model.safetensors")) == (not tied)
    again = NanoVLMsForConditionalGeneration.from_pretrained(tmp_path)
    assert (again.lm_head.weight is again.get_input_embeddings().weight) == tied
    assert again.config.tie_word_embeddings == again.config.text_config.tie_word_embeddings == tied
    assert torch.equal(again.lm_head.weight, model.lm_head.weight)
    before = again.get_input_embeddings().weight.detach().clone()
    again.lm_head.weight.data.add_(1.0)
    assert torch.equal(again.get_input_embeddings().weight, before) == (not tied)


def test_loading_in_half_precision_and_on_auto_classes(saved):
    model = AutoModelForImageTextToText.from_pretrained(saved, dtype=torch.bfloat16)
    assert type(model) is NanoVLMsForConditionalGeneration and model.dtype == torch.bfloat16
    assert type(AutoModel.from_pretrained(saved)) is NanoVLMsModel


def test_the_base_of_a_saved_model_and_the_head_of_a_saved_base(tmp_path):
    model = build_model("paper")
    model.save_pretrained(tmp_path / "whole")
    base = NanoVLMsModel.from_pretrained(tmp_path / "whole")
    assert all(torch.equal(value, model.model.state_dict()[name]) for name, value in base.state_dict().items())
    base.save_pretrained(tmp_path / "base")
    with pytest.raises(WeightsDoNotFitError, match=r"1 are missing \(lm_head.weight\)"):
        NanoVLMsForConditionalGeneration.from_pretrained(tmp_path / "base")
    named = NanoVLMsForConditionalGeneration.from_pretrained(tmp_path / "base", allow_missing=["lm_head.*"])
    assert torch.equal(named.get_input_embeddings().weight, model.get_input_embeddings().weight)

    build_model("modern").model.save_pretrained(tmp_path / "tied")
    NanoVLMsForConditionalGeneration.from_pretrained(tmp_path / "tied")  # a tied head is never missing


def test_missing_weights_raise_and_can_be_named(saved):
    change_weights(saved, lambda weights: [weights.pop(name) for name in list(weights) if "connector" in name])
    with pytest.raises(ValueError) as caught:
        NanoVLMsForConditionalGeneration.from_pretrained(saved)
    assert str(caught.value) == (
        f"the weights in {saved} do not fit NanoVLMsForConditionalGeneration: 2 are missing "
        "(model.connector.projection.proj.bias, model.connector.projection.proj.weight): name those that are meant to be "
        'new in allow_missing=["..."].'
    )
    with pytest.raises(RuntimeError):
        AutoModelForImageTextToText.from_pretrained(saved)
    for names in (["model.connector.*"], "model.connector.*"):
        model = AutoModelForImageTextToText.from_pretrained(saved, allow_missing=names)
        assert all(parameter.isfinite().all() for parameter in model.parameters())
    with pytest.raises(ValueError, match=r"1 are missing \(model.connector.projection.proj.weight\)"):
        NanoVLMsForConditionalGeneration.from_pretrained(saved, allow_missing=["*.bias"])


def test_the_caller_who_asks_for_the_report_gets_it_in_place_of_an_error(saved):
    change_weights(saved, lambda weights: weights.pop("lm_head.weight"))
    model, info = NanoVLMsForConditionalGeneration.from_pretrained(saved, output_loading_info=True)
    assert info["missing_keys"] == {"lm_head.weight"}


def test_unused_weights_raise(saved):
    change_weights(saved, lambda weights: weights.update({"model.adapter.weight": torch.zeros(2)}))
    with pytest.raises(
        ValueError, match=r"1 are not used by the model \(model.adapter.weight\): load with the class and"
    ):
        NanoVLMsForConditionalGeneration.from_pretrained(saved)


def test_weights_of_another_shape_raise(saved):
    path = pathlib.Path(saved) / "config.json"
    config = json.loads(path.read_text())
    config["text_config"]["vocab_size"] = 310
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError) as caught:
        NanoVLMsForConditionalGeneration.from_pretrained(saved)
    assert str(caught.value) == (
        f"the weights in {saved} do not fit NanoVLMsForConditionalGeneration: 2 are of another shape (lm_head.weight "
        "(300, 32) in the file, (310, 32) in the model, model.language_model.embed_tokens.weight (300, 32) in the file, "
        "(310, 32) in the model): load with the configuration the weights were saved with."
    )
    model = NanoVLMsForConditionalGeneration.from_pretrained(saved, ignore_mismatched_sizes=True)
    assert model.lm_head.weight.shape == (310, 32)


def test_the_encoder_alone_is_as_strict(tmp_path):
    config = NanoVLMsConfig(vision_config=vision_fields()).vision_config
    NanoVLMsVisionModel(config).save_pretrained(tmp_path)
    NanoVLMsVisionModel.from_pretrained(tmp_path)
    change_weights(tmp_path, lambda weights: weights.pop("post_layernorm.bias"))
    with pytest.raises(ValueError, match=r"do not fit NanoVLMsVisionModel: 1 are missing \(post_layernorm.bias\)"):
        AutoModel.from_pretrained(tmp_path)


def test_a_folder_without_weights(tmp_path):
    build_model("patches").config.save_pretrained(tmp_path)
    with pytest.raises(OSError) as caught:
        NanoVLMsForConditionalGeneration.from_pretrained(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no weights: there is no file named model.safetensors; name the folder that `save_pretrained` or a "
        "finished stage wrote."
    )
    with pytest.raises(OSError):
        NanoVLMsForConditionalGeneration.from_pretrained(tmp_path / "nothing")


class Bomb:
    """Unpickled, it would end the tests."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was read",)


@pytest.mark.parametrize("loader", [NanoVLMsForConditionalGeneration, AutoModelForImageTextToText])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_a_pickle_is_never_read(saved, loader, name):
    folder = pathlib.Path(saved)
    (folder / "model.safetensors").unlink()
    torch.save(Bomb(), folder / name)
    with pytest.raises(WeightsNotFoundError) as caught:
        loader.from_pretrained(saved)
    said = str(caught.value)
    assert said.startswith(
        f"{saved} holds weights as {name} only; a pickle such as pytorch_model.bin can run any code"
    )
    assert said.endswith("save it again with `save_pretrained`, which writes safetensors.") and "\n" not in said
    with pytest.raises(WeightsNotFoundError, match="use_safetensors=False asks for a pickle"):
        loader.from_pretrained(saved, use_safetensors=False)


def test_a_folder_without_a_configuration(saved):
    (pathlib.Path(saved) / "config.json").unlink()
    with pytest.raises(WeightsNotFoundError, match=r"saved holds no configuration \(config.json\); name the folder"):
        NanoVLMsForConditionalGeneration.from_pretrained(saved)  # not a default decoder of billions of parameters


@pytest.mark.parametrize("content", [slice(0, -100), slice(0, 4), slice(0, 0), slice(9, None)], ids=str)
@pytest.mark.parametrize("loader", [NanoVLMsForConditionalGeneration, AutoModelForImageTextToText])
def test_a_damaged_file_of_weights(saved, loader, content):
    path = pathlib.Path(saved) / "model.safetensors"
    path.write_bytes(path.read_bytes()[content])
    with pytest.raises(WeightsUnreadableError) as caught:
        loader.from_pretrained(saved)
    said = str(caught.value)
    assert said.startswith(f"{path} cannot be read as safetensors (") and "\n" not in said
    assert said.endswith("; the file is cut off or damaged: copy or download it again, or load an earlier checkpoint.")


@pytest.mark.parametrize("loader", [NanoVLMsForConditionalGeneration, AutoModelForImageTextToText])
@pytest.mark.parametrize(
    "fields, said",
    [
        ({"num_hidden_layers": 5}, "text_config makes no qwen3 configuration (Class validation error"),
        (
            {"hidden_size": "wide"},
            "text_config makes no qwen3 configuration (Validation error for field 'hidden_size'",
        ),
        ({"model_type": "nosuch"}, "text_config has model_type='nosuch', which transformers"),
    ],
    ids=["layers", "type", "unknown"],
)
def test_a_configuration_that_cannot_be_built(tmp_path, loader, fields, said):
    build_model("modern").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"] |= fields
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError) as caught:
        loader.from_pretrained(tmp_path)
    assert str(caught.value).startswith(f"the configuration in {tmp_path} cannot be used: {said}")
    assert "\n" not in str(caught.value)


def test_loading_says_nothing_and_asks_nothing(saved, monkeypatch, caplog):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("loading asked whether to trust remote code"))
    assert "auto_map" in json.loads((pathlib.Path(saved) / "config.json").read_text())
    logging.enable_propagation()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for trust in (None, False, True):
                model = AutoModelForImageTextToText.from_pretrained(saved, trust_remote_code=trust)
                assert type(model) is NanoVLMsForConditionalGeneration
    finally:
        logging.disable_propagation()
    assert [record.message for record in caplog.records if record.levelname != "INFO"] == []


def test_a_model_loaded_for_training_starts_where_it_was_saved(saved):
    model = NanoVLMsForConditionalGeneration.from_pretrained(saved)
    inputs = build_inputs(model, (1, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(5):
        loss = model(**inputs, labels=inputs["input_ids"]).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
