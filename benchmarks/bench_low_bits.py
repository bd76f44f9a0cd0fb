"""Bytes of each preset's weights in 32, 16, 8 and 4 bits, and how far the small ones' words are from the full model's.

    python benchmarks/bench_low_bits.py [--presets nanovlm-mini-modern ...] [--model runs/demo]

A preset's bytes are those of its own random weights. Distances are measured on a trained model only, at every token of held-out
scenes' answers: |difference| / |logits|, the Kullback-Leibler divergence from the full model in nats, and how often both choose the same
next token.
"""

import argparse
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from transformers import AutoProcessor
from transformers.utils import logging

from nanovlms_hf import NanoVLMsForConditionalGeneration
from nanovlms_hf.data.world import world_dataset
from nanovlms_hf.presets import PRESETS, preset_config
from nanovlms_hf.training.low_bits import LowBitArguments, quantization_config
from nanovlms_hf.training.trainer import SupervisedCollator

KINDS = {
    "fp32": None,
    "bf16": None,
    "8 bit": {"load_in_8bit": True},
    "4 bit": {"load_in_4bit": True},
    "8 bit, all": {"load_in_8bit": True, "full_precision_modules": []},
    "4 bit, all": {"load_in_4bit": True, "full_precision_modules": []},
}


def load(folder: str, kind: str) -> NanoVLMsForConditionalGeneration:
    """A saved model in one of the kinds."""
    options = {"dtype": torch.bfloat16 if kind == "bf16" else torch.float32}
    if KINDS[kind]:
        options["quantization_config"] = quantization_config(LowBitArguments(**KINDS[kind]))
    return NanoVLMsForConditionalGeneration.from_pretrained(folder, **options).eval()


def print_bytes(names: list[str]) -> None:
    """A row a preset: MiB of its weights in each kind."""
    print(f"{'MiB of weights':22}" + "".join(f"{kind:>12}" for kind in KINDS))
    for name in names:
        with TemporaryDirectory() as folder:
            NanoVLMsForConditionalGeneration(preset_config(name)).save_pretrained(folder)
            sizes = [load(folder, kind).get_memory_footprint() / 2**20 for kind in KINDS]
        print(f"{name:22}" + "".join(f"{size:12.2f}" for size in sizes), flush=True)


@torch.no_grad()
def print_distances(folder: str, rows: int) -> None:
    """A row a kind: distance, divergence, agreement, and seconds of one pass."""
    processor = AutoProcessor.from_pretrained(folder)
    full = load(folder, "fp32")
    scenes = world_dataset("validation", rows, image_size=full.config.vision_config.image_size)
    batch = SupervisedCollator(processor, assistant_only_loss=True)(list(scenes))
    answers = batch["labels"] != -100
    wanted = None
    print(f"\n{folder}, {rows} held-out scenes, {int(answers.sum())} tokens of answers")
    print(f"{'':12}{'MiB':>8}{'distance':>10}{'KL':>10}{'same word':>11}{'seconds':>9}")
    for kind in KINDS:
        model = load(folder, kind)
        inputs = {name: value.to(model.dtype) if value.is_floating_point() else value for name, value in batch.items()}
        started = time.time()
        logits = model(**inputs).logits[answers].double()  # (tokens, words)
        seconds = time.time() - started
        wanted = logits if wanted is None else wanted
        distance = (logits - wanted).norm() / wanted.norm()
        logs, expected = logits.log_softmax(-1), wanted.log_softmax(-1)
        divergence = (expected.exp() * (expected - logs)).sum(-1).mean()
        same = (logits.argmax(-1) == wanted.argmax(-1)).double().mean()
        size = model.get_memory_footprint() / 2**20
        print(f"{kind:12}{size:8.2f}{distance:10.4f}{divergence:10.5f}{same:11.3f}{seconds:9.2f}", flush=True)


def main() -> None:
    """Parses the flags and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    small = [name for name in PRESETS if name not in ("vary-tiny", "vary-toy")]
    parser.add_argument("--presets", nargs="*", default=small, choices=list(PRESETS), help="presets to weigh")
    parser.add_argument("--model", default="runs/demo", help="trained model for the distances, if it is there")
    parser.add_argument("--rows", type=int, default=32, help="held-out scenes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    print_bytes(arguments.presets)
    if (Path(arguments.model) / "config.json").is_file():
        print_distances(arguments.model, arguments.rows)
    else:
        print(f"\n{arguments.model} holds no model, so no distances are measured; train one with `make demo`.")


if __name__ == "__main__":
    main()
