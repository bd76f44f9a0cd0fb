"""The vision vocabulary as a network, and models with two towers."""

import pytest
import torch
from small_models import IMAGE, picture, text_fields, two_towers, vision_fields, vocabulary_fields
from small_models import build_two_towers as build
from torch import nn
from transformers import AutoConfig, AutoModel, SamVisionConfig

from nanovlms_hf import (
    NanoVLMsForConditionalGeneration,
    NanoVLMsImageProcessor,
    NanoVLMsVisionVocabulary,
    NanoVLMsVocabularyConfig,
)
from nanovlms_hf.presets import parameter_counts, preset_config, reading_config

SAM = {
    "model_type": "sam_vision_model",
    "hidden_size": 16,
    "output_channels": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 4,
    "window_size": 3,
    "global_attn_indexes": [1],
    "mlp_dim": 32,
}


def views(pictures: int = 1, seed: int = 0) -> dict:
    generator = torch.Generator().manual_seed(seed)
    return {
        "pixel_values": torch.randn(pictures, 3, 16, 16, generator=generator),
        "high_res_pixel_values": torch.randn(pictures, 3, 32, 32, generator=generator),
    }


def prompt(config, pictures: int = 1) -> torch.Tensor:
    return torch.tensor([[20, *([IMAGE] * config.image_seq_length * pictures), 30, 31]])


# The papers' shapes, without memory


def test_the_paper_s_vocabulary_has_95_569_152_parameters():
    with torch.device("meta"):
        vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig())
    assert sum(parameter.numel() for parameter in vocabulary.parameters()) == 95_569_152
    backbone = sum(parameter.numel() for parameter in vocabulary.backbone.parameters())
    assert backbone == 88_883_456 + 787_456  # body and neck
    assert vocabulary.config.image_size == 1024 and vocabulary.config.patch_size == 64


def test_vary_tiny_and_vary_toy_have_the_paper_s_parameters():
    tiny = parameter_counts(preset_config("vary-tiny"))
    assert tiny == {
        "encoder": 95_569_152,
        "connector": 1024 * 768 + 768,
        "decoder": 126_812_160,
        "total": 223_168_512,
        "embedding": 41_756_160,
    }
    config = preset_config("vary-toy")
    toy = parameter_counts(config)
    assert toy["decoder"] == 1_836_828_672 and toy["total"] == 2_237_676_800
    assert toy["encoder"] - 95_569_152 == 303_179_776  # CLIP-L/14
    assert toy["connector"] == 2 * (1024 * 1024 + 1024)
    assert config.image_seq_length == 256 and config.connector_widths == (1024, 1024)
    assert config.vision_feature_layer == -2 and config.num_prefix_tokens == 1


def test_stage_one_of_a_preset_is_its_vocabulary_as_the_only_tower():
    merged, reader = preset_config("vary-nano"), reading_config("vary-nano")
    assert reader.vocabulary_config is None
    assert reader.vision_config.to_dict() == merged.vocabulary_config.to_dict()
    assert reader.image_seq_length == 144 and merged.image_seq_length == 144 + 36
    assert reading_config("vary-tiny").to_dict() == preset_config("vary-tiny").to_dict()
    with pytest.raises(ValueError, match="nanovlm-mini.*has no vision vocabulary to train; choose one of .*vary-nano"):
        reading_config("nanovlm-mini")
    with pytest.raises(ValueError, match="not a preset"):
        reading_config("vary-giant")


# The network


def test_bare_convolutions_follow_the_backbone():
    torch.manual_seed(0)
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig(backbone_config=SAM, downsample_channels=[12, 20]))
    pixels = torch.randn(2, 3, 32, 32)
    grid = vocabulary.backbone(pixels).last_hidden_state  # (2, 8, 8, 8)
    first, second = (stage.conv.weight for stage in vocabulary.downsample)
    expected = nn.functional.conv2d(
        nn.functional.conv2d(grid, first, stride=2, padding=1), second, stride=2, padding=1
    )
    tokens = vocabulary(pixels).last_hidden_state
    assert tokens.shape == (2, 4, 20)
    torch.testing.assert_close(tokens, expected.flatten(2).transpose(1, 2))
    assert not any("norm" in name for name, _ in vocabulary.downsample.named_parameters())


