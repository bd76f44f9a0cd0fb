"""A vision vocabulary as an artifact: pretrained in stage 1, kept in a folder of its own, merged into models by name.

    folder = runs/vary-nano/1_vocabulary
    vocabulary = NanoVLMsVisionVocabulary.from_pretrained(folder)      # config.json, model.safetensors
    processor = NanoVLMsImageProcessor.from_pretrained(folder)         # preprocessor_config.json

`recipes/pretrain.py --vocabulary FOLDER` puts it beside a general tower, `--vision_tower FOLDER` in place of one, and
`recipes/pretrain_vocabulary.py --vision_tower FOLDER` trains it further. `FOLDER/reader` holds the whole model of stage 1, which
reads pages by itself and whose decoder a next stage can start from.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

from transformers import Trainer

from .evaluation.reading import evaluate_reading
from .image_processing_nanovlms import NanoVLMsImageProcessor
from .modeling_nanovlms import NanoVLMsForConditionalGeneration, NanoVLMsVisionVocabulary
from .training.arguments import DataArguments, ModelArguments, StageArguments, parse
from .training.processes import parting_together
from .training.run_files import run_summary, write_summary
from .training.vocabulary_stage import ReadingArguments, train

READER = "reader"


@parting_together
def main(argv: list[str] | None = None) -> dict:
    """Parses a recipe's arguments and runs stage 1; returns the summary that is also written to `training.json`."""
    return pretrain(*parse((ModelArguments, DataArguments, ReadingArguments, StageArguments), argv))


def pretrain(
    model_arguments: ModelArguments,
    data_arguments: DataArguments,
    reading: ReadingArguments,
    arguments: StageArguments,
) -> dict:
    """Trains a vision vocabulary, reads out held-out rows and writes the artifact to `arguments.output_dir`."""
    finish = partial(_finish, arguments=data_arguments, reading=reading, preset=model_arguments.preset)
    return train(model_arguments, data_arguments, reading, arguments, finish)


def _finish(
    trainer: Trainer,
    processor,
    seconds: float,
    first_step: int,
    data: dict,
    *,
    arguments: DataArguments,
    reading: ReadingArguments,
    preset: str,
) -> dict:
    summary = run_summary(trainer, seconds, first_step, data)
    if not trainer.is_world_process_zero():
        return summary
    model = without_marks(trainer.accelerator.unwrap_model(trainer.model))
    folder = Path(trainer.args.output_dir)
    model.save_pretrained(folder / READER)
    processor.save_pretrained(folder / READER)
    summary |= {"preset": preset, "mixture": arguments.mixture, "scores": {}}
    save_vocabulary(model.model.vision_tower, processor.image_processor, folder, summary)
    if reading.test_rows:  # what was trained is safe by now, whatever the reading out may meet
        size = model.config.vision_config.image_size
        scores, _ = evaluate_reading(
            model, processor, arguments.mixture, reading.test_rows, seed=arguments.world_seed, image_size=size
        )
        summary["scores"] = scores
        (folder / "README.md").write_text(vocabulary_card(model.model.vision_tower, summary))
    write_summary(trainer, summary)
    return summary


def without_marks(model: NanoVLMsForConditionalGeneration) -> NanoVLMsForConditionalGeneration:
    """A stage-1 model as a plain one, without the heads that only training needs; the weights are copied."""
    plain = NanoVLMsForConditionalGeneration(model.config)
    plain.load_state_dict(
        {name: value for name, value in model.state_dict().items() if not name.startswith("mark_heads.")}
    )
    plain.generation_config = model.generation_config
    return plain.eval()


