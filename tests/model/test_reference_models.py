"""The same weights in transformers' own models give the same logits: a way to check ours, and a way out of this package."""

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.idefics3.modeling_idefics3 import Idefics3Connector

from nanovlms_hf import NanoVLMsConfig, NanoVLMsForConditionalGeneration

IMAGE = 3
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}


def llama(**fields) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=200,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=0,
        **fields,
    )


def copied(theirs, ours, renames: dict[str, str]):
    """Copies every weight under its new name; raises unless each finds its place."""
    state = {}
    for name, value in theirs.state_dict().items():
        for before, after in renames.items():
            name = name.replace(before, after)
        state[name] = value
    ours.load_state_dict(state, strict=True)
    return ours.eval()


def prompt(config: NanoVLMsConfig, pictures: int = 2):
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(10, 200, (pictures, 9), generator=generator)
    placeholders = torch.full((pictures, config.image_seq_length), IMAGE)
    pixel_values = torch.randn(pictures, 3, 32, 32, generator=generator)
    return torch.cat([words[:, :4], placeholders, words[:, 4:]], dim=1), pixel_values


@torch.no_grad()
@pytest.mark.parametrize(
    "vision, layer, strategy, image_tokens",
    [
        (CLIPVisionConfig(**TOWER), -2, "default", "patches"),
        (CLIPVisionConfig(**TOWER), -1, "full", "all"),
        (SiglipVisionConfig(**TOWER, vision_use_head=False), -1, "full", "patches"),
        (SiglipVisionConfig(**TOWER, vision_use_head=False), -2, "full", "patches"),
    ],
    ids=["clip-default", "clip-full", "siglip-last", "siglip-before"],
)
@pytest.mark.parametrize("tied", [False, True])
def test_llava_gives_the_same_logits(vision, layer, strategy, image_tokens, tied):
    torch.manual_seed(0)
    theirs = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=llama(tie_word_embeddings=tied),
            image_token_index=IMAGE,
            vision_feature_layer=layer,
            vision_feature_select_strategy=strategy,
            tie_word_embeddings=tied,
        )
    ).eval()
    config = NanoVLMsConfig(
        vision_config=vision.to_dict(),
        text_config=llama(tie_word_embeddings=tied).to_dict(),
        vision_feature_layer=layer,
        image_tokens=image_tokens,
        image_token_id=IMAGE,
    )
    ours = copied(
        theirs, NanoVLMsForConditionalGeneration(config), {"multi_modal_projector.": "connector.projection."}
    )
    input_ids, pixel_values = prompt(config)
    expected = theirs(input_ids=input_ids, pixel_values=pixel_values).logits
    actual = ours(input_ids=input_ids, pixel_values=pixel_values).logits
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    without = ours(input_ids=input_ids, pixel_values=torch.zeros_like(pixel_values)).logits
    assert (without - expected).abs().max() > 1e-3  # the pictures take part in what was compared


@torch.no_grad()
@pytest.mark.parametrize(
    "config_class, model_class",
    [(Idefics3Config, Idefics3ForConditionalGeneration), (SmolVLMConfig, SmolVLMForConditionalGeneration)],
    ids=["idefics3", "smolvlm"],
)
def test_pixel_shuffle_models_give_the_same_logits(config_class, model_class):
    torch.manual_seed(0)
    theirs = model_class(
        config_class(
            vision_config=dict(TOWER),
            text_config=llama(tie_word_embeddings=False).to_dict(),
            scale_factor=2,
            image_token_id=IMAGE,
            pad_token_id=0,
            tie_word_embeddings=False,
        )
    ).eval()
    vision = SiglipVisionConfig(**TOWER, vision_use_head=False).to_dict()
    config = NanoVLMsConfig(
        vision_config=vision,
        text_config=llama(tie_word_embeddings=False).to_dict(),
        connector="pixel_shuffle",
        connector_bias=False,
        pixel_shuffle_factor=2,
        image_token_id=IMAGE,
    )
    renames = {
        "model.text_model.": "model.language_model.",
        "model.vision_model.": "model.vision_tower.",
        "connector.modality_projection.": "connector.projection.",
    }
    ours = copied(theirs, NanoVLMsForConditionalGeneration(config), renames)
    input_ids, pixel_values = prompt(config)
    expected = theirs(
        input_ids=input_ids, pixel_values=pixel_values[:, None]
    ).logits  # (batch, pictures of a row, ...)
    actual = ours(input_ids=input_ids, pixel_values=pixel_values).logits
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("factor", [2, 4])
def test_pixel_shuffle_has_the_channel_order_of_idefics3(factor):
    torch.manual_seed(0)
    theirs = Idefics3Connector(
        Idefics3Config(vision_config=dict(TOWER), text_config=llama().to_dict(), scale_factor=factor)
    )
    config = NanoVLMsConfig(
        vision_config=SiglipVisionConfig(**TOWER).to_dict(),
        text_config=llama().to_dict(),
        connector="pixel_shuffle",
        connector_bias=False,
        pixel_shuffle_factor=factor,
    )
    ours = NanoVLMsForConditionalGeneration(config).model.connector.projection
    ours.proj.weight.copy_(theirs.modality_projection.proj.weight)
    features = torch.randn(2, 16, 32)
    torch.testing.assert_close(ours(features), theirs(features))
