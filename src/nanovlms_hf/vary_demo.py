"""Stage 1, artifact, merge, stage 2, SFT, report: runs the recipes of a configuration, and the same without the second tower.

As in `demo.py` the training is that of the very recipes a user would launch. The control has no vision vocabulary and is
trained for the same time.
"""

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from .demo import DemoConfig, launch, read_config


@dataclass
class VaryDemoConfig(DemoConfig):
    """What the demo runs and measures.

    Args:
        model (`str`): name of the stage whose output is the merged model.
        control (`str`): name of the stage whose output is the same model without the vision vocabulary.
        vocabulary (`str`): name of the stage whose output is the artifact.
        rows (`int`): held-out rows of each part.
        parts (`list[dict]`): what is measured: entries of a mixture (see `data/mixture_config.py`).
    """

    output_dir: str = "runs/vary-demo"
    model: str = ""
    control: str = ""
    vocabulary: str = ""
    rows: int = 100
    parts: list[dict] = field(default_factory=list)


def run_vary_demo(config_path: str | Path, output_dir: str | None = None) -> dict:
    """Trains, measures and writes `metrics.json` and `report.html`; returns the metrics.

    Args:
        config_path (`str` or `Path`): the demo's YAML.
        output_dir (`str`, *optional*): folder to write, instead of the configuration's.

    Raises:
        ValueError: if the configuration is wrong or a stage fails.
    """
    config = read_config(config_path, VaryDemoConfig)
    config.output_dir = output_dir or config.output_dir
    _check(config, config_path)
    stages = Path(config.output_dir) / "stages"
    shutil.rmtree(stages, ignore_errors=True)
    stages.mkdir(parents=True)
    started = time.time()
    for stage in config.stages:
        launch(stage, config, stages)
    print(f"=== training took {time.time() - started:.0f} s; reading held-out rows", flush=True)
    return evaluate_vary_run(config, stages, time.time() - started)


def _check(config: VaryDemoConfig, path: str | Path) -> None:
    names = [stage["name"] for stage in config.stages]
    for key in ("model", "control", "vocabulary"):
        if getattr(config, key) not in names:
            raise ValueError(
                f"{path} names {key}={getattr(config, key)!r}, which is no stage of it; choose one of {names}."
            )
    if not config.parts:
        raise ValueError(f"{path} lists no parts to measure; name at least one kind of rows.")


def evaluate_vary_run(config: VaryDemoConfig, stages: Path, seconds: float) -> dict:
    """Scores the merged model, the control and the merged model with blank pictures; writes model, metrics and report."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from .evaluation.reading import evaluate_reading
    from .evaluation.report_reading import write_reading_report
    from .model_card import write_card
    from .training.measuring import code_revision, command_line
    from .vocabulary import read_summary

    torch.set_num_threads(1)
    histories = [
        {"name": stage["name"], **json.loads((stages / stage["name"] / "training.json").read_text())}
        for stage in config.stages
    ]
    scored, readings = {}, {}
    for key in ("model", "control"):
        folder = stages / getattr(config, key)
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32")
        processor = AutoProcessor.from_pretrained(folder)
        conditions = ("", "_blank") if key == "model" else ("",)
        size = _picture_side(stages / config.model)
        scored[key], readings[key] = evaluate_reading(
            model, processor, config.parts, config.rows, image_size=size, conditions=conditions
        )
        scored[f"{key}_parameters"] = model.num_parameters()
        if key == "model":
            model.save_pretrained(config.output_dir)
            processor.save_pretrained(config.output_dir)
    metrics = {
        "parameters": scored["model_parameters"],
        "parameters_without_vocabulary": scored["control_parameters"],
        "train_seconds": round(seconds, 1),
        **scored["model"],
        **{_of_the_control(name): value for name, value in scored["control"].items()},
        "stage_seconds": {history["name"]: history["train_seconds"] for history in histories},
        "vocabulary_scores": read_summary(stages / config.vocabulary).get("scores", {}),
        "command": command_line(),
        "code": code_revision(),
        "stages": [{key: value for key, value in row.items() if key != "loss_history"} for row in histories],
    }
    folder = Path(config.output_dir)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))
    write_card(folder)
    write_reading_report(
        folder / "report.html",
        title="nanovlms vary-demo",
        metrics=metrics,
        readings=readings["model"],
        stages=histories,
        other=scored["control"],
    )
    print(json.dumps({name: value for name, value in metrics.items() if not isinstance(value, dict | list)}, indent=1))
    print(f"model, metrics.json and report.html are in {folder}")
    return metrics


def _of_the_control(name: str) -> str:
    """`ocr_cer_interval` -> `ocr_cer_without_vocabulary_interval`: the interval stays behind the condition."""
    score = name.removesuffix("_interval")
    return f"{score}_without_vocabulary{name[len(score) :]}"


def _picture_side(folder: Path) -> int:
    from .training.arguments import ModelArguments
    from .training.stage_data import picture_side

    return picture_side(ModelArguments(model_name_or_path=str(folder)))


__all__ = ["VaryDemoConfig", "evaluate_vary_run", "run_vary_demo"]
