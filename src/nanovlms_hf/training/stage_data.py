"""The rows of a training stage: the picture world, real data by source entries, or a mixture; and their words."""

from collections.abc import Iterable, Iterator
from itertools import islice

from accelerate import PartialState
from datasets import Dataset, IterableDataset
from transformers import AutoConfig

from ..adapter_folders import base_of, is_adapter
from ..configuration_nanovlms import check_gives_a_grid
from ..data.mixture import Mixture, StreamedMixture
from ..data.mixture_config import build_mixture
from ..data.sources import load_sources, split_rows
from ..data.world import world_dataset, world_texts
from ..presets import preset_config
from .arguments import DataArguments, ModelArguments, StageArguments, world_config

TOKENIZER_ROWS = 20_000
_TOKENIZER_MIXTURE_ROWS = 1_000  # a mixture draws the picture with its words, which takes longer

Rows = Dataset | Mixture | StreamedMixture


def load_data(
    arguments: DataArguments, image_size: int, training: StageArguments | None = None
) -> tuple[Rows, Rows | None]:
    """Training and validation rows with `images` and `messages`.

    Args:
        arguments (`DataArguments`): what to train on.
        image_size (`int`): the model's picture size, for drawn pictures.
        training (`StageArguments`, *optional*): tells a streamed mixture the batch of a process; needed for one.

    Raises:
        ValueError: if the picture world or a mixture is asked for without `train_rows`, a source is wrong, or the sources
            stream or leave no rows.
    """
    if isinstance(arguments.mixture, list):
        return _load_mixture(arguments, image_size, training)
    if not arguments.sources:
        return _load_world(arguments, image_size)
    rows = load_sources(arguments.sources, seed=arguments.world_seed)
    if isinstance(rows, IterableDataset):
        raise ValueError(
            f"the sources {arguments.sources} stream, but this stage splits and shuffles rows by number; name them in entries of "
            "a mixture, set `streaming: false` in them, or `limit` a copy that fits the disk."
        )
    if len(rows) < 2:
        raise ValueError(f"the sources {arguments.sources} leave {len(rows)} row(s); at least 2 are needed to train.")
    return hold_out(rows, arguments.train_rows, arguments.validation_rows, arguments.world_seed)


def hold_out(rows: Dataset, train_rows: int | None, validation_rows: int, seed: int) -> tuple[Dataset, Dataset | None]:
    """Training and validation rows of real data; no picture is in both.

    Args:
        rows (`Dataset`): all rows, at least 2.
        train_rows (`int`, *optional*): at most so many for training.
        validation_rows (`int`): about so many for validation, at most a tenth of all; 0 for none.
        seed (`int`): of the split.
    """
    train, validation = rows, None
    if validation_rows:
        share = min(validation_rows, max(len(rows) // 10, 1)) / len(rows)
        parts = split_rows(rows, share, seed=seed)
        train, validation = parts["train"], parts["validation"]
    if train_rows and train_rows < len(train):
        train = train.select(range(train_rows))
    return train, validation


def _load_world(arguments: DataArguments, image_size: int) -> tuple[Dataset, Dataset | None]:
    if not arguments.train_rows:
        raise ValueError("train_rows is not set, but the picture world is endless; say how many rows to train on.")
    options = {
        "seed": arguments.world_seed,
        "image_size": arguments.picture_size or image_size,
        "mixture": arguments.mixture,
        "world": world_config(arguments.world),
    }
    validation = None
    if arguments.validation_rows:
        validation = world_dataset("validation", arguments.validation_rows, **options)
    return world_dataset("train", arguments.train_rows, **options), validation


def _load_mixture(
    arguments: DataArguments, image_size: int, training: StageArguments | None
) -> tuple[Rows, Rows | None]:
    if not arguments.train_rows:
        raise ValueError("train_rows is not set, but a mixture goes on for ever; say how many rows to train on.")
    options = {"seed": arguments.world_seed, "image_size": arguments.picture_size or image_size}
    shard = {}
    if training is not None:
        state, batch = PartialState(), training.per_device_train_batch_size
        shard = {"rank": state.process_index, "world_size": state.num_processes, "batch_size": batch}
    train = build_mixture(arguments.mixture, split="train", length=arguments.train_rows, **options, **shard)
    validation = None
    if arguments.validation_rows:
        validation = build_mixture(arguments.mixture, split="validation", length=arguments.validation_rows, **options)
    return train, validation


def count_rows(rows: Rows | None) -> int:
    """How many rows a stage was given; a streamed mixture knows its length though it cannot be indexed."""
    if rows is None:
        return 0
    return rows.length if isinstance(rows, StreamedMixture) else len(rows)


def texts_of(train: Rows, arguments: DataArguments) -> Iterator[str]:
    """The words of the training rows, for a tokenizer; pictures of a table are not opened."""
    if isinstance(train, Mixture | StreamedMixture):
        rows = (train[index] for index in range(len(train))) if isinstance(train, Mixture) else train.rows()
        for row in islice(rows, _TOKENIZER_MIXTURE_ROWS):
            yield from _words(row["messages"])
        return
    rows = min(len(train), TOKENIZER_ROWS)
    if not arguments.sources:
        world = world_config(arguments.world)
        yield from world_texts("train", rows, seed=arguments.world_seed, mixture=arguments.mixture, world=world)
        return
    for messages in train.select_columns("messages").select(range(rows))["messages"]:
        yield from _words(messages)


def _words(messages: Iterable[dict]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        yield from [content] if isinstance(content, str) else (part["text"] for part in content if part.get("text"))


def picture_side(arguments: ModelArguments) -> int:
    """Side of the pictures that a model sees, in pixels; of two towers the larger one's.

    Raises:
        ValueError: if the arguments name no model, or as a tower something without a grid of tokens.
    """
    if arguments.preset:
        overrides = dict(arguments.overrides or {})
        if arguments.vocabulary:  # the artifact's shape takes the place of the preset's, which may not fit it
            overrides["vocabulary_config"] = None
        config = preset_config(arguments.preset, **overrides)
    elif arguments.model_name_or_path:
        name = arguments.model_name_or_path
        config = AutoConfig.from_pretrained(base_of(name) if is_adapter(name) else name)
    elif arguments.vision_tower:
        config = AutoConfig.from_pretrained(arguments.vision_tower)
    else:
        raise ValueError(
            "the recipe names no model: give preset, model_name_or_path, or vision_tower and language_model."
        )
    towers = [getattr(config, "vision_config", config), getattr(config, "vocabulary_config", None)]
    if arguments.vocabulary:
        saved = AutoConfig.from_pretrained(arguments.vocabulary)
        towers[1] = getattr(saved, "vocabulary_config", None) or saved
        check_gives_a_grid(towers[1], f"vocabulary={arguments.vocabulary!r}")
    check_gives_a_grid(
        towers[0], f"vision_tower={arguments.vision_tower!r}" if arguments.vision_tower else "vision_config"
    )
    return max(tower.image_size for tower in towers if tower is not None)


__all__ = ["Rows", "count_rows", "hold_out", "load_data", "picture_side", "texts_of"]
