"""Pictures and chats to tensors: exact pixels for every picture mode, exact masks for every chat."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import END, IMAGE, build_model, picture

from nanovlms_hf import NanoVLMsImageProcessor
from nanovlms_hf.image_processing_nanovlms import to_rgb

RED, GREEN, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 0)


def pixels(image) -> list:
    """The pixels that come out of the processor, as 0-255 integers in rows of RGB triples, without resizing."""
    processor = NanoVLMsImageProcessor(do_resize=False, do_normalize=False)
    values = processor(image, return_tensors="pt").pixel_values[0]
    return (values * 255).round().int().permute(1, 2, 0).tolist()


def one_row(*colours):
    return [[list(colour) for colour in colours]]


def grey(mode: str, values) -> Image.Image:
    kinds = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    return Image.fromarray(np.array([values], dtype=kinds[mode]))


def test_rgba_is_laid_on_white():
    image = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(255, 0, 0, 255), (0, 0, 0, 0), (0, 0, 0, 128)]):
        image.putpixel((x, 0), colour)
    assert pixels(image) == one_row(RED, WHITE, (127, 127, 127))


def test_grey_with_transparency_is_laid_on_white():
    image = Image.new("LA", (2, 1))
    image.putpixel((0, 0), (0, 255))
    image.putpixel((1, 0), (0, 0))
    assert pixels(image) == one_row(BLACK, WHITE)


def test_palette_with_and_without_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putdata([0, 1])
    assert pixels(image) == one_row(RED, GREEN)
    image.info["transparency"] = 1
    assert pixels(image) == one_row(RED, WHITE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=1)
    assert pixels(Image.open(io.BytesIO(buffer.getvalue()))) == one_row(RED, WHITE)


def test_rgb_with_a_transparent_colour():
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=GREEN)
    assert pixels(Image.open(io.BytesIO(buffer.getvalue()))) == one_row(RED, WHITE)


def test_sixteen_and_thirty_two_bit_grey():
    assert pixels(grey("I;16", [0, 257, 65535])) == one_row(BLACK, (1, 1, 1), WHITE)
    assert pixels(grey("I", [0, 32896, 65535])) == one_row(BLACK, (128, 128, 128), WHITE)
    assert pixels(grey("I", [0, 128, 255])) == one_row(BLACK, (128, 128, 128), WHITE)
    assert pixels(grey("F", [0.0, 0.5, 1.0])) == one_row(BLACK, (128, 128, 128), WHITE)
    assert pixels(grey("F", [0.0, 100.0, 255.0])) == one_row(BLACK, (100, 100, 100), WHITE)


def test_sixteen_bit_png_bytes():
    buffer = io.BytesIO()
    grey("I;16", [0, 32896, 65535]).save(buffer, "PNG")
    assert pixels(buffer.getvalue()) == one_row(BLACK, (128, 128, 128), WHITE)


def test_cmyk_one_bit_and_plain_grey():
    image = Image.new("CMYK", (2, 1), (0, 255, 255, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    assert pixels(image) == one_row(RED, BLACK)
    image = Image.new("1", (2, 1), 1)
    image.putpixel((1, 0), 0)
    assert pixels(image) == one_row(WHITE, BLACK)
    assert pixels(Image.new("L", (1, 1), 77)) == one_row((77, 77, 77))


def test_exif_rotation_is_applied(tmp_path):
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    exif = Image.Exif()
    exif[0x0112] = 6  # hold the camera turned: show it turned clockwise by a quarter
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    expected = [[list(RED)], [list(GREEN)]]
    assert pixels(Image.open(io.BytesIO(buffer.getvalue()))) == expected
    assert pixels(buffer.getvalue()) == expected
    (tmp_path / "turned.png").write_bytes(buffer.getvalue())
    assert pixels(str(tmp_path / "turned.png")) == expected
    assert pixels(tmp_path / "turned.png") == expected


def test_arrays_and_tensors_give_the_pixels_of_the_picture():
    image = picture(width=6, height=5)
    expected = pixels(image)
    array = np.asarray(image)
    assert pixels(array) == pixels(array.transpose(2, 0, 1)) == pixels(torch.tensor(array)) == expected


def test_output_shape_and_normalisation():
    processor = NanoVLMsImageProcessor(size={"height": 8, "width": 8})
    out = processor([Image.new("RGB", (30, 10), WHITE), Image.new("RGB", (1, 1), BLACK)], return_tensors="pt")
    assert out.pixel_values.shape == (2, 3, 8, 8)
    torch.testing.assert_close(out.pixel_values[0], torch.ones(3, 8, 8))
    torch.testing.assert_close(out.pixel_values[1], -torch.ones(3, 8, 8))


def test_to_rgb_leaves_the_given_picture_alone():
    image = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    to_rgb(image)
    assert image.mode == "RGBA" and image.getpixel((0, 0)) == (0, 0, 0, 0)


CHAT = [
    {"role": "system", "content": "be short"},
    {"role": "user", "content": [{"type": "image", "image": picture(1)}, {"type": "text", "text": "what is it?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "a dog"}]},
    {"role": "user", "content": [{"type": "text", "text": "and "}, {"type": "image", "image": picture(2)}]},
    {"role": "assistant", "content": "a cat"},
]


def test_chat_template_text(processor):
    assert processor.apply_chat_template(CHAT) == (
        "<|system|>be short<|end|><|user|><image>what is it?<|end|><|assistant|>a dog<|end|>"
        "<|user|>and <image><|end|><|assistant|>a cat<|end|>"
    )
    prompt = processor.apply_chat_template(CHAT[:2], add_generation_prompt=True)
    assert prompt.endswith("what is it?<|end|><|assistant|>")


def test_assistant_masks_cover_the_answers_and_their_end_alone(processor):
    batch = processor.apply_chat_template(
        [CHAT, CHAT[:3]],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        return_assistant_tokens_mask=True,
        processor_kwargs={"padding": True},
    )
    assert batch["pixel_values"].shape == (3, 3, 16, 16)
    assert (batch["input_ids"] == IMAGE).sum(1).tolist() == [8, 4]
    masks = torch.as_tensor(batch["assistant_masks"]).bool()
    assert masks.shape == batch["input_ids"].shape
    tokenizer = processor.tokenizer
    assert tokenizer.decode(batch["input_ids"][0][masks[0]]) == "a dog<|end|>a cat<|end|>"
    assert tokenizer.decode(batch["input_ids"][1][masks[1]]) == "a dog<|end|>"
    assert not masks[batch["attention_mask"] == 0].any()
    assert batch["input_ids"][0][masks[0]][-1] == END


def test_pictures_reach_their_own_rows(processor):
    first, second, third = picture(1), picture(2), picture(3)
    grouped = processor(
        text=["<image>a", "b", "<image><image>c"],
        images=[[first], [], [second, third]],
        padding=True,
        return_tensors="pt",
    )
    flat = processor(
        text=["<image>a", "b", "<image><image>c"], images=[first, second, third], padding=True, return_tensors="pt"
    )
    assert (grouped["input_ids"] == IMAGE).sum(1).tolist() == [4, 0, 8]
    assert torch.equal(grouped["pixel_values"], flat["pixel_values"])
    alone = [processor.image_processor(image, return_tensors="pt").pixel_values[0] for image in (first, second, third)]
    assert torch.equal(grouped["pixel_values"], torch.stack(alone))
    assert set(grouped) == {"input_ids", "attention_mask", "pixel_values"}


def test_processor_output_runs_and_generates(processor):
    model = build_model("patches")
    processor.tokenizer.padding_side = "left"
    batch = processor.apply_chat_template(
        [CHAT[:2], CHAT],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
        processor_kwargs={"padding": True},
    )
    out = model.generate(**batch, max_new_tokens=3, do_sample=False)
    alone = processor.apply_chat_template(
        CHAT[:2], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    processor.tokenizer.padding_side = "right"
    assert model.generate(**alone, max_new_tokens=3, do_sample=False)[0, -3:].tolist() == out[0, -3:].tolist()


def test_round_trip_of_the_processor(processor, tmp_path):
    processor.save_pretrained(tmp_path)
    again = type(processor).from_pretrained(tmp_path)
    assert again.image_seq_length == 4 and again.chat_template == processor.chat_template
    text = ["<image>what is in the picture?"]
    before, after = (p(text=text, images=[picture()], return_tensors="pt") for p in (processor, again))
    assert torch.equal(before["input_ids"], after["input_ids"])
    assert torch.equal(before["pixel_values"], after["pixel_values"])


def test_a_truncated_call_does_not_outlive_saving(processor, tmp_path):
    processor(text=["what is in the picture?"], max_length=2, truncation=True, padding="max_length")
    processor.save_pretrained(tmp_path)
    again = type(processor).from_pretrained(tmp_path)
    assert len(again(text=["what is in the picture?"])["input_ids"][0]) > 2


@pytest.mark.parametrize("count", [1, 3])
def test_counts_for_vllm(processor, count):
    data = processor._get_num_multimodal_tokens(image_sizes=[(10, 20)] * count)
    assert data.num_image_tokens == [4] * count and data.num_image_patches == [1] * count
