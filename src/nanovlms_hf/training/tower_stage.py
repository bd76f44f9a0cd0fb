"""The tower stage: a vision tower learns from boxes what each patch shows, and is saved as a model of its own.

`recipes/pretrain_tower.py` calls `main`. The output directory holds the tower (configuration and safetensors), which the
next recipe loads through `vision_tower:`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel, Trainer, TrainingArguments

from ..data.crowds import make_crowd
from ..data.dense import DENSE_TASKS, crowd_targets, dense_targets
from ..data.drawing import render
from ..data.scenes import WorldConfig
from ..data.world import world_scene
from ..image_processing_nanovlms import NanoVLMsImageProcessor
from ..presets import preset_config
from .arguments import as_mapping, name_cpu_for_bf16, parse, world_config
from .checked_run import train_checked
from .measuring import describe_world
from .muon import muon_optimizer
from .processes import parting_together
from .pushing import PushTowerMixin
from .run_files import checkpoint_to_resume, run_summary, write_summary
from .tower import DensePretrainingModel, dense_accuracy


@dataclass
class TowerArguments:
    """What the tower stage trains.

    Args:
        preset (`str`): preset whose tower is trained.
        world (`dict`): fields of `WorldConfig`.
        world_seed (`int`, defaults to 0): seed of the picture world.
        crowd_share (`float`, defaults to 0.5): share of the training pictures that are crowds (`data/crowds.py`).
        train_rows (`int`): pictures to draw; an epoch.
        validation_rows (`int`, defaults to 256): held-out pictures for loss and accuracy.
    """

    preset: str | None = field(default=None, metadata={"help": "Preset whose tower is trained."})
    world: dict[str, Any] | str | None = field(default=None, metadata={"help": "Fields of WorldConfig."})
    world_seed: int = field(default=0, metadata={"help": "Seed of the picture world."})
    crowd_share: float = field(default=0.5, metadata={"help": "Share of crowds among the training pictures."})
    train_rows: int = field(default=10_000, metadata={"help": "Pictures of an epoch."})
    validation_rows: int = field(default=256, metadata={"help": "Held-out pictures."})

    def __post_init__(self):
        self.world = as_mapping("world", self.world)
        if min(self.train_rows, self.validation_rows) < 1 or not 0 <= self.crowd_share <= 1:
            raise ValueError(
                f"train_rows={self.train_rows}, validation_rows={self.validation_rows}, crowd_share={self.crowd_share}: give "
                "at least one row of each, and a share from 0 to 1."
            )


@dataclass
class TowerStageArguments(TrainingArguments):
    """`TrainingArguments` with the stage's defaults.

    Args:
        muon_learning_rate (`float`, *optional*): train matrices and convolutions with Muon at this rate (see `muon.py`);
            AdamW for everything when not given.
    """

    muon_learning_rate: float | None = field(default=None, metadata={"help": "Learning rate of Muon; AdamW if none."})

    label_names: list[str] | None = field(default_factory=lambda: [task.name for task in DENSE_TASKS])
    remove_unused_columns: bool = field(default=False, metadata={"help": "Rows are pictures, not model inputs."})
    ddp_find_unused_parameters: bool | None = field(default=False, metadata={"help": "Every head is always used."})
    report_to: None | str | list[str] = field(default="none", metadata={"help": "Trackers."})

    def __post_init__(self):
        name_cpu_for_bf16(self)
        super().__post_init__()


class DenseWorld(Dataset):
    """Pictures of the world with the class of every patch; a row is a pure function of (seed, index)."""

    def __init__(
        self, split: str, length: int, crowd_share: float, seed: int, world: WorldConfig, image_size: int, grid: int
    ):
        self.split, self.length, self.crowd_share, self.seed, self.world = split, length, crowd_share, seed, world
        self.image_size, self.grid = image_size, grid

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < self.length:
            raise IndexError(index)
        # Evenly spread: after any number of rows the share is right to one row.
        if int((index + 1) * self.crowd_share) > int(index * self.crowd_share):
            scene, targets = make_crowd(self.seed, index, self.world), crowd_targets
        else:
            scene, targets = world_scene(self.seed, self.split, index, self.world), dense_targets
        return {"picture": render(scene, self.image_size), **targets(scene, self.grid)}


class DenseCollator:
    """Pictures through the image processor, targets stacked: `(images, patches)` a task."""

    def __init__(self, image_processor: NanoVLMsImageProcessor):
        self.image_processor = image_processor

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        pixels = self.image_processor([row["picture"] for row in rows], return_tensors="pt")["pixel_values"]
        labels = {task.name: torch.from_numpy(np.stack([row[task.name] for row in rows])) for task in DENSE_TASKS}
        return {"pixel_values": pixels, **labels}


class MuonTrainer(Trainer):
    """Trainer with Muon where `muon_learning_rate` is set."""

    def create_optimizer(self, model=None):
        """Muon with AdamW where `muon_learning_rate` is set, else the usual optimizer."""
        if not self.args.muon_learning_rate or self.optimizer is not None:
            return super().create_optimizer(model)
        self.optimizer = muon_optimizer(model or self.model, self.args)
        return self.optimizer


class TowerTrainer(PushTowerMixin, MuonTrainer):
    """Trainer that publishes the tower alone and reports the accuracy of each task beside the validation loss."""

    def tower_for_hub(self) -> tuple[PreTrainedModel, NanoVLMsImageProcessor]:
        """The tower and its image processor."""
        return self.accelerator.unwrap_model(self.model).vision_tower, self.data_collator.image_processor

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        """Validation loss, and `eval_<task>_accuracy` on the first batch's worth of validation pictures."""
        metrics = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        self.model.eval()
        rows = [self.eval_dataset[i] for i in range(min(len(self.eval_dataset), 128))]
        batch = self._prepare_inputs(self.data_collator(rows))
        accuracy = {
            f"{metric_key_prefix}_{name}_accuracy": value for name, value in dense_accuracy(self.model, batch).items()
        }
        self.log(accuracy)
        return metrics | accuracy


