"""`nanovlms plan` on recipes, presets and folders, and what it refuses."""

import json
from pathlib import Path

import pytest
import yaml
from small_models import COMPOSITIONS

from nanovlms_hf import NanoVLMsConfig
from nanovlms_hf.cli import main
from nanovlms_hf.planning import recipes
from nanovlms_hf.planning.predicting import predict
from nanovlms_hf.planning.recipes import Recipe, known_keys, read_recipe
from nanovlms_hf.planning.table import BEGIN, END, table
from nanovlms_hf.planning.workload import LowBits

ROOT = Path(__file__).parents[2]
PRESET_RECIPES = sorted(
    path
    for path in (ROOT / "recipes").glob("*/*.yaml")
    if "preset" in yaml.safe_load(path.read_text()) and "sources" not in path.parts and "vary-t" not in str(path)
)


@pytest.fixture
def small_recipe(tmp_path) -> Path:
    path = tmp_path / "sft.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "preset": "nanovlm-tiny",
                "vocab_size": 300,
                "mixture": {"short": 1.0},
                "train_rows": 8,
                "per_device_train_batch_size": 8,
                "output_dir": "out",
            }
        )
    )
    return path


def test_a_recipe_as_json(small_recipe, capsys):
    assert main(["plan", "--config", str(small_recipe), "--memory", "8GB", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["recipe"] == "sft" and plan["fits"] is True and plan["settings"] == {}
    assert plan["total_bytes"] == sum(plan["bytes"].values()) < plan["memory_bytes"] == 8 * 10**9
    assert plan["tokens"] > 16 and "longest of 8 rows" in plan["notes"][0]
    assert not Path("out").exists()


def test_what_makes_it_fit_is_yaml_to_paste(small_recipe, capsys, tmp_path):
    arguments = ["plan", "--config", str(small_recipe), "--length", "60"]
    assert main([*arguments, "--json"]) == 0
    total = json.loads(capsys.readouterr().out)["total_bytes"]
    memory = f"{(total - 20_000_000) // 1000}kB"
    assert main([*arguments, "--memory", memory]) == 0
    said = capsys.readouterr().out
    assert "It does not fit into" in said
    keys = yaml.safe_load("\n".join(line for line in said.splitlines() if line.split(":")[0] in known_keys("sft")))
    assert keys["per_device_train_batch_size"] * keys["gradient_accumulation_steps"] == 8
    mended = tmp_path / "mended_sft.yaml"
    mended.write_text(yaml.safe_dump(yaml.safe_load(small_recipe.read_text()) | keys))
    assert main(["plan", "--config", str(mended), "--length", "60", "--memory", memory]) == 0
    assert "It fits into" in capsys.readouterr().out


def test_settings_and_devices(small_recipe, capsys):
    arguments = ["plan", "--config", str(small_recipe), "--length", "60", "--device", "cpu"]
    assert main([*arguments, "--set", "gradient_checkpointing=true", "per_device_train_batch_size=2"]) == 0
    said = capsys.readouterr().out
    assert "micro-batch 2, 60 tokens a row with 1 picture(s), pictures of 64 px, on a CPU" in said
    assert "fits" not in said and "  total " in said


def test_a_folder_with_nothing_but_a_configuration(tmp_path, capsys):
    NanoVLMsConfig(**COMPOSITIONS["patches"]).save_pretrained(tmp_path)
    assert main(["plan", "--model", str(tmp_path), "--length", "40", "--memory", "900MB"]) == 0
    assert "It fits into 900 MB" in capsys.readouterr().out


def test_a_recipe_whose_start_is_not_there_yet_is_planned_from_a_preset(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    way_out = ["--set", "model_name_or_path=", "preset=nanovlm-tiny", "--length", "60", "--json"]
    for name in ("dpo", "grpo"):
        assert main(["plan", "--config", str(ROOT / f"recipes/demo/{name}.yaml"), *way_out]) == 0
        assert json.loads(capsys.readouterr().out)["recipe"] == name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, LowBits(4).kept),
        ({"full_precision_modules": []}, ()),
        ({"full_precision_modules": "connector"}, ("connector",)),
    ],
)
def test_what_stays_in_full_precision_is_read(given, kept):
    keys = {"preset": "nanovlm-tiny", "use_peft": True, "load_in_4bit": True, **given}
    assert Recipe("sft", keys, length=60).workload().low_bits.kept == kept


