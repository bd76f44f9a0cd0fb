"""Every recipe parses against its script's arguments; those that need no network run two steps, one after the other.

A recipe that starts from what another one leaves (`runs/...`) is given the folder of that other recipe, run here before it.
"""

import json
from functools import cache
from pathlib import Path

import pytest
import yaml
from PIL import Image

from nanovlms_hf import vocabulary
from nanovlms_hf.data.mixture_config import build_mixture
from nanovlms_hf.data.source_config import read_source_config
from nanovlms_hf.presets import parameter_counts, preset_config
from nanovlms_hf.training import dpo, grpo, marks_stage, pretrain, sft, tower_stage
from nanovlms_hf.training.arguments import DataArguments, ModelArguments, StageArguments, parse
from nanovlms_hf.training.dpo_trainer import DPOArguments
from nanovlms_hf.training.preference_data import PreferenceDataArguments
from nanovlms_hf.training.vocabulary_stage import ReadingArguments

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


# stage -> (module with `main`, what its YAML may say); a recipe's stage is the last word of its name.
STAGES = {
    "marks": (marks_stage, (marks_stage.MarksArguments, tower_stage.TowerStageArguments)),
    "tower": (tower_stage, (tower_stage.TowerArguments, tower_stage.TowerStageArguments)),
    "reader": (vocabulary, (ModelArguments, DataArguments, ReadingArguments, StageArguments)),
    "vocabulary": (vocabulary, (ModelArguments, DataArguments, ReadingArguments, StageArguments)),
    "pretrain": (pretrain, (ModelArguments, DataArguments, StageArguments)),
    "sft": (sft, (ModelArguments, DataArguments, StageArguments)),
    "dpo": (dpo, (ModelArguments, PreferenceDataArguments, DPOArguments)),
    "grpo": (grpo, (ModelArguments, grpo.PromptArguments, grpo.GRPOArguments)),
}
STARTS = ("model_name_or_path", "vision_tower", "vocabulary", "language_model", "init_from")
FEW = {
    "reader": {"test_rows": 0},
    "vocabulary": {"test_rows": 1},  # rows read out at the end
    "grpo": {"num_generations": 2, "per_device_train_batch_size": 4, "max_completion_length": 4},
}


def recipes() -> list[Path]:
    """The YAML files that start a stage: those that name a preset or a model, and where to write."""
    found = []
    for path in sorted((ROOT / "recipes").rglob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        if isinstance(content, dict) and {"preset", *STARTS[:1]} & set(content) and "output_dir" in content:
            found.append(path)
    return found


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "recipes"))


def starts(path: Path) -> dict[str, str]:
    """What a recipe starts from: key -> `runs/...` of another recipe, or a Hub id."""
    content = yaml.safe_load(path.read_text())
    return {key: content[key] for key in STARTS if content.get(key)}


def writer_of(start: str) -> Path | None:
    """The recipe that leaves a folder; None for a Hub id, and for a folder that no recipe leaves."""
    for path in recipes():
        output_dir = yaml.safe_load(path.read_text())["output_dir"]
        if start == output_dir or start.startswith(f"{output_dir}/"):
            return path
    return None


def runs_here(path: Path) -> bool:
    """Whether a recipe is small and needs no network, and so does whatever it starts from."""
    content = yaml.safe_load(path.read_text())
    if "preset" in content and parameter_counts(preset_config(content["preset"]))["total"] > LARGEST_THAT_TRAINS_HERE:
        return False
    writers = [writer_of(start) for start in starts(path).values() if start.startswith("runs/")]
    online = any(not start.startswith("runs/") for start in starts(path).values())
    return not online and all(runs_here(writer) for writer in writers if writer)


def as_flags(changes: dict) -> list[str]:
    return [str(word) for name, value in changes.items() for word in (f"--{name}", value)]


@cache
def finished(path: Path, folder: Path) -> dict:
    """Runs a recipe for two steps into a folder of its name, and before it those that it starts from; returns its summary."""
    content = yaml.safe_load(path.read_text())
    changes = SMALL | FEW.get(stage_of(path), {}) | {"output_dir": output_of(path, folder)}
    if stage_of(path) == "dpo":
        changes["reference_folder"] = folder / "scores"
    for kind in ("eval", "save"):
        if content.get(f"{kind}_strategy") == "steps":
            changes[f"{kind}_steps"] = 2
    for key, start in starts(path).items():
        writer = writer_of(start)
        if writer is None:
            changes[key] = folder / "earlier"
            earlier = {"preset": "nanovlm-tiny", "vocab_size": 300, "output_dir": changes[key], "save_strategy": "no"}
            sft.main(as_flags(SMALL | earlier))
        else:
            finished(writer, folder)
            inner = start.removeprefix(yaml.safe_load(writer.read_text())["output_dir"])
            changes[key] = f"{output_of(writer, folder)}{inner}"
    return STAGES[stage_of(path)][0].main(["--config", str(path), *as_flags(changes)])


def output_of(path: Path, folder: Path) -> Path:
    return folder / path.parent.name / path.stem


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recipes")


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


def stage_of(path: Path) -> str:
    return path.stem.split("_")[-1]


def test_there_are_recipes():
    assert {"nanovlm-tiny/sft.yaml", "nanovlm-mini/sft.yaml", "vary-toy/2_pretrain.yaml"} <= set(map(named, recipes()))
    assert {stage_of(path) for path in recipes()} == set(STAGES)


