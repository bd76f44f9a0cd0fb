"""What a run left behind, read for its card: nothing here is typed in, guessed or rounded up.

`training.json` and `metrics.json` say what was measured (`training/run_files.py`, `demo.py`); parameters are counted on the
configuration. What a file does not hold stays None or empty, and the card then has no line for it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, PreTrainedConfig

from .training.measuring import count_parameters

CONTROLS = {
    "_blank": "a blank picture",
    "_shuffled": "another example's picture",
    "_unseen_style": "unseen drawing styles",
    "_without_vocabulary": "the right picture, without the vision vocabulary",
}
# What `metrics.json` holds beside scores.
_NO_SCORES = ("parameters", "train_seconds", "images_seen", "images_per_second", "pictures", "style_pictures")
_NO_SCORES += ("rows_per_part",)


@dataclass
class Score:
    """One measured score.

    Attributes:
        name (`str`): as in `metrics.json`, without the condition.
        condition (`str`): a key of `CONTROLS`, or empty for the right picture.
        value (`float`): the score.
        interval (`tuple[float, float]`, *optional*): its 95 % interval.
    """

    name: str
    condition: str
    value: float
    interval: tuple[float, float] | None = None


@dataclass
class RunFacts:
    """What one finished run measured.

    Attributes:
        folder (`Path`): the run's folder.
        name (`str`): the model's name.
        config (`PreTrainedConfig`): the model's configuration.
        parameters (`dict`): as `measuring.count_parameters` counts them, with `trainable` and `frozen` only where the last
            stage measured them.
        stages (`list[dict]`): each stage's summary, in order, with its `name`.
        scores (`list[Score]`): what was scored.
        metrics (`dict`): `metrics.json`.
    """

    folder: Path
    name: str
    config: PreTrainedConfig
    parameters: dict[str, Any]
    stages: list[dict] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    metrics: dict = field(default_factory=dict)


def read_run(folder: str | Path, name: str | None = None) -> RunFacts:
    """Reads a finished stage or demo.

    Args:
        folder (`str` or `Path`): its folder.
        name (`str`, *optional*): the model's name; the preset's with the folder's when not given.

    Raises:
        ValueError: if the folder holds no model, or no file that says what was measured.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise ValueError(
            f"{folder} holds no model (config.json); give the folder of a finished stage or of `make demo`."
        )
    metrics = _read(folder / "metrics.json")
    stages = _read_stages(folder, metrics)
    if not stages and not metrics:
        raise ValueError(
            f"{folder} holds neither training.json nor metrics.json, so nothing is known that a card could tell; train or "
            "evaluate with the recipes, which write them."
        )
    config = AutoConfig.from_pretrained(folder)
    parameters = _parameters(config)
    measured = [stage["parameters"] for stage in stages if stage.get("parameters")]  # a control may be among them
    parameters = next((found for found in reversed(measured) if found["total"] == parameters["total"]), parameters)
    metrics = metrics or stages[-1].get("scores") or {}  # a vision vocabulary's stage scores itself
    return RunFacts(folder, name or folder.resolve().name, config, parameters, stages, _scores(metrics), metrics)


def _read(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}); it was cut off or edited: run the stage again.") from error


def _read_stages(folder: Path, metrics: dict) -> list[dict]:
    if metrics.get("stages"):
        return metrics["stages"]
    own = _read(folder / "training.json")
    return [{"name": folder.resolve().name, **own}] if own else []


def _parameters(config: PreTrainedConfig) -> dict:
    """Counted on the meta device: no memory is taken and no weight is read."""
    builder = AutoModelForImageTextToText if hasattr(config, "text_config") else AutoModel
    with torch.device("meta"):
        model = builder.from_config(config)
    model.tie_weights()
    counted = count_parameters(model)
    components = {name: {"total": counts["total"]} for name, counts in counted["components"].items()}
    return {"total": counted["total"], "embedding": counted["embedding"], "components": components}


def _scores(metrics: dict) -> list[Score]:
    found = []
    for key, value in metrics.items():
        if key.endswith("_interval") or isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        condition = next((end for end in CONTROLS if key.endswith(end)), "")
        name, interval = key.removesuffix(condition), metrics.get(f"{key}_interval")
        if name not in _NO_SCORES:
            found.append(Score(name, condition, value, tuple(interval) if interval else None))
    return found


__all__ = ["CONTROLS", "RunFacts", "Score", "read_run"]
