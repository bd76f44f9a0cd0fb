"""Before stage 1: a vision vocabulary learns from rows that know their truth what each of its tokens shows.

Vary starts its vocabulary from SAM's weights. A tiny one has none to start from; marks (`data/marks.py`) take their place: no
decoder runs, so a picture costs a third, and every token is taught at once. `recipes/pretrain_marks.py` calls `main`. The output
directory is a vision vocabulary, which stage 1 takes as `vision_tower`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data.marks import marks_of
from ..data.mixture_config import build_mixture
from ..image_processing_nanovlms import NanoVLMsImageProcessor
from ..modeling_nanovlms import NanoVLMsVisionVocabulary
from ..presets import reading_config
from .arguments import as_mixture, parse
from .building import load_part
from .checked_run import train_checked
from .mark_heads import MarkHeads
from .measuring import describe_mixture
from .processes import parting_together
from .pushing import PushTowerMixin
from .run_files import checkpoint_to_resume, run_summary, write_summary
from .tower_stage import MuonTrainer, TowerStageArguments


@dataclass
class MarksArguments:
    """What the stage trains.

    Args:
        preset (`str`): preset whose vision vocabulary is trained.
        vision_tower (`str`, *optional*): a saved vision vocabulary to go on with.
        slots (`int`, defaults to 6): characters a token is marked with at most.
        mixture (`list[dict]`): entries of a mixture; rows with `glyphs` or `objects` teach, others are wasted.
        world_seed (`int`, defaults to 0): seed of the mixture.
        train_rows (`int`): rows for training.
        validation_rows (`int`, defaults to 128): held-out rows for loss and accuracy.
    """

    preset: str | None = field(default=None, metadata={"help": "Preset whose vision vocabulary is trained."})
    vision_tower: str | None = field(default=None, metadata={"help": "Saved vision vocabulary to go on with."})
    slots: int = field(default=6, metadata={"help": "Characters a token is marked with at most."})
    # A list; transformers' argument parser knows no union with one.
    mixture: dict[str, Any] | str | None = field(default=None, metadata={"help": "Entries of a mixture."})
    world_seed: int = field(default=0, metadata={"help": "Seed of the mixture."})
    train_rows: int = field(default=10_000, metadata={"help": "Rows for training."})
    validation_rows: int = field(default=128, metadata={"help": "Held-out rows."})

    def __post_init__(self):
        self.mixture = as_mixture(self.mixture)


class MarksModel(nn.Module):
    """A vision vocabulary with heads for the marks of its tokens."""

    def __init__(self, vocabulary: NanoVLMsVisionVocabulary, slots: int):
        super().__init__()
        self.vocabulary = vocabulary
        self.mark_heads = MarkHeads(vocabulary.config.hidden_size, slots)

    def forward(self, pixel_values: torch.Tensor, marks: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The marks' `loss`; see `MarkHeads.loss`."""
        return {"loss": self.mark_heads.loss(self.vocabulary(pixel_values).last_hidden_state, marks)}


class MarksCollator:
    """Pictures through the image processor, marks stacked to `(images, tokens, slots)` a kind."""

    def __init__(self, image_processor: NanoVLMsImageProcessor, grid: int, slots: int):
        self.image_processor, self.grid, self.slots = image_processor, grid, slots

    def __call__(self, rows: list[dict]) -> dict[str, Any]:
        marks = [marks_of(row, self.grid, self.slots) for row in rows]
        pixels = self.image_processor([row["images"][0] for row in rows], return_tensors="pt")["pixel_values"]
        stacked = {name: torch.from_numpy(np.stack([row[name] for row in marks])) for name in marks[0]}
        return {"pixel_values": pixels, "marks": stacked}


class MarksTrainer(PushTowerMixin, MuonTrainer):
    """Trainer that publishes the vocabulary alone and reports the share of right marks beside the validation loss."""

    def tower_for_hub(self) -> tuple[NanoVLMsVisionVocabulary, NanoVLMsImageProcessor]:
        """The vision vocabulary and its image processor."""
        return self.accelerator.unwrap_model(self.model).vocabulary, self.data_collator.image_processor

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        """Validation loss, and `eval_<kind>_accuracy` on up to 128 validation rows."""
        metrics = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        self.model.eval()
        rows = [self.eval_dataset[index] for index in range(min(len(self.eval_dataset), 128))]
        batch = self._prepare_inputs(self.data_collator(rows))
        with torch.no_grad():
            features = self.model.vocabulary(batch["pixel_values"]).last_hidden_state
        shares = self.model.mark_heads.accuracy(features, batch["marks"])
        accuracy = {f"{metric_key_prefix}_{name}_accuracy": value for name, value in shares.items()}
        self.log(accuracy)
        return metrics | accuracy


@parting_together
def main(argv: list[str] | None = None) -> dict:
    """Parses the arguments and runs the stage; returns the summary that is also written to `training.json`."""
    return run(*parse((MarksArguments, TowerStageArguments), argv))


def run(arguments: MarksArguments, training: TowerStageArguments) -> dict:
    """Trains a preset's vision vocabulary on marks; see `main`.

    Raises:
        ValueError: if no preset with a vision vocabulary is named, or the mixture is wrong.
    """
    if not arguments.preset:
        raise ValueError("the recipe names no preset; say whose vision vocabulary is to be trained.")
    vision = reading_config(arguments.preset).vision_config
    options = {"seed": arguments.world_seed, "image_size": vision.image_size}
    train = build_mixture(arguments.mixture, split="train", length=arguments.train_rows, **options)
    held_out = build_mixture(arguments.mixture, split="validation", length=arguments.validation_rows, **options)
    torch.manual_seed(training.seed)
    model = MarksModel(NanoVLMsVisionVocabulary(vision), arguments.slots)
    if arguments.vision_tower:
        load_part(model.vocabulary, arguments.vision_tower)
    image_processor = NanoVLMsImageProcessor(size={"height": vision.image_size, "width": vision.image_size})
    training.label_names, training.train_sampling_strategy = ["marks"], "sequential"
    trainer = MarksTrainer(
        model=model,
        args=training,
        train_dataset=train,
        eval_dataset=held_out,
        data_collator=MarksCollator(image_processor, vision.image_size // vision.patch_size, arguments.slots),
    )
    checkpoint = checkpoint_to_resume(training)
    seconds, first_step = train_checked(trainer, image_processor, checkpoint)
    measured = trainer.evaluate()
    shares = {name: round(value, 4) for name, value in measured.items() if name.endswith("_accuracy")}
    data = describe_mixture(
        arguments.mixture,
        arguments.world_seed,
        train_rows=arguments.train_rows,
        validation_rows=arguments.validation_rows,
    )
    summary = run_summary(trainer, seconds, first_step, data) | {"accuracy": shares}
    if trainer.is_world_process_zero():
        trainer.save_for_hub(training.output_dir)
        write_summary(trainer, summary)
    if training.push_to_hub:
        trainer.push_to_hub()
    return summary


__all__ = ["MarksArguments", "MarksCollator", "MarksModel", "main", "run"]
