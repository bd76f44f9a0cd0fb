"""Learning from rewards, shown: takes the demo's model, trains it by GRPO on scenes, and measures it before and after.

As in `demo.py` the training is that of the very recipe a user would launch. The held-out pictures are the demo's own, the first
of the `test` split, which no training sees; the reward is asked of the same words that the facts are counted in.
"""

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from .demo import DemoConfig, launch, read_config


@dataclass
class GRPODemoConfig(DemoConfig):
    """What the demo runs and measures.

    Args:
        model (`str`): folder of the model to start from.
        output_dir (`str`): folder for the trained model, `metrics.json` and `report.html`.
        stages (`list[dict]`): the GRPO stage: `name`, `recipe` and `config`; its recipe's `model_name_or_path` becomes `model`.
        processes, pictures: as in `DemoConfig`.
        batch_size (`int`): held-out pictures that are described at once.
        sampling_seed (`int`): seed of the held-out descriptions that are sampled, beside the greedy ones.
    """

    model: str = "runs/demo"
    output_dir: str = "runs/grpo-demo"
    stages: list[dict] = field(default_factory=list)
    batch_size: int = 32
    sampling_seed: int = 0


def run_grpo_demo(config_path: str | Path, output_dir: str | None = None, model: str | None = None) -> dict:
    """Trains, measures and writes model, `metrics.json` and `report.html`; returns the metrics.

    Args:
        config_path (`str` or `Path`): the demo's YAML.
        output_dir (`str`, *optional*): folder to write, instead of the configuration's.
        model (`str`, *optional*): folder of the model to start from, instead of the configuration's.

    Raises:
        ValueError: if the configuration is wrong, the model is not there, or the stage fails.
    """
    config = read_config(config_path, GRPODemoConfig)
    config.output_dir, config.model = output_dir or config.output_dir, model or config.model
    if len(config.stages) != 1:
        raise ValueError(f"{config_path} lists {len(config.stages)} stages; name the one GRPO stage that is shown.")
    if not (Path(config.model) / "config.json").is_file():
        raise ValueError(f"model={config.model} holds no finished model; train one with `make demo`, or give --model.")
    stages = Path(config.output_dir) / "stages"
    shutil.rmtree(stages, ignore_errors=True)
    stages.mkdir(parents=True)
    stage = dict(config.stages[0])
    stage["flags"] = [*stage.get("flags", []), "--model_name_or_path", config.model]
    started = time.time()
    launch(stage, config, stages)
    seconds = time.time() - started
    print(f"=== training took {seconds:.0f} s; describing held-out pictures before and after", flush=True)
    return evaluate_grpo_run(config, stages / stage["name"], seconds)


