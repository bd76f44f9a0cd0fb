"""The card says what the run measured and nothing else: each number is derived again from the run's files, another way."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from safetensors import safe_open
from small_stages import finished_sft
from transformers import AutoConfig

from nanovlms_hf.cli import main
from nanovlms_hf.data.facts import corpus_scores
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.evaluation.fact_intervals import fact_intervals
from nanovlms_hf.model_card import check_card, write_card

CARDS = Path(__file__).parents[1] / "model_cards"
DEMO = Path(__file__).parents[1] / "runs" / "demo"
CONDITIONS = {"the right picture": "", "a blank picture": "_blank", "another example's picture": "_shuffled"}
CONDITIONS["unseen drawing styles"] = "_unseen_style"


def scores(seed: int) -> dict:
    """Scores of a made-up text about pictures of the world, as an evaluation would leave them."""
    pairs = []
    for index in range(12):
        scene = world_scene(seed, "test", index)
        fact = sorted(fact for fact in scene.facts() if fact[0] == "kind")[0]
        pairs.append((f"a {fact[1]} and a red cat", scene))
    by_type, intervals = corpus_scores(pairs), fact_intervals(pairs)
    overall, metrics = by_type.pop("all"), {"pictures": 12, "by_type": by_type}
    for end in ("", "_blank", "_shuffled"):
        for name in ("precision", "recall", "f1"):
            metrics[f"facts_{name}{end}"] = round(overall[name], 4)
            metrics[f"facts_{name}{end}_interval"] = intervals[name]
    return metrics


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished two-step stage with scores beside it, as the demo leaves them."""
    folder = tmp_path_factory.mktemp("run") / "tiny"
    trained, _ = finished_sft()
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("checkpoint-*", "tokenizer"))
    stage = folder / "stages" / "only"
    stage.mkdir(parents=True)
    for name in ("training.json", "loss_curve.png"):
        shutil.move(folder / name, stage / name)
    summary = json.loads((stage / "training.json").read_text())
    summary.pop("loss_history")
    metrics = scores(0) | {"command": "nanovlms demo --config some.yaml", "code": summary["code"]}
    (folder / "metrics.json").write_text(json.dumps(metrics | {"stages": [{"name": "only", **summary}]}))
    write_card(folder)
    return folder


def derived(folder: Path) -> set[str]:
    """Every number that a card of this run may show, from the files alone: tensors, summaries, scores, configuration."""
    allowed: set[str] = set()

    def allow(value) -> None:
        if isinstance(value, bool) or value is None:
            return
        if isinstance(value, dict):
            for key, item in value.items():
                allow(key)
                allow(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                allow(item)
        elif isinstance(value, str):
            allowed.update(numbers(value))
        else:
            allowed.update({f"{value:,}", f"{value}", f"{value:.4f}"})

    sizes: dict[str, int] = {}
    tables = 0
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        for name in weights.keys():  # noqa: SIM118
            count = 1
            for side in weights.get_slice(name).get_shape():
                count *= side
            part = name.removeprefix("model.").split(".")[0]
            part = "language_model" if part == "lm_head" else part
            sizes[part] = sizes.get(part, 0) + count
            tables += count if re.search(r"embed_tokens|wte|wpe|lm_head", name) else 0
    allow(list(sizes.values()) + [sum(sizes.values()), tables])
    metrics = json.loads((folder / "metrics.json").read_text())
    for stage in metrics["stages"]:
        frozen = stage.get("parameters", {}).get("frozen", 0)
        assert (
            stage.get("parameters", {}).get("total", sum(sizes.values())) in (sum(sizes.values()), None) or frozen == 0
        )
        allow(stage)
        for part in stage.get("parameters", {}).get("components", {}).values():
            allow(part["total"] - part["trainable"])
    allow({key: value for key, value in metrics.items() if key != "stages"})
    config = AutoConfig.from_pretrained(folder)
    allow([config.image_seq_length, config.vision_config.image_size])
    allow([config.vision_config.model_type, config.text_config.model_type])
    return allowed


def numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?", text.replace("_", " "))


# Numbers that are no measurements: a licence, a paper, a confidence level, code of the example, names of metrics.
FIXED = {"2.0", "2502.07838", "2025", "95", "1", "0", "4"}


def assert_all_numbers_are_derived(card: Path, folder: Path) -> None:
    text = card.read_text()
    body = re.sub(r"```.*?```", "", text.split("\n---\n", 1)[1], flags=re.DOTALL)
    unknown = [number for number in numbers(body) if number not in derived(folder) | FIXED]
    assert unknown == []
    metrics = json.loads((folder / "metrics.json").read_text())
    metadata = yaml.safe_load(text.split("---\n")[1])
    (index,) = metadata["model-index"]
    measured = {
        (f"{key}", value)
        for key, value in metrics.items()
        if key.startswith("facts_") and not key.endswith("_interval")
    }
    shown = {
        (
            entry["name"].split(", ")[0].replace(" ", "_"),
            CONDITIONS[(entry["name"].split(", ") + ["the right picture"])[1]],
            entry["value"],
        )
        for result in index["results"]
        for entry in result["metrics"]
    }
    assert {(name + end, value) for name, end, value in shown} == measured


def table(text: str, heading: str) -> list[list[str]]:
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")
    ][2:]


def test_each_number_of_a_card_is_derived_again(run):
    assert_all_numbers_are_derived(run / "README.md", run)


def test_the_scores_table_row_by_row(run):
    metrics = json.loads((run / "metrics.json").read_text())
    rows = table((run / "README.md").read_text(), "Measurements")[:9]
    for name, given, value, interval in rows:
        key = name.replace(" ", "_") + CONDITIONS[given]
        low, high = metrics[f"{key}_interval"]
        assert (value, interval) == (f"{metrics[key]:.4f}", f"{low:.4f} to {high:.4f}")


