"""Time of a training step (forward, backward, AdamW) of our model against transformers' own models of the same shapes.

Three comparisons, all in one process, in interleaved rounds, so that both sides of a ratio see the same machine:

- `same-tower`: a SigLIP tower, mlp connector and llama decoder in our model and in `LlavaForConditionalGeneration`; the
  weights and the arithmetic are the same, so that the ratio is the price of our own code;
- `same-tower-shuffled`: the same with pixel shuffle, against `SmolVLMForConditionalGeneration`;
- `own-tower`: the preset with our encoder against the same preset with a SigLIP tower of the same width, depth and patches
  (a linear stem on both sides and, as `own-tower-as-preset`, with the preset's own stem, which does more work).

The ratio of a comparison is the median over the rounds of (our step / their step); below 1 ours is faster. On a CPU the
seconds are those the process spent computing, which other programs on the machine disturb less than the clock on the wall;
`wall_ratio` in the output is of the latter.

    python benchmarks/bench_step.py --rounds 15 --output runs/bench_step.json
"""

import argparse
import gc
import json
import platform
import statistics
import time
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from nanovlms_hf import NanoVLMsConfig, NanoVLMsForConditionalGeneration
from nanovlms_hf.presets import preset_config

IMAGE = 3


def siglip(vision) -> SiglipVisionConfig:
    """A SigLIP tower of the width, depth and patches of one of ours."""
    return SiglipVisionConfig(
        hidden_size=vision.hidden_size,
        intermediate_size=vision.intermediate_size,
        num_hidden_layers=vision.num_hidden_layers,
        num_attention_heads=vision.num_attention_heads,
        image_size=vision.image_size,
        patch_size=vision.patch_size,
        vision_use_head=False,
    )


def without_dropout(config: dict) -> dict:
    """The same configuration without dropout: random numbers cost the same on both sides and only add noise."""
    names = ("hidden_dropout_prob", "attention_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop")
    return config | {name: 0.0 for name in names if name in config}


def text_of(config: NanoVLMsConfig):
    fields = without_dropout(config.text_config.to_dict())
    return AutoConfig.for_model(fields.pop("model_type"), **fields)


