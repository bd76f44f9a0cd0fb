"""The exported class says the same numbers and words; what does not fit is refused with every reason."""

import subprocess
import sys

import pytest
import torch
from small_models import (
    COMPOSITIONS,
    IMAGE,
    build_inputs,
    build_model,
    build_tokenizer,
    picture,
    text_fields,
    vision_fields,
)
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    LlavaForConditionalGeneration,
    SmolVLMForConditionalGeneration,
)

from nanovlms_hf import NanoVLMsImageProcessor, NanoVLMsProcessor
from nanovlms_hf.cli import main
from nanovlms_hf.export import compare, convert, export, misfits

HF_TOWER = {"image_size": 16, "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
HF_TOWER |= {"intermediate_size": 48}
OURS = vision_fields(stem="linear", use_cls_token=False)
SIGLIP = HF_TOWER | {"model_type": "siglip_vision_model", "vision_use_head": False}
CLIP = HF_TOWER | {"model_type": "clip_vision_model"}
LLAVA = {
    "ours": {"vision_config": OURS, "vision_feature_layer": -1},
    "ours-inner": {"vision_config": OURS, "vision_feature_layer": -2},
    "siglip": {"vision_config": SIGLIP, "vision_feature_layer": -1},
    "siglip-head": {"vision_config": SIGLIP | {"vision_use_head": True}, "vision_feature_layer": -2},
    "clip": {"vision_config": CLIP},
    "clip-all": {"vision_config": CLIP, "image_tokens": "all", "vision_feature_layer": -2},
    "qwen3-tied": {
        "vision_config": OURS,
        "vision_feature_layer": -1,
        "text_config": text_fields("qwen3", tie_word_embeddings=True),
    },
}
SMOLVLM = {
    "ours": {"vision_config": OURS},
    "siglip": {"vision_config": SIGLIP},
    "tied": {"vision_config": OURS, "text_config": text_fields("llama", tie_word_embeddings=True)},
}
FITTING = [("llava", name, {"connector": "mlp"} | fields) for name, fields in LLAVA.items()]
FITTING += [
    ("smolvlm", name, {"connector": "pixel_shuffle", "connector_bias": False} | f) for name, f in SMOLVLM.items()
]
IDS = [f"{to}-{name}" for to, name, _ in FITTING]


@torch.no_grad()
@pytest.mark.parametrize("to, name, fields", FITTING, ids=IDS)
def test_the_same_numbers(to, name, fields):
    ours = build_model("patches", **fields)
    theirs = convert(ours, to)
    assert type(theirs) is {"llava": LlavaForConditionalGeneration, "smolvlm": SmolVLMForConditionalGeneration}[to]
    assert compare(ours, theirs) < 1e-4
    inputs = build_inputs(ours, (1, 1, 1), seed=7)
    pixels = inputs.pop("pixel_values")
    nested = pixels[:, None] if to == "smolvlm" else pixels
    expected = ours(**inputs, pixel_values=pixels).logits
    torch.testing.assert_close(theirs(**inputs, pixel_values=nested).logits, expected, rtol=1e-5, atol=1e-4)
    blind = theirs(**inputs, pixel_values=torch.ones_like(nested)).logits  # SmolVLM leaves pictures of zeros out
    assert (blind - expected).abs().max() > 1e-2  # the pictures take part in what was compared


@pytest.fixture(params=["ours", "clip"])
def llava_source(request, tmp_path):
    model = build_model("patches", **({"connector": "mlp"} | LLAVA[request.param]))
    model.generation_config.max_new_tokens = 9
    model.save_pretrained(tmp_path / "source")
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16}, image_mean=[0.4, 0.5, 0.6])
    NanoVLMsProcessor(image_processor, build_tokenizer(), image_seq_length=4).save_pretrained(tmp_path / "source")
    return tmp_path / "source"


def answer(folder, **options) -> tuple:
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(folder)
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is in the picture?"}]}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True)
    inputs = processor(text=text, images=picture(4), return_tensors="pt")
    ids = model.generate(**inputs, do_sample=False)
    return type(model).__name__, inputs["input_ids"], inputs["pixel_values"], ids