def test_the_parameters_table_row_by_row(run):
    rows = {row[0]: row[1:] for row in table((run / "README.md").read_text(), "Parameters")}
    with safe_open(run / "model.safetensors", framework="pt") as weights:
        names = list(weights.keys())
        shapes = [weights.get_slice(name).get_shape() for name in names]
    total = 0
    for shape in shapes:
        count = 1
        for side in shape:
            count *= side
        total += count
    assert rows["all"] == [f"{total:,}", f"{total:,}", "0"]
    assert set(rows) == {"vision tower", "connector", "decoder and head", "all"}


def test_what_a_card_tells(run):
    text = (run / "README.md").read_text()
    for words in (
        "## Data",
        "## Training",
        "peak memory, MiB",
        "seed 0",
        "licence apache-2.0",
        "## Intended use and limits",
        "```bibtex",
    ):
        assert words in text
    assert "accelerate launch --num_processes 1 " in text and "`nanovlms demo --config some.yaml`" in text
    assert "![loss curve only](loss_curve_only.png)" in text
    with Image.open(run / "loss_curve_only.png") as curve:
        assert curve.width > 300
    card = ModelCard.load(run / "README.md")
    assert card.data.license == "apache-2.0" and card.data.pipeline_tag == "image-text-to-text"
    assert len(card.data.eval_results) == 9 and check_card(card)


def test_what_was_not_measured_does_not_appear(run, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    metrics = json.loads((bare / "metrics.json").read_text())
    stage = metrics["stages"][0]
    for name in ("peak_memory_mib", "hardware", "data", "command", "parameters", "batch_size", "code"):
        stage.pop(name)
    for name in list(metrics):
        if name.endswith("_interval") or name in ("by_type", "command", "code"):
            metrics.pop(name)
    (bare / "metrics.json").write_text(json.dumps(metrics))
    write_card(bare)
    text = (bare / "README.md").read_text()
    for words in (
        "peak memory",
        "interval",
        "## Data",
        "frozen",
        "By type",
        "accelerate launch",
        "None",
        "null",
    ):
        assert words not in text.split("\n---\n", 1)[1], words
    assert_all_numbers_are_derived(bare / "README.md", bare)


def test_sources_with_revisions_and_licences(run, tmp_path):
    folder = tmp_path / "real"
    shutil.copytree(run, folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    source = {
        "name": "cats",
        "path": "someone/cats",
        "revision": "abc123",
        "license": "CC BY 4.0",
        "attribution": "Someone",
    }
    metrics["stages"][0]["data"] = {"sources": [source, {"name": "own", "path": "parquet"}], "train_rows": 70}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    write_card(folder)
    text = (folder / "README.md").read_text()
    assert "cats (`someone/cats`, split `train` at revision `abc123`), licence: CC BY 4.0. Someone." in text
    assert (
        "own (`parquet`, split `train`), licence: not stated by the source entry." in text
        and "70 rows of these in all" in text
    )
    assert ModelCard.load(folder / "README.md").data.datasets == ["someone/cats"]
    assert "small world" not in text


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            {"picture_world": {"seed": 0, "world": {}, "license": "apache-2.0"}},
            "drawn pictures of one small world and nothing else",
        ),
        (
            {"seed": 0, "parts": [{"name": "pages", "kind": "documents", "share": 1.0}]},
            "nothing but what this package draws: pages, charts and scenes",
        ),
        ({"sources": [{"name": "own", "path": "parquet"}]}, "It knows what its training data showed"),
        (None, "drawn pictures of one small world and nothing else"),
    ],
)
def test_limits_follow_what_the_stages_trained_on(run, tmp_path, data, told):
    folder = tmp_path / "limits"
    shutil.copytree(run, folder)
    metrics = json.loads((folder / "metrics.json").read_text())
    if data is None:
        del metrics["stages"]
    else:
        metrics["stages"][0]["data"] = data
    (folder / "metrics.json").write_text(json.dumps(metrics))
    write_card(folder)
    text = (folder / "README.md").read_text()
    assert told in text and text.count("It has seen") + text.count("It knows") == 1


def test_the_command_and_its_refusals(run, tmp_path, capsys):
    output = tmp_path / "cards" / "tiny.md"
    assert main(["card", str(run), "--output", str(output), "--name", "my-model"]) == 0
    assert output.read_text().count("# my-model") == 1 and str(output) in capsys.readouterr().out
    assert (
        "(tiny_loss_curve_only.png)" in output.read_text() and (output.parent / "tiny_loss_curve_only.png").is_file()
    )
    assert main(["card", str(tmp_path)]) == 2
    assert "holds no model (config.json)" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{}")
    assert main(["card", str(tmp_path)]) == 2
    assert "neither training.json nor metrics.json" in capsys.readouterr().err
    (tmp_path / "metrics.json").write_text("{")
    assert main(["card", str(tmp_path)]) == 2
    assert "metrics.json is not JSON" in capsys.readouterr().err


@pytest.mark.skipif(not (DEMO / "metrics.json").is_file(), reason="`make demo` has not run here")
def test_the_demo_s_card_is_rewritten_and_each_number_derived(tmp_path):
    shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("checkpoint-*"))
    write_card(tmp_path / "demo")
    assert_all_numbers_are_derived(tmp_path / "demo" / "README.md", tmp_path / "demo")


@pytest.mark.parametrize("path", sorted(CARDS.glob("nanovlm*.md")), ids=lambda path: path.stem)
def test_published_cards_are_valid(path):
    card = check_card(ModelCard.load(path))
    assert card.data.eval_results and card.data.license
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", card.text):
        assert (path.parent / picture).is_file()
