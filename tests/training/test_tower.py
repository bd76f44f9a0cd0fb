"""Dense pretraining of a tower: the loss by hand, learning, and the stage's files."""

import json

import numpy as np
import pytest
import torch
from small_stages import run_sft, run_tower
from torch import nn
from transformers import AutoImageProcessor, AutoModel, SiglipVisionConfig

from nanovlms_hf import NanoVLMsImageProcessor
from nanovlms_hf.data.crowds import make_crowd
from nanovlms_hf.data.dense import DENSE_TASKS, IGNORED, crowd_targets, dense_targets
from nanovlms_hf.data.drawing import render
from nanovlms_hf.data.scenes import DEFAULT_WORLD
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.presets import preset_config
from nanovlms_hf.training.muon import MuonWithAdamW, muon_groups
from nanovlms_hf.training.tower import DensePretrainingModel, dense_accuracy
from nanovlms_hf.training.tower_stage import DenseCollator, DenseWorld

TINY = preset_config("nanovlm-tiny").vision_config


def world(rows: int = 8, crowd_share: float = 0.5, split: str = "train") -> DenseWorld:
    return DenseWorld(split, rows, crowd_share, seed=0, world=DEFAULT_WORLD, image_size=64, grid=4)


def batch_of(rows) -> dict[str, torch.Tensor]:
    return DenseCollator(NanoVLMsImageProcessor(size={"height": 64, "width": 64}))(list(rows))


def test_rows_are_scenes_and_crowds_in_their_share():
    data = world(8, crowd_share=0.25)
    for index in range(8):
        crowd = index % 4 == 3
        scene = make_crowd(0, index) if crowd else world_scene(0, "train", index)
        row, targets = data[index], (crowd_targets if crowd else dense_targets)(scene, 4)
        assert row["picture"].tobytes() == render(scene, 64).tobytes()
        assert all(np.array_equal(row[task.name], targets[task.name]) for task in DENSE_TASKS)
    assert len(data) == 8 and len(list(data)) == 8
    for index in (-1, 8):
        with pytest.raises(IndexError):
            data[index]
    assert sum((row["size"] == IGNORED).all() for row in world(20, crowd_share=0.6)) == 12


def test_training_and_validation_share_no_picture():
    train = {row["picture"].tobytes() for row in world(30, 0.0)}
    assert not train & {row["picture"].tobytes() for row in world(30, 0.0, split="validation")}


def test_a_batch_has_a_class_for_every_patch():
    batch = batch_of(world(3))
    assert batch["pixel_values"].shape == (3, 3, 64, 64)
    for task in DENSE_TASKS:
        assert (
            batch[task.name].shape == ((3, 16) if task.per_patch else (3,)) and batch[task.name].dtype == torch.int64
        )


def test_the_loss_is_the_sum_of_weighted_cross_entropies():
    torch.manual_seed(0)
    model, batch = DensePretrainingModel(TINY).eval(), batch_of(world(4))
    outputs = model(**batch)
    features = model.vision_tower(batch["pixel_values"]).last_hidden_state
    expected = 0.0
    for task in DENSE_TASKS:
        logits = model.heads[task.name](features if task.per_patch else features.mean(1))
        torch.testing.assert_close(outputs["logits"][task.name], logits)
        if not task.per_patch:
            expected += nn.functional.cross_entropy(logits, batch[task.name])
            continue
        total = weight_sum = 0.0
        for image in range(4):
            for patch in range(16):
                weight = 1.0 if batch["kind"][image, patch] > 0 else 0.25
                target = batch[task.name][image, patch]
                total += 0.0 if target == IGNORED else -weight * logits[image, patch].log_softmax(-1)[target]
                weight_sum += weight
        expected += total / weight_sum
    torch.testing.assert_close(outputs["loss"], expected)
    assert "loss" not in model(batch["pixel_values"])


def test_tokens_before_the_grid_take_no_part():
    torch.manual_seed(0)
    vision = preset_config("nanovlm-tiny", vision_config={"use_cls_token": True}).vision_config
    model = DensePretrainingModel(vision, num_prefix_tokens=1).eval()
    pixels = batch_of(world(2))["pixel_values"]
    features = model.vision_tower(pixels).last_hidden_state
    assert features.shape == (2, 17, 64)
    torch.testing.assert_close(model(pixels)["logits"]["kind"], model.heads["kind"](features[:, 1:]))


