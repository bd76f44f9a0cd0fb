"""What a preference stage trains on: pairs from the picture world, or real pairs by source entries."""

from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset, IterableDataset

from ..data.preferences import preference_dataset
from ..data.source_config import read_source_config
from ..data.sources import load_preferences
from ..data.wrong_facts import ERRORS
from .arguments import as_mapping, world_config
from .measuring import describe_sources, describe_world
from .stage_data import hold_out


@dataclass
class PreferenceDataArguments:
    """The pairs of a stage.

    Args:
        sources (`list[str]`): source entries with `chosen` and `rejected` (YAML files, see docs/preferences.md); the picture world
            when empty.
        errors (`dict[str, float]`, *optional*): for the picture world, kind of error -> weight; all kinds alike when not given.
        world (`dict`): fields of `WorldConfig`, to make the world smaller or draw other styles.
        world_seed (`int`, defaults to 0): seed of the picture world.
        train_rows (`int`, *optional*): pairs for training; needed for the picture world, a cap for real data.
        validation_rows (`int`, defaults to 256): pairs for the validation loss and the accuracy by kind of error.
        picture_size (`int`, *optional*): side of the drawn pictures, in pixels; the model's when not given.
    """

    sources: list[str] = field(default_factory=list, metadata={"help": "Source entries; the picture world if none."})
    errors: dict[str, Any] | str | None = field(default=None, metadata={"help": "Kind of error -> weight."})
    world: dict[str, Any] | str | None = field(default=None, metadata={"help": "Fields of WorldConfig."})
    world_seed: int = field(default=0, metadata={"help": "Seed of the picture world."})
    train_rows: int | None = field(default=None, metadata={"help": "Pairs for training."})
    validation_rows: int = field(default=256, metadata={"help": "Pairs for validation."})
    picture_size: int | None = field(default=None, metadata={"help": "Side of the drawn pictures, in pixels."})

    def __post_init__(self):
        self.errors = as_mapping("errors", self.errors)
        self.world = as_mapping("world", self.world)
        if isinstance(self.sources, str):
            self.sources = [self.sources]
        if self.sources and (self.errors or self.world):
            raise ValueError(
                "sources and errors or world were both given, but real pairs have no kinds of error; give one of them."
            )


def load_pairs(arguments: PreferenceDataArguments, image_size: int) -> tuple[Dataset, Dataset | None]:
    """Training and validation pairs with `images`, `prompt`, `chosen`, `rejected` and, from the picture world, `error`.

    Args:
        arguments (`PreferenceDataArguments`): what to train on.
        image_size (`int`): the model's picture size, for drawn pictures.

    Raises:
        ValueError: if the picture world is asked for without `train_rows`, a source or a row of it is wrong, or the sources
            stream or leave fewer than two pairs.
    """
    if not arguments.sources:
        return _load_world(arguments, image_size)
    rows = load_preferences(arguments.sources, seed=arguments.world_seed)
    if isinstance(rows, IterableDataset):
        raise ValueError(
            f"the sources {arguments.sources} stream, but pairs are split and scored by number; set `streaming: false` in them, or "
            "`limit` a copy that fits the disk."
        )
    if len(rows) < 2:
        raise ValueError(f"the sources {arguments.sources} leave {len(rows)} pair(s); at least 2 are needed to train.")
    return hold_out(rows, arguments.train_rows, arguments.validation_rows, arguments.world_seed)


def _load_world(arguments: PreferenceDataArguments, image_size: int) -> tuple[Dataset, Dataset | None]:
    if not arguments.train_rows:
        raise ValueError("train_rows is not set, but the picture world is endless; say how many pairs to train on.")
    options = {
        "seed": arguments.world_seed,
        "image_size": arguments.picture_size or image_size,
        "errors": arguments.errors,
        "world": world_config(arguments.world),
    }
    validation = None
    if arguments.validation_rows:
        validation = preference_dataset("validation", arguments.validation_rows, **options)
    return preference_dataset("train", arguments.train_rows, **options), validation


def describe_pairs(arguments: PreferenceDataArguments, train_rows: int, validation_rows: int) -> dict:
    """What a stage trained on, for `training.json`."""
    rows = {"train_rows": train_rows, "validation_rows": validation_rows}
    if arguments.sources:
        return {"sources": describe_sources(read_source_config(path) for path in arguments.sources), **rows}
    errors = arguments.errors or dict.fromkeys(ERRORS, 1.0)
    return describe_world(arguments.world_seed, arguments.world, preferences=errors, **rows)


__all__ = ["PreferenceDataArguments", "describe_pairs", "load_pairs"]
