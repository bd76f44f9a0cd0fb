"""Preference pairs from the picture world: the chosen text is true, the rejected one has exactly one error, of a known kind.

    rows = preference_dataset("train", 1000, seed=0)
    rows[0]["images"], rows[0]["prompt"]
    rows[0]["chosen"][0]["content"][0]["text"]     # "A red cat is next to a ball at the beach. ..."
    rows[0]["rejected"][0]["content"][0]["text"]   # "A blue cat is next to a ball at the beach. ..."
    rows[0]["error"]                               # "colour"

Nothing is stored but the indices, as in `world.py`: a row is drawn when it is read, and is a function of (seed, split, index).
"""

import random
from dataclasses import dataclass

from datasets import Dataset

from .descriptions import short_description
from .drawing import render
from .scenes import DEFAULT_WORLD, Scene, WorldConfig
from .tasks import PROMPTS
from .world import world_scene
from .wrong_facts import ERRORS, WrongText, put_error, with_loose_thing

PAIR_COLUMNS = ("images", "prompt", "chosen", "rejected")

_SCENES_A_ROW = 24  # scenes that a row may try: half of them hold a number above one
_TEXTS_A_SCENE = 6


@dataclass(frozen=True)
class Pair:
    """A true text about a scene, and the same with one error.

    Attributes:
        scene: what the texts are about.
        prompt: what the user asks.
        chosen: the true text.
        rejected: the wrong one, with the facts that differ.
        error: its kind, a name in `wrong_facts.ERRORS`.
    """

    scene: Scene
    prompt: str
    chosen: str
    rejected: WrongText
    error: str


class PreferenceRows:
    """Makes rows by number; a picklable class, so that data-loader workers can have it.

    Args:
        seed, split, image_size, errors, world: as for `preference_dataset`.

    Raises:
        ValueError: if a kind of error is unknown, or none has a weight above 0.
    """

    def __init__(self, seed: int, split: str, image_size: int, errors: dict[str, float], world: WorldConfig):
        self.seed, self.split, self.image_size, self.world = seed, split, image_size, world
        self.errors = {name: float(weight) for name, weight in errors.items()}
        unknown = [name for name in self.errors if name not in ERRORS]
        if unknown or not self.errors or min(self.errors.values()) < 0 or not sum(self.errors.values()):
            raise ValueError(
                f"errors={errors} has to give kinds of error a weight above 0; the kinds are {', '.join(ERRORS)}."
            )

    def pair(self, index: int) -> Pair:
        """The texts of a row; nothing is drawn.

        Raises:
            ValueError: if none of the scenes that a row may try has room for its kind of error.
        """
        rng = random.Random(f"{self.seed}:{self.split}:{index}:pair")
        error = rng.choices(list(self.errors), list(self.errors.values()))[0]
        prompt = rng.choice(PROMPTS["short"])
        for attempt in range(_SCENES_A_ROW):
            scene = world_scene(self.seed, self.split, index * _SCENES_A_ROW + attempt, self.world)
            if not _has_room(error, scene):
                continue
            for _ in range(_TEXTS_A_SCENE):
                chosen = with_loose_thing(scene, rng) if error == "invented" else short_description(scene, rng)
                rejected = put_error(error, chosen, scene, rng) if chosen else None
                if rejected is not None:
                    return Pair(scene, prompt, chosen, rejected, error)
        raise ValueError(
            f"row {index} of seed {self.seed} found no scene with room for an error of the kind {error!r}; allow more groups, kinds "
            "or numbers in the world, or leave this kind out of errors."
        )

    def row(self, index: int) -> dict:
        """`images`, `prompt`, `chosen`, `rejected` and `error` of a row."""
        pair = self.pair(index)
        asked = [{"type": "image"}, {"type": "text", "text": pair.prompt}]
        return {
            "images": [render(pair.scene, self.image_size)],
            "prompt": [{"role": "user", "content": asked}],
            "chosen": [_said(pair.chosen)],
            "rejected": [_said(pair.rejected.text)],
            "error": pair.error,
        }

    def __call__(self, batch: dict) -> dict:
        rows = [self.row(index) for index in batch["index"]]
        return {key: [row[key] for row in rows] for key in (*PAIR_COLUMNS, "error")}


def _said(text: str) -> dict:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def _has_room(error: str, scene: Scene) -> bool:
    """A quick look before a text is written."""
    if error == "count":
        return any(group.count > 1 for group in scene.groups)
    if error == "size":
        return any(group.size for group in scene.groups)
    if error == "colour":
        return any(group.colour for group in scene.groups)
    return error not in ("relation", "invented") or len(scene.groups) > 1


def preference_dataset(
    split: str,
    length: int,
    *,
    seed: int = 0,
    image_size: int = 128,
    errors: dict[str, float] | None = None,
    world: WorldConfig = DEFAULT_WORLD,
    start: int = 0,
) -> Dataset:
    """Preference pairs with the columns `images`, `prompt`, `chosen`, `rejected` and `error`.

    Args:
        split (`str`): `train`, `validation` or `test`; no picture is in two of them.
        length (`int`): rows.
        seed (`int`, defaults to 0): seed of the world.
        image_size (`int`, defaults to 128): side of the pictures, in pixels.
        errors (`dict[str, float]`, *optional*): kind of error -> weight; all kinds alike when not given.
        world (`WorldConfig`): kinds, colours, styles and counts to draw.
        start (`int`, defaults to 0): index of the first row.

    Raises:
        ValueError: if the split or a kind of error is unknown, the length is not positive, or the world has no room for an error.
    """
    if length < 1:
        raise ValueError(f"length={length} pairs were asked of the picture world; give at least 1.")
    rows = PreferenceRows(seed, split, image_size, errors or dict.fromkeys(ERRORS, 1.0), world)
    rows.row(start)  # a bad split or world speaks up here, not in a worker in the middle of training
    return Dataset.from_dict({"index": range(start, start + length)}).with_transform(rows)


__all__ = ["PAIR_COLUMNS", "Pair", "PreferenceRows", "preference_dataset"]