def test_tokens_stand_row_by_row():
    torch.manual_seed(0)
    backbone = vision_fields(image_size=32, patch_size=4, stem="linear", use_cls_token=False, num_hidden_layers=0)
    vocabulary = NanoVLMsVisionVocabulary(
        NanoVLMsVocabularyConfig(**vocabulary_fields(downsample_channels=[16], backbone_config=backbone))
    )
    pixels = torch.zeros(1, 3, 32, 32)
    changed = pixels.clone()
    changed[:, :, 0:4, 24:28] = 3.0  # of 4x4 tokens: the first row, the last column
    moved = (vocabulary(changed).last_hidden_state - vocabulary(pixels).last_hidden_state).abs().sum(-1)[0]
    assert moved[3] > 0 and moved[12] == 0


@pytest.mark.parametrize(
    "fields", [{}, {"downsample_blocks": [1, 0], "num_hidden_layers": 2, "num_attention_heads": 4}]
)
def test_an_artifact_comes_back_bit_for_bit(tmp_path, fields):
    torch.manual_seed(1)
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig(**vocabulary_fields(**fields))).eval()
    vocabulary.save_pretrained(tmp_path)
    back = NanoVLMsVisionVocabulary.from_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).downsample_blocks == vocabulary.config.downsample_blocks
    for name, value in vocabulary.state_dict().items():
        assert torch.equal(back.state_dict()[name], value), name
    pixels = torch.randn(1, 3, 32, 32)
    assert torch.equal(
        AutoModel.from_pretrained(tmp_path)(pixels).last_hidden_state, vocabulary(pixels).last_hidden_state
    )


def test_the_blocks_of_a_vocabulary_attend_as_the_model_is_told():
    torch.manual_seed(2)
    fields = vocabulary_fields(num_hidden_layers=1, num_attention_heads=4)
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig(**fields)).eval()
    pixels = torch.randn(1, 3, 32, 32)
    before = vocabulary(pixels).last_hidden_state
    vocabulary.set_attn_implementation("eager")
    assert vocabulary.layers[0].self_attn(torch.randn(1, 4, 24))[1].shape == (1, 4, 4, 4)
    torch.testing.assert_close(vocabulary(pixels).last_hidden_state, before)


