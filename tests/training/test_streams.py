"""Training on a mixture of which a part streams."""

import json

import pytest
import yaml
from small_stages import SFT, flags

from nanovlms_hf.training import sft


@pytest.fixture
def mixture(tmp_path) -> str:
    """Scenes, and captions of pictures in a folder that are streamed."""
    from small_models import picture

    rows = []
    for index in range(6):
        picture(index, 24, 24).save(tmp_path / f"{index}.png")
        rows.append({"image": str(tmp_path / f"{index}.png"), "caption": f"Picture number {index} is noise."})
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {
        "name": "noise",
        "path": "json",
        "data_files": str(tmp_path / "rows.jsonl"),
        "streaming": True,
        "image": "image",
        "messages": [{"user": "What is it?"}, {"assistant": "{caption}"}],
    }
    (tmp_path / "noise.yaml").write_text(yaml.safe_dump(source))
    entries = [
        {"name": "scenes", "weight": 1, "scenes": {}},
        {"name": "noise", "weight": 1, "source": str(tmp_path / "noise.yaml")},
    ]
    return json.dumps(entries)


def run(folder, mixture: str, **changes) -> dict:
    own = {"mixture": mixture, "train_rows": 24, "validation_rows": 0, "max_steps": None, "num_train_epochs": 1}
    return sft.main(flags(SFT | own, folder, **changes))


def test_a_streamed_mixture_trains_and_goes_on_at_the_right_row(tmp_path, mixture):
    saving = {"save_strategy": "steps", "save_steps": 2, "per_device_train_batch_size": 4}
    whole = run(tmp_path / "whole", mixture, **saving)
    assert (whole["optimizer_steps"], whole["images_seen"]) == (6, 24)
    assert (tmp_path / "whole" / "model.safetensors").is_file()
    resumed = run(tmp_path / "whole", mixture, **saving, resume_from_checkpoint=tmp_path / "whole" / "checkpoint-4")
    assert resumed["resumed_at_step"] == 4
    assert [row["loss"] for row in resumed["loss_history"]] == [row["loss"] for row in whole["loss_history"]]
