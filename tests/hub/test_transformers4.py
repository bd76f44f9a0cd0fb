"""Pushed by transformers 5, loaded by transformers 4.57 with the literal `AutoModelForVision2Seq`: `make transformers4`.

The environment variable `NANOVLMS_PYTHON4` names an interpreter with transformers 4.57 and without this package; without it
these tests are skipped.
"""

import json
import os
import subprocess

import pytest
import torch
from hub_process import hub_environment
from small_models import COMPOSITIONS, build_model, build_tokenizer, build_two_towers, picture, text_fields, two_towers
from test_push_and_pull import do_push

from nanovlms_hf import NanoVLMsImageProcessor, NanoVLMsProcessor

PYTHON4 = os.environ.get("NANOVLMS_PYTHON4")
pytestmark = pytest.mark.skipif(not PYTHON4, reason="set NANOVLMS_PYTHON4, or run `make transformers4`")

LOAD = """
import json, sys, torch, transformers
from PIL import Image
from transformers import {auto}, AutoProcessor
assert transformers.__version__.startswith("4.57"), transformers.__version__
try:
    import nanovlms_hf
except ImportError:
    pass
else:
    raise SystemExit("nanovlms_hf is here")
model = {auto}.from_pretrained({name!r}, trust_remote_code=True).eval()
processor = AutoProcessor.from_pretrained({name!r}, trust_remote_code=True)
chat = [dict(role="user", content=[dict(type="image"), dict(type="text", text="what is in the picture?")])]
text = processor.apply_chat_template(chat, add_generation_prompt=True)
inputs = processor(text=text, images=Image.open({picture!r}), return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits
words = model.generate(**inputs, max_new_tokens=8, do_sample=False, suppress_tokens=[3])
again = model.generate(**inputs, max_new_tokens=8, do_sample=False, suppress_tokens=[3], use_cache=False)
pixels = dict((key, value) for key, value in inputs.items() if "pixel_values" in key)
torch.save(dict(ids=inputs["input_ids"], pixels=pixels, logits=logits, words=words, again=again), {out!r})
model.save_pretrained({folder!r})
print(type(model).__name__)
"""

ROPE = {"modern": {"rope_theta": 5000.0}, "patches": {"rope_theta": 5000.0}}


@pytest.mark.parametrize("composition", COMPOSITIONS)
@pytest.mark.parametrize("auto", ["AutoModelForVision2Seq", "AutoModelForImageTextToText"])
def test_a_pushed_repository_says_the_same_on_transformers_4(hub, elsewhere, tmp_path, composition, auto):
    text = COMPOSITIONS[composition]["text_config"] | ROPE.get(composition, {})
    model = build_model(composition, text_config=text_fields(text.pop("model_type"), **text))
    check(hub, elsewhere, tmp_path, model, auto, f"tester/{composition}-{auto.lower()}")


@pytest.mark.parametrize("join", ["channel", "sequence"])
def test_a_model_with_two_towers_says_the_same_on_transformers_4(hub, elsewhere, tmp_path, join):
    model = build_two_towers(two_towers(vocabulary_join=join))
    high = {"high_res_size": {"height": 32, "width": 32}, "high_res_image_std": [0.2, 0.3, 0.4]}
    check(hub, elsewhere, tmp_path, model, "AutoModelForVision2Seq", f"tester/two-towers-{join}", **high)


@torch.no_grad()
def check(hub, elsewhere, tmp_path, model, auto, name, **views):
    """Pushes the model, loads it there, and compares pictures, ids, logits and words."""
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16}, image_mean=[0.4, 0.5, 0.6], **views)
    processor = NanoVLMsProcessor(image_processor, build_tokenizer(), image_seq_length=model.config.image_seq_length)
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    elsewhere(do_push, str(tmp_path / "model"), name)

    picture(4, 50, 30).save(tmp_path / "picture.png")
    files = {
        "picture": str(tmp_path / "picture.png"),
        "out": str(tmp_path / "out.pt"),
        "folder": str(tmp_path / "again"),
    }
    environment = hub_environment(hub.url, tmp_path / "home") | {"PATH": os.environ["PATH"]}
    code = LOAD.format(auto=auto, name=name, **files)
    done = subprocess.run([PYTHON4, "-I", "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == "NanoVLMsForConditionalGeneration"

    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is in the picture?"}]}]
    words = processor.apply_chat_template(chat, add_generation_prompt=True)
    inputs = processor(text=words, images=picture(4, 50, 30), return_tensors="pt")
    there = torch.load(tmp_path / "out.pt")
    assert torch.equal(there["ids"], inputs["input_ids"])
    assert set(there["pixels"]) == {name for name in inputs if "pixel_values" in name}
    assert all(torch.equal(value, inputs[key]) for key, value in there["pixels"].items())
    torch.testing.assert_close(there["logits"], model(**inputs).logits, rtol=1e-5, atol=1e-5)
    expected = model.generate(**inputs, max_new_tokens=8, do_sample=False, suppress_tokens=[3])
    assert torch.equal(there["words"], expected) and torch.equal(there["again"], expected)

    again = type(model).from_pretrained(tmp_path / "again")  # saved by transformers 4, read by 5
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())
    assert json.loads((tmp_path / "again" / "config.json").read_text())["transformers_version"].startswith("4.57")
