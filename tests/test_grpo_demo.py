"""The demo of learning from rewards: its configuration, and that its last step writes all that it promises."""

import json
from pathlib import Path

import pytest
import yaml
from transformers import set_seed

from nanovlms_hf.cli import main
from nanovlms_hf.data.scenes import make_scene
from nanovlms_hf.data.world import world_texts
from nanovlms_hf.demo import read_config
from nanovlms_hf.evaluation.report_rewards import _moved, write_reward_report
from nanovlms_hf.grpo_demo import GRPODemoConfig, compared, evaluate_grpo_run, rewards_of, run_grpo_demo
from nanovlms_hf.training.arguments import ModelArguments
from nanovlms_hf.training.building import build
from nanovlms_hf.training.reward_checks import load_rewards

ROOT = Path(__file__).parents[1]
SUMMARY = {
    "rewards": {"facts": 1.0},
    "temperature": 1.0,
    "images_seen": 8,
    "answers_sampled": 64,
    "optimizer_steps": 2,
    "train_seconds": 3.0,
    "held_out_answers": "greedy",
    "parameters": {"total": 5, "trainable": 4, "frozen": 1, "embedding": 1, "components": {}},
    "loss_history": [{"step": 1, "loss": 0.1}],
    "reward_history": [{"step": 0, "eval_reward": 0.5}, {"step": 2, "reward": 0.4}, {"step": 2, "eval_reward": 0.6}],
}


def test_the_shipped_configuration_names_a_recipe_that_exists():
    config = read_config(ROOT / "recipes" / "demo" / "grpo_demo.yaml", GRPODemoConfig)
    (stage,) = config.stages
    assert (ROOT / stage["recipe"]).is_file() and (ROOT / stage["config"]).is_file()
    assert config.model == "runs/demo" and config.output_dir == "runs/grpo-demo" and config.pictures == 300


def configuration(tmp_path, **content) -> Path:
    path = tmp_path / "grpo_demo.yaml"
    path.write_text(yaml.safe_dump({"output_dir": str(tmp_path / "out"), "stages": [{"name": "grpo"}]} | content))
    return path


def test_a_model_that_is_not_there_is_one_sentence(tmp_path, capsys):
    path = configuration(tmp_path, model=str(tmp_path / "none"))
    assert main(["grpo-demo", "--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert "holds no finished model; train one with `make demo`, or give --model" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_configuration_without_its_stage(tmp_path):
    with pytest.raises(ValueError, match="lists 0 stages; name the one GRPO stage"):
        run_grpo_demo(configuration(tmp_path, stages=[]))


def test_rewards_are_compared_picture_by_picture():
    before = {"right": [0.0, 0.5, 1.0, 0.5], "blank": [0.0] * 4}
    told = compared({"before": before, "after": {"right": [0.25, 0.75, 1.25, 0.75], "blank": [0.0] * 4}})
    right = told["right"]
    assert (right["before"], right["after"], right["gain"]) == (0.5, 0.75, 0.25)
    assert right["gain_interval"] == [0.25, 0.25]  # every picture gained the same
    low, high = right["before_interval"]
    assert 0.0 <= low < 0.5 < high <= 1.0
    assert told["blank"]["gain"] == 0.0 and told["blank"]["after_interval"] == [0.0, 0.0]


def test_the_report_does_not_call_chance_a_rise():
    gained = {"before": 0.5, "after": 0.6, "gain_interval": [0.05, 0.15]}
    assert _moved(gained) == "rose from 0.500 to 0.600 (+0.050 to +0.150)"
    assert _moved(gained | {"after": 0.4, "gain_interval": [-0.15, -0.05]}).startswith("fell from 0.500 to 0.400")
    assert _moved(gained | {"gain_interval": [-0.01, 0.15]}).endswith("(-0.010 to +0.150), which may be chance")


def test_rewards_are_summed_by_weight():
    weights = {"facts_precision": 1.0, "format": 0.5, "count": 2.0}
    kind = make_scene(0, 7).groups[0].kind
    texts = [f"There is a {kind}.", f"<think>hm</think> There is a {kind}.", ""]
    assert rewards_of(load_rewards(weights), weights, texts, [make_scene(0, 7)] * 3) == [1.0, 1.5, 0.0]


def _without_histories(summary: dict) -> dict:
    return {key: value for key, value in summary.items() if not key.endswith("_history")}


def test_the_last_step_writes_model_metrics_and_report(tmp_path, capsys):
    for name in ("start", "stage"):
        set_seed(0)
        model, processor = build(ModelArguments(preset="nanovlm-tiny"), lambda: world_texts("train", 100))
        model.save_pretrained(tmp_path / name)
        processor.save_pretrained(tmp_path / name)
    (tmp_path / "start" / "metrics.json").write_text(json.dumps({"stages": [{"name": "earlier"}]}))
    (tmp_path / "stage" / "training.json").write_text(json.dumps(SUMMARY))
    config = GRPODemoConfig(model=str(tmp_path / "start"), output_dir=str(tmp_path), pictures=4)
    metrics = evaluate_grpo_run(config, tmp_path / "stage", 3.0)
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert set(metrics["reward"]) == {"right", "sampled", "blank", "shuffled"}
    assert metrics["reward"]["right"]["before"] >= 0.0 and metrics["lengths"]["after"]["mean_tokens"] > 0
    assert metrics["held_out_while_training"] == {"answers": "greedy", "curve": [[0, 0.5], [2, 0.6]]}
    assert metrics["before"]["facts_f1"] >= 0.0 and "loss_history" not in metrics["stages"][-1]
    page = (tmp_path / "report.html").read_text()
    assert page.count("<article") == 4 and "before, F1" in page and "Held-out reward" not in page
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "README.md").is_file()
    assert metrics["stages"] == [{"name": "earlier"}, {"name": "stage", **_without_histories(SUMMARY)}]
    assert "facts f1" in (tmp_path / "README.md").read_text()
    write_reward_report(
        tmp_path / "second.html",
        title="t",
        metrics=metrics,
        before=[],
        after=[],
        curve=ROOT / "docs" / "world.png",
    )
    assert "Held-out reward: 0.500 at step 0, 0.600 at step 2" in (tmp_path / "second.html").read_text()