def test_a_vocabulary_says_which_pictures_it_wants():
    vocabulary = NanoVLMsVisionVocabulary(NanoVLMsVocabularyConfig(**vocabulary_fields()))
    with pytest.raises(
        ValueError, match=r"got pictures of shape \(1, 3, 16, 16\), but expects \(num_images, 3, 32, 32\)"
    ):
        vocabulary(torch.zeros(1, 3, 16, 16))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"downsample_channels": [8, 8, 8, 8]}, "cannot halve the backbone's 8x8 grid evenly"),
        ({"downsample_blocks": [1]}, "differ in length; give one number of blocks for each convolution"),
        ({"num_hidden_layers": 1, "num_attention_heads": 5}, "does not divide into num_attention_heads=5"),
        ({"backbone_config": {"model_type": "sam_visoin"}}, "backbone_config has model_type='sam_visoin'"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        NanoVLMsVocabularyConfig(**vocabulary_fields(**fields))


# Two towers


def test_joined_by_channel_each_token_holds_both_towers():
    model = build(two_towers(vocabulary_channels=12))
    given = views(2)
    joined = model.get_image_features(**given).pooler_output
    base = model.model
    general = base.connector(base.vision_tower(given["pixel_values"]).last_hidden_state[:, 1:])
    read = base.vocabulary_connector(base.vocabulary(given["high_res_pixel_values"]).last_hidden_state)
    assert general.shape == (2, 4, 20) and read.shape == (2, 4, 12)
    assert torch.equal(joined, torch.cat([general, read], dim=-1))


def test_joined_by_sequence_one_tower_follows_the_other():
    config = two_towers(vocabulary_join="sequence", vocabulary_config=vocabulary_fields(downsample_channels=[24]))
    assert config.image_seq_length == 4 + 16
    model, given = build(config), views(1)
    joined = model.get_image_features(**given).pooler_output
    read = model.model.vocabulary_connector(model.model.vocabulary(given["high_res_pixel_values"]).last_hidden_state)
    assert joined.shape == (1, 20, 32) and torch.equal(joined[:, 4:], read)


def test_both_views_reach_the_logits_and_the_generated_text():
    model = build(two_towers())
    ids, given = prompt(model.config), views(1)
    logits = model(input_ids=ids, **given).logits
    for view in given:
        other = given | {view: given[view] + 1.0}
        assert not torch.allclose(model(input_ids=ids, **other).logits, logits, atol=1e-3), view
    said = model.generate(input_ids=ids, **given, max_new_tokens=8, do_sample=False)
    step_by_step = ids
    for _ in range(8):
        best = model(input_ids=step_by_step, **given).logits[:, -1:].argmax(-1)
        step_by_step = torch.cat([step_by_step, best], dim=1)
    assert torch.equal(said, step_by_step)
    beams = model.generate(input_ids=ids, **given, max_new_tokens=4, num_beams=2)
    assert beams.shape == (1, ids.shape[1] + 4)


def test_a_merged_model_comes_back_with_both_towers(tmp_path):
    model = build(two_towers())
    model.save_pretrained(tmp_path)
    back = NanoVLMsForConditionalGeneration.from_pretrained(tmp_path)
    ids, given = prompt(model.config), views(1)
    assert torch.equal(back(input_ids=ids, **given).logits, model(input_ids=ids, **given).logits)


def test_views_that_do_not_belong_are_refused():
    model, single = build(two_towers()), build(two_towers(vocabulary_config=None))
    ids, given = prompt(model.config), views(1)
    with pytest.raises(ValueError, match="has a vision vocabulary, but high_res_pixel_values are missing"):
        model(input_ids=ids, pixel_values=given["pixel_values"])
    with pytest.raises(ValueError, match="high_res_pixel_values were given, but this model has no vision vocabulary"):
        single(input_ids=ids, **given)
    with pytest.raises(ValueError, match="pixel_values hold 1 pictures and high_res_pixel_values 2"):
        model(input_ids=ids, **given | {"high_res_pixel_values": views(2)["high_res_pixel_values"]})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"vocabulary_config": vocabulary_fields(downsample_channels=[24])},
            "4 tokens a picture .* gives 16 .*cannot be joined",
        ),
        ({"vocabulary_join": "sum"}, "vocabulary_join='sum' is unknown; choose one of channel, sequence"),
        (
            {"vocabulary_channels": 32},
            "leaves the vision tower 0 of the decoder's 32 channels; give a number from 1 to 31",
        ),
        (
            {"vocabulary_connector": "pixel_shuffle", "pixel_shuffle_factor": 3},
            "cannot fold the vocabulary's 2x2 grid",
        ),
    ],
)
def test_a_merge_that_does_not_fit_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        two_towers(**fields)


