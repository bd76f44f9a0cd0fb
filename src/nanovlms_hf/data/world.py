"""The built-in picture world as a `datasets.Dataset`: any length, on the fly, a row a pure function of (seed, split, index).

Nothing is stored but the indices: a row is drawn when it is read, so an epoch of a million pictures takes no disk, and
the order of reading, the number of workers and a resumed run change nothing.
"""

import random
from collections.abc import Iterator

from datasets import Dataset

from .drawing import render
from .scenes import DEFAULT_WORLD, Scene, WorldConfig, make_scene
from .tasks import TASKS, chat

# Index ranges that never meet, whatever the sizes asked for: a held-out picture cannot be a training picture.
SPLIT_OFFSETS = {"train": 0, "validation": 1 << 40, "test": 1 << 41}


def world_scene(seed: int, split: str, index: int, world: WorldConfig = DEFAULT_WORLD) -> Scene:
    """The scene of a row; raises ValueError for a split other than `train`, `validation` and `test`."""
    if split not in SPLIT_OFFSETS:
        raise ValueError(f"split={split!r} is unknown; choose one of {', '.join(SPLIT_OFFSETS)}.")
    return make_scene(seed, SPLIT_OFFSETS[split] + index, world)


class WorldRows:
    """Draws rows by number; a picklable class, so that data-loader workers can have it.

    Args:
        seed, split, image_size, mixture, world: as for `world_dataset`.

    Raises:
        ValueError: if a task is unknown, or no conversation has a weight above 0.
    """

    def __init__(self, seed, split, image_size, mixture, world):
        self.seed, self.split, self.image_size, self.world = seed, split, image_size, world
        self.choices = [tuple(name.split("+")) for name in mixture]
        self.weights = [float(weight) for weight in mixture.values()]
        unknown = [name for choice in self.choices for name in choice if name not in TASKS]
        if unknown or min(self.weights) < 0 or not sum(self.weights):
            raise ValueError(
                f"mixture={mixture} has to give conversations a weight above 0; a conversation is task names joined by `+`, of "
                f"{', '.join(TASKS)}."
            )

    def messages(self, index: int) -> tuple[Scene, list[dict]]:
        """The scene of a row and the chat about it; nothing is drawn."""
        scene = world_scene(self.seed, self.split, index, self.world)
        rng = random.Random(f"{self.seed}:{self.split}:{index}:chat")
        return scene, chat(scene, rng.choices(self.choices, weights=self.weights)[0], rng)

    def row(self, index: int) -> dict:
        """`images` and `messages` of a row."""
        scene, messages = self.messages(index)
        return {"images": [render(scene, self.image_size)], "messages": messages}

    def __call__(self, batch: dict) -> dict:
        rows = [self.row(index) for index in batch["index"]]
        return {key: [row[key] for row in rows] for key in ("images", "messages")}


def world_dataset(
    split: str,
    length: int,
    *,
    seed: int = 0,
    image_size: int = 128,
    mixture: dict[str, float] | None = None,
    world: WorldConfig = DEFAULT_WORLD,
    start: int = 0,
) -> Dataset:
    """Rows of the picture world with the columns `images` and `messages`.

    Args:
        split (`str`): `train`, `validation` or `test`; no picture is in two of them.
        length (`int`): rows.
        seed (`int`, defaults to 0): seed of the world.
        image_size (`int`, defaults to 128): side of the pictures, in pixels.
        mixture (`dict[str, float]`, *optional*): conversation -> weight; a conversation is task names joined by `+`, such as
            `"naming+question+short"`. Short descriptions alone when not given.
        world (`WorldConfig`): kinds, colours, styles and counts to draw.
        start (`int`, defaults to 0): index of the first row.

    Raises:
        ValueError: if the split or a task is unknown, or the length is not positive.
    """
    if length < 1:
        raise ValueError(f"length={length} rows were asked of the picture world; give at least 1.")
    rows = WorldRows(seed, split, image_size, dict(mixture or {"short": 1.0}), world)
    rows.row(start)  # a bad split speaks up here, not in a worker in the middle of training
    return Dataset.from_dict({"index": range(start, start + length)}).with_transform(rows)


def world_texts(
    split: str,
    length: int,
    *,
    seed: int = 0,
    mixture: dict[str, float] | None = None,
    world: WorldConfig = DEFAULT_WORLD,
) -> Iterator[str]:
    """The words of the first `length` rows of `world_dataset`, questions and answers, without drawing a picture."""
    rows = WorldRows(seed, split, 1, dict(mixture or {"short": 1.0}), world)
    for index in range(length):
        for message in rows.messages(index)[1]:
            yield from (part["text"] for part in message["content"] if part["type"] == "text")


__all__ = ["SPLIT_OFFSETS", "WorldRows", "world_dataset", "world_scene", "world_texts"]
