"""`nanovlms doctor --config`: every recipe that runs offline is healthy, and faults of a recipe are found before it trains."""

import json
import tempfile
from functools import cache
from pathlib import Path

import datasets
import pytest
import torch
import yaml
from small_stages import SFT, tiny_model

from nanovlms_hf import vocabulary
from nanovlms_hf.cli import main
from nanovlms_hf.doctor.recipes import examine_recipe, ready_trainer
from nanovlms_hf.doctor.run import EXAMINING
from nanovlms_hf.training import dpo

ROOT = Path(__file__).parents[2]
FEW = ["--train_rows", "4", "--validation_rows", "2"]
# recipe -> (folders of others that it starts from, further flags)
CHAINS = {
    "nanovlm-tiny/sft.yaml": ({}, []),
    "nanovlm-mini-modern/1_tower.yaml": ({}, []),
    "nanovlm-mini-modern/2_sft.yaml": ({"vision_tower": "nanovlm-mini-modern/1_tower.yaml"}, []),
    "vary-nano/0_marks.yaml": ({}, []),
    "vary-nano/0_tower.yaml": ({}, []),
    "vary-nano/1_reader.yaml": ({"vision_tower": "vary-nano/0_marks.yaml"}, []),
    "vary-nano/1_vocabulary.yaml": (
        {"vision_tower": "vary-nano/1_reader.yaml", "language_model": "vary-nano/1_reader.yaml/reader"},
        [],
    ),
    "vary-nano/2_pretrain.yaml": (
        {
            "vision_tower": "vary-nano/0_tower.yaml",
            "vocabulary": "vary-nano/1_vocabulary.yaml",
            "language_model": "vary-nano/1_vocabulary.yaml/reader",
        },
        [],
    ),
    "vary-nano/3_sft.yaml": ({"model_name_or_path": "vary-nano/2_pretrain.yaml"}, []),
    # the paper's shape, with a narrower decoder for time
    "nanovlm-mini/sft.yaml": ({}, ["--overrides", json.dumps({"text_config": {"n_layer": 1, "n_embd": 96}})]),
    "nanovlm-mini/dpo.yaml": ({"model_name_or_path": "nanovlm-mini/sft.yaml"}, []),
    "nanovlm-mini-modern/dpo.yaml": ({"model_name_or_path": "nanovlm-mini-modern/2_sft.yaml"}, []),
    "nanovlm-mini-modern/grpo.yaml": ({"model_name_or_path": "nanovlm-mini-modern/2_sft.yaml"}, []),
    "demo/dpo.yaml": ({"model_name_or_path": "nanovlm-tiny/sft.yaml"}, []),
    "demo/grpo.yaml": ({"model_name_or_path": "nanovlm-tiny/sft.yaml"}, []),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("recipes")


def given(name: str, folder: Path) -> list[str]:
    """The flags of a recipe: few rows, and the folders of those that it starts from, written here without training."""
    starts, more = CHAINS[name]
    words = [*FEW, *more]
    for key, start in starts.items():
        recipe, _, inner = start.partition(".yaml")
        words += [f"--{key}", f"{left_by(f'{recipe}.yaml', folder)}{inner}"]
    return words


@cache
def left_by(name: str, folder: Path) -> Path:
    """The folder that a recipe leaves, with the weights that it starts from."""
    output = folder / name
    with ready_trainer(str(ROOT / "recipes" / name), given(name, folder)) as trainer:
        trainer.args.output_dir = str(output)
        processor = trainer.processing_class
        if name.endswith(("_tower.yaml", "_marks.yaml")):
            trainer.save_for_hub(output)
        elif name.endswith(("_vocabulary.yaml", "_reader.yaml")):
            model = vocabulary.without_marks(trainer.model)
            model.save_pretrained(output / "reader")
            processor.save_pretrained(output / "reader")
            vocabulary.save_vocabulary(model.model.vision_tower, processor.image_processor, output)
        else:
            trainer.model.save_pretrained(output)
            processor.save_pretrained(output)
    return output


@pytest.mark.parametrize("name", CHAINS)
def test_a_healthy_recipe_has_no_finding(name, folder, monkeypatch):
    monkeypatch.chdir(ROOT)
    report = examine_recipe(f"recipes/{name}", given(name, folder))
    assert report.findings == []
    assert {"weights", "batches", "pictures", "forward pass", "picture changes the answer", "gradients"} <= set(
        report.checks
    )
    has_text = not name.endswith(("_tower.yaml", "_marks.yaml"))
    has_answers = has_text and not name.endswith("grpo.yaml")  # a model that earns rewards writes them itself
    assert [example.supervised > 1 for example in report.examples] == [has_answers] * 3 * has_text
    assert ("end of answers" in report.checks) == has_text
    assert not EXAMINING.get()


def test_every_recipe_that_trains_offline_is_among_them():
    offline = set()
    for path in sorted((ROOT / "recipes").rglob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        starts = isinstance(content, dict) and {"preset", "model_name_or_path"} & set(content)
        if starts and "sources" not in content and "vary-t" not in str(path):
            offline.add(str(path.relative_to(ROOT / "recipes")))
    assert offline == set(CHAINS)


def test_nothing_of_a_recipe_is_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--config", str(ROOT / "recipes/nanovlm-tiny/sft.yaml"), "--", *FEW]) == 0
    assert list(tmp_path.iterdir()) == []
    printed = capsys.readouterr().out
    assert printed.count("\nexample ") + printed.startswith("example 1 (") == 3
    assert "<|user|><image>x16" in printed and "<|end|>]]" in printed
    assert printed.rstrip().splitlines()[-1].startswith("healthy: nothing found (9 checks: weights, batches, ")


@pytest.mark.parametrize("name", ["demo/dpo.yaml", "demo/grpo.yaml"])
def test_nothing_is_left_of_a_recipe_that_starts_from_another(name, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    flags = given(name, folder)
    temporary, outside = tmp_path / "temporary", tmp_path / "outside"
    temporary.mkdir(), outside.mkdir()
    monkeypatch.chdir(outside)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(outside / "cache"))
    before = files_of(folder)
    examine_recipe(str(ROOT / "recipes" / name), flags)
    assert list(outside.iterdir()) == [] and list(temporary.iterdir()) == [] and files_of(folder) == before


def files_of(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_few_pairs_are_scored(tmp_path, monkeypatch):
    name, scored, with_reference = "demo/dpo.yaml", [], dpo.with_reference
    monkeypatch.setattr(
        dpo, "with_reference", lambda rows, *rest: scored.append(len(rows)) or with_reference(rows, *rest)
    )
    start = ["--model_name_or_path", str(saved_model(tmp_path / "model"))]
    with ready_trainer(str(ROOT / "recipes" / name), start) as trainer:
        assert str(trainer.args.reference_folder).startswith(str(trainer.args.output_dir))
    assert scored == [8, 8]


def test_the_report_as_json(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["doctor", "--config", "recipes/nanovlm-tiny/sft.yaml", "--json", "--", *FEW]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["healthy"], report["findings"], len(report["examples"])) == (True, [], 3)
    assert report["examples"][0]["text"][1] == {"text": "<image>x16", "supervised": False}


def recipe_of(folder: Path, name: str = "sft.yaml", **changes) -> str:
    """A recipe of the smallest SFT stage."""
    content = {key: value for key, value in SFT.items() if key != "max_steps"} | {"output_dir": str(folder / "out")}
    (folder / name).write_text(yaml.safe_dump({**content, **changes}))
    return str(folder / name)


def test_a_fault_is_exit_code_1_with_its_cure(tmp_path, capsys, monkeypatch):
    path = recipe_of(tmp_path, assistant_only_loss=False)
    assert main(["doctor", "--config", path]) == 1
    printed = capsys.readouterr().out
    assert (
        "WARNING placeholders_supervised\n  what: " in printed and "\n  why:  " in printed and "\n  mend: " in printed
    )
    assert printed.rstrip().splitlines()[-1].startswith("1 finding (9 checks: ")
    assert main(["doctor", "--config", path, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["code"] == "placeholders_supervised"


def saved_model(folder: Path) -> Path:
    model, processor = tiny_model()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_weights_that_a_recipe_misses_are_a_finding_not_bad_input(tmp_path, capsys):
    from safetensors.torch import load_file, save_file

    model = saved_model(tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    weights = {name: value for name, value in weights.items() if "connector" not in name}
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    path = recipe_of(tmp_path, preset=None, vocab_size=None, model_name_or_path=str(model))
    assert main(["doctor", "--config", path]) == 1
    assert "ERROR weights_not_loaded" in capsys.readouterr().out


def test_a_tower_that_does_not_fit_is_a_finding(tmp_path):
    with ready_trainer(str(ROOT / "recipes/vary-nano/0_tower.yaml"), FEW) as trainer:
        trainer.save_for_hub(tmp_path / "tower")
    (finding,) = examine_recipe(recipe_of(tmp_path, vision_tower=str(tmp_path / "tower"))).findings
    assert finding.code == "weights_not_loaded" and "weights match" in finding.what


@torch.no_grad()
def test_a_saved_model_that_ignores_pictures(tmp_path):
    model, processor = tiny_model()
    for parameter in model.model.connector.parameters():
        parameter.zero_()
    model.save_pretrained(tmp_path / "model"), processor.save_pretrained(tmp_path / "model")
    path = recipe_of(tmp_path, preset=None, vocab_size=None, model_name_or_path=str(tmp_path / "model"))
    report = examine_recipe(path)
    assert [finding.code for finding in report.findings] == ["picture_ignored"]


def test_what_a_recipe_freezes_is_read(tmp_path):
    report = examine_recipe(recipe_of(tmp_path, freeze=["vision_tower", "language_model"]))
    assert report.healthy
    assert examine_recipe(recipe_of(tmp_path), ["--freeze", "vision_tower", "connector"]).healthy


@pytest.mark.parametrize(
    "argv, said",
    [
        ([], "give either --config RECIPE.yaml, or --model DIR_OR_ID with --data SOURCE.yaml"),
        (["--config", "a.yaml", "--model", "b"], "give either --config"),
        (["--config", "nowhere/sft.yaml"], "nowhere/sft.yaml does not exist"),
        (["--config", "odd.yaml"], "is not YAML"),
        (["--config", "list.yaml"], "holds a list"),
        (["--config", "recipes/demo/demo.yaml"], "lists several stages"),
        (
            ["--config", "recipes/demo/evaluate.yaml"],
            "the stage of recipes/demo/evaluate.yaml is not known from its name",
        ),
        (
            ["--config", "recipes/nanovlm-tiny/sft.yaml", "--stage", "nothing"],
            "--stage 'nothing' is no kind of recipe",
        ),
        (["--config", "recipes/nanovlm-tiny/sft.yaml", "--data", "x.yaml"], "belong to --model"),
        (["--config", "recipes/nanovlm-tiny/sft.yaml", "--", "--preset", "nanovlm-huge"], "nanovlm-huge"),
        (
            ["--config", "recipes/own-pictures/sft.yaml", "--", "--model_name_or_path", "gone"],
            "model_name_or_path=gone",
        ),
        (["--model", "gone"], "--model needs rows to look at"),
        (["--model", "gone", "--data", "gone.yaml"], "--data gone.yaml does not exist"),
        (["--model", "gone", "--data", "recipes/sources/own_folder.yaml"], "--model gone is no such folder"),
        (["--model", "gone", "--data", "x.yaml", "--stage", "sft"], "belong to --config"),
    ],
    ids=str,
)
def test_bad_input_is_exit_code_2_and_one_sentence(argv, said, tmp_path, monkeypatch, capsys):
    (tmp_path / "odd.yaml").write_text("a: [1")
    (tmp_path / "list.yaml").write_text("- a")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", *argv]) == 2
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("nanovlms doctor: ")]
    assert len(lines) == 1 and said in lines[0] and printed.out == ""
