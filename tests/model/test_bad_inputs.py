"""What cannot work says why, in one sentence, before anything is computed."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import IMAGE, build_inputs, build_model, picture, text_fields, vision_fields
from transformers.utils import logging

from nanovlms_hf import NanoVLMsConfig, NanoVLMsForConditionalGeneration, NanoVLMsImageProcessor, NanoVLMsProcessor


@pytest.mark.parametrize(
    "text, images, sentence",
    [
        (["<image>a"], [[picture(), picture()]], "the texts hold [1] placeholders and [2] picture(s) were given"),
        (["<image><image>a"], [picture()], "the texts hold [2] placeholders and 1 picture(s) were given"),
        (["<image>a"], None, "the texts hold [1] placeholders and 0 picture(s) were given"),
        (["a"], [picture()], "the texts hold [0] placeholders and 1 picture(s) were given"),
        (["<image>a", "b"], [[], [picture()]], "the texts hold [1, 0] placeholders and [0, 1] picture(s) were given"),
        ("<image>a", [picture(), picture()], "the texts hold [1] placeholders and 2 picture(s) were given"),
    ],
    ids=["too-many", "too-few", "none", "no-placeholder", "wrong-row", "one-text"],
)
def test_placeholders_and_pictures_in_the_processor(processor, text, images, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        processor(text=text, images=images)
    assert "put exactly one <image> into the text" in str(caught.value)
    assert "the <image> tokens in the prompts should be the same as the number of pictures" in str(caught.value)


def test_placeholders_and_pictures_in_the_model(model):
    inputs = build_inputs(model, (1, 1))
    length = model.config.image_seq_length
    for pixel_values in (inputs["pixel_values"][:1], inputs["pixel_values"].repeat(2, 1, 1, 1)):
        given = len(pixel_values) * length
        with pytest.raises(ValueError) as caught:
            model(**inputs | {"pixel_values": pixel_values})
        assert str(caught.value) == (
            f"Image features and image tokens do not match, tokens: {2 * length}, features: {given}. Each picture takes "
            f"{length} placeholder tokens: make text and pictures with one call of the processor, and do not truncate the "
            "text."
        )
    with pytest.raises(ValueError, match="tokens: 0, features"):
        model(**inputs | {"input_ids": inputs["input_ids"].masked_fill(inputs["input_ids"] == IMAGE, 20)})


def test_placeholders_without_a_picture_warn_once(model, caplog):
    inputs = build_inputs(model, (1, 1))
    pixel_values = inputs.pop("pixel_values")
    count = 2 * model.config.image_seq_length
    logging.enable_propagation()
    try:
        model(**inputs, pixel_values=pixel_values)
        model(**inputs, mm_encoder_outputs={"image": model.get_image_features(pixel_values)})
        model.generate(**inputs, pixel_values=pixel_values, max_new_tokens=3, do_sample=False)
        model(input_ids=torch.full((1, 4), 20))
        cache = model(input_ids=torch.full((1, 4), 20), use_cache=True).past_key_values
        model(input_ids=torch.full((1, 1), IMAGE), past_key_values=cache)
        assert caplog.text == ""
        model(**inputs)
        model(**inputs)
    finally:
        logging.disable_propagation()
    assert [record.message for record in caplog.records] == [
        f"{count} placeholder tokens (id {IMAGE}) got no picture and are read as plain embeddings, so the answer is about no "
        "picture; pass the pixel_values that the processor returns with the input_ids."
    ]


def test_truncation_that_cuts_a_picture(processor):
    with pytest.raises(ValueError, match="truncation"):
        processor(text=["<image>what is in the picture?"], images=[picture()], max_length=2, truncation=True)


def encoded(cut: int | None = None, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture(width=64, height=64).save(buffer, kind)
    return buffer.getvalue()[:cut]


@pytest.mark.parametrize(
    "image, sentence",
    [
        (
            encoded(900),
            r"900 bytes cannot be read as a picture \(.*truncated.*\); give an existing, complete picture file",
        ),
        (encoded(500, "JPEG"), r"500 bytes cannot be read as a picture"),
        (b"", r"0 bytes cannot be read as a picture"),
        (b"these are words, not pixels", r"27 bytes cannot be read as a picture"),
        (
            "/no/such/file.png",
            r"/no/such/file.png cannot be read as a picture \(there is no such file\); give an existing, complete",
        ),
        (np.zeros((0, 5, 3), np.uint8), r"the picture array has shape \(0, 5, 3\), which holds no pixels"),
        (torch.zeros(3, 0, 5), r"the picture array has shape \(3, 0, 5\), which holds no pixels"),
        (None, r"a picture is None; give a PIL image, an array, a path or a URL for each placeholder"),
        ([picture(), None], r"a picture is None"),
        (5, r"a picture is a value of type int; give a PIL image, an array, a path or a URL"),
        (object(), r"a picture is a value of type object"),
    ],
    ids=[
        "cut-png",
        "cut-jpeg",
        "empty",
        "words",
        "no-file",
        "no-rows",
        "no-rows-tensor",
        "none",
        "one-none",
        "int",
        "object",
    ],
)
def test_what_is_no_picture(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        NanoVLMsImageProcessor(size={"height": 8, "width": 8})(image)


def test_a_truncated_file_opened_by_the_caller(tmp_path):
    (tmp_path / "cut.png").write_bytes(encoded(900))
    with pytest.raises(ValueError, match=r"the picture cannot be decoded \(.*\); the file is truncated or damaged"):
        NanoVLMsImageProcessor()(Image.open(tmp_path / "cut.png"))
    with pytest.raises(ValueError, match=r"cut.png cannot be read as a picture"):
        NanoVLMsImageProcessor()(str(tmp_path / "cut.png"))


def test_tiny_and_very_wide_pictures_work(caplog):
    processor = NanoVLMsImageProcessor(size={"height": 8, "width": 8})
    assert processor(Image.new("RGB", (1, 1)), return_tensors="pt").pixel_values.shape == (1, 3, 8, 8)
    logging.enable_propagation()
    try:
        out = processor(Image.new("RGB", (20_000, 4)), return_tensors="pt")
        assert "a picture of 20000x4 pixels is squeezed into 8x8: little of it will be visible" in caplog.text
    finally:
        logging.disable_propagation()
    assert out.pixel_values.shape == (1, 3, 8, 8)


def test_pictures_of_the_wrong_size_for_the_tower(model):
    inputs = build_inputs(model, (1,))
    with pytest.raises(ValueError, match=r"pixel_values has shape \(1, 3, 24, 24\), but this tower expects"):
        model(**inputs | {"pixel_values": torch.zeros(1, 3, 24, 24)})
    with pytest.raises(ValueError, match=r"pixel_values has shape \(1, 1, 3, 16, 16\), but this tower expects"):
        model(**inputs | {"pixel_values": torch.zeros(1, 1, 3, 16, 16)})


def test_text_beyond_learned_positions():
    model = build_model("paper")
    with pytest.raises(ValueError) as caught:
        model(input_ids=torch.full((1, 129), 20))
    assert str(caught.value) == (
        "the text has 129 tokens with its pictures (1 each), but the decoder's context is 128; shorten the text, give fewer "
        "pictures, generate fewer tokens, or use a model with a larger max_position_embeddings."
    )
    with pytest.raises(ValueError, match="the text has 129 tokens"):
        model.generate(input_ids=torch.full((1, 126), 20), max_new_tokens=8, do_sample=False)
    with pytest.raises(ValueError, match="the text has 130 tokens"):
        model(input_ids=torch.full((1, 2), 20), position_ids=torch.tensor([[128, 129]]))
    fits = model.generate(input_ids=torch.full((1, 126), 20), max_new_tokens=3, do_sample=False)
    assert fits.shape == (1, 129)  # the last token is never fed back
    packed = torch.arange(100).repeat(2)[None]  # longer than the context, but no example is
    assert model(input_ids=torch.full((1, 200), 20), position_ids=packed).logits.shape[1] == 200


def test_text_beyond_rotary_positions_warns(caplog):
    model = build_model("patches")
    logging.enable_propagation()
    try:
        model(input_ids=torch.full((1, 130), 20))
        assert "the text has 130 tokens with its pictures (4 each), but the decoder's context is 128" in caplog.text
    finally:
        logging.disable_propagation()


def test_both_or_no_inputs(model):
    inputs = build_inputs(model, (1,))
    with pytest.raises(ValueError, match="give exactly one of input_ids and inputs_embeds"):
        model(pixel_values=inputs["pixel_values"])
    encoded_pictures = {"image": model.get_image_features(inputs["pixel_values"])}
    with pytest.raises(ValueError, match="give pixel_values or mm_encoder_outputs"):
        model(**inputs, mm_encoder_outputs=encoded_pictures)


def test_a_tokenizer_without_the_placeholder(tokenizer):
    with pytest.raises(ValueError, match=r"the tokenizer does not know the placeholder '<picture>'; add it with"):
        NanoVLMsProcessor(NanoVLMsImageProcessor(), tokenizer, image_token="<picture>")


@pytest.mark.parametrize(
    "fields, sentence",
    [
        ({"vision_config": vision_fields(image_size=17)}, "image_size=17 is not a multiple of patch_size=8"),
        ({"vision_config": vision_fields(image_size=(16, 24))}, "only square pictures and patches are supported"),
        ({"vision_config": vision_fields(num_attention_heads=5)}, "does not divide into num_attention_heads=5"),
        ({"vision_config": vision_fields(stem="dense")}, "stem='dense' is not a patch stem; choose one of"),
        ({"vision_config": vision_fields(stem="conv", stem_channels=[8])}, "give log2(patch_size) - 1 channels"),
        ({"vision_config": vision_fields(stem_channels=[8])}, "the paper's stem takes two convolutions"),
        ({"vision_config": 5}, "vision_config is a int; give a configuration object or a dictionary"),
        ({"image_tokens": "some"}, "image_tokens='some' is unknown; choose one of cls, patches, all"),
        ({"connector": "pixel_shuffle", "pixel_shuffle_factor": 3}, "cannot fold a 2x2 grid of patches by"),
        ({"connector": "pixel_shuffle", "image_tokens": "all"}, "use image_tokens='patches'"),
    ],
)
def test_configurations_that_do_not_fit(fields, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        NanoVLMsConfig(**{"vision_config": vision_fields(), "text_config": text_fields()} | fields)


def test_an_unknown_connector():
    config = NanoVLMsConfig(vision_config=vision_fields(), text_config=text_fields(), connector="resampler")
    with pytest.raises(
        ValueError, match="connector='resampler' is not registered; choose one of linear, mlp, pixel_shuffle"
    ):
        NanoVLMsForConditionalGeneration(config)
