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
from small_models import COMPOSITIONS, build_model, build_tokenizer, picture, text_fields
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
torch.save(dict(ids=inputs["input_ids"], pixels=inputs["pixel_values"], logits=logits, words=words, again=again), {out!r})
model.save_pretrained({folder!r})
print(type(model).__name__)
"""

ROPE = {"modern": {"rope_theta": 5000.0}, "patches": {"rope_theta": 5000.0}}


@torch.no_grad()
@pytest.mark.parametrize("composition", COMPOSITIONS)
@pytest.mark.parametrize("auto", ["AutoModelForVision2Seq", "AutoModelForImageTextToText"])
def test_a_pushed_repository_says_the_same_on_transformers_4(hub, elsewhere, tmp_path, composition, auto):
    text = COMPOSITIONS[composition]["text_config"] | ROPE.get(composition, {})
    model = build_model(composition, text_config=text_fields(text.pop("model_type"), **text))
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16}, image_mean=[0.4, 0.5, 0.6])
    processor = NanoVLMsProcessor(image_processor, build_tokenizer(), image_seq_length=model.config.image_seq_length)
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    name = f"tester/{composition}-{auto.lower()}"
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
    assert torch.equal(there["ids"], inputs["input_ids"]) and torch.equal(there["pixels"], inputs["pixel_values"])
    torch.testing.assert_close(there["logits"], model(**inputs).logits, rtol=1e-5, atol=1e-5)
    expected = model.generate(**inputs, max_new_tokens=8, do_sample=False, suppress_tokens=[3])
    assert torch.equal(there["words"], expected) and torch.equal(there["again"], expected)

    again = type(model).from_pretrained(tmp_path / "again")  # saved by transformers 4, read by 5
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in again.state_dict().items())
    assert json.loads((tmp_path / "again" / "config.json").read_text())["transformers_version"].startswith("4.57")
