"""The vary demo: its configuration, and that its last step writes all that `make vary-demo` promises."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent / "training"))
from small_vocabularies import finished_stage_1, finished_stage_2, run_stage_2  # noqa: E402

from nanovlms_hf.demo import read_config  # noqa: E402
from nanovlms_hf.vary_demo import VaryDemoConfig, evaluate_vary_run, run_vary_demo  # noqa: E402

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "recipes" / "vary-nano" / "demo.yaml"
MEASURES = ("ocr_cer", "detection_f1_iou50", "rec_acc_iou50", "chart_table_f1", "facts_f1")


def test_the_shipped_configuration_names_recipes_that_exist():
    config = read_config(SHIPPED, VaryDemoConfig)
    names = [stage["name"] for stage in config.stages]
    assert {config.model, config.control, config.vocabulary} <= set(names) and len(names) == len(set(names))
    for stage in config.stages:
        assert (ROOT / stage["recipe"]).is_file() and (ROOT / stage["config"]).is_file()
        json_flags = [flag.format(output_dir="x") for flag in stage.get("flags", []) if "vocabulary_config" in flag]
        assert all(json.loads(flag) == {"vocabulary_config": None} for flag in json_flags)


def test_the_control_differs_in_the_second_tower_alone():
    stages = {stage["name"]: stage for stage in read_config(SHIPPED, VaryDemoConfig).stages}
    for name in ("2_pretrain", "3_sft"):
        assert stages[name]["recipe"] == stages[f"{name}_without"]["recipe"]
        assert stages[name]["config"] == stages[f"{name}_without"]["config"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "3_stf"}, "names model='3_stf', which is no stage of it"),
        ({"parts": []}, "lists no parts to measure"),
        ({"part": []}, r"sets \['part'\], which the demo does not know"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_before_anything_is_written(tmp_path, changes, sentence):
    path = tmp_path / "demo.yaml"
    path.write_text(
        yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | {"output_dir": str(tmp_path / "out")} | changes)
    )
    with pytest.raises(ValueError, match=sentence):
        run_vary_demo(path)
    assert not (tmp_path / "out").exists()


def test_the_last_step_measures_both_models_and_the_blank_picture(tmp_path):
    stages = tmp_path / "stages"
    shutil.copytree(finished_stage_1()[0], stages / "read")
    shutil.copytree(finished_stage_2()[0], stages / "merged")
    overrides = json.loads(json.dumps({"text_config": {"num_hidden_layers": 1}, "vocabulary_config": None}))
    run_stage_2(stages / "without", overrides=json.dumps(overrides))
    parts = [
        {"name": "pages", "weight": 1, "documents": {"columns": [1], "min_words": 2, "max_words": 4}},
        {"name": "boxes", "weight": 1, "detection": {}},
        {"name": "expressions", "weight": 1, "referring": {}},
        {"name": "charts", "weight": 1, "charts": {}},
        {"name": "captions", "weight": 1, "scenes": {"mixture": {"short": 1.0}}},
    ]
    config = VaryDemoConfig(
        output_dir=str(tmp_path),
        stages=[{"name": name} for name in ("read", "merged", "without")],
        model="merged",
        control="without",
        vocabulary="read",
        rows=2,
        parts=parts,
    )
    metrics = evaluate_vary_run(config, stages, seconds=3.0)
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    for name in MEASURES:
        for end in ("", "_blank", "_without_vocabulary"):
            low, high = metrics[f"{name}{end}_interval"]
            assert 0 <= low <= metrics[name + end] <= high, name + end
    assert metrics["parameters"] > metrics["parameters_without_vocabulary"]
    assert set(metrics["stage_seconds"]) == {"read", "merged", "without"}
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "chat_template.jinja").is_file()
    assert metrics["rows_per_part"] == 2 and "rows_of_a_part" not in metrics
    card = (tmp_path / "README.md").read_text()
    assert "2 held-out rows of each part" in card
    assert "95 % interval" in card and "Intervals are bootstrap intervals" in card
    assert "| vision vocabulary |" in card and "the right picture, without the vision vocabulary" in card
    report = (tmp_path / "report.html").read_text()
    assert report.count("data:image/") >= 4 and "http://" not in report.replace("http://www.w3.org", "")