def test_what_trains_whole_beside_an_adapter_is_read():
    keys = {"preset": "nanovlm-tiny", "use_peft": True, "lora_modules_to_save": ["connector", "vision_tower"]}
    assert Recipe("sft", keys, length=60).workload().lora.whole == ("connector", "vision_tower")
    with pytest.raises(
        ValueError, match="lora_modules_to_save names 'eyes', which NanoVLMsForConditionalGeneration has not"
    ):
        predict(Recipe("sft", keys | {"lora_modules_to_save": "eyes"}, length=60).workload())


@pytest.mark.parametrize("path", PRESET_RECIPES, ids=lambda path: str(path.relative_to(ROOT / "recipes")))
def test_recipes_are_read(path, monkeypatch):
    monkeypatch.setattr(recipes, "check_source", lambda name, source: None)
    kind, keys = read_recipe(str(path))
    keys |= dict.fromkeys(("vision_tower", "vocabulary", "language_model"))
    recipe = Recipe(kind, keys, length=300)
    workload = recipe.workload()
    assert workload.batch == keys["per_device_train_batch_size"]
    assert workload.muon == ("muon_learning_rate" in keys)
    assert (workload.kind == "tower") == ("tower" in path.stem)
    assert (workload.kind == "vocabulary") == path.stem.endswith(("reader", "vocabulary"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--memory", "lots"], "--memory 'lots' is no amount of memory"),
        (["--memory", "8"], "has no unit"),
        (["--config", "no.yaml"], "--config no.yaml does not exist"),
        ([], "the recipe names no model"),
        (
            ["--set", "preset=nanovlm-tiny", "trian_rows=3"],
            "'trian_rows' is no key of sft recipes; did you mean 'train_rows'?",
        ),
        (["--set", "preset=nanovlm-tinny"], "'nanovlm-tinny' is not a preset"),
        (["--set", "preset=nanovlm-tiny", "load_in_4bit=true", "--length", "40"], "set use_peft too"),
        (["--set", "preset=nanovlm-tiny", "optim=adamw_tron"], "optim='adamw_tron'"),
        (
            ["--set", "preset=nanovlm-tiny", "per_device_train_batch_size=0"],
            "per_device_train_batch_size=0 is no number",
        ),
        (["--set", "preset"], "'preset' is no setting; write key=value"),
        (["--recipe", "ppo", "--set", "preset=nanovlm-tiny"], "--recipe 'ppo' is no kind of recipe"),
        (["--model", "runs/nothing/there"], "--model runs/nothing/there is no such folder"),
        (
            ["--set", "model_name_or_path=runs/nothing/there"],
            "to plan before the stage that writes it has run, give --set model_name_or_path= preset=NAME.",
        ),
        (
            ["--config", str(ROOT / "recipes/demo/evaluate.yaml")],
            "is not known from its name; give it with --recipe: sft, pretrain",
        ),
        (
            ["--config", str(ROOT / "recipes/demo/demo.yaml")],
            "lists several stages; give one of them: --config recipes/",
        ),
    ],
)
def test_what_is_refused_is_said_in_one_sentence(arguments, sentence, capsys):
    assert main(["plan", *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_the_table_in_the_docs_is_what_the_command_prints():
    written = (ROOT / "docs/plan.md").read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()
    made = table(["nanovlm-tiny"]).splitlines()
    lines = written.splitlines()
    assert lines[:2] == made[:2]
    start = next(index for index, line in enumerate(lines) if line.startswith("| nanovlm-tiny |"))
    assert lines[start : start + len(made) - 2] == made[2:]
    assert len(lines) == 2 + 4 * len(recipes.PRESETS)
