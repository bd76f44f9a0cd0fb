"""Parts taken out of whole checkpoints: the vision half of a CLIP or SigLIP, a decoder with more rows than tokens."""

import json

import pytest
import torch
from transformers import (
    AutoModel,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipConfig,
    SiglipModel,
)

from nanovlms_hf.tokenization import train_tokenizer
from nanovlms_hf.training.arguments import ModelArguments
from nanovlms_hf.training.building import build, load_part

TEXTS = ["A red dog runs.", "What do you see? Two cats."]
VISION = {"image_size": 28, "patch_size": 14, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
WORDS = {
    "vocab_size": 99,
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 1,
}
MEAN = [0.48145466, 0.4578275, 0.40821073]


def save_clip(folder) -> CLIPModel:
    torch.manual_seed(1)
    vision = VISION | {"num_hidden_layers": 3}
    model = CLIPModel(CLIPConfig(vision_config=vision, text_config=WORDS, projection_dim=16)).eval()
    model.save_pretrained(folder)
    return model


def save_siglip(folder) -> SiglipModel:
    torch.manual_seed(2)
    model = SiglipModel(SiglipConfig(vision_config=VISION | {"num_hidden_layers": 2}, text_config=WORDS)).eval()
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_a_tower_takes_the_vision_half_of_a_whole_checkpoint(save, tmp_path):
    whole = save(tmp_path)
    part = AutoModel.from_config(whole.config.vision_config).eval()
    theirs = whole.vision_model.state_dict()
    assert load_part(part, str(tmp_path), "vision_tower") == len(theirs) > 20
    assert all(torch.equal(weight, theirs[name]) for name, weight in part.state_dict().items())
    pixels = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        assert torch.equal(part(pixels).last_hidden_state, whole.vision_model(pixels).last_hidden_state)


def test_a_vision_half_of_another_shape_is_refused(tmp_path):
    save_clip(tmp_path)
    part = AutoModel.from_config(CLIPVisionConfig(**VISION | {"num_hidden_layers": 4, "intermediate_size": 64}))
    with pytest.raises(ValueError, match="does not fit the CLIPVisionModel of this model"):
        load_part(part, str(tmp_path), "vision_tower")


def save_decoder(folder, vocab_size=320) -> Qwen2ForCausalLM:
    """A decoder whose table has spare rows, as Qwen's has, and a tokenizer of fewer tokens."""
    torch.manual_seed(3)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Qwen2Config(vocab_size=vocab_size, num_key_value_heads=4, tie_word_embeddings=False, **shape)
    model = Qwen2ForCausalLM(config)
    model.save_pretrained(folder)
    train_tokenizer(TEXTS, 280).save_pretrained(folder)
    return model


# openai/clip-vit-large-patch14 is saved with plain numbers, later CLIPs with mappings.
SIZES = {
    "numbers": {"size": 28, "crop_size": 28},
    "mappings": {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}},
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("preset", [None, "vary-toy"])
def test_a_small_vary_toy_is_put_together_as_its_recipe_does(preset, sizes, tmp_path):
    clip, decoder = save_clip(tmp_path / "clip"), save_decoder(tmp_path / "decoder")
    saved = {
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "image_mean": MEAN,
        "resample": 3,
        **sizes,
    }
    saved["image_std"] = [0.26862954, 0.26130258, 0.27577711]
    (tmp_path / "clip" / "preprocessor_config.json").write_text(json.dumps(saved))
    overrides = {"vision_feature_layer": -2, "connector": "linear", "vocabulary_config": None}
    if preset:
        overrides |= {
            "vision_config": clip.config.vision_config.to_dict(),
            "text_config": decoder.config.to_dict(),
            "vocabulary_channels": None,
        }
    model, processor = build(
        ModelArguments(
            preset=preset,
            vision_tower=str(tmp_path / "clip"),
            language_model=str(tmp_path / "decoder"),
            freeze=["vision_tower"],
            overrides=overrides,
        ),
        lambda: TEXTS,
    )
    tower, head = model.model.vision_tower.state_dict(), model.lm_head.weight
    assert all(torch.equal(weight, clip.vision_model.state_dict()[name]) for name, weight in tower.items())
    assert torch.equal(head, decoder.lm_head.weight) and head.shape == (320, 32)
    assert len(processor.tokenizer) < 320
    image_processor = processor.image_processor
    assert dict(image_processor.size) == {"shortest_edge": 28} and list(image_processor.image_mean) == MEAN
    assert dict(image_processor.crop_size) == {"height": 28, "width": 28} and image_processor.do_center_crop