@parting_together
def main(argv: list[str] | None = None) -> dict:
    """Parses the arguments and runs the stage; returns the summary that is also written to `training.json`."""
    return run(*parse((TowerArguments, TowerStageArguments), argv))


def run(arguments: TowerArguments, training: TowerStageArguments) -> dict:
    """Trains a preset's tower on dense targets; see `main`.

    Raises:
        ValueError: if no preset is named, or the name is no preset.
    """
    if not arguments.preset:
        raise ValueError("the recipe names no preset; say whose vision tower is to be trained.")
    config = preset_config(arguments.preset)
    vision = config.vision_config
    grid = vision.image_size // vision.patch_size
    world = world_config(arguments.world)
    options = {"seed": arguments.world_seed, "world": world, "image_size": vision.image_size, "grid": grid}
    torch.manual_seed(training.seed)
    model = DensePretrainingModel(vision, config.num_prefix_tokens)
    image_processor = NanoVLMsImageProcessor(size={"height": vision.image_size, "width": vision.image_size})
    trainer = TowerTrainer(
        model=model,
        args=training,
        train_dataset=DenseWorld("train", arguments.train_rows, arguments.crowd_share, **options),
        eval_dataset=DenseWorld("validation", arguments.validation_rows, 0.0, **options),
        data_collator=DenseCollator(image_processor),
    )
    checkpoint = checkpoint_to_resume(training)
    seconds, first_step = train_checked(trainer, image_processor, checkpoint)
    accuracy = trainer.evaluate()
    data = describe_world(
        arguments.world_seed,
        arguments.world,
        crowd_share=arguments.crowd_share,
        train_rows=arguments.train_rows,
        validation_rows=arguments.validation_rows,
    )
    summary = run_summary(trainer, seconds, first_step, data) | {
        "accuracy": {task.name: round(accuracy[f"eval_{task.name}_accuracy"], 4) for task in DENSE_TASKS}
    }
    if trainer.is_world_process_zero():
        trainer.save_for_hub(training.output_dir)
        write_summary(trainer, summary)
    if training.push_to_hub:
        trainer.push_to_hub()
    return summary


__all__ = ["DenseCollator", "DenseWorld", "MuonTrainer", "TowerStageArguments", "TowerTrainer", "main", "run"]