def test_an_exported_folder_takes_chats_and_says_the_same(llava_source, tmp_path, capsys):
    assert main(["export", "--to", "llava", str(llava_source), str(tmp_path / "out")]) == 0
    assert (
        "holds a LlavaForConditionalGeneration with its processor; logits differ by at most" in capsys.readouterr().out
    )
    assert not list((tmp_path / "out").glob("*.py"))
    ours, theirs = answer(llava_source), answer(tmp_path / "out")
    assert (ours[0], theirs[0]) == ("NanoVLMsForConditionalGeneration", "LlavaForConditionalGeneration")
    assert (
        torch.equal(ours[1], theirs[1])
        and torch.equal(ours[3], theirs[3])
        and ours[3].shape[1] == ours[1].shape[1] + 9
    )
    torch.testing.assert_close(ours[2], theirs[2], rtol=0, atol=1e-6)


def test_an_exported_folder_needs_nothing_of_ours(llava_source, tmp_path):
    export(llava_source, tmp_path / "out", "llava")
    code = (
        "from transformers import AutoModelForImageTextToText as A, AutoProcessor as P; import sys; "
        f"print(type(A.from_pretrained({str(tmp_path / 'out')!r})).__name__, type(P.from_pretrained({str(tmp_path / 'out')!r})).__name__); "
        "assert 'nanovlms_hf' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["LlavaForConditionalGeneration", "LlavaProcessor"], done.stderr[-2000:]


def test_smolvlm_is_saved_with_its_tokenizer(tmp_path):
    fields = {"connector": "pixel_shuffle", "connector_bias": False} | SMOLVLM["ours"]
    build_model("patches", **fields).save_pretrained(tmp_path / "source")
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16})
    NanoVLMsProcessor(image_processor, build_tokenizer(), image_seq_length=1).save_pretrained(tmp_path / "source")
    assert "tokens around each picture that this model never saw" in export(
        tmp_path / "source", tmp_path / "out", "smolvlm"
    )
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "out")
    assert type(model) is SmolVLMForConditionalGeneration and model.config.image_token_id == IMAGE
    assert (tmp_path / "out" / "tokenizer.json").is_file()


@pytest.mark.parametrize(
    "to, fields, reasons",
    [
        (
            "llava",
            COMPOSITIONS["paper"],
            ["stem='paper'", "its decoder is a gpt2", "CLS token alone", "after the last LayerNorm"],
        ),
        ("llava", COMPOSITIONS["modern"], ["stem='conv'", "connector_norm=True", "its connector is 'pixel_shuffle'"]),
        ("llava", {"vision_config": OURS, "connector": "mlp"}, ["train with vision_feature_layer=-1"]),
        (
            "llava",
            {"vision_config": CLIP, "connector": "mlp", "connector_hidden_size": 64},
            ["connector_hidden_size=64, and 'mlp' of the decoder's width is needed"],
        ),
        ("smolvlm", {"vision_config": CLIP}, ["its tower is a clip_vision_model", "its connector is 'linear'"]),
        ("smolvlm", {"vision_config": OURS, "connector": "pixel_shuffle"}, ["its connector has a bias"]),
        (
            "smolvlm",
            {"vision_config": OURS, "connector": "pixel_shuffle", "connector_bias": False, "vision_feature_layer": -2},
            ["reads hidden state -2 of the tower"],
        ),
        (
            "smolvlm",
            {"vision_config": OURS, "connector": "pixel_shuffle", "text_config": text_fields("qwen3")},
            ["its decoder is a qwen3, and one of llama is needed"],
        ),
    ],
)
def test_what_does_not_fit(to, fields, reasons):
    model = build_model("patches", **fields)
    with pytest.raises(ValueError) as caught:
        convert(model, to)
    said = str(caught.value)
    assert said.startswith(f"this model cannot be exported to {to}: ") and said.endswith(".") and "\n" not in said
    assert all(reason in said for reason in reasons) and len(misfits(model, to)) >= len(reasons)


def test_a_wrong_export_is_not_saved(llava_source, tmp_path, monkeypatch):
    from nanovlms_hf import export as module

    def spoil(model, to):
        target = convert(model, to)
        target.lm_head.weight.data[5] += 0.5
        return target

    monkeypatch.setattr(module, "convert", spoil)
    with pytest.raises(ValueError, match="nothing was saved"):
        module.export(llava_source, tmp_path / "out", "llava")
    assert not (tmp_path / "out").exists()


def test_no_such_class_or_model(tmp_path, capsys):
    with pytest.raises(ValueError, match="--to gguf is no class to export to; choose one of llava, smolvlm"):
        export(tmp_path, tmp_path / "out", "gguf")
    assert main(["export", "--to", "llava", str(tmp_path / "nothing"), str(tmp_path / "out")]) == 2
    assert "is no such folder" in capsys.readouterr().err