def save_vocabulary(
    vocabulary: NanoVLMsVisionVocabulary,
    image_processor: NanoVLMsImageProcessor,
    folder: str | Path,
    summary: dict[str, Any] | None = None,
) -> None:
    """Writes a vision vocabulary as an artifact: weights, configuration, image processor and card.

    Args:
        vocabulary (`NanoVLMsVisionVocabulary`): the tower.
        image_processor (`NanoVLMsImageProcessor`): makes its pictures; its size must be the tower's.
        folder (`str` or `Path`): directory to write.
        summary (`dict`, *optional*): what stage 1 measured, for the card.

    Raises:
        ValueError: if the image processor makes pictures of another size; nothing is written then.
    """
    side, made = vocabulary.config.image_size, dict(image_processor.size)
    if {made.get("height"), made.get("width")} != {side}:
        raise ValueError(
            f"the image processor makes pictures of {made}, but the vision vocabulary sees {side}x{side} pixels; give the processor "
            "it was trained with."
        )
    folder = Path(folder)
    vocabulary.save_pretrained(folder)
    image_processor.save_pretrained(folder)
    (folder / "README.md").write_text(vocabulary_card(vocabulary, summary or {}))


def vocabulary_card(vocabulary: NanoVLMsVisionVocabulary, summary: dict[str, Any]) -> str:
    """The artifact's card: what it is, what it was trained on, what was measured, how to use it.

    Args:
        vocabulary (`NanoVLMsVisionVocabulary`): the tower.
        summary (`dict`): the content of `training.json`; what is not in it does not appear.
    """
    config = vocabulary.config
    tokens = (config.image_size // config.patch_size) ** 2
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: transformers",
        "tags: [nanovlms, custom_code, vision-vocabulary, ocr, object-detection]",
        "pipeline_tag: image-feature-extraction",
        "---",
        "# Vision vocabulary",
        "",
        f"A high-resolution vision tower that learned by having a small decoder write out text and boxes (arXiv 2401.12503): "
        f"{vocabulary.num_parameters():,} parameters, {config.image_size}x{config.image_size} pixels in, {tokens} tokens of "
        f"{config.hidden_size} channels out.",
        "",
    ]
    if summary.get("mixture"):
        total = sum(entry["weight"] for entry in summary["mixture"])
        lines += ["## Data", "", "| part | kind | share |", "|---|---|---|"]
        for entry in summary["mixture"]:
            kind = next(key for key in entry if key not in ("name", "weight", "seed"))
            lines.append(f"| {entry['name']} | {kind} | {entry['weight'] / total:.1%} |")
        lines.append("")
    if summary.get("optimizer_steps"):
        lines += [
            "## Training",
            "",
            f"Preset `{summary['preset']}`, {summary['optimizer_steps']:,} steps on {summary['images_seen']:,} rows, "
            f"{summary['train_seconds']:.0f} s with {summary['processes']} process(es) on {summary['device']}, seed "
            f"{summary['seed']}.",
            "",
        ]
    if summary.get("scores"):
        lines += [
            "## Measured on held-out rows, read out by the decoder of stage 1",
            "",
            "| metric | value |",
            "|---|---|",
        ]
        lines += [
            f"| {name} | {value} |" for name, value in summary["scores"].items() if isinstance(value, int | float)
        ]
        lines += ["", "`_blank`: the same with a blank picture.", ""]
    lines += [
        "## Use",
        "",
        "```python",
        "import nanovlms_hf",
        "",
        'vocabulary = nanovlms_hf.NanoVLMsVisionVocabulary.from_pretrained("FOLDER_OR_HUB_ID")',
        "```",
        "",
        "Merged into a model: `recipes/pretrain.py --vocabulary FOLDER_OR_HUB_ID`.",
        "",
    ]
    return "\n".join(lines)


def read_summary(folder: str | Path) -> dict[str, Any]:
    """What stage 1 measured, from the artifact's `training.json`; empty for an artifact without one."""
    path = Path(folder) / "training.json"
    return json.loads(path.read_text()) if path.is_file() else {}


__all__ = [
    "NanoVLMsVisionVocabulary",
    "READER",
    "main",
    "pretrain",
    "read_summary",
    "save_vocabulary",
    "vocabulary_card",
    "without_marks",
]
