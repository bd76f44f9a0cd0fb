"""A recipe's file is read and its stage told alike for every command."""

import importlib
from pathlib import Path

import pytest
import yaml

from nanovlms_hf.recipe_files import STAGES, read_recipe_file, stage_of

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("sft.yaml", "sft"),
        ("2_sft.yaml", "sft"),
        ("my-model.v2-DPO.yml", "dpo"),
        ("1_reader.yaml", "vocabulary"),
        ("1_vocabulary.yaml", "vocabulary"),
        ("dpo_sft.yaml", "sft"),
    ],
)
def test_the_last_word_of_a_name_is_the_stage(name, stage):
    assert stage_of(f"recipes/dpo/{name}", "--stage") == stage


def test_every_stage_of_the_demos_is_known_by_its_recipe():
    for path in (ROOT / "recipes").rglob("*demo.yaml"):
        for listed in yaml.safe_load(path.read_text())["stages"]:
            if "config" in listed and listed["recipe"].startswith("recipes/"):
                module = importlib.import_module(STAGES[stage_of(listed["config"], "--stage")])
                assert callable(module.main)


def test_what_a_user_gives_comes_first():
    assert stage_of("2_sft.yaml", "--stage", "dpo") == "dpo"
    with pytest.raises(ValueError, match="--recipe 'ppo' is no kind of recipe; choose one of sft, pretrain"):
        stage_of("2_sft.yaml", "--recipe", "ppo")
    for flag in ("--stage", "--recipe"):
        with pytest.raises(
            ValueError, match=f"the stage of mine.yaml is not known from its name; give it with {flag}: sft"
        ):
            stage_of("mine.yaml", flag)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (b"a: [1", "is not YAML"),
        (b"\xff\xfe\xfa", "is not YAML"),
        (b"- a", "holds a list"),
        (b"", "holds a NoneType"),
        (b"stages: [{config: x/sft.yaml}]", "lists several stages; give one of them: --config x/sft.yaml"),
        (b"stages: 3", "lists several stages; give one of them: --config its YAML file"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_in_a_sentence(written, sentence, tmp_path):
    (tmp_path / "sft.yaml").write_bytes(written)
    with pytest.raises(ValueError, match=sentence):
        read_recipe_file(tmp_path / "sft.yaml")
