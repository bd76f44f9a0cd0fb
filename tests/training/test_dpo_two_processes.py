"""Two processes over gloo against one at the same global batch: the same reference scores, losses and accuracies."""

import json

import pytest
from small_dpo import dpo_flags, losses, run_dpo
from test_two_processes import launch

from nanovlms_hf.data.reference_scores import read_scores


def test_dpo_in_two_processes_is_dpo_in_one(tmp_path):
    changes = {"eval_strategy": "steps", "eval_steps": 3, "train_rows": 13, "validation_rows": 5}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    launch("dpo.py", dpo_flags(tmp_path / "a" / "two", **changes, per_device_train_batch_size=2))
    two = json.loads((tmp_path / "a" / "two" / "training.json").read_text())
    one = run_dpo(tmp_path / "b" / "one", **changes, per_device_train_batch_size=4)
    assert (two["processes"], one["processes"]) == (2, 1)
    assert two["images_seen"] == one["images_seen"] == 12
    assert len(losses(two)) == 3
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    # Each pair counts once, though five do not divide by two processes; Trainer's mean of the losses weighs some of them twice.
    keys = [key for row in one["loss_history"] for key in row if key.startswith("eval_pairs/")]
    assert len(keys) >= 2
    for key in keys:
        assert losses(two, key) == pytest.approx(losses(one, key), rel=1e-4)
    files = [sorted(path.name for path in (tmp_path / name / "scores").iterdir()) for name in ("a", "b")]
    assert files[0] == files[1] and len(files[0]) == 2  # the same keys: the same model, data and settings
    for name in files[0]:
        left, right = (read_scores(tmp_path / part / "scores", name.removesuffix(".npz")) for part in ("a", "b"))
        assert left.digests.tolist() == right.digests.tolist()
        assert left.chosen.tolist() == pytest.approx(right.chosen.tolist(), abs=1e-4)