def comparisons(preset: NanoVLMsConfig) -> dict[str, tuple]:
    """Name -> (our model, their model, whether they take `(batch, pictures, ...)`, placeholder tokens of a picture)."""
    text, vision = text_of(preset), siglip(preset.vision_config)
    tied = bool(preset.tie_word_embeddings)
    patches = (vision.image_size // vision.patch_size) ** 2
    grid = vision.image_size // vision.patch_size
    factor = 2 if grid % 2 == 0 else 1

    def ours(**fields):
        given = {"vision_config": vision.to_dict(), "text_config": text.to_dict(), "tie_word_embeddings": tied}
        return NanoVLMsForConditionalGeneration(NanoVLMsConfig(**given | fields))

    llava = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=text,
            image_token_index=IMAGE,
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
            tie_word_embeddings=tied,
        )
    )
    smolvlm = SmolVLMForConditionalGeneration(
        SmolVLMConfig(
            vision_config={name: value for name, value in vision.to_dict().items() if name != "model_type"},
            text_config=text.to_dict(),
            scale_factor=factor,
            image_token_id=IMAGE,
            pad_token_id=0,
            tie_word_embeddings=tied,
        )
    )
    shuffled = {"connector": "pixel_shuffle", "pixel_shuffle_factor": factor, "connector_bias": False}
    own = without_dropout(preset.vision_config.to_dict())
    linear = own | {
        "stem": "linear",
        "stem_channels": None,
        "stem_blocks": None,
        "use_cls_token": False,
        "qk_norm": False,
    }
    linear |= {"hidden_act": vision.hidden_act}
    return {
        "same-tower": (ours(vision_feature_layer=-1), llava, False, patches),
        "same-tower-shuffled": (ours(**shuffled), smolvlm, True, patches // factor**2),
        "own-tower": (ours(vision_config=linear), ours(), False, patches),
        "own-tower-as-preset": (ours(vision_config=own), ours(), False, patches),
    }


def batch(size: int, image: int, placeholders: int, words: int, vocab: int, grouped: bool) -> dict:
    """Rows with one picture and `words` words; the loss is taken on the words."""
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(10, vocab, (size, placeholders + words), generator=generator)
    input_ids[:, :placeholders] = IMAGE
    pixel_values = torch.randn(size, 3, image, image, generator=generator)
    return {
        "input_ids": input_ids,
        "attention_mask": torch.ones_like(input_ids),
        "labels": input_ids.masked_fill(input_ids == IMAGE, -100),
        "pixel_values": pixel_values[:, None] if grouped else pixel_values,
    }


class Stepper:
    """A model, its optimizer and a batch; a call takes one training step and returns its seconds: counted and wall."""

    def __init__(self, model, inputs, device):
        self.model = model.to(device).train()
        self.inputs = {name: value.to(device) for name, value in inputs.items()}
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        self.device = device

    def __call__(self) -> tuple[float, float]:
        self._wait()
        clock = time.process_time if self.device.type == "cpu" else time.perf_counter
        start, wall_start = clock(), time.perf_counter()
        self.model(**self.inputs).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._wait()
        return clock() - start, time.perf_counter() - wall_start

    def _wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def compare(ours: Stepper, theirs: Stepper, rounds: int, warmup: int) -> dict:
    """Interleaved rounds, the side that goes first alternating; medians and the quartiles of the ratio."""
    for _ in range(warmup):
        ours(), theirs()
    pairs = []
    for index in range(rounds):
        if index % 2:
            their_time, our_time = theirs(), ours()
        else:
            our_time, their_time = ours(), theirs()
        pairs.append((our_time, their_time))
    ratios = sorted(mine / other for (mine, _), (other, _) in pairs)
    return {
        "ratio": statistics.median(ratios),
        "ratio_quartiles": [ratios[len(ratios) // 4], ratios[(3 * len(ratios)) // 4]],
        "wall_ratio": statistics.median(mine / other for (_, mine), (_, other) in pairs),
        "ours_ms": 1000 * statistics.median(mine for (mine, _), _ in pairs),
        "theirs_ms": 1000 * statistics.median(other for _, (other, _) in pairs),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--preset", default="nanovlm-mini", help="preset whose shapes are taken (default: %(default)s)"
    )
    parser.add_argument("--vocab-size", type=int, help="tokens of the vocabulary (default: the preset's)")
    parser.add_argument("--batch-size", type=int, default=4, help="rows of a batch (default: %(default)s)")
    parser.add_argument(
        "--words", type=int, default=32, help="words of a row beside the picture (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds (default: %(default)s)")
    parser.add_argument("--warmup", type=int, default=3, help="rounds before timing (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--only", nargs="*", help="names of the comparisons to run (default: all)")
    parser.add_argument("--output", type=Path, help="JSON file to write the numbers to")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    preset = preset_config(arguments.preset, vocab_size=arguments.vocab_size)
    vocab, image = preset.text_config.vocab_size, preset.vision_config.image_size
    results = {}
    print(f"{'comparison':<24}{'ours ms':>10}{'theirs ms':>11}{'ratio':>8}   quartiles")
    for name, (ours, theirs, grouped, placeholders) in comparisons(preset).items():
        if arguments.only and name not in arguments.only:
            continue
        shape = (arguments.batch_size, image)
        steppers = [
            Stepper(model, batch(*shape, model_tokens, arguments.words, vocab, is_grouped), device)
            for model, model_tokens, is_grouped in (
                (ours, ours.config.image_seq_length, False),
                (theirs, placeholders, grouped),
            )
        ]
        gc.disable()
        result = results[name] = compare(*steppers, arguments.rounds, arguments.warmup)
        gc.enable()
        result["parameters"] = [sum(p.numel() for p in model.parameters()) for model in (ours, theirs)]
        low, high = result["ratio_quartiles"]
        print(
            f"{name:<24}{result['ours_ms']:>10.1f}{result['theirs_ms']:>11.1f}{result['ratio']:>8.3f}   {low:.3f}-{high:.3f}"
        )
    if arguments.output:
        report = {
            "preset": arguments.preset,
            "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "cpu",
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "arguments": {name: str(value) for name, value in vars(arguments).items()},
            "results": results,
        }
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
