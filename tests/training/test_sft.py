"""The SFT stage from flags to files, in runs of a few steps."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pictures
from safetensors.torch import load_file
from small_stages import SFT, finished_sft, flags, run_sft, tiny_model
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging

from nanovlms_hf.data.world import world_dataset
from nanovlms_hf.evaluation.describing import describe_pictures
from nanovlms_hf.training import building
from nanovlms_hf.training.arguments import DataArguments, ModelArguments, StageArguments, parse
from nanovlms_hf.training.building import component_of
from nanovlms_hf.training.run_files import checkpoint_to_resume, rows_seen
from nanovlms_hf.training.stage_data import load_data, texts_of
from nanovlms_hf.training.trainer import NanoVLMsSFTTrainer, SupervisedCollator

ROOT = Path(__file__).parents[2]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def losses(summary: dict) -> list[float]:
    return [row["loss"] for row in summary["loss_history"] if "loss" in row]


def trainer_with(folder: Path, rows: int = 10, **arguments) -> NanoVLMsSFTTrainer:
    """A trainer of a tiny model that has not trained yet."""
    model, processor = tiny_model()
    return NanoVLMsSFTTrainer(
        model=model,
        args=StageArguments(output_dir=str(folder), per_device_train_batch_size=4, use_cpu=True, **arguments),
        train_dataset=world_dataset("train", rows, image_size=64),
        processing_class=processor,
    )


# What a stage leaves --------------------------------------------------------------------------------------------------


def test_a_stage_leaves_what_the_next_one_needs():
    folder, summary = finished_sft()
    present = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "processor_config.json", "tokenizer.json"} <= present
    assert {"training.json", "loss_curve.png", "chat_template.jinja"} <= present
    assert json.loads((folder / "training.json").read_text()) == summary
    assert (summary["images_seen"], summary["optimizer_steps"]) == (8, 2)
    assert (summary["processes"], summary["seed"], summary["resumed_at_step"]) == (1, 3, None)
    assert len(losses(summary)) == 2 and summary["final_train_loss"] == losses(summary)[-1]
    with Pictures.open(folder / "loss_curve.png") as curve:
        assert curve.width > 300


def test_the_auto_classes_load_it_and_it_describes():
    folder, _ = finished_sft()
    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in weights(folder).items())
    assert (model.generation_config.eos_token_id, model.generation_config.pad_token_id) == (1, 0)
    pictures = [Pictures.new("RGB", (80, 60), colour) for colour in ("red", "blue")]
    answers = describe_pictures(model, processor, pictures, max_new_tokens=5)
    assert len(answers) == 2 and answers == describe_pictures(model, processor, pictures, max_new_tokens=5)


@pytest.mark.parametrize(
    ("rows", "accumulation", "steps", "seen"),
    [(8, 1, 2, 8), (10, 1, 2, 8), (10, 1, 3, 10), (10, 1, 4, 14), (10, 2, 1, 8), (10, 2, 2, 10), (10, 2, 3, 18)],
)
def test_images_seen_counts_a_short_last_batch_as_what_it_holds(tmp_path, rows, accumulation, steps, seen):
    trainer = trainer_with(tmp_path, rows, gradient_accumulation_steps=accumulation)
    assert rows_seen(trainer, steps) == seen


# What trains ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frozen", [[], ["vision_tower"], ["connector", "language_model"]], ids=str)
def test_exactly_what_is_not_frozen_moves(tmp_path, frozen):
    # Weight decay moves what gets no gradient, such as the words that two sentences do not hold; the learning rate is
    # large enough for one step to be seen in every number.
    changes = {"freeze": frozen or None, "max_steps": 1, "learning_rate": 1e-2, "weight_decay": 0.1}
    run_sft(tmp_path / "trained", **changes)
    run_sft(tmp_path / "start", **changes | {"learning_rate": 0.0})
    before, after = weights(tmp_path / "start"), weights(tmp_path / "trained")
    assert set(before) == set(after)
    for name in before:
        if component_of(name) in frozen:
            assert torch.equal(before[name], after[name]), name
        else:
            assert not torch.equal(before[name], after[name]), name


def groups_of(trainer: NanoVLMsSFTTrainer) -> dict[str, dict]:
    """The optimizer group of each parameter, by name; fails for one in no group or in two."""
    names = {id(parameter): name for name, parameter in trainer.model.named_parameters()}
    groups = {}
    for group in trainer.create_optimizer().param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            assert name not in groups, name
            groups[name] = {key: value for key, value in group.items() if key != "params"}
    trainable = {name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad}
    assert set(groups) == trainable
    return groups


def test_each_component_has_its_learning_rate(tmp_path):
    rates = {"vision_tower": 1e-4, "language_model": "5e-3"}
    trainer = trainer_with(tmp_path, component_learning_rates=rates, learning_rate=1e-3, weight_decay=0.1)
    wanted = {"vision_tower": 1e-4, "connector": 1e-3, "language_model": 5e-3}
    for name, group in groups_of(trainer).items():
        assert group["lr"] == wanted[component_of(name)], name
        matrix = name.endswith("weight") and "norm" not in name
        assert not matrix or group["weight_decay"] == 0.1, name
        assert not name.endswith("bias") or group["weight_decay"] == 0.0, name
    assert type(trainer.optimizer).__name__ == "AdamW"


def test_muon_takes_hidden_matrices_and_adamw_the_rest(tmp_path):
    trainer = trainer_with(tmp_path, muon_learning_rate=0.02, learning_rate=1e-3, weight_decay=0.1)
    for parameter in trainer.model.model.connector.parameters():
        parameter.requires_grad_(False)
    groups = groups_of(trainer)
    tower, text = "model.vision_tower.", "model.language_model."
    for name in (
        f"{tower}layers.0.self_attn.q_proj.weight",
        f"{tower}embeddings.patch_embedding.stages.1.0.weight",
        f"{text}layers.1.mlp.down_proj.weight",
    ):
        assert (groups[name]["muon"], groups[name]["lr"], groups[name]["weight_decay"]) == (True, 0.02, 0.1), name
    for name, decay in {
        f"{text}embed_tokens.weight": 0.1,
        f"{tower}embeddings.patch_embedding.stages.0.0.weight": 0.1,
        f"{tower}embeddings.position_embedding": 0.0,
        f"{tower}post_layernorm.weight": 0.0,
        f"{tower}layers.0.mlp.fc1.bias": 0.0,
    }.items():
        assert (groups[name]["muon"], groups[name]["lr"], groups[name]["weight_decay"]) == (False, 1e-3, decay), name


def test_wrong_learning_rates_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"component_learning_rates names \['decoder'\].*choose from vision_tower"):
        trainer_with(tmp_path, component_learning_rates={"decoder": 1e-3}).create_optimizer()
    both = {"component_learning_rates": {"connector": 1e-3}, "muon_learning_rate": 0.02}
    with pytest.raises(ValueError, match="were both given; give one of them"):
        trainer_with(tmp_path, **both).create_optimizer()


# Seeds and resumption -------------------------------------------------------------------------------------------------


def test_the_seed_decides_everything(tmp_path):
    folder, summary = finished_sft()
    torch.rand(3)  # what was drawn before does not matter
    again = run_sft(tmp_path / "again")
    assert losses(again) == losses(summary)
    assert all(torch.equal(value, weights(folder)[name]) for name, value in weights(tmp_path / "again").items())
    other = run_sft(tmp_path / "other", seed=4)
    assert losses(other)[0] != losses(summary)[0]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, optimizer):
    changes = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "train_rows": 12, "weight_decay": 0.1}
    changes |= {"lr_scheduler_type": "cosine", "muon_learning_rate": 0.02 if optimizer == "muon" else None}
    whole = run_sft(tmp_path / "whole", **changes)
    # What a run leaves that is killed while it writes its second checkpoint.
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "whole" / "checkpoint-2", killed / "checkpoint-2")
    shutil.copytree(tmp_path / "whole" / "checkpoint-4", killed / "checkpoint-4")
    (killed / "checkpoint-4" / "trainer_state.json").unlink()
    resumed = run_sft(killed, **changes, resume_from_checkpoint="auto", save_total_limit=1)
    assert (whole["resumed_at_step"], resumed["resumed_at_step"]) == (None, 2)
    assert losses(resumed) == losses(whole) and len(losses(whole)) == 4
    assert resumed["images_seen"] == whole["images_seen"] == 16
    assert resumed["images_per_second"] == pytest.approx(8 / resumed["train_seconds"], rel=0.2)
    assert all(torch.equal(value, weights(killed)[name]) for name, value in weights(tmp_path / "whole").items())


def test_the_best_checkpoint_is_kept(tmp_path):
    changes = {
        "max_steps": 3,
        "learning_rate": 0.3,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
    }
    for name in ("eval", "save"):
        changes |= {f"{name}_strategy": "steps", f"{name}_steps": 1}
    summary = run_sft(tmp_path / "run", **changes)
    validation = [row["eval_loss"] for row in summary["loss_history"] if "eval_loss" in row]
    assert summary["best_validation_loss"] == min(validation)
    best = summary["best_checkpoint_step"]
    assert best == 1 + validation.index(min(validation)) < 3  # a rate of 0.3 makes it worse and worse
    kept = weights(tmp_path / "run" / f"checkpoint-{best}")
    assert all(torch.equal(value, kept[name]) for name, value in weights(tmp_path / "run").items())


def test_where_to_resume(tmp_path):
    def asked(value) -> str | None:
        arguments = StageArguments(output_dir=str(tmp_path), use_cpu=True, resume_from_checkpoint=value)
        return checkpoint_to_resume(arguments)

    assert [asked(value) for value in (None, "false", "auto", "true")] == [None] * 4
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    assert asked("auto") == str(tmp_path / "checkpoint-10")
    assert asked(str(tmp_path / "checkpoint-9")) == str(tmp_path / "checkpoint-9")
    with pytest.raises(ValueError, match="is no folder; give a checkpoint folder, or `auto`"):
        asked(str(tmp_path / "checkpoint-11"))
    for step, half in (
        (11, None),
        (12, ""),
        (13, '{"global_step": 13, "log_his'),
    ):  # killed before, and while, its state was written
        (tmp_path / f"checkpoint-{step}").mkdir()
        if half is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(half)
    assert asked("auto") == str(tmp_path / "checkpoint-10")


def test_nothing_to_resume_is_said(tmp_path, caplog):
    logging.enable_propagation()
    try:
        arguments = StageArguments(output_dir=str(tmp_path), use_cpu=True, resume_from_checkpoint="auto")
        assert checkpoint_to_resume(arguments) is None
    finally:
        logging.disable_propagation()
    assert f"there is no checkpoint in {tmp_path}; starting from the beginning" in caplog.text


def test_resuming_takes_the_tokenizer_of_the_killed_run(tmp_path, monkeypatch):
    changes = {"save_strategy": "steps", "save_steps": 1}
    run_sft(tmp_path / "run", **changes | {"max_steps": 1})
    first = (tmp_path / "run" / "tokenizer" / "tokenizer.json").read_text()
    monkeypatch.setattr(building, "train_tokenizer", lambda *_, **__: pytest.fail("a tokenizer was trained"))
    other_words = {"world": '{"kinds": ["dog"], "colours": ["red"], "settings": ["field"], "max_groups": 1}'}
    summary = run_sft(tmp_path / "run", **changes | other_words, resume_from_checkpoint="auto")
    assert summary["resumed_at_step"] == 1
    assert (tmp_path / "run" / "tokenizer" / "tokenizer.json").read_text() == first
    for folder in (tmp_path / "run" / "tokenizer", tmp_path / "run" / "checkpoint-2"):
        (folder / "tokenizer.json").unlink()
    with pytest.raises(
        ValueError, match="cannot be resumed from .*checkpoint-2: neither it nor .*tokenizer holds the"
    ):
        run_sft(tmp_path / "run", **changes, resume_from_checkpoint="auto")


def merges(folder: Path) -> list:
    """What a saved tokenizer was trained to."""
    return json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]


def test_a_used_folder_is_written_over(tmp_path):
    run_sft(
        tmp_path / "run",
        max_steps=1,
        world='{"kinds": ["dog"], "colours": ["red"], "settings": ["field"], "max_groups": 1}',
    )
    first = merges(tmp_path / "run" / "tokenizer")
    assert run_sft(tmp_path / "run", max_steps=1)["resumed_at_step"] is None
    assert merges(tmp_path / "run" / "tokenizer") == merges(tmp_path / "run") != first


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("max_length", 64, "max_length=64 would cut examples off.*leave it out"),
        ("completion_only_loss", "true", "completion_only_loss=True needs rows of a prompt and a completion"),
        (
            "vision_tower",
            "nopedir/x",
            "vision_tower=nopedir/x is no such folder, and no repository of the Hub that is in",
        ),
        ("vision_tower", "/no/such", "vision_tower=/no/such is no such folder; give the folder that a finished stage"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(tmp_path, flag, value, said):
    with pytest.raises(ValueError, match=said):
        run_sft(tmp_path / "run", **{flag: value})


def test_a_model_that_is_nowhere_is_named(tmp_path):
    changes = {"preset": None, "vocab_size": None, "model_name_or_path": "nope"}
    with pytest.raises(ValueError, match="model_name_or_path=nope is no such folder, and no repository of the Hub"):
        run_sft(tmp_path / "run", **changes)


def test_settings_of_the_collator_reach_it(tmp_path, monkeypatch):
    widths = []
    collate = SupervisedCollator.torch_call

    def watched(self, examples):
        batch = collate(self, examples)
        widths.append(batch["input_ids"].shape[1])
        return batch

    monkeypatch.setattr(SupervisedCollator, "torch_call", watched)
    run_sft(tmp_path / "run", pad_to_multiple_of=32)
    assert widths and all(width % 32 == 0 for width in widths)


def test_the_tokenizer_knows_the_context_of_the_decoder():
    overrides = {"text_config": {"max_position_embeddings": 48}}
    arguments = ModelArguments(preset="nanovlm-tiny", vocab_size=300, overrides=overrides)
    _, processor = building.build(arguments, lambda: ["A red dog runs."])
    assert processor.tokenizer.model_max_length == 48


# Data -----------------------------------------------------------------------------------------------------------------


def write_source(folder: Path, answers: list[str], **entries) -> str:
    """A parquet source of as many different pictures as answers; returns its YAML file."""
    pictures = [Pictures.new("RGB", (20, 20), (10 * index, 80, 160)) for index in range(len(answers))]
    features = Features({"image": Image(), "text": Value("string")})
    rows = Dataset.from_dict({"image": pictures, "text": answers}, features=features)
    rows.to_parquet(folder / "rows.parquet")
    lines = ["name: own", "path: parquet", "data_files: rows.parquet", "messages:", "  - user: What is it?"]
    lines += ['  - assistant: "{text}"', *(f"{key}: {value}" for key, value in entries.items())]
    (folder / "own.yaml").write_text("\n".join(lines))
    return str(folder / "own.yaml")


def test_own_pictures_train(tmp_path):
    source = write_source(tmp_path, [f"Colour number {index}." for index in range(12)])
    summary = run_sft(tmp_path / "run", sources=source, train_rows=None)
    assert (summary["optimizer_steps"], summary["images_seen"]) == (2, 8)
    train, validation = load_data(DataArguments(sources=[source], validation_rows=3), 64)
    assert (len(train), len(validation)) == (11, 1)  # a tenth at most
    assert list(texts_of(train.select([0]), DataArguments(sources=[source])))[0] == "What is it?"
    train, validation = load_data(DataArguments(sources=[source], validation_rows=0, train_rows=5), 64)
    assert (len(train), validation) == (5, None)


def test_an_empty_assistant_turn_stops_the_run(tmp_path):
    rows = [f"Colour number {index}." for index in range(7)] + [""]
    with pytest.raises(ValueError, match="(0 supervised tokens|assistant turn is empty)"):
        run_sft(tmp_path / "run", sources=write_source(tmp_path, rows), train_rows=None)


def test_an_empty_assistant_turn_stops_the_trainer(tmp_path, monkeypatch):
    from nanovlms_hf.data import tasks

    monkeypatch.setitem(tasks.TASKS, "short", lambda scene, rng: [("What do you see?", "")])
    with pytest.raises(ValueError, match="examples in a batch have 0 supervised tokens.*What do you see"):
        run_sft(tmp_path / "run")


def test_a_streaming_source_is_refused(tmp_path):
    source = write_source(tmp_path, ["One.", "Two."], streaming="true")
    with pytest.raises(ValueError, match="stream, but this stage splits and shuffles rows by number"):
        load_data(DataArguments(sources=[source]), 64)


def test_one_row_is_too_few(tmp_path):
    with pytest.raises(ValueError, match=r"leave 1 row\(s\); at least 2"):
        load_data(DataArguments(sources=[write_source(tmp_path, ["One."])]), 64)


def test_the_picture_world_needs_a_number_of_rows(tmp_path):
    with pytest.raises(ValueError, match="train_rows is not set, but the picture world is endless"):
        run_sft(tmp_path / "run", train_rows=None)


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("mixture", '{"short": 1, "shrt": 0.001}', "mixture=.*'shrt'.*of short, long, naming, question"),
        ("mixture", '{"short": 0}', "a weight above 0"),
        ("world", '{"kind": ["cat"]}', "'kind', which is no field of WorldConfig; did you mean 'kinds'"),
        ("freeze", "tower", "names no component"),
        ("preset", "nanovlm-teeny", "not a preset"),
    ],
)
def test_bad_values_are_refused_before_training(tmp_path, flag, value, said):
    with pytest.raises(ValueError, match=said):
        run_sft(tmp_path / "run", **{flag: value})


def test_the_world_of_the_recipe_is_drawn():
    argv = flags(
        SFT,
        Path("unused"),
        mixture='{"naming": 1}',
        world='{"kinds": ["dog"], "colours": ["red"], "settings": ["field"], "max_groups": 1}',
    )
    _, data, _ = parse((ModelArguments, DataArguments, StageArguments), argv)
    train, validation = load_data(data, 64)
    assert (len(train), len(validation)) == (8, 2)
    assert train[0]["images"][0].size == (64, 64)
    answers = [
        message["content"][0]["text"] for row in train for message in row["messages"] if message["role"] == "assistant"
    ]
    assert len(answers) == 8 and all("red dog" in answer for answer in answers)
    assert list(texts_of(train, data)) == [
        part["text"] for row in train for message in row["messages"] for part in message["content"] if "text" in part
    ]


@pytest.mark.skipif(not (ROOT.parent / "shared" / "data" / "picturebooks").is_dir(), reason="no picture books here")
def test_two_steps_on_the_picture_books(tmp_path):
    summary = run_sft(tmp_path / "run", sources=ROOT / "recipes" / "sources" / "picturebooks.yaml", train_rows=8)
    assert (summary["optimizer_steps"], summary["images_seen"]) == (2, 8)
    assert all(0 < loss < 10 for loss in losses(summary))