@pytest.mark.parametrize("path", recipes(), ids=named)
def test_a_recipe_parses(path):
    parsed = parse(STAGES[stage_of(path)][1], ["--config", str(path)])
    assert parsed[-1].output_dir == yaml.safe_load(path.read_text())["output_dir"]


@pytest.mark.parametrize("path", [path for path in recipes() if runs_here(path)], ids=named)
def test_a_recipe_runs_two_steps(path, folder, monkeypatch, own_pictures):
    monkeypatch.chdir(ROOT)  # recipes name sources from the root of the repository
    summary = finished(path, folder)
    assert (summary["optimizer_steps"], summary["images_seen"]) == (2, 4)
    weights = "adapter_model.safetensors" if yaml.safe_load(path.read_text()).get("use_peft") else "model.safetensors"
    assert (output_of(path, folder) / weights).is_file()


def test_the_recipes_of_vary_nano_run_here_each_from_the_one_before():
    chain = {
        "0_marks": set(),
        "0_tower": set(),
        "1_reader": {"0_marks"},
        "1_vocabulary": {"1_reader"},
        "2_pretrain": {"0_tower", "1_vocabulary"},
        "3_sft": {"2_pretrain"},
    }
    paths = [path for path in recipes() if path.parent.name == "vary-nano"]
    assert {path.stem: {writer_of(start).stem for start in starts(path).values()} for path in paths} == chain
    assert all(runs_here(path) for path in paths)


@pytest.mark.parametrize("path", recipes(), ids=named)
def test_a_recipe_says_what_it_needs(path):
    content = yaml.safe_load(path.read_text())
    assert path.read_text().startswith("# Hardware: ")
    assert content["output_dir"].startswith("runs/") and content["seed"] == 0
    for key, start in starts(path).items():  # the stage before this one writes it, or it is on the Hub
        if key != "model_name_or_path":
            assert writer_of(start) if start.startswith("runs/") else "Never run online" in path.read_text()


@pytest.mark.parametrize("path", recipes(), ids=named)
def test_the_parts_of_a_mixture_are_in_order(path):
    """Entries of recipes that do not run here are checked as far as they can be without their data."""
    mixture = yaml.safe_load(path.read_text()).get("mixture")
    if not isinstance(mixture, list):
        return
    for entry in mixture:
        (kind,) = set(entry) - {"name", "weight", "seed"}
        if kind == "source":
            read_source_config(ROOT / (entry[kind] if isinstance(entry[kind], str) else entry[kind]["file"]))
        elif kind != "pdfs":
            build_mixture([entry], split="train", seed=0, length=1, image_size=192 if "nano" in str(path) else 1024)


def test_the_mixture_of_vary_toy_is_table_1():
    """Rows in thousands, arXiv 2401.12503, table 1; of RefCOCO, DocVQA and ChartQA "all", which is how many their sets have."""
    content = yaml.safe_load((ROOT / "recipes" / "vary-toy" / "2_pretrain.yaml").read_text())
    weights = {entry["name"]: entry["weight"] / 1000 for entry in content["mixture"]}
    weights["markdown"] = weights.pop("markdown_arxiv") + weights.pop("markdown_drawn")
    assert weights == {
        "captions": 4000,
        "llava_pretrain": 558,
        "pdf_ocr": 1000,
        "markdown": 500,
        "detection": 50,
        "referring": 42.404,
        "sharegpt": 125,
        "baize": 112,
        "alpaca": 52,
        "docvqa": 39.463,
        "chartqa": 28.299,
    }
    total = sum(weights.values())
    assert round((weights["captions"] + weights["llava_pretrain"]) / total, 2) == 0.70
    assert round((weights["pdf_ocr"] + weights["markdown"]) / total, 2) == 0.23
    rows = content["train_rows"]
    assert 0 <= total * 1000 - rows < 512 and rows % 512 == 0  # one pass, in whole steps
    assert 8 * content["per_device_train_batch_size"] * content["gradient_accumulation_steps"] == 512


def test_stage_1_of_vary_tiny_has_pages_and_boxes_as_4_to_3():
    content = yaml.safe_load((ROOT / "recipes" / "vary-tiny" / "1_vocabulary.yaml").read_text())
    weights = {entry["name"]: entry["weight"] for entry in content["mixture"]}
    assert weights["pdfs"] + weights["pages"] == 4 and weights["detection"] + weights["scenes"] == 3


SCRIPTS = {
    "sft": sft,
    "dpo": dpo,
    "grpo": grpo,
    "pretrain": pretrain,
    "pretrain_tower": tower_stage,
    "pretrain_marks": marks_stage,
    "pretrain_vocabulary": vocabulary,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_calls_its_stage(script):
    scope: dict = {"__name__": "not_main"}
    exec(compile((ROOT / "recipes" / f"{script}.py").read_text(), script, "exec"), scope)
    assert scope["main"] is SCRIPTS[script].main


@pytest.mark.parametrize("name", ["cpu", "single_gpu"])
def test_an_accelerate_configuration_is_one(name):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ROOT / "recipes" / "accelerate_configs" / f"{name}.yaml"))
    assert config.num_processes == {"cpu": 2, "single_gpu": 1}[name]
    assert config.num_processes == 1 or config.main_process_port == 0  # two runs at once do not clash
