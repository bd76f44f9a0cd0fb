"""All the way: train two steps, push every stage, delete the local copy, load in fresh processes, say the same words."""

import json
import shutil

from test_push_and_pull import CODE, files_of

GENERATE = """
import sys
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
{imports}
name, revision = {name!r}, {revision!r}
options = dict(revision=revision, trust_remote_code={trust})
model = AutoModelForImageTextToText.from_pretrained(name, **options)
processor = AutoProcessor.from_pretrained(name, **options)
chat = [dict(role="user", content=[dict(type="image"), dict(type="text", text="Describe the picture.")])]
text = processor.apply_chat_template(chat, add_generation_prompt=True)
picture = Image.new("RGB", (80, 60), (200, 30, 30))
inputs = processor(text=text, images=picture, return_tensors="pt")
ids = model.generate(**inputs, max_new_tokens=12, min_new_tokens=12, do_sample=False)[0, inputs["input_ids"].shape[1]:]
print(ids.tolist(), repr(processor.decode(ids)))
print(type(model).__module__.split(".")[0], type(processor).__module__.split(".")[0])
assert ("nanovlms_hf" in sys.modules) == {package}
"""


def code(name: str, package: bool, revision: str | None = None) -> str:
    imports = "import nanovlms_hf" if package else ""
    return GENERATE.format(name=name, revision=revision, package=package, trust=not package, imports=imports)


def train_and_push(folder):
    """The tower, then the chat model on the tower that was pushed; both push at each save and at the end."""
    from small_stages import run_sft, run_tower

    pushing = {"push_to_hub": True, "hub_strategy": "every_save", "save_strategy": "steps", "save_steps": 1}
    pushing |= {"hub_always_push": True}
    run_tower(folder / "tower", hub_model_id="tester/way-tower", **pushing)
    run_sft(
        folder / "chat",
        hub_model_id="tester/way-chat",
        vision_tower="tester/way-tower",
        freeze="vision_tower",
        **pushing,
    )


def train_and_push_at_the_end(folder):
    from small_stages import run_sft

    run_sft(folder, push_to_hub=True, hub_strategy="end", hub_model_id="tester/way-end", hub_private_repo=True)


def test_train_push_delete_load_and_say_the_same(hub, elsewhere, fresh, tmp_path, monkeypatch):
    elsewhere(train_and_push, tmp_path)
    for name, files in (
        ("tester/way-tower", {"preprocessor_config.json"}),
        ("tester/way-chat", {"chat_template.jinja"}),
    ):
        pushed = set(files_of(hub, name))
        assert CODE | files | {"README.md", "training.json", "loss_curve.png", "model.safetensors"} <= pushed
        assert not [file for file in pushed if file.endswith((".bin", ".pt", ".pth")) or "optimizer" in file]
        titles = [
            commit["title"] for commit in hub.repositories.history(hub.repositories.read("models", name), "main")
        ]
        assert titles == ["End of training", "Training in progress, step 2", "Training in progress, step 1", "start"]
    tower = files_of(hub, "tester/way-tower")["config.json"]["sha256"]
    assert json.loads(hub.repositories.content_path(tower).read_text())["model_type"] == "nanovlms_vision"

    local = fresh(code(str(tmp_path / "chat"), package=True), package=True).splitlines()
    shutil.rmtree(tmp_path / "chat")
    shutil.rmtree(tmp_path / "tower")
    with_package = fresh(code("tester/way-chat", package=True), package=True).splitlines()
    alone = fresh(code("tester/way-chat", package=False)).splitlines()
    assert (
        local[-1] == with_package[-1] == "nanovlms_hf nanovlms_hf"
        and alone[-1] == "transformers_modules transformers_modules"
    )
    assert local[-2] == with_package[-2] == alone[-2]
    assert local[-2].count(",") >= 11  # twelve tokens

    repository = hub.repositories.read("models", "tester/way-chat")
    earlier = [commit["id"] for commit in hub.repositories.history(repository, "main")][2]
    assert "model.safetensors" in files_of(hub, "tester/way-chat", earlier)
    fresh(code("tester/way-chat", package=False, revision=earlier))


def test_pushing_at_the_end_alone(hub, elsewhere, tmp_path):
    elsewhere(train_and_push_at_the_end, tmp_path / "end")
    repository = hub.repositories.read("models", "tester/way-end")
    assert repository["private"]
    assert [commit["title"] for commit in hub.repositories.history(repository, "main")] == ["End of training", "start"]


def save_again_without_the_package(name, folder) -> str:
    return (
        "from transformers import AutoModelForImageTextToText as A, AutoProcessor as P, AutoModelForCausalLM as C, AutoModel as M\n"
        f"model = A.from_pretrained({name!r}, trust_remote_code=True)\n"
        f"assert type(C.from_pretrained({name!r}, trust_remote_code=True)).__name__ == type(model).__name__\n"
        f"assert type(M.from_pretrained({name!r}, trust_remote_code=True)).__name__ == 'NanoVLMsModel'\n"
        f"model.save_pretrained({folder!r})\n"
        f"P.from_pretrained({name!r}, trust_remote_code=True).save_pretrained({folder!r})\n"
        "model.push_to_hub('tester/way-again')\n"
    )


def test_saved_again_without_the_package_it_still_stands_alone(hub, elsewhere, fresh, tmp_path):
    name, folder = "tester/way-end", str(tmp_path / "again")
    fresh(save_again_without_the_package(name, folder))
    fields = json.loads((tmp_path / "again" / "config.json").read_text())
    assert not [
        target for target in fields["auto_map"].values() if "--" in target
    ]  # its own files, not the first repository's
    assert CODE <= {path.name for path in (tmp_path / "again").iterdir()}
    assert fresh(code(name, package=False)) == fresh(code(folder, package=False))
    assert CODE - {"processing_nanovlms.py", "image_processing_nanovlms.py"} <= set(files_of(hub, "tester/way-again"))
