"""Every kind of tower gives as many image tokens as the configuration counts, and the features of its own forward."""

import pytest
import torch
from small_models import text_fields, vision_fields
from transformers import AutoModel

from nanovlms_hf import NanoVLMsConfig, NanoVLMsForConditionalGeneration
from nanovlms_hf.configuration_nanovlms import _PREFIX_TOKENS

SMALL = {
    "image_size": 32,
    "patch_size": 8,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
TOWERS = {
    "clip_vision_model": SMALL,
    "siglip_vision_model": SMALL,
    "vit": SMALL,
    "deit": SMALL,
    "beit": SMALL,
    "dinov2": SMALL | {"mlp_ratio": 2},
    "dinov2_with_registers": SMALL | {"num_register_tokens": 3, "mlp_ratio": 2},
    "dinov3_vit": SMALL | {"num_register_tokens": 2},
    "sam_vision_model": SMALL
    | {"output_channels": 16, "mlp_dim": 48, "window_size": 2, "global_attn_indexes": [1], "num_pos_feats": 8},
    "nanovlms_vision": vision_fields(image_size=32),
}


def build(model_type: str, **fields):
    torch.manual_seed(0)
    vision = {"model_type": model_type} | TOWERS[model_type]
    return NanoVLMsForConditionalGeneration(
        NanoVLMsConfig(vision_config=vision, text_config=text_fields(), **fields)
    ).eval()


def test_every_tower_with_known_prefix_tokens_is_tested():
    assert set(_PREFIX_TOKENS) <= set(TOWERS)


@torch.no_grad()
@pytest.mark.parametrize("model_type", TOWERS)
@pytest.mark.parametrize("image_tokens", ["patches", "all", "cls"])
def test_image_tokens_of_each_tower(model_type, image_tokens):
    if image_tokens == "cls" and model_type in ("siglip_vision_model", "sam_vision_model"):
        with pytest.raises(ValueError, match="image_tokens='cls' takes the token before the patches, but the tower"):
            build(model_type, image_tokens=image_tokens)
        return
    model = build(model_type, image_tokens=image_tokens)
    config = model.config
    pixel_values = torch.randn(2, 3, 32, 32)
    features = model.get_image_features(pixel_values).pooler_output
    assert features.shape == (2, config.image_seq_length, 32)
    prefix = config.num_prefix_tokens
    assert config.image_seq_length == {"patches": 16, "all": 16 + prefix, "cls": 1}[image_tokens]

    input_ids = torch.full((2, config.image_seq_length + 3), 20)
    input_ids[:, : config.image_seq_length] = config.image_token_id
    assert model(input_ids=input_ids, pixel_values=pixel_values).logits.isfinite().all()


@torch.no_grad()
def test_patches_are_what_follows_the_prefix():
    model = build("dinov2_with_registers", connector="linear")
    pixel_values = torch.randn(1, 3, 32, 32)
    hidden = model.model.vision_tower(pixel_values).last_hidden_state
    expected = model.model.connector(hidden[:, 4:])  # CLS and three registers stand before the patches
    torch.testing.assert_close(model.get_image_features(pixel_values).pooler_output, expected)


@torch.no_grad()
def test_a_sam_grid_is_read_row_by_row():
    model = build("sam_vision_model", connector="linear")
    pixel_values = torch.randn(1, 3, 32, 32)
    grid = model.model.vision_tower(pixel_values).last_hidden_state
    assert grid.shape == (1, 16, 4, 4)
    expected = model.model.connector.projection(grid[0, :, 1, 2])
    torch.testing.assert_close(model.get_image_features(pixel_values).pooler_output[0, 1 * 4 + 2], expected)
    shuffled = build("sam_vision_model", connector="pixel_shuffle")
    assert shuffled.get_image_features(pixel_values).pooler_output.shape == (1, 4, 32)


@torch.no_grad()
@pytest.mark.parametrize("stem", ["paper", "linear", "conv"])
@pytest.mark.parametrize("use_cls_token", [True, False])
def test_the_encoder_alone(stem, use_cls_token):
    torch.manual_seed(0)
    fields = vision_fields(stem=stem, use_cls_token=use_cls_token)
    config = NanoVLMsConfig(vision_config=fields, text_config=text_fields()).vision_config
    tower = AutoModel.from_config(config).eval()
    out = tower(torch.randn(2, 3, 16, 16))
    assert out.last_hidden_state.shape == (2, 4 + use_cls_token, 32)
    pooled = out.last_hidden_state[:, 0] if use_cls_token else out.last_hidden_state.mean(1)
    torch.testing.assert_close(out.pooler_output, pooled)


@torch.no_grad()
@pytest.mark.parametrize("stem", ["paper", "linear"])
def test_patches_are_embedded_alone_and_in_reading_order(stem):
    torch.manual_seed(0)
    config = NanoVLMsConfig(vision_config=vision_fields(stem=stem), text_config=text_fields()).vision_config
    embed = AutoModel.from_config(config).embeddings.patch_embedding
    pixel_values = torch.randn(1, 3, 16, 16)
    changed = pixel_values.clone()
    changed[:, :, :8, 8:] += 1.0  # the second patch of the first row
    moved = (embed(changed) - embed(pixel_values)).abs().amax(-1)[0] > 1e-6
    assert moved.tolist() == [False, True, False, False]


@torch.no_grad()
def test_hidden_states_of_a_named_layer_are_used():
    model = build("siglip_vision_model", connector="linear", vision_feature_layer=1)
    pixel_values = torch.randn(1, 3, 32, 32)
    hidden = model.model.vision_tower(pixel_values, output_hidden_states=True).hidden_states[1]
    torch.testing.assert_close(model.get_image_features(pixel_values).pooler_output, model.model.connector(hidden))


def test_cls_of_an_encoder_without_one_is_refused():
    with pytest.raises(ValueError, match="use image_tokens='patches', or give use_cls_token=True"):
        NanoVLMsConfig(vision_config=vision_fields(use_cls_token=False), text_config=text_fields(), image_tokens="cls")
