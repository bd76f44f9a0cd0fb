"""Items a second of batched evaluation against one by one, and whether both say the same.

python benchmarks/bench_evaluation.py --model runs/demo --items 128 --batch 32

The two are timed in turn, in one process and one thread, in wall and in CPU seconds; drawing the pictures is left out.
"""

import argparse
import statistics
import time

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

import nanovlms_hf  # noqa: F401  registers the family
from nanovlms_hf.evaluation.benchmarks import get_benchmark, load_benchmark
from nanovlms_hf.evaluation.generating import Asked, answer_batch


def timed(model, processor, asked: list[Asked], batch: int, longest: int) -> tuple[float, float, list[str]]:
    """(wall seconds, CPU seconds, answers)."""
    wall, cpu = time.perf_counter(), time.process_time()
    said = []
    for start in range(0, len(asked), batch):
        said += answer_batch(model, processor, asked[start : start + batch], longest)
    return time.perf_counter() - wall, time.process_time() - cpu, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="runs/demo")
    parser.add_argument("--benchmark", default="world_facts")
    parser.add_argument("--items", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = AutoModelForImageTextToText.from_pretrained(arguments.model, dtype="float32").eval()
    processor = AutoProcessor.from_pretrained(arguments.model)
    items, _ = load_benchmark(arguments.benchmark, arguments.items)
    asked = [Asked(item, item.pictures()) for item in items]
    longest = get_benchmark(arguments.benchmark).max_new_tokens
    timed(model, processor, asked[:4], 4, longest)
    ratios: dict[str, list[float]] = {"wall": [], "CPU": []}
    for number in range(arguments.rounds):
        many = timed(model, processor, asked, arguments.batch, longest)
        single = timed(model, processor, asked, 1, longest)
        different = sum(first != second for first, second in zip(many[2], single[2], strict=True))
        for place, kind in enumerate(ratios):
            ratios[kind].append(single[place] / many[place])
        print(
            f"round {number + 1}: batch {arguments.batch} {len(asked) / many[0]:.1f} items/s, batch 1 {len(asked) / single[0]:.1f} "
            f"items/s, {ratios['wall'][-1]:.2f}x wall, {ratios['CPU'][-1]:.2f}x CPU, {different} of {len(asked)} texts differ",
            flush=True,
        )
    print(", ".join(f"median {statistics.median(found):.2f}x {kind}" for kind, found in ratios.items()))


if __name__ == "__main__":
    main()
