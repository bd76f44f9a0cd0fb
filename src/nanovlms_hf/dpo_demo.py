"""From a model that describes pictures to one that prefers what is true: trains on pairs, and measures what that changed.

As in `demo.py` the training is that of the recipe a user would launch. The same held-out pairs and pictures are scored with the
model before and after.
"""

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from .demo import DemoConfig, launch, read_config


@dataclass
class DPODemoConfig(DemoConfig):
    """What the demo runs and measures.

    Args:
        model (`str`): folder of the model to start from, which `make demo` leaves.
        pairs (`int`): held-out pairs to score.
        errors (`list[str]`): their kinds of error, all alike.
    """

    output_dir: str = "runs/dpo-demo"
    model: str = "runs/demo"
    pairs: int = 600
    errors: list[str] = field(default_factory=lambda: ["colour", "count", "kind", "relation", "invented"])


@dataclass
class _Measured:
    """What one model was measured to do, and its log-probabilities and samples."""

    pairs: dict
    log_probs: dict[str, list[tuple[float, float]]]
    facts: dict
    samples: list


def run_dpo_demo(config_path: str | Path, output_dir: str | None = None) -> dict:
    """Trains, measures and writes model, `metrics.json` and `report.html`; returns the metrics.

    Args:
        config_path (`str` or `Path`): the demo's YAML.
        output_dir (`str`, *optional*): folder to write, instead of the configuration's.

    Raises:
        ValueError: if the configuration is wrong, the model to start from is not there, or a stage fails.
    """
    config = read_config(config_path, DPODemoConfig)
    config.output_dir = output_dir or config.output_dir
    if not config.stages:
        raise ValueError(f"{config_path} lists no stages; name at least one recipe.")
    if not (Path(config.model) / "config.json").is_file():
        raise ValueError(
            f"model: {config.model} holds no model to start from; run `make demo` first, or name another folder."
        )
    stages = Path(config.output_dir) / "stages"
    shutil.rmtree(stages, ignore_errors=True)
    stages.mkdir(parents=True)
    started = time.time()
    for stage in config.stages:
        launch({**stage, "flags": [*stage.get("flags", []), "--model_name_or_path", config.model]}, config, stages)
    seconds = time.time() - started
    print(f"=== training took {seconds:.0f} s; scoring held-out pairs and describing held-out pictures", flush=True)
    return evaluate_dpo_run(config, stages, seconds)


def evaluate_dpo_run(config: DPODemoConfig, stages: Path, seconds: float) -> dict:
    """Scores the model before and after, with the controls; writes the model, `metrics.json` and `report.html`."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from .data.preferences import preference_dataset
    from .evaluation.describing import picture_side
    from .evaluation.report_preferences import write_preference_report
    from .model_card import write_card

    torch.set_num_threads(1)
    started = time.time()
    rows, measured = None, {}
    for name, folder in (("before", Path(config.model)), ("after", stages / config.stages[-1]["name"])):
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32")
        processor = AutoProcessor.from_pretrained(folder)
        if rows is None:
            errors = dict.fromkeys(config.errors, 1.0)
            rows = list(preference_dataset("test", config.pairs, image_size=picture_side(model), errors=errors))
        measured[name] = _measure(model, processor, rows, config.pictures)
    summary = json.loads((stages / config.stages[-1]["name"] / "training.json").read_text())
    history = {"name": config.stages[-1]["name"], **summary}
    metrics = _metrics(measured["before"], measured["after"], _beta(config))
    metrics |= {"parameters": model.num_parameters(), "train_seconds": round(seconds, 1)}
    metrics |= {"measuring_seconds": round(time.time() - started, 1), **_told(history)}
    folder = Path(config.output_dir)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))
    write_card(folder)
    write_preference_report(
        folder / "report.html",
        title="nanovlms dpo-demo",
        metrics=metrics,
        rows=rows,
        log_probs={name: model.log_probs[""] for name, model in measured.items()},
        samples=measured["after"].samples,
        stages=[history],
    )
    print(json.dumps({name: value for name, value in metrics.items() if not isinstance(value, dict | list)}, indent=1))
    print(f"model, metrics.json and report.html are in {folder}")
    return metrics


def _measure(model, processor, rows: list[dict], pictures: int) -> _Measured:
    from .evaluation.fact_scores import evaluate_facts
    from .evaluation.pair_accuracy import pair_accuracy

    pairs, log_probs = pair_accuracy(model, processor, rows)
    facts, samples = evaluate_facts(model, processor, pictures)
    return _Measured(pairs, log_probs, facts, samples)


def _metrics(before: _Measured, after: _Measured, beta: float) -> dict:
    """Every measure before and after. `facts_...` without an ending is the finished model's, as in the other demos."""
    metrics = {**after.facts, "pairs": after.pairs["pairs"], "beta": beta}
    for name, model in (("before", before), ("after", after)):
        for condition in ("", "_blank", "_shuffled"):
            metrics[f"pair_accuracy{condition}_{name}"] = model.pairs[f"pair_accuracy{condition}"]
            metrics[f"facts_f1{condition}_{name}"] = model.facts[f"facts_f1{condition}"]
        for part in ("facts_precision", "facts_recall", "facts_f1_interval"):
            metrics[f"{part}_{name}"] = model.facts[part]
        metrics[f"facts_by_type_{name}"] = model.facts["by_type"]
        metrics[f"mean_words_{name}"] = round(fmean(len(sample.said[""].split()) for sample in model.samples), 2)
    metrics["by_error"] = {
        error: {"pairs": found["pairs"]}
        | {
            f"{name}{condition}": model.pairs[f"by_error{condition}"][error]["accuracy"]
            for condition in ("", "_blank", "_shuffled")
            for name, model in (("before", before), ("after", after))
        }
        for error, found in after.pairs["by_error"].items()
    }
    margins = [
        beta * ((chosen - old_chosen) - (rejected - old_rejected))
        for (chosen, rejected), (old_chosen, old_rejected) in zip(
            after.log_probs[""], before.log_probs[""], strict=True
        )
    ]
    metrics["reward_margin"] = round(fmean(margins), 4)
    metrics["reward_accuracy"] = round(fmean(margin > 0 for margin in margins), 4)
    return metrics


def _beta(config: DPODemoConfig) -> float:
    """The `beta` that the last stage trained with."""
    from .training.arguments import ModelArguments, parse
    from .training.dpo_trainer import DPOArguments
    from .training.preference_data import PreferenceDataArguments

    stage = config.stages[-1]
    flags = [str(flag).format(output_dir=config.output_dir) for flag in stage.get("flags", [])]
    return parse((ModelArguments, PreferenceDataArguments, DPOArguments), ["--config", stage["config"], *flags])[
        -1
    ].beta


def _told(history: dict) -> dict:
    from .training.measuring import code_revision, command_line

    return {
        "command": command_line(),
        "code": code_revision(),
        "stages": [{key: value for key, value in history.items() if key != "loss_history"}],
    }


__all__ = ["DPODemoConfig", "evaluate_dpo_run", "run_dpo_demo"]
