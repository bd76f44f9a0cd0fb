"""What a recipe's YAML and its flags become."""

import pytest
import yaml

from nanovlms_hf.data.scenes import WorldConfig
from nanovlms_hf.training.arguments import DataArguments, ModelArguments, StageArguments, parse, world_config
from nanovlms_hf.training.tower_stage import TowerArguments, TowerStageArguments

STAGE = (ModelArguments, DataArguments, StageArguments)


@pytest.fixture
def recipe(tmp_path):
    def write(**content) -> str:
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({"output_dir": str(tmp_path / "run")} | content))
        return str(path)

    return write


def test_a_flag_overrides_the_yaml(recipe):
    path = recipe(preset="nanovlm-tiny", train_rows=64, learning_rate=2e-3, freeze=["vision_tower", "connector"])
    model, data, stage = parse(STAGE, ["--config", path, "--train_rows", "8", "--freeze", "language_model"])
    assert (model.preset, model.freeze) == ("nanovlm-tiny", ["language_model"])
    assert (data.train_rows, data.validation_rows) == (8, 512)
    assert (stage.learning_rate, stage.assistant_only_loss, stage.max_length) == (2e-3, True, None)


def test_config_may_be_joined_with_its_path(recipe):
    assert parse(STAGE, [f"--config={recipe(preset='nanovlm-tiny')}"])[0].preset == "nanovlm-tiny"


def test_numbers_that_yaml_reads_as_text_are_numbers(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"output_dir: {tmp_path}\nlearning_rate: 1e-3\n")  # YAML 1.1 takes `1e-3` for a string
    assert parse(STAGE, ["--config", str(path)])[2].learning_rate == 1e-3


def test_one_name_stands_for_a_list_of_one(recipe):
    model, data, _ = parse(STAGE, ["--config", recipe(freeze="vision_tower", sources="a.yaml")])
    assert (model.freeze, data.sources) == (["vision_tower"], ["a.yaml"])


def test_mappings_come_from_yaml(recipe):
    content = {
        "mixture": {"short": 1.0, "naming+question": 0.5},
        "world": {"max_groups": 1, "styles": ["crayon"]},
        "component_learning_rates": {"vision_tower": 1e-4},
    }
    _, data, stage = parse(STAGE, ["--config", recipe(**content)])
    assert data.mixture == content["mixture"]
    assert data.world == content["world"]
    assert stage.component_learning_rates == content["component_learning_rates"]


def test_mappings_come_from_flags_as_json(recipe):
    argv = ["--config", recipe(mixture={"short": 1.0}), "--mixture", '{"long": 2}', "--world", '{"max_groups": 1}']
    argv += ["--component_learning_rates", '{"connector": 0.01}']
    _, data, stage = parse(STAGE, argv)
    assert (data.mixture, data.world) == ({"long": 2}, {"max_groups": 1})
    assert stage.component_learning_rates == {"connector": 0.01}
    tower, _ = parse((TowerArguments, TowerStageArguments), ["--world", '{"max_groups": 2}'])
    assert tower.world == {"max_groups": 2}


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [("mixture", "short", "is not JSON"), ("world", "[1]", "a list"), ("component_learning_rates", "1e-3", "a float")],
)
def test_a_flag_that_is_no_mapping_is_refused(flag, value, said):
    with pytest.raises(ValueError, match=f"{flag}.*{said}"):
        parse(STAGE, [f"--{flag}", value])


@pytest.mark.parametrize(
    ("key", "nearest"), [("train_row", "train_rows"), ("presett", "preset"), ("learning_rates", "learning_rate")]
)
def test_an_unknown_key_names_itself_and_the_nearest(recipe, key, nearest):
    with pytest.raises(ValueError, match=f"'{key}', which is no key of this recipe; did you mean '{nearest}'"):
        parse(STAGE, ["--config", recipe(**{key: 1})])


def test_a_key_of_another_stage_is_unknown(recipe):
    path = recipe(crowd_share=0.5)
    assert parse((TowerArguments, TowerStageArguments), ["--config", path])[0].crowd_share == 0.5
    with pytest.raises(ValueError, match="'crowd_share', which is no key"):
        parse(STAGE, ["--config", path])


def test_an_unknown_flag_is_refused():
    with pytest.raises(ValueError, match="--no_such_flag"):
        parse(STAGE, ["--no_such_flag", "1"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere.yaml does not exist; give the path"):
        parse(STAGE, ["--config", str(tmp_path / "nowhere.yaml")])
    with pytest.raises(ValueError, match="--config stands without a file"):
        parse(STAGE, ["--config"])


@pytest.mark.parametrize(
    ("text", "said"), [("- a\n- b\n", "holds a list"), ("", "holds a NoneType"), ("a: [1", "is not YAML")]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text, said):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        parse(STAGE, ["--config", str(path)])


def test_world_fields_are_checked():
    assert world_config(None) == WorldConfig()
    assert world_config({"max_groups": 1}) == WorldConfig(max_groups=1)
    with pytest.raises(ValueError, match="'max_group', which is no field of WorldConfig; did you mean 'max_groups'"):
        world_config({"max_group": 1})


@pytest.mark.parametrize("change", [{"train_rows": 0}, {"validation_rows": 0}, {"crowd_share": 1.5}])
def test_a_tower_stage_needs_rows_and_a_share(change):
    with pytest.raises(ValueError, match="give at least one row of each, and a share from 0 to 1"):
        TowerArguments(**change)