CLIP = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
PLAIN_TOWERS = {
    "ours": vision_fields(image_size=32, patch_size=16, stem="linear", use_cls_token=False),
    "ours with a class token": vision_fields(image_size=32, patch_size=16, stem="linear", use_cls_token=True),
    "clip": {"model_type": "clip_vision_model", "image_size": 32, "patch_size": 16} | CLIP,
    "siglip": {"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 16} | CLIP,
    "sam": SAM | {"image_size": 32, "patch_size": 16},
}


@pytest.mark.parametrize("join", ["channel", "sequence"])
@pytest.mark.parametrize("kind", PLAIN_TOWERS)
def test_any_tower_whose_grid_fits_may_stand_for_a_vocabulary(kind, join):
    model = build(two_towers(vocabulary_config=PLAIN_TOWERS[kind], vocabulary_join=join))
    assert model.config.image_seq_length == (4 if join == "channel" else 8)
    given = views(2)
    joined = model.get_image_features(**given).pooler_output
    read = model.model.vocabulary(given["high_res_pixel_values"]).last_hidden_state
    read = read.flatten(2).transpose(1, 2) if read.ndim == 4 else read[:, -4:]  # the class token does not count
    read = model.model.vocabulary_connector(read)
    assert torch.equal(joined[..., 16:] if join == "channel" else joined[:, 4:], read)
    model(input_ids=prompt(model.config), **views(1))


@pytest.mark.parametrize(
    ("tower", "sentence"),
    [
        (
            text_fields(),
            r"vocabulary_config is a llama configuration without image_size and patch_size, so it is no vision tower",
        ),
        (
            {"model_type": "clip"},
            r"a clip configuration without image_size and patch_size and hidden_size.*\(its vision_config would be one\); name",
        ),
        ({"model_type": "resnet"}, "is a resnet configuration without image_size and patch_size and "),
        (
            PLAIN_TOWERS["clip"] | {"patch_size": 8},
            r"4 tokens a picture \(16 px.*gives 16 \(32 px, a token every 8 px\)",
        ),
    ],
)
def test_what_gives_no_grid_is_no_vocabulary(tower, sentence):
    with pytest.raises(ValueError, match=sentence):
        two_towers(vocabulary_config=tower)


def test_a_tower_that_gives_other_tokens_than_its_sizes_say_is_refused_when_it_reads():
    swin = {"model_type": "swin", "image_size": 32, "patch_size": 8, "embed_dim": 8, "window_size": 2}
    swin |= {"depths": [1, 1], "num_heads": [2, 2]}
    model = build(two_towers(vocabulary_config=swin, vocabulary_join="sequence"))
    sentence = (
        r"vision vocabulary \(swin\) gave 4 tokens a picture, but its image and patch size speak of 4x4; take a tower"
    )
    with pytest.raises(ValueError, match=sentence):
        model.get_image_features(**views(1))


def test_a_sam_tower_stands_alone_or_below_a_vocabulary():
    sam = SamVisionConfig(**{key: value for key, value in SAM.items() if key != "model_type"})
    alone = two_towers(vision_config=sam, vocabulary_config=None, image_tokens="patches")
    assert alone.vision_hidden_size == 8 and alone.image_seq_length == 64
    assert build(alone).get_image_features(torch.zeros(1, 3, 32, 32)).pooler_output.shape == (1, 64, 32)


# Two views from the processor


def test_one_call_makes_both_views():
    processor = NanoVLMsImageProcessor(
        size={"height": 16, "width": 16},
        image_mean=[0.1, 0.2, 0.3],
        high_res_size={"height": 32, "width": 32},
        high_res_image_mean=[0.5, 0.5, 0.5],
        high_res_image_std=[0.25, 0.25, 0.25],
    )
    pictures = [picture(0), picture(1, 40, 7)]
    both = processor(pictures, return_tensors="pt")
    assert list(both) == processor.model_input_names == ["pixel_values", "high_res_pixel_values"]
    first = NanoVLMsImageProcessor(size={"height": 16, "width": 16}, image_mean=[0.1, 0.2, 0.3])
    second = NanoVLMsImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.5, 0.5, 0.5], image_std=[0.25, 0.25, 0.25]
    )
    assert torch.equal(both["pixel_values"], first(pictures, return_tensors="pt")["pixel_values"])
    assert torch.equal(both["high_res_pixel_values"], second(pictures, return_tensors="pt")["pixel_values"])


def test_the_second_view_is_not_cropped_and_is_saved(tmp_path):
    processor = NanoVLMsImageProcessor(
        size={"shortest_edge": 16},
        do_center_crop=True,
        crop_size={"height": 16, "width": 16},
        high_res_size={"height": 32, "width": 32},
    )
    processor.save_pretrained(tmp_path)
    back = NanoVLMsImageProcessor.from_pretrained(tmp_path)
    wide = picture(3, 60, 20)
    made = back(wide, return_tensors="pt")
    assert made["pixel_values"].shape == (1, 3, 16, 16) and made["high_res_pixel_values"].shape == (1, 3, 32, 32)
    whole = NanoVLMsImageProcessor(size={"height": 32, "width": 32})(wide, return_tensors="pt")["pixel_values"]
    assert torch.equal(made["high_res_pixel_values"], whole)
    assert NanoVLMsImageProcessor(size={"height": 16, "width": 16}).model_input_names == ["pixel_values"]