def evaluate_grpo_run(config: GRPODemoConfig, stage: Path, seconds: float) -> dict:
    """Scores the model before and after the stage; writes the model, `metrics.json` and `report.html`.

    Args:
        config (`GRPODemoConfig`): what to measure.
        stage (`Path`): folder that the finished stage left.
        seconds (`float`): wall-clock time of the stage.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from .evaluation.report_rewards import write_reward_report
    from .model_card import write_card
    from .training.measuring import code_revision, command_line

    torch.set_num_threads(1)
    summary = json.loads((stage / "training.json").read_text())
    measured, samples = {}, {}
    for when, folder in (("before", config.model), ("after", stage)):
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32")
        processor = AutoProcessor.from_pretrained(folder)
        measured[when], samples[when] = measure(model, processor, summary["rewards"], config, summary["temperature"])
    rewards, lengths = ({when: measured[when].pop(key) for when in measured} for key in ("rewards", "lengths"))
    told = {key: value for key, value in summary.items() if not key.endswith("_history")}
    metrics = {
        "parameters": model.num_parameters(),
        "train_seconds": round(seconds, 1),
        "images_seen": summary["images_seen"],
        "images_per_second": round(summary["images_seen"] / seconds, 2),
        **measured["after"],
        "before": measured["before"],
        "reward": compared(rewards),
        "lengths": lengths,
        "held_out_while_training": {
            "answers": summary["held_out_answers"],
            "curve": [[row["step"], row["eval_reward"]] for row in summary["reward_history"] if "eval_reward" in row],
        },
        "command": command_line(),
        "code": code_revision(),
        "stages": [*_earlier_stages(config.model), {"name": stage.name, **told}],
    }
    folder = Path(config.output_dir)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))
    write_card(folder)
    write_reward_report(
        folder / "report.html",
        title="nanovlms grpo-demo",
        metrics=metrics,
        before=samples["before"],
        after=samples["after"],
        curve=stage / "reward_curve.png",
    )
    shown = {name: value for name, value in metrics.items() if not isinstance(value, dict | list)}
    print(json.dumps(shown | {"reward": metrics["reward"], "lengths": lengths}, indent=1))
    print(f"model, metrics.json and report.html are in {folder}")
    return metrics


def measure(model, processor, weights: dict, config: GRPODemoConfig, temperature: float) -> tuple[dict, list]:
    """What a model says of the held-out pictures, in facts and in rewards.

    Args:
        weights (`dict[str, float]`): reward -> weight, as the stage had them.
        temperature (`float`): of the sampled descriptions.

    Returns:
        `tuple[dict, list]`: the scores of `evaluate_facts`, with `lengths`, the mean words and tokens of the greedy
        descriptions, and `rewards`, condition (`right`, `sampled`, `blank`, `shuffled`) -> the reward of each picture; then the
        samples.
    """
    from transformers import set_seed

    from .evaluation.describing import describe_pictures
    from .evaluation.fact_scores import evaluate_facts
    from .training.reward_checks import load_rewards

    metrics, samples = evaluate_facts(model, processor, config.pictures, batch_size=config.batch_size)
    set_seed(config.sampling_seed)
    sampled = describe_pictures(
        model,
        processor,
        [sample.picture for sample in samples],
        batch_size=config.batch_size,
        do_sample=True,
        temperature=temperature,
        top_k=0,
    )
    said = {"right": [sample.said[""] for sample in samples], "sampled": sampled}
    said |= {name: [sample.said[f"_{name}"] for sample in samples] for name in ("blank", "shuffled")}
    loaded = load_rewards(weights)
    scenes = [sample.scene for sample in samples]
    metrics["rewards"] = {name: rewards_of(loaded, weights, texts, scenes) for name, texts in said.items()}
    tokens = processor.tokenizer(said["right"], add_special_tokens=False)["input_ids"]
    metrics["lengths"] = {
        "mean_words": round(sum(len(text.split()) for text in said["right"]) / len(samples), 2),
        "mean_tokens": round(sum(map(len, tokens)) / len(samples), 2),
    }
    return metrics, samples


def rewards_of(loaded: list, weights: dict, texts: list[str], scenes: list) -> list[float]:
    """The weighted sum of the rewards of each description, as TRL sums them."""
    prompts = [[{"role": "user", "content": "Describe the picture."}]] * len(texts)
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    total = [0.0] * len(texts)
    for reward in loaded:
        for place, value in enumerate(reward(prompts, completions, scene=scenes)):
            total[place] += weights[reward.name] * (value or 0.0)
    return total


def compared(rewards: dict[str, dict[str, list[float]]]) -> dict[str, dict]:
    """Mean held-out rewards before and after with 95 % bootstrap intervals over pictures, and the paired difference.

    Args:
        rewards: `before` and `after` -> condition -> the reward of each picture, in the same order.

    Returns:
        `dict[str, dict]`: condition -> `before`, `after` and `gain`, each with its `..._interval`.
    """
    import numpy as np

    from .evaluation.intervals import bootstrap, paired_bootstrap

    def mean(sums):
        return {"reward": float(sums[0] / sums[1])}

    told = {}
    for condition in rewards["after"]:
        rows = {when: np.array([[value, 1.0] for value in rewards[when][condition]]) for when in ("before", "after")}
        gain = paired_bootstrap(rows["before"], rows["after"], mean)["reward"]
        told[condition] = {
            "gain": round(gain["difference"], 4),
            "gain_interval": _rounded((gain["low"], gain["high"])),
        }
        for when, values in rows.items():
            told[condition][when] = round(float(values[:, 0].mean()), 4)
            told[condition][f"{when}_interval"] = _rounded(bootstrap(values, mean)["reward"])
    return told


def _earlier_stages(model: str) -> list[dict]:
    """What trained the model that the demo starts from, where its folder tells."""
    path = Path(model) / "metrics.json"
    return json.loads(path.read_text()).get("stages", []) if path.is_file() else []


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(float(end), 4) for end in interval]


__all__ = ["GRPODemoConfig", "compared", "evaluate_grpo_run", "measure", "rewards_of", "run_grpo_demo"]
