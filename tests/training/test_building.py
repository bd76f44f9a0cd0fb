"""From arguments to a model: presets, saved models, and parts put together without losing a weight."""

import pytest
import torch
from small_stages import finished_sft
from tokenizers import Tokenizer
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    CLIPImageProcessor,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from nanovlms_hf import NanoVLMsForConditionalGeneration
from nanovlms_hf.presets import PRESETS, preset_config
from nanovlms_hf.tokenization import train_tokenizer
from nanovlms_hf.training.arguments import ModelArguments
from nanovlms_hf.training.building import COMPONENTS, build, component_of, describe_model, freeze, load_part

TEXTS = ["A red dog runs.", "What do you see? Two cats."]


def made(**arguments):
    return build(ModelArguments(**arguments), lambda: TEXTS)


@pytest.fixture
def tower(tmp_path) -> str:
    """The saved tower of a nanovlm-tiny, with weights that no fresh model has."""
    torch.manual_seed(11)
    model = AutoModel.from_config(preset_config("nanovlm-tiny").vision_config)
    model.save_pretrained(tmp_path / "tower")
    return str(tmp_path / "tower")


@pytest.fixture
def siglip(tmp_path) -> str:
    torch.manual_seed(12)
    shape = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
    SiglipVisionModel(SiglipVisionConfig(num_attention_heads=4, **shape)).save_pretrained(tmp_path / "siglip")
    return str(tmp_path / "siglip")


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def llama(tmp_path, request) -> str:
    """A saved Llama with a tokenizer that knows none of our special tokens and has no padding."""
    raw = train_tokenizer(TEXTS, 280).backend_tokenizer.to_str()
    for ours, theirs in (("<|end|>", "</s>"), ("<|", "["), ("|>", "]"), ("<image>", "[image]")):
        raw = raw.replace(ours, theirs)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(raw), eos_token="</s>")
    tokenizer.save_pretrained(tmp_path / "llama")
    torch.manual_seed(13)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=280, tie_word_embeddings=request.param, bos_token_id=None, eos_token_id=1, **shape)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
    return str(tmp_path / "llama")


def test_a_preset_gets_a_tokenizer_trained_on_the_text():
    model, processor = made(preset="nanovlm-tiny", vocab_size=280)
    # Two sentences hold fewer merges than asked for; the model has exactly the rows that the tokenizer needs.
    assert len(processor.tokenizer) == model.config.text_config.vocab_size == model.lm_head.weight.shape[0] == 280
    assert model.config.image_token_id == processor.image_token_id == 3
    assert processor.image_seq_length == model.config.image_seq_length == 16
    assert processor.image_processor.size == {"height": 64, "width": 64}
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (1, 0)
    assert (model.config.text_config.eos_token_id, model.config.text_config.pad_token_id) == (1, 0)


def test_the_connector_and_attention_of_the_arguments_are_used():
    model, processor = made(
        preset="nanovlm-tiny", vocab_size=280, connector="pixel_shuffle", attn_implementation="eager"
    )
    assert model.config.connector == "pixel_shuffle"
    assert processor.image_seq_length == 4
    assert model.config.text_config._attn_implementation == "eager"


def test_every_parameter_belongs_to_one_component():
    model, _ = made(preset="nanovlm-tiny", vocab_size=280)
    for name, _ in model.named_parameters():
        assert name.startswith(f"model.{component_of(name)}.") or component_of(name) == "language_model"
    assert component_of("lm_head.weight") == "language_model"
    counts = {component: 0 for component in COMPONENTS}
    for name, parameter in model.named_parameters():
        counts[component_of(name)] += parameter.numel()
    parts = {"vision_tower": model.model.vision_tower, "connector": model.model.connector}
    for component, module in parts.items():
        assert counts[component] == sum(parameter.numel() for parameter in module.parameters())
    freeze(model, ["vision_tower"])
    said = describe_model(model)
    assert said.startswith(f"{sum(counts.values()):,} parameters: vision_tower {counts['vision_tower']:,} (0 train)")
    assert f"language_model {counts['language_model']:,} ({counts['language_model']:,} train)" in said


