"""What goes up comes down bit for bit: models, processors, towers, adapters, datasets; branches, privacy, commits."""

import json
from pathlib import Path

import pytest
import torch
from small_models import build_inputs, build_model, build_tokenizer, picture

from nanovlms_hf import NanoVLMsImageProcessor, NanoVLMsProcessor

CODE = {
    f"{name}_nanovlms.py" for name in ("configuration", "modeling", "processing", "image_processing", "transformers4")
}


def build_processor() -> NanoVLMsProcessor:
    image_processor = NanoVLMsImageProcessor(size={"height": 16, "width": 16}, image_mean=[0.4, 0.5, 0.6])
    return NanoVLMsProcessor(image_processor, build_tokenizer(), image_seq_length=4)


def save(folder, seed: int = 0) -> str:
    model = build_model("patches", seed=seed)
    model.generation_config.max_new_tokens = 7
    model.save_pretrained(folder)
    build_processor().save_pretrained(folder)
    return str(folder)


def files_of(hub, name: str, revision: str = "main", kind: str = "models") -> dict:
    return hub.repositories.files(hub.repositories.read(kind, name), revision)


# In the process that knows the server ---------------------------------------------------------------------------------


def do_push(folder, repo_id, **options):
    from nanovlms_hf.hub import push

    return push(folder, repo_id, **options)


def do_push_methods(repo_id, seed=0):
    """`push_to_hub` of the model, then of the processor."""
    model = build_model("patches", seed=seed)
    model.generation_config.max_new_tokens = 7
    model.push_to_hub(repo_id)
    build_processor().push_to_hub(repo_id)


