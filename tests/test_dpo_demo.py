"""The DPO demo: its configuration, and that its last step writes all that `make dpo-demo` promises."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent / "training"))
from small_dpo import run_dpo  # noqa: E402
from small_stages import finished_sft  # noqa: E402

from nanovlms_hf.cli import main  # noqa: E402
from nanovlms_hf.data.wrong_facts import ERRORS  # noqa: E402
from nanovlms_hf.demo import read_config  # noqa: E402
from nanovlms_hf.dpo_demo import DPODemoConfig, evaluate_dpo_run, run_dpo_demo  # noqa: E402

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "recipes" / "demo" / "dpo_demo.yaml"
ASKED = ("colour", "count", "kind", "relation", "invented")


def test_the_shipped_configuration_names_recipes_that_exist():
    config = read_config(SHIPPED, DPODemoConfig)
    for stage in config.stages:
        assert (ROOT / stage["recipe"]).is_file() and (ROOT / stage["config"]).is_file()
    assert set(ASKED) <= set(config.errors) <= set(ERRORS) and config.pictures == 300
    recipe = yaml.safe_load((ROOT / config.stages[-1]["config"]).read_text())
    assert recipe["world_seed"] != 0  # no picture of the demo's, neither trained on nor held out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stages": []}, "lists no stages; name at least one recipe"),
        ({"model": "runs/nothing"}, "model: runs/nothing holds no model to start from; run `make demo` first"),
        ({"pair": 3}, r"sets \['pair'\], which the demo does not know"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_before_anything_is_written(tmp_path, changes, sentence):
    path = tmp_path / "demo.yaml"
    path.write_text(
        yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | {"output_dir": str(tmp_path / "out")} | changes)
    )
    with pytest.raises(ValueError, match=sentence):
        run_dpo_demo(path)
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_is_missing(tmp_path, capsys):
    assert main(["dpo-demo", "--config", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml does not exist" in capsys.readouterr().err


def test_the_last_step_measures_before_and_after(tmp_path):
    stages = tmp_path / "stages"
    run_dpo(stages / "dpo", beta=0.3)
    recipe = tmp_path / "dpo.yaml"
    recipe.write_text(yaml.safe_dump({"beta": 0.3}))
    config = DPODemoConfig(
        output_dir=str(tmp_path),
        model=str(finished_sft()[0]),
        stages=[{"name": "dpo", "recipe": "recipes/dpo.py", "config": str(recipe)}],
        pictures=3,
        pairs=6,
        errors=["colour", "kind"],
    )
    metrics = evaluate_dpo_run(config, stages, 12.0)
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    for name in ("pair_accuracy", "facts_f1"):
        for condition in ("", "_blank", "_shuffled"):
            assert {f"{name}{condition}_{when}" for when in ("before", "after")} <= set(metrics)
    assert set(metrics["by_error"]) <= {"colour", "kind"} and metrics["pairs"] == 6
    assert sum(found["pairs"] for found in metrics["by_error"].values()) == 6
    assert metrics["facts_f1"] == metrics["facts_f1_after"] and metrics["beta"] == 0.3
    assert metrics["reward_margin"] != 0 and "mean_words_after" in metrics
    report = (tmp_path / "report.html").read_text()
    assert report.count('aria-label="Pair ') == 6 and report.count('aria-label="Held-out picture ') == 3
    assert "<script" not in report and not re.search(r'src="(?!data:)', report)
    assert (tmp_path / "model.safetensors").is_file() and "facts" in (tmp_path / "README.md").read_text()
    shutil.rmtree(stages)


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "preferences.md").read_text()
    parts = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert parts
    for body in parts:
        exec(compile(body, "docs/preferences.md", "exec"), {})
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE))))
    assert named == set(ERRORS)
