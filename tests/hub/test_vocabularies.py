"""Vision vocabularies and models with two towers: pushed, they run where this package is not installed."""

import json

import pytest
import torch
from small_models import (
    build_tokenizer,
    build_two_towers,
    picture,
    two_towers,
    vocabulary_fields,
)
from test_push_and_pull import CODE, do_push, files_of

from nanovlms_hf import (
    NanoVLMsImageProcessor,
    NanoVLMsProcessor,
    NanoVLMsVisionVocabulary,
    NanoVLMsVocabularyConfig,
)
from nanovlms_hf.vocabulary import save_vocabulary

SUMMARY = {
    "preset": "vary-nano",
    "optimizer_steps": 2,
    "images_seen": 4,
    "train_seconds": 1.5,
    "processes": 1,
    "device": "cpu",
    "seed": 3,
    "mixture": [{"name": "pages", "weight": 1, "documents": {}}],
    "scores": {"rows_per_part": 2, "ocr_cer": 0.75},
}
SEE = """
import sys, torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel
seen = []
for name in {names!r}:
    vocabulary = AutoModel.from_pretrained(name, trust_remote_code=True).eval()
    processor = AutoImageProcessor.from_pretrained(name, trust_remote_code=True)
    assert type(vocabulary).__module__.startswith("transformers_modules."), type(vocabulary)
    pixels = processor(Image.open({picture!r}), return_tensors="pt")
    with torch.no_grad():
        seen.append(vocabulary(**pixels).last_hidden_state)
torch.save(seen, {out!r})
assert "nanovlms_hf" not in sys.modules
"""
SAY = """
import sys, torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
model = AutoModelForImageTextToText.from_pretrained({name!r}, trust_remote_code=True).eval()
processor = AutoProcessor.from_pretrained({name!r}, trust_remote_code=True)
assert type(model).__module__.startswith("transformers_modules."), type(model)
inputs = processor(text="<image>what", images=Image.open({picture!r}), return_tensors="pt")
words = model.generate(**inputs, max_new_tokens=8, do_sample=False, suppress_tokens=[3])
torch.save(dict(inputs=dict(inputs), words=words), {out!r})
assert "nanovlms_hf" not in sys.modules
"""


def vocabulary() -> tuple[NanoVLMsVisionVocabulary, NanoVLMsImageProcessor]:
    """A vocabulary with blocks of its own, and its image processor."""
    torch.manual_seed(6)
    config = NanoVLMsVocabularyConfig(**vocabulary_fields(num_hidden_layers=1, num_attention_heads=4))
    processor = NanoVLMsImageProcessor(size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6])
    return NanoVLMsVisionVocabulary(config).eval(), processor


def artifact(folder) -> None:
    """A stage-1 folder as training leaves it, with its reader and a checkpoint."""
    save_vocabulary(*vocabulary(), folder, SUMMARY)
    (folder / "training.json").write_text(json.dumps(SUMMARY))
    for name in ("reader", "checkpoint-2"):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").write_bytes(b"more")


def do_push_vocabulary(repo_id):
    for part in vocabulary():
        part.push_to_hub(repo_id)


def test_a_vision_vocabulary_is_pushed_and_sees_the_same_without_the_package(hub, elsewhere, fresh, tmp_path):
    artifact(tmp_path / "stage_1")
    done = elsewhere(do_push, tmp_path / "stage_1", "tester/vocabulary")
    files = files_of(hub, "tester/vocabulary")
    weights = {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert set(files) == CODE | weights | {"README.md", "training.json", ".gitattributes"}
    assert set(done.left_out) == {"reader/", "checkpoint-2/"}
    card = hub.repositories.content_path(files["README.md"]["sha256"]).read_text()
    assert "license: apache-2.0" in card and "| ocr_cer | 0.75 |" in card
    elsewhere(do_push_vocabulary, "tester/by-method")
    needed = CODE - {"processing_nanovlms.py"}  # there is no processor of pictures and text in it
    assert needed | weights <= set(files_of(hub, "tester/by-method"))

    picture(5, 60, 40).save(tmp_path / "page.png")
    out = str(tmp_path / "seen.pt")
    names = ["tester/vocabulary", "tester/by-method"]
    fresh(SEE.format(names=names, picture=str(tmp_path / "page.png"), out=out))
    model, processor = vocabulary()
    with torch.no_grad():
        expected = model(**processor(picture(5, 60, 40), return_tensors="pt")).last_hidden_state
    for seen in torch.load(out):
        assert torch.equal(seen, expected)


def train_and_push(folder):
    from small_vocabularies import run_stage_1

    pushing = {"push_to_hub": True, "hub_strategy": "every_save", "save_strategy": "steps", "save_steps": 1}
    run_stage_1(folder, hub_model_id="tester/stage-1", hub_always_push=True, **pushing)


def test_stage_one_pushes_the_vocabulary_alone_with_its_own_card(hub, elsewhere, tmp_path):
    elsewhere(train_and_push, tmp_path / "stage_1")
    repository = hub.repositories.read("models", "tester/stage-1")
    titles = [commit["title"] for commit in hub.repositories.history(repository, "main")]
    assert titles == ["End of training", "Training in progress, step 2", "Training in progress, step 1", "start"]
    files = files_of(hub, "tester/stage-1")
    assert "tokenizer.json" not in files and {"preprocessor_config.json", "training.json", "loss_curve.png"} <= set(
        files
    )
    config, card = (
        hub.repositories.content_path(files[name]["sha256"]).read_text() for name in ("config.json", "README.md")
    )
    assert json.loads(config)["model_type"] == "nanovlms_vocabulary"
    assert card == (tmp_path / "stage_1" / "README.md").read_text() and "| ocr_cer |" in card
    sent = hub.repositories.content_path(files["model.safetensors"]["sha256"]).read_bytes()
    assert sent == (tmp_path / "stage_1" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("join", ["channel", "sequence"])
def test_a_model_with_two_towers_says_the_same_without_the_package(hub, elsewhere, fresh, tmp_path, join):
    model = build_two_towers(two_towers(vocabulary_join=join))
    high = {"high_res_size": {"height": 32, "width": 32}, "high_res_image_mean": [0.2, 0.3, 0.4]}
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16}, **high)
    processor = NanoVLMsProcessor(image_processor, build_tokenizer(), image_seq_length=model.config.image_seq_length)
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    name = f"tester/two-towers-{join}"
    assert CODE <= set(elsewhere(do_push, tmp_path / "model", name).files)

    picture(5, 60, 40).save(tmp_path / "page.png")
    fresh(SAY.format(name=name, picture=str(tmp_path / "page.png"), out=str(tmp_path / "said.pt")))
    said = torch.load(tmp_path / "said.pt")
    inputs = processor(text="<image>what", images=picture(5, 60, 40), return_tensors="pt")
    assert set(inputs) == set(said["inputs"]) >= {"pixel_values", "high_res_pixel_values"}
    assert all(torch.equal(value, said["inputs"][key]) for key, value in inputs.items())
    expected = model.generate(**inputs, max_new_tokens=8, do_sample=False, suppress_tokens=[3])
    assert torch.equal(said["words"], expected)