@pytest.mark.parametrize("components", [["vision_tower"], ["connector", "language_model"]])
def test_freeze_stops_exactly_the_named_components(components):
    model, _ = made(preset="nanovlm-tiny", vocab_size=280, freeze=components)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (component_of(name) not in components), name


def test_freezing_an_unknown_component_is_refused_before_anything_is_built():
    def texts():
        raise AssertionError("the text was read")

    with pytest.raises(
        ValueError, match=r"freeze=\['tower'\] names no component; choose from vision_tower, vocabulary, connector"
    ):
        build(ModelArguments(preset="nanovlm-tiny", freeze=["tower"]), texts)


def test_a_saved_tower_is_loaded_bit_equal(tower):
    model, _ = made(preset="nanovlm-tiny", vocab_size=280, vision_tower=tower)
    saved = AutoModel.from_pretrained(tower).state_dict()
    ours = model.model.vision_tower.state_dict()
    assert set(ours) == set(saved)
    assert all(torch.equal(ours[name], saved[name]) for name in saved)


def test_load_part_counts_the_weights(tower):
    part = AutoModel.from_config(preset_config("nanovlm-tiny").vision_config)
    assert load_part(part, tower) == len(part.state_dict())


def test_a_tower_of_another_shape_is_refused_with_counts(tower):
    part = AutoModel.from_config(preset_config("nanovlm-tiny", vision_config={"num_hidden_layers": 2}).vision_config)
    before = {name: value.clone() for name, value in part.state_dict().items()}
    shared = len(AutoModel.from_pretrained(tower).state_dict())
    with pytest.raises(ValueError, match=f"{shared} of {len(before)} weights match, missing .*layers.1"):
        load_part(part, tower)
    narrow = AutoModel.from_config(preset_config("nanovlm-tiny", vision_config={"hidden_size": 32}).vision_config)
    with pytest.raises(ValueError, match=r"of another shape \['.*!= .*use the preset it was trained with"):
        load_part(narrow, tower)
    assert all(torch.equal(before[name], value) for name, value in part.state_dict().items())


def test_a_whole_model_gives_its_tower():
    folder = finished_sft()[0]
    model, _ = made(preset="nanovlm-tiny", vocab_size=280, vision_tower=str(folder))
    saved = AutoModel.from_pretrained(folder).vision_tower.state_dict()
    ours = model.model.vision_tower.state_dict()
    assert ours.keys() == saved.keys() and all(torch.equal(ours[name], value) for name, value in saved.items())


def test_a_whole_model_without_the_part_is_named():
    with pytest.raises(ValueError, match="is a nanovlms model without a vocabulary; name a folder that holds one"):
        made(preset="nanovlm-tiny", vocab_size=280, vocabulary=str(finished_sft()[0]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "the recipe names no model: give preset, model_name_or_path, or both vision_tower and language_model"),
        ({"vision_tower": "somewhere"}, "the recipe names no model"),
        (
            {"preset": "nanovlm-tiny", "model_name_or_path": "run"},
            "preset='nanovlm-tiny' and model_name_or_path='run'",
        ),
        ({"connector": "mlp", "model_name_or_path": "run"}, "connector='mlp' and model_name_or_path='run' both name"),
        ({"vocab_size": 99, "model_name_or_path": "run"}, "vocab_size=99 and model_name_or_path='run' both name"),
        ({"preset": "nanovlm-huge"}, "'nanovlm-huge' is not a preset; choose one of " + ", ".join(PRESETS)),
        ({"preset": "nanovlm-tiny", "vocab_size": 100}, "vocab_size=100 cannot hold the 256 bytes"),
    ],
)
def test_arguments_that_name_no_model_or_two_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        made(**arguments)


