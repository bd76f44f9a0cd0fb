"""Every recipe parses against its script's arguments and runs two steps, with few rows and small batches."""

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image
from transformers import AutoModel

from nanovlms_hf.presets import parameter_counts, preset_config
from nanovlms_hf.training import sft, tower_stage
from nanovlms_hf.training.arguments import DataArguments, ModelArguments, StageArguments, parse

ROOT = Path(__file__).parents[1]
# Above this a recipe is parsed, and its model built on the meta device, but not trained.
LARGEST_THAT_TRAINS_HERE = 8_000_000
SMALL = {
    "train_rows": 4,
    "validation_rows": 2,
    "max_steps": 2,
    "per_device_train_batch_size": 2,
    "per_device_eval_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "logging_steps": 1,
    "warmup_steps": 0,
    "disable_tqdm": True,
}


def recipes() -> list[Path]:
    """The YAML files that start a stage: those that name a preset or a model."""
    found = []
    for path in sorted((ROOT / "recipes").rglob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        if isinstance(content, dict) and {"preset", "model_name_or_path", "language_model"} & set(content):
            found.append(path)
    return found


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "recipes"))


def as_flags(changes: dict) -> list[str]:
    return [str(word) for name, value in changes.items() for word in (f"--{name}", value)]


def flags_for(path: Path, tmp_path: Path) -> list[str]:
    """Flags that make a recipe small, with towers of earlier stages made here."""
    content = yaml.safe_load(path.read_text())
    changes = SMALL | {"output_dir": tmp_path / "run"}
    for kind in ("eval", "save"):
        if content.get(f"{kind}_strategy") == "steps":
            changes[f"{kind}_steps"] = 2
    if "vision_tower" in content:
        AutoModel.from_config(preset_config(content["preset"]).vision_config).save_pretrained(tmp_path / "tower")
        changes["vision_tower"] = tmp_path / "tower"
    if "model_name_or_path" in content:
        earlier = {
            "preset": "nanovlm-tiny",
            "vocab_size": 300,
            "output_dir": tmp_path / "earlier",
            "save_strategy": "no",
        }
        sft.main(as_flags(SMALL | earlier))
        changes["model_name_or_path"] = tmp_path / "earlier"
    return ["--config", str(path), *as_flags(changes)]


@pytest.fixture
def own_pictures(tmp_path, monkeypatch) -> None:
    """A folder as `recipes/sources/own_folder.yaml` expects it, named by the environment variable that it reads."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = []
    for index in range(12):
        Image.new("RGB", (40, 30), (20 * index, 100, 50)).save(folder / f"{index}.png")
        lines.append(json.dumps({"file_name": f"{index}.png", "text": f"Colour number {index}."}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv("NANOVLMS_PICTURES", str(folder))


def stage_of(path: Path):
    return tower_stage if "tower" in path.stem else sft


def test_there_are_recipes():
    assert {"nanovlm-tiny/sft.yaml", "nanovlm-mini/sft.yaml"} <= {named(path) for path in recipes()}


@pytest.mark.parametrize("path", recipes(), ids=named)
def test_a_recipe_runs_two_steps(path, tmp_path, monkeypatch, own_pictures):
    content = yaml.safe_load(path.read_text())
    parameters = parameter_counts(preset_config(content["preset"]))["total"] if "preset" in content else 0
    if parameters > LARGEST_THAT_TRAINS_HERE:
        types = (tower_stage.TowerArguments, tower_stage.TowerStageArguments)
        parse(
            types if stage_of(path) is tower_stage else (ModelArguments, DataArguments, StageArguments),
            ["--config", str(path)],
        )
        return
    monkeypatch.chdir(ROOT)  # recipes name sources from the root of the repository
    summary = stage_of(path).main(flags_for(path, tmp_path))
    assert (summary["optimizer_steps"], summary["images_seen"]) == (2, 4)
    assert (tmp_path / "run" / "model.safetensors").is_file()


@pytest.mark.parametrize("path", recipes(), ids=named)
def test_a_recipe_says_what_it_needs(path):
    content = yaml.safe_load(path.read_text())
    assert path.read_text().startswith("# Hardware: ")
    assert content["output_dir"].startswith("runs/") and content["seed"] == 0
    tower = content.get("vision_tower")
    if tower:  # the stage before this one writes it
        others = [yaml.safe_load(other.read_text())["output_dir"] for other in recipes()]
        assert tower in others


@pytest.mark.parametrize("script", ["sft", "pretrain_tower"])
def test_a_script_calls_its_stage(script):
    scope: dict = {"__name__": "not_main"}
    exec(compile((ROOT / "recipes" / f"{script}.py").read_text(), script, "exec"), scope)
    assert scope["main"] is {"sft": sft, "pretrain_tower": tower_stage}[script].main


@pytest.mark.parametrize("name", ["cpu", "single_gpu"])
def test_an_accelerate_configuration_is_one(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ROOT / "recipes" / "accelerate_configs" / f"{name}.yaml"))
    assert config.num_processes == {"cpu": 2, "single_gpu": 1}[name]
    assert config.num_processes == 1 or config.main_process_port == 0  # two runs at once do not clash
