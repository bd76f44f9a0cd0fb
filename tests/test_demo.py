"""The demo: its configuration, and that its last step writes all that `make demo` promises."""

import json
from pathlib import Path

import pytest
import yaml

from nanovlms_hf.data.world import world_texts
from nanovlms_hf.demo import DemoConfig, evaluate_run, read_config, run_demo
from nanovlms_hf.training.arguments import ModelArguments
from nanovlms_hf.training.building import build

ROOT = Path(__file__).parents[1]


def test_the_shipped_configuration_names_recipes_that_exist():
    config = read_config(ROOT / "recipes" / "demo" / "demo.yaml")
    assert [stage["name"] for stage in config.stages] == ["1_tower", "2_sft"]
    for stage in config.stages:
        assert (ROOT / stage["recipe"]).is_file() and (ROOT / stage["config"]).is_file()


def test_a_missing_configuration_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="does not exist; run from the repository's root"):
        read_config(tmp_path / "none.yaml")


def test_an_unknown_key_is_named(tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump({"output": "x"}))
    with pytest.raises(ValueError, match=r"sets \['output'\], which the demo does not know; its keys are output_dir"):
        read_config(path)


def test_a_demo_without_stages_says_so(tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump({"output_dir": str(tmp_path / "out")}))
    with pytest.raises(ValueError, match="lists no stages"):
        run_demo(path)
    assert not (tmp_path / "out").exists()


def test_the_last_step_writes_model_metrics_and_report(tmp_path, capsys):
    stages = tmp_path / "stages"
    model, processor = build(ModelArguments(preset="nanovlm-tiny"), lambda: world_texts("train", 100))
    model.save_pretrained(stages / "only")
    processor.save_pretrained(stages / "only")
    history = {
        "images_seen": 40,
        "train_seconds": 2.0,
        "loss_history": [{"step": 1, "loss": 5.0}, {"step": 2, "loss": 4.0}],
    }
    (stages / "only" / "training.json").write_text(json.dumps(history))
    config = DemoConfig(str(tmp_path), [{"name": "only"}], pictures=3, style_pictures=2)
    metrics = evaluate_run(config, stages, seconds=4.0)
    assert metrics == json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["parameters"] == model.num_parameters()
    assert (metrics["images_seen"], metrics["train_seconds"], metrics["images_per_second"]) == (40, 4.0, 10.0)
    for end in ("", "_blank", "_shuffled", "_unseen_style"):
        assert {f"facts_{name}{end}" for name in ("precision", "recall", "f1")} <= set(metrics)
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "chat_template.jinja").is_file()
    report = (tmp_path / "report.html").read_text()
    assert report.count("data:image/") >= 3 and "http://" not in report.replace("http://www.w3.org", "")
    assert '"facts_f1_shuffled"' in capsys.readouterr().out
