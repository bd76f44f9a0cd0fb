"""One forward and backward pass of `vary-tiny` at full size on the CPU: seconds and peak memory.

python benchmarks/bench_vary_tiny.py [--words 64] [--threads 2]

The model is the paper's stage 1 with random weights: SAM-base's encoder at 1024 px, 256 tokens, OPT-125M. Peak memory is the
process's largest resident set, the libraries included; what the process held before the model was built is printed beside it.
"""

import argparse
import json
import resource
import time

import torch

from nanovlms_hf import NanoVLMsForConditionalGeneration
from nanovlms_hf.presets import preset_config


def resident_gib() -> float:
    """The process's largest resident set so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Builds the model, runs one pass each way and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=64, help="text tokens after the picture")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    before = resident_gib()
    config = preset_config("vary-tiny")
    model = NanoVLMsForConditionalGeneration(config).train()
    built = resident_gib()
    text = torch.randint(10, config.text_config.vocab_size, (1, arguments.words))
    ids = torch.cat([torch.full((1, config.image_seq_length), config.image_token_id), text], dim=1)
    labels = ids.masked_fill(ids == config.image_token_id, -100)
    pixels = torch.randn(1, 3, config.vision_config.image_size, config.vision_config.image_size)
    started = time.perf_counter()
    loss = model(input_ids=ids, pixel_values=pixels, labels=labels).loss
    forward = time.perf_counter() - started
    loss.backward()
    both = time.perf_counter() - started
    moved = sum(parameter.grad is not None and bool(parameter.grad.any()) for parameter in model.parameters())
    figures = {
        "parameters": model.num_parameters(),
        "tokens": ids.shape[1],
        "threads": arguments.threads,
        "loss": round(loss.item(), 4),
        "weights_with_gradient": f"{moved} of {len(list(model.parameters()))}",
        "forward_seconds": round(forward, 2),
        "backward_seconds": round(both - forward, 2),
        "peak_gib": round(resident_gib(), 2),
        "peak_gib_before_model": round(before, 2),
        "peak_gib_after_building": round(built, 2),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