def test_a_saved_model_is_continued_as_it_is(tower):
    folder, _ = finished_sft()
    saved = NanoVLMsForConditionalGeneration.from_pretrained(folder)
    model, processor = made(model_name_or_path=str(folder), freeze=["connector"])
    assert all(torch.equal(value, saved.state_dict()[name]) for name, value in model.state_dict().items())
    assert len(processor.tokenizer) == model.config.text_config.vocab_size
    assert not any(parameter.requires_grad for parameter in model.model.connector.parameters())
    # A tower trained further may be put in.
    model, _ = made(model_name_or_path=str(folder), vision_tower=tower)
    other = AutoModel.from_pretrained(tower).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in model.model.vision_tower.state_dict().items())


def test_a_model_is_composed_of_saved_parts(siglip, llama, tmp_path):
    model, processor = made(vision_tower=siglip, language_model=llama)
    tokenizer = processor.tokenizer
    # <image>, <|system|>, <|user|>, <|assistant|>, <|end|>, <|pad|>: none of them was in the vocabulary.
    assert len(tokenizer) == 286 == model.config.text_config.vocab_size
    for token in ("<image>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"):
        ids = tokenizer(f"a{token}b", add_special_tokens=False)["input_ids"]
        assert ids[1] == tokenizer.convert_tokens_to_ids(token) >= 280
    assert tokenizer.eos_token == "<|end|>"
    assert tokenizer.pad_token == "<|pad|>" != tokenizer.eos_token
    assert model.config.image_token_id == tokenizer.convert_tokens_to_ids("<image>")
    assert model.config.text_config.eos_token_id == model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.config.text_config.pad_token_id == model.generation_config.pad_token_id == tokenizer.pad_token_id

    source = AutoModelForCausalLM.from_pretrained(llama)
    embeddings, head = model.get_input_embeddings().weight, model.lm_head.weight
    assert embeddings.shape == head.shape == (286, 32)
    assert torch.equal(embeddings[:280], source.get_input_embeddings().weight)
    assert torch.equal(head[:280], source.get_output_embeddings().weight)
    assert (embeddings is head) == source.config.tie_word_embeddings == model.config.tie_word_embeddings
    saved = AutoModel.from_pretrained(siglip).state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in model.model.vision_tower.state_dict().items())

    model.save_pretrained(tmp_path / "composed")
    again = NanoVLMsForConditionalGeneration.from_pretrained(tmp_path / "composed")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_composed_decoder_still_speaks_as_before(siglip, llama):
    model, _ = made(vision_tower=siglip, language_model=llama)
    source = AutoModelForCausalLM.from_pretrained(llama).eval()
    ids = torch.tensor([[7, 8, 9, 279]])
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(input_ids=ids).logits[..., :280], source(input_ids=ids).logits)


def test_a_decoder_saved_without_its_head_is_refused_where_it_needs_one(siglip, llama):
    source = AutoModelForCausalLM.from_pretrained(llama)
    source.model.save_pretrained(llama)
    if source.config.tie_word_embeddings:
        made(vision_tower=siglip, language_model=llama)
    else:
        with pytest.raises(ValueError, match="has no head that fits.*missing.*lm_head.weight.*tie its embeddings"):
            made(vision_tower=siglip, language_model=llama)


def test_a_towers_own_normalisation_is_kept(siglip, llama):
    _, processor = made(vision_tower=siglip, language_model=llama)
    assert tuple(processor.image_processor.image_mean) == (0.5, 0.5, 0.5)
    CLIPImageProcessor(image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]).save_pretrained(siglip)
    _, processor = made(vision_tower=siglip, language_model=llama)
    assert processor.image_processor.image_mean == (0.1, 0.2, 0.3)
    assert processor.image_processor.image_std == (0.4, 0.5, 0.6)
    assert processor.image_processor.size == {"height": 32, "width": 32}  # its crop is not the tower's size: left out
    assert not processor.image_processor.do_center_crop
    own = CLIPImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    own.save_pretrained(siglip)
    _, processor = made(vision_tower=siglip, language_model=llama)
    assert processor.image_processor.do_center_crop and dict(processor.image_processor.size)["shortest_edge"] == 40
