"""From nothing to a model that describes pictures: runs the recipes of a configuration one after the other, then shows.

The demo trains through the very recipes a user would launch; it only strings them together, measures and writes
`metrics.json` and `report.html`.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, fields
from pathlib import Path

import yaml


@dataclass
class DemoConfig:
    """What the demo runs.

    Args:
        output_dir (`str`): folder for the model, `metrics.json` and `report.html`.
        stages (`list[dict]`): in order, each with `name`, `recipe` (a script) and `config` (its YAML); the last one's output
            is the model. `{output_dir}` in `flags` stands for the demo's folder.
        processes (`int`): processes that train; never more than there are cores. The recipes' batch sizes are for this many.
        pictures (`int`): held-out pictures to describe.
        style_pictures (`int`): held-out pictures in styles never trained on.
    """

    output_dir: str = "runs/demo"
    stages: list[dict] = field(default_factory=list)
    processes: int = 2
    pictures: int = 300
    style_pictures: int = 100


def read_config(path: str | Path, config_class: type[DemoConfig] = DemoConfig) -> DemoConfig:
    """Reads a demo's YAML into its dataclass; raises ValueError for a missing file or an unknown key."""
    if not Path(path).is_file():
        raise ValueError(f"{path} does not exist; run from the repository's root, or give --config.")
    content = yaml.safe_load(Path(path).read_text())
    known = [item.name for item in fields(config_class)]
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise ValueError(f"{path} sets {unknown}, which the demo does not know; its keys are {', '.join(known)}.")
    return config_class(**content)


def launch(stage: dict, config: DemoConfig, folder: Path) -> None:
    """Runs one recipe with accelerate and waits; raises ValueError if it fails."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = max(1, min(config.processes, cores))
    flags = [str(flag).format(output_dir=config.output_dir) for flag in stage.get("flags", [])]
    if processes < config.processes:  # the same batch, and so the same training, on fewer cores
        flags += ["--gradient_accumulation_steps", str(config.processes // processes)]
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--config_file", "recipes/accelerate_configs/cpu.yaml", "--num_processes", str(processes)]
    command += ["--main_process_port", "0"]  # any free port
    command += [stage["recipe"], "--config", stage["config"], "--output_dir", str(folder / stage["name"]), *flags]
    # One thread a process: on shared cores two threads make tiny models many times slower.
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "true",
        "TOKENIZERS_PARALLELISM": "false",
    }
    print(f"\n=== {stage['name']}: {' '.join(command[3:])}", flush=True)
    code = subprocess.run(command, env=environment).returncode
    if code:
        raise ValueError(f"the stage {stage['name']!r} ended with exit code {code}; its own message stands above.")


def run_demo(config_path: str | Path, output_dir: str | None = None) -> dict:
    """Trains, measures and writes the report; returns the metrics.

    Args:
        config_path (`str` or `Path`): the demo's YAML.
        output_dir (`str`, *optional*): folder to write, instead of the configuration's.

    Raises:
        ValueError: if the configuration is wrong or a stage fails.
    """
    config = read_config(config_path)
    config.output_dir = output_dir or config.output_dir
    if not config.stages:
        raise ValueError(f"{config_path} lists no stages; name at least one recipe.")
    folder = Path(config.output_dir)
    stages = folder / "stages"
    shutil.rmtree(stages, ignore_errors=True)
    stages.mkdir(parents=True)
    started = time.time()
    for stage in config.stages:
        launch(stage, config, stages)
    print(f"=== training took {time.time() - started:.0f} s; describing held-out pictures", flush=True)
    return evaluate_run(config, stages, time.time() - started)


def evaluate_run(config: DemoConfig, stages: Path, seconds: float) -> dict:
    """Scores the last stage's model with its controls; writes the model, `metrics.json` and `report.html`."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from .data.scenes import HELD_OUT_STYLES, WorldConfig
    from .evaluation.fact_scores import evaluate_facts
    from .evaluation.report import write_report
    from .model_card import write_card
    from .training.measuring import code_revision, command_line

    torch.set_num_threads(1)
    last = stages / config.stages[-1]["name"]
    model = AutoModelForImageTextToText.from_pretrained(last, dtype="float32")
    processor = AutoProcessor.from_pretrained(last)
    histories = []
    for stage in config.stages:
        summary = json.loads((stages / stage["name"] / "training.json").read_text())
        histories.append({"name": stage["name"], **summary})
    seen = sum(history["images_seen"] for history in histories)
    metrics = {
        "parameters": model.num_parameters(),
        "train_seconds": round(seconds, 1),
        "images_seen": seen,
        "images_per_second": round(seen / seconds, 2),
    }
    scores, samples = evaluate_facts(model, processor, config.pictures)
    metrics |= scores
    if config.style_pictures:
        unseen, _ = evaluate_facts(
            model, processor, config.style_pictures, world=WorldConfig(styles=HELD_OUT_STYLES), controls=False
        )
        for name in ("facts_precision", "facts_recall", "facts_f1"):
            metrics[f"{name}_unseen_style"] = unseen[name]
            metrics[f"{name}_unseen_style_interval"] = unseen[f"{name}_interval"]
        metrics["style_pictures"] = config.style_pictures
    metrics["command"] = command_line()
    metrics["code"] = code_revision()
    metrics["stages"] = [{key: value for key, value in row.items() if key != "loss_history"} for row in histories]
    folder = Path(config.output_dir)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))
    write_card(folder)
    write_report(folder / "report.html", title="nanovlms demo", metrics=metrics, samples=samples, stages=histories)
    shown = {name: value for name, value in metrics.items() if not isinstance(value, (dict, list))}
    print(json.dumps(shown, indent=1))
    print(f"model, metrics.json and report.html are in {folder}")
    return metrics


__all__ = ["DemoConfig", "evaluate_run", "launch", "read_config", "run_demo"]
