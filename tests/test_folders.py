"""What a folder must hold to be pushed: each thing that is wrong has one sentence, before the Hub is asked anything."""

import json
import shutil

import pytest
import torch
from small_models import build_model

from nanovlms_hf import NanoVLMsProcessor, hub
from nanovlms_hf.cli import main
from nanovlms_hf.folders import read_folder

CODE = {
    f"{name}_nanovlms.py" for name in ("configuration", "modeling", "processing", "image_processing", "transformers4")
}


@pytest.fixture
def refused(saved, monkeypatch, capsys, tmp_path):
    """The one line that `nanovlms push` prints when it refuses; nothing may have been asked of any Hub."""
    monkeypatch.setattr(hub, "HfApi", lambda **_: pytest.fail("the Hub was asked"))
    monkeypatch.setenv("HF_TOKEN", "hf_sometokenorother")

    def run(folder=saved, name="tester/model") -> str:
        capsys.readouterr()
        assert main(["push", str(folder), name]) == 2
        printed = capsys.readouterr()
        (line,) = [line for line in printed.err.splitlines() if line.startswith("nanovlms push: ")]
        assert "hf_sometoken" not in printed.err + printed.out
        return line.removeprefix("nanovlms push: ")

    return run


def test_what_travels_and_what_stays(saved, tmp_path):
    folder = tmp_path / "saved"
    (folder / "checkpoint-3").mkdir()
    (folder / "checkpoint-3" / "optimizer.pt").touch()
    (folder / ".secret").touch()
    for name in ("training_args.bin", "notes.py", "loss_curve.png", "rng_state.pth"):
        (folder / name).write_bytes(b"x")
    content = read_folder(saved)
    assert (content.kind, content.repo_type) == ("model", "model")
    assert content.left_out == ["checkpoint-3/", "notes.py", "rng_state.pth", "training_args.bin"]
    assert CODE | {"config.json", "model.safetensors", "processor_config.json", "loss_curve.png"} <= set(content.files)
    assert ".secret" not in content.files


def test_a_folder_that_was_saved_without_code_gets_it(saved, tmp_path):
    folder = tmp_path / "saved"
    whole = read_folder(folder).files
    for name in CODE:
        (folder / name).unlink()
    for name in ("config.json", "processor_config.json", "tokenizer_config.json"):
        fields = json.loads((folder / name).read_text())
        fields.pop("auto_map", None)
        fields.pop("code_sha256", None)
        fields.get("image_processor", {}).pop("auto_map", None)
        (folder / name).write_text(json.dumps(fields))
    again = read_folder(folder).files
    assert again.keys() == whole.keys() and all(again[name] == whole[name] for name in CODE)
    for name in ("config.json", "tokenizer_config.json"):
        assert json.loads(again[name]) == json.loads(whole[name])
    tables = json.loads(again["processor_config.json"])
    assert tables["auto_map"] == {"AutoProcessor": "processing_nanovlms.NanoVLMsProcessor"}
    assert (
        tables["image_processor"]["auto_map"]["AutoImageProcessor"]
        == "image_processing_nanovlms.NanoVLMsImageProcessor"
    )


@pytest.mark.parametrize("name", ["two/slashes/here", "with space", "ends-with-.git", "a" * 97, "ö", ""])
def test_a_name_that_is_none(refused, name):
    assert refused(name=name).startswith(f"{name!r} is no name of a repository; give `owner/name` or `name`")


def test_no_folder_and_an_empty_one(refused, tmp_path):
    assert "is no folder; give the folder" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no config.json, adapter_config.json or saved dataset" in refused(tmp_path / "empty")


def test_optimizer_states(refused, tmp_path, saved):
    (tmp_path / "saved" / "optimizer.pt").touch()
    assert refused() == (
        f"{saved} holds optimizer states (optimizer.pt): it is a checkpoint to resume training from, not a model to publish; push "
        "the stage's output folder above it."
    )


def test_no_processor(refused, tmp_path, saved):
    (tmp_path / "saved" / "processor_config.json").unlink()
    assert refused() == (
        f"{saved} holds a model without its processor (processor_config.json), so nobody could chat with it; save the processor "
        f"there too, with processor.save_pretrained({saved!r})."
    )
    build_model("patches").model.vision_tower.save_pretrained(tmp_path / "tower")
    assert "holds a model without its image processor (preprocessor_config.json)" in refused(tmp_path / "tower")


def test_weights_as_a_pickle(refused, tmp_path, saved):
    (tmp_path / "saved" / "model.safetensors").unlink()
    assert f"{saved} holds no weights (*.safetensors)" in refused()
    torch.save({}, tmp_path / "saved" / "pytorch_model.bin")
    assert refused().startswith(
        f"{saved} holds its weights as pytorch_model.bin: a pickle can run any code when it is read"
    )


def test_damaged_weights(refused, tmp_path):
    path = tmp_path / "saved" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-50])
    assert "model.safetensors cannot be read as safetensors (" in refused()


def test_changed_code(refused, tmp_path, saved):
    path = tmp_path / "saved" / "modeling_nanovlms.py"
    path.write_text(path.read_text() + "\nimport os\n")
    assert refused().startswith(
        f"{saved} carries modeling_nanovlms.py, which is not as in this version of nanovlms_hf"
    )
    shutil.copy(path, tmp_path / "saved" / "extra_nanovlms.py")
    assert "carries extra_nanovlms.py, modeling_nanovlms.py, which are not" in refused()


@pytest.mark.parametrize("base", ["runs/demo/../demo", "/somewhere/on/this/machine", None, "."])
def test_an_adapter_whose_base_nobody_else_has(refused, tmp_path, base, monkeypatch):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    assert "holds no weights (adapter_model.safetensors)" in refused(folder)
    shutil.copy(tmp_path / "saved" / "model.safetensors", folder / "adapter_model.safetensors")
    if base == "runs/demo/../demo":  # exists here, so it is a folder
        (tmp_path / "runs" / "demo").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
    assert f"names its base model as {base!r}, which is no repository of the Hub" in refused(folder)


def test_a_configuration_that_is_not_json(refused, tmp_path):
    (tmp_path / "saved" / "processor_config.json").write_text("{")
    assert "processor_config.json is not JSON (" in refused()


def test_a_processor_saves_nothing_half_by_its_old_argument(processor, tmp_path):
    with pytest.raises(ValueError, match="call push_to_hub\\(repo_id\\) instead"):
        processor.save_pretrained(tmp_path, push_to_hub=True)
    assert isinstance(processor, NanoVLMsProcessor)