def test_a_tower_of_transformers_has_the_same_heads():
    shape = {"image_size": 64, "patch_size": 16, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
    model = DensePretrainingModel(SiglipVisionConfig(num_attention_heads=4, **shape))
    assert model(**batch_of(world(2)))["loss"].isfinite()


def test_accuracy_counts_the_patches_that_show_a_thing():
    torch.manual_seed(0)
    model, batch = DensePretrainingModel(TINY).eval(), batch_of(world(3, crowd_share=0.0))
    for task in DENSE_TASKS:  # heads that always say class 1
        nn.init.zeros_(model.heads[task.name].weight)
        model.heads[task.name].bias.data = torch.eye(task.num_classes)[1]
    scores, shown = dense_accuracy(model, batch), batch["kind"] > 0
    for task in DENSE_TASKS:
        labels = batch[task.name][shown] if task.per_patch else batch[task.name]
        assert scores[task.name] == pytest.approx((labels == 1).float().mean().item())


def test_a_tiny_tower_learns_a_few_pictures():
    torch.manual_seed(0)
    model, batch = DensePretrainingModel(TINY), batch_of(world(4))
    optimizer = MuonWithAdamW(muon_groups(model.named_parameters(), lr=3e-3, muon_lr=0.02))
    first = model(**batch)["loss"].item()
    for _ in range(40):
        optimizer.zero_grad()
        loss = model(**batch)["loss"]
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2 * first
    assert dense_accuracy(model.eval(), batch)["kind"] > 0.9


@pytest.mark.parametrize("muon", [None, 0.02], ids=["adamw", "muon"])
def test_the_stage_leaves_a_tower_that_the_next_stage_loads(tmp_path, muon):
    folder = tmp_path / "tower"
    summary = run_tower(folder, muon_learning_rate=muon)
    assert json.loads((folder / "training.json").read_text()) == summary
    assert (summary["images_seen"], summary["optimizer_steps"]) == (8, 2)
    assert set(summary["accuracy"]) == {task.name for task in DENSE_TASKS}
    assert all(0 <= value <= 1 for value in summary["accuracy"].values())
    assert (folder / "loss_curve.png").stat().st_size > 1000
    tower = AutoModel.from_pretrained(folder)
    assert AutoImageProcessor.from_pretrained(folder).size == {"height": 64, "width": 64}
    run_tower(tmp_path / "again", muon_learning_rate=muon)
    again = AutoModel.from_pretrained(tmp_path / "again").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in tower.state_dict().items())

    run_sft(tmp_path / "sft", vision_tower=folder, freeze="vision_tower", max_steps=1)
    kept = AutoModel.from_pretrained(tmp_path / "sft").vision_tower.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in tower.state_dict().items())


def test_a_killed_tower_stage_goes_on(tmp_path):
    import shutil

    changes = {
        "max_steps": 4,
        "save_strategy": "steps",
        "save_steps": 2,
        "muon_learning_rate": 0.02,
        "crowd_share": 0.25,
    }
    whole = run_tower(tmp_path / "whole", **changes)
    shutil.copytree(tmp_path / "whole" / "checkpoint-2", tmp_path / "killed" / "checkpoint-2")
    resumed = run_tower(tmp_path / "killed", **changes, resume_from_checkpoint="auto", save_total_limit=1)
    assert not (tmp_path / "killed" / "checkpoint-2").exists()  # replaced by a newer one while the run went on
    assert [row.get("loss") for row in resumed["loss_history"]] == [row.get("loss") for row in whole["loss_history"]]
    assert (resumed["resumed_at_step"], resumed["images_seen"]) == (2, 16)
    towers = [AutoModel.from_pretrained(tmp_path / name).state_dict() for name in ("whole", "killed")]
    assert all(torch.equal(value, towers[1][name]) for name, value in towers[0].items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"preset": None}, "the recipe names no preset"), ({"preset": "nanovlm-teeny"}, "not a preset; choose one of")],
)
def test_a_stage_without_a_preset_is_refused(tmp_path, changes, said):
    with pytest.raises(ValueError, match=said):
        run_tower(tmp_path / "run", **changes)
