"""What makes a tiny model see: the runs behind the tables of docs/log.md.

    python benchmarks/ablation.py --output runs/ablation [--only tower-muon-crowds sft-frozen-tower ...]

Each variant is one recipe with other flags, trained in one process on one thread; results go to one JSON, and a table is
printed. A variant already in the JSON is not run again.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

TOWER = ["recipes/pretrain_tower.py", "--config", "recipes/nanovlm-mini-modern/1_tower.yaml", "--train_rows", "9600"]
TOWER += ["--per_device_train_batch_size", "16", "--eval_steps", "200"]
SFT = ["recipes/sft.py", "--train_rows", "6400", "--per_device_train_batch_size", "32", "--num_train_epochs", "1"]
SFT += ["--eval_strategy", "no", "--save_strategy", "no", "--load_best_model_at_end", "false"]
MODERN = [*SFT, "--config", "recipes/nanovlm-mini-modern/2_sft.yaml"]
ADAMW = ["--muon_learning_rate", "0"]

FROZEN = [*MODERN, "--vision_tower", "{output}/tower-muon-crowds"]
GPT2 = {"model_type": "gpt2", "n_embd": 128, "n_layer": 4, "n_head": 4, "n_positions": 1024, "initializer_range": 0.04}
GPT2 |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "tie_word_embeddings": True}
LLAMA = {"model_type": "llama", "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4}
LLAMA |= {
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
    "initializer_range": 0.04,
}
LLAMA |= {"tie_word_embeddings": True}

VARIANTS: dict[str, list[str]] = {
    "tower-adamw-scenes": [*TOWER, *ADAMW, "--crowd_share", "0"],
    "tower-adamw-crowds": [*TOWER, *ADAMW],
    "tower-muon-scenes": [*TOWER, "--crowd_share", "0"],
    "tower-muon-crowds": TOWER,
    "sft-frozen-tower": FROZEN,
    "sft-gpt2-decoder": [*FROZEN, "--overrides", json.dumps({"text_config": GPT2})],
    "sft-no-qk-norm": [*FROZEN, "--overrides", json.dumps({"text_config": LLAMA})],
    "sft-from-nothing": [*MODERN, "--vision_tower", "", "--freeze", "none"],
    "sft-nanovlm-mini": [
        *SFT,
        "--config",
        "recipes/nanovlm-mini/sft.yaml",
        "--mixture",
        '{"short": 2.0, "naming": 1.0}',
    ],
}


def run_variant(name: str, output: Path, pictures: int) -> dict:
    """Trains one variant and measures it; raises CalledProcessError if the recipe fails."""
    flags = [flag.format(output=output) if flag.startswith("{output}") else flag for flag in VARIANTS[name]]
    command = [sys.executable, *flags, "--output_dir", str(output / name), "--use_cpu", "true"]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    summary = json.loads((output / name / "training.json").read_text())
    result = {
        key: summary[key] for key in ("images_seen", "train_seconds", "optimizer_steps", "final_train_loss", "seed")
    }
    if name.startswith("tower"):
        return result | summary["accuracy"]
    import torch
    from transformers import AutoProcessor

    from nanovlms_hf import NanoVLMsForConditionalGeneration
    from nanovlms_hf.evaluation.fact_scores import evaluate_facts

    torch.set_num_threads(1)
    model = NanoVLMsForConditionalGeneration.from_pretrained(output / name, dtype="float32")
    processor = AutoProcessor.from_pretrained(output / name)
    metrics, _ = evaluate_facts(model, processor, pictures)
    result["parameters"] = model.num_parameters()
    result |= {f"facts_f1{end}": metrics[f"facts_f1{end}"] for end in ("", "_blank", "_shuffled")}
    return result | {f"{kind}_f1": round(row["f1"], 4) for kind, row in metrics["by_type"].items()}


def table(results: dict[str, dict], prefix: str) -> str:
    """A Markdown table of the variants whose name starts with `prefix`."""
    rows = {name: row for name, row in results.items() if name.startswith(prefix)}
    if not rows:
        return ""
    columns = list(next(iter(rows.values())))
    lines = ["| variant | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(str(row.get(column, "")) for column in columns) + " |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Runs the variants asked for and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--pictures", type=int, default=200)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.only:
        path = arguments.output / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(run_variant(name, arguments.output, arguments.pictures), indent=1))
    results = {
        name: json.loads((arguments.output / f"{name}.json").read_text())
        for name in VARIANTS
        if (arguments.output / f"{name}.json").exists()
    }
    (arguments.output / "results.json").write_text(json.dumps(results, indent=1))
    print(table(results, "tower"), table(results, "sft"), sep="\n\n")


if __name__ == "__main__":
    main()