def load(repo_id, revision=None):
    """What comes back: weights, logits, generation settings, template, pixels and ids."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model, info = AutoModelForImageTextToText.from_pretrained(repo_id, revision=revision, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return told(model, AutoProcessor.from_pretrained(repo_id, revision=revision))


def told(model, processor):
    with torch.no_grad():
        logits = model.eval()(**build_inputs(model, (1, 2))).logits
    batch = processor(text="<image>what", images=picture(3), return_tensors="pt")
    generation = model.generation_config.to_dict()
    return {
        "weights": {name: value.clone() for name, value in model.state_dict().items()},
        "logits": logits,
        "max_new_tokens": generation["max_new_tokens"],
        "template": processor.chat_template,
        "pixels": batch["pixel_values"],
        "ids": batch["input_ids"],
    }


def assert_same(left: dict, right: dict) -> None:
    assert left.keys() == right.keys()
    for key, value in left.items():
        if isinstance(value, dict):
            assert_same(value, right[key])
        elif isinstance(value, torch.Tensor):
            assert torch.equal(value, right[key]), key
        else:
            assert value == right[key], key


@pytest.fixture(scope="module")
def before():
    model = build_model("patches")
    model.generation_config.max_new_tokens = 7
    return told(model, build_processor())


# Tests ----------------------------------------------------------------------------------------------------------------


def test_push_of_a_folder_comes_back_bit_for_bit(hub, elsewhere, tmp_path, before):
    done = elsewhere(do_push, save(tmp_path / "model"), "tester/whole")
    files = files_of(hub, "tester/whole")
    assert CODE | {"config.json", "model.safetensors", "processor_config.json", "chat_template.jinja"} <= set(files)
    assert done.repo_id == "tester/whole" and set(done.files) == set(files) - {".gitattributes"}
    (commit,) = [row for row in hub.requests if "/commit/" in row[1]]
    assert commit[2] == 200  # one commit
    repository = hub.repositories.read("models", "tester/whole")
    assert repository["branches"]["main"] == done.commit
    assert_same(elsewhere(load, "tester/whole", done.commit), before)
    assert_same(elsewhere(load, "tester/whole"), before)


def test_push_to_hub_of_model_and_processor_comes_back_bit_for_bit(hub, elsewhere, before):
    elsewhere(do_push_methods, "tester/methods")
    files = files_of(hub, "tester/methods")
    assert CODE | {"README.md", "model.safetensors", "processor_config.json"} <= set(files)
    assert_same(elsewhere(load, "tester/methods"), before)


def test_the_same_push_again_makes_no_commit_and_sends_no_weights(hub, elsewhere, tmp_path):
    folder = save(tmp_path / "model")
    first = elsewhere(do_push, folder, "tester/twice")
    hub.requests.clear()
    again = elsewhere(do_push, folder, "tester/twice")
    assert again.commit == first.commit
    assert not [row for row in hub.requests if row[0] == "PUT" or "/commit/" in row[1]]


def test_a_branch_and_a_name_without_owner(hub, elsewhere, tmp_path, before):
    elsewhere(do_push, save(tmp_path / "one"), "branches")
    done = elsewhere(do_push, save(tmp_path / "two", seed=1), "branches", revision="second")
    assert done.repo_id == "tester/branches"
    assert_same(elsewhere(load, "tester/branches"), before)
    second = elsewhere(load, "tester/branches", "second")
    assert not torch.equal(second["logits"], before["logits"])
    assert torch.equal(second["weights"]["lm_head.weight"], build_model("patches", seed=1).lm_head.weight)


def test_private_is_private(hub, elsewhere, tmp_path):
    elsewhere(do_push, save(tmp_path / "model"), "tester/secret", private=True)
    assert hub.repositories.read("models", "tester/secret")["private"]
    elsewhere(load, "tester/secret")
    elsewhere(do_push, save(tmp_path / "open"), "tester/open")
    assert not hub.repositories.read("models", "tester/open")["private"]


def do_push_tower(repo_id):
    model = build_model("patches")
    model.model.vision_tower.push_to_hub(repo_id)
    build_processor().image_processor.push_to_hub(repo_id)


def load_tower(repo_id):
    from transformers import AutoImageProcessor, AutoModel

    return AutoModel.from_pretrained(repo_id).state_dict(), AutoImageProcessor.from_pretrained(repo_id).image_mean


def test_a_vision_tower(hub, elsewhere, tmp_path):
    elsewhere(do_push_tower, "tester/tower")
    weights, mean = elsewhere(load_tower, "tester/tower")
    assert_same(dict(weights), dict(build_model("patches").model.vision_tower.state_dict()))
    assert list(mean) == [0.4, 0.5, 0.6]
    build_model("patches").model.vision_tower.save_pretrained(tmp_path)
    build_processor().image_processor.save_pretrained(tmp_path)
    done = elsewhere(do_push, tmp_path, "tester/tower2")
    assert {"preprocessor_config.json", "model.safetensors"} | CODE == set(done.files) - {"config.json"}


def make_adapter(folder, base):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(5)
    model = get_peft_model(
        AutoModelForImageTextToText.from_pretrained(base),
        LoraConfig(target_modules=["q_proj"], init_lora_weights=False),
    ).eval()
    model.save_pretrained(folder)
    model.push_to_hub(f"{base}-by-method")
    return logits_of(model)


def load_adapter(base, adapter):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    return logits_of(PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), adapter).eval())


@torch.no_grad()
def logits_of(model):
    return model(**build_inputs(build_model("patches"), (1, 2))).logits


def test_an_adapter(hub, elsewhere, tmp_path, before):
    elsewhere(do_push, save(tmp_path / "base"), "tester/base")
    expected = elsewhere(make_adapter, str(tmp_path / "adapter"), "tester/base")
    done = elsewhere(do_push, str(tmp_path / "adapter"), "tester/adapter")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= set(done.files) and not CODE & set(done.files)
    for name in ("tester/adapter", "tester/base-by-method"):
        assert torch.equal(elsewhere(load_adapter, "tester/base", name), expected)
    assert not torch.equal(expected, before["logits"])


def do_push_dataset(repo_id, folder):
    from nanovlms_hf.data.world import world_dataset
    from nanovlms_hf.hub_datasets import materialise, push_dataset
    from nanovlms_hf.training.arguments import DataArguments
    from nanovlms_hf.training.measuring import describe_data

    about = describe_data(DataArguments(train_rows=3), 3, 0)
    push_dataset(world_dataset("train", 3, image_size=32), repo_id, about=about)
    materialise(world_dataset("train", 2, image_size=32), folder / "cache").save_to_disk(folder / "saved")


def load_rows(repo_id):
    import numpy as np
    from datasets import load_dataset

    rows = load_dataset(repo_id, split="train")
    return [(np.asarray(row["images"][0]).copy(), row["messages"]) for row in rows]


def test_datasets(hub, elsewhere, tmp_path):
    import numpy as np

    from nanovlms_hf.data.world import world_dataset

    elsewhere(do_push_dataset, "tester/world", tmp_path)
    elsewhere(do_push, tmp_path / "saved", "tester/world2")
    for name, count in (("tester/world", 3), ("tester/world2", 2)):
        rows = elsewhere(load_rows, name)
        expected = world_dataset("train", count, image_size=32)
        assert len(rows) == count
        for (pixels, messages), row in zip(rows, expected, strict=True):
            assert np.array_equal(pixels, np.asarray(row["images"][0]))
            words = [[part.get("text") for part in message["content"]] for message in row["messages"]]
            assert [[part["text"] for part in message["content"]] for message in messages] == words
    readme = files_of(hub, "tester/world", kind="datasets")["README.md"]["sha256"]
    card = hub.repositories.content_path(readme).read_text()
    assert "| train | 3 | images, messages |" in card and "seed 0" in card and "license: apache-2.0" in card
    assert "data_files" in card  # the layout that `datasets` wrote is still there


def list_things(repo_id):
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.utils import get_session

    api = HfApi()
    commits = [commit.title for commit in api.list_repo_commits(repo_id)]
    api.create_tag(repo_id, tag="v1")
    refs = api.list_repo_refs(repo_id)
    path = hf_hub_download(repo_id, "config.json", revision="v1")
    info = api.model_info(repo_id)
    url = f"{api.endpoint}/{repo_id}/resolve/main/model.safetensors"
    whole = get_session().get(url)
    part = get_session().get(url, headers={"Range": "bytes=10-19"})
    beyond = get_session().get(url, headers={"Range": "bytes=99999999-"})
    assert part.status_code == 206 and part.content == whole.content[10:20] and beyond.status_code == 416
    assert whole.headers["ETag"] == whole.headers["X-Linked-ETag"] and whole.headers["X-Repo-Commit"] == info.sha
    return {
        "me": api.whoami()["name"],
        "commits": commits,
        "tags": [tag.name for tag in refs.tags],
        "config": Path(path).read_text(),
        "files": api.list_repo_files(repo_id),
    }


def test_history_tags_ranges_and_etags(hub, elsewhere, tmp_path):
    folder = save(tmp_path / "model")
    elsewhere(do_push, folder, "tester/history", message="First words")
    seen = elsewhere(list_things, "tester/history")
    assert seen["me"] == "tester" and seen["commits"] == ["First words", "start"] and seen["tags"] == ["v1"]
    assert json.loads(seen["config"])["model_type"] == "nanovlms" and "model.safetensors" in seen["files"]
