"""Detection on the picture world: what is where, asked and answered in Vary's words (arXiv 2401.12503, section on data).

A picture of at most 30 things is asked for all of them, "Detect all objects in this image."; a fuller one for some classes
drawn by chance, "Detect Cat, Boat in this image.", and the answer holds only these. A share of the emptier pictures is asked
for classes too, now and then for one that is not there ("Boat: none."). The class of a thing is its kind.

The boxes are the world's own: a thing's whole extent, also where another thing hides a part of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from .box_text import ParsedBoxes, format_box, format_boxes, parse_box, parse_boxes, scale_box
from .crowds import make_crowd
from .drawing import render
from .geometry import Box, overlap_area
from .scenes import DEFAULT_WORLD, SETTINGS, Group, Scene, WorldConfig
from .world import SPLIT_OFFSETS, world_scene

MOST_BOXES_AT_ONCE = 30

# The first of each is the paper's own.
ALL_PROMPTS = (
    "Detect all objects in this image.",
    "Find every object in this picture.",
    "Where is everything? Give boxes.",
    "List all things with their boxes.",
    "Mark each object that you can see.",
    "Box everything in the image.",
    "Locate all the objects here.",
    "Name and locate all the things in this picture.",
    "Show where each thing is.",
    "Draw a box around every object.",
    "Which objects are there, and where exactly?",
    "Give the class and the corners of each object.",
)
CLASS_PROMPTS = (
    "Detect {classes} in this image.",
    "Find every {classes} in this picture.",
    "Where do you see {classes}? Give boxes.",
    "List the boxes of {classes}.",
    "Mark each {classes} that you can see.",
    "Box only {classes}.",
    "Locate {classes} here.",
    "Look for {classes} and say where they are.",
    "Show where these are: {classes}.",
    "Draw a box around every {classes}.",
    "Of all objects, detect just {classes}.",
    "Give the corners of each {classes}.",
)

_MOST_HIDDEN = 0.25  # of a thing's box, by the things in front; what is hidden more is taken out of a crowd
_DENSE_COLUMNS = 8  # cells along a side of a picture of more than 30 things


class Thing(NamedTuple):
    """One single thing of a scene: one instance of a group.

    Attributes:
        kind, colour, size: as in `Group`.
        box: (x0, y0, x1, y1) in fractions of the picture.
        alone: whether its group has no other instance.
    """

    kind: str
    colour: str | None
    size: str | None
    box: Box
    alone: bool = True


@dataclass(frozen=True)
class DetectionConfig:
    """Which pictures are drawn and how they are asked about.

    Args:
        image_size: side of the pictures in pixels.
        crowd_share: share of pictures that are crowds of up to 16 single things instead of scenes.
        dense_share: share of pictures with more than 30 small things, which are asked by class.
        class_share: share of pictures of at most 30 things that are asked by class all the same.
        absent_share: share of the questions by class that name a class which is not there too.
        paraphrase: whether prompts are drawn from all wordings; the paper's only when False.

    Raises:
        ValueError: for a share that is not between 0 and 1, or crowds and dense pictures that are more than all.
    """

    image_size: int = 192
    crowd_share: float = 0.0
    dense_share: float = 0.0
    class_share: float = 0.15
    absent_share: float = 0.2
    paraphrase: bool = True

    def __post_init__(self):
        for name in ("crowd_share", "dense_share", "class_share", "absent_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"DetectionConfig.{name} is {getattr(self, name)}: choose a share from 0 to 1")
        if self.crowd_share + self.dense_share > 1:
            raise ValueError(
                f"DetectionConfig got crowd_share={self.crowd_share} and dense_share={self.dense_share}: "
                "choose two shares of at most 1 together"
            )


DEFAULT_DETECTION = DetectionConfig()


def things_of(scene: Scene) -> list[Thing]:
    """Every single thing of a scene, group by group."""
    return [
        Thing(group.kind, group.colour, group.size, box, group.count == 1)
        for group in scene.groups
        for box in group.boxes
    ]


def class_name(kind: str) -> str:
    """The class of a kind, as written in answers: "Cat", "Running girl"."""
    return kind[0].upper() + kind[1:]


def clear_crowd(
    seed: int, split: str, index: int, world: WorldConfig = DEFAULT_WORLD, columns: int | None = None
) -> Scene:
    """A crowd in which everything can be seen: without things that others hide by more than a quarter, and without kinds
    that the backdrop itself shows something like.

    Args:
        seed, index, world, columns: as in `make_crowd`.
        split: `train`, `validation` or `test`; no crowd is in two of them.

    Raises:
        ValueError: for an unknown split.
    """
    if split not in SPLIT_OFFSETS:
        raise ValueError(f"split={split!r} is unknown; choose one of {', '.join(SPLIT_OFFSETS)}.")
    crowd = make_crowd(seed, SPLIT_OFFSETS[split] + index, world, columns)
    hides = SETTINGS[crowd.setting].hides
    kept: list[int] = []  # from the front to the back
    for rank in reversed(crowd.order):
        group = crowd.groups[rank]
        if group.kind not in hides and _hidden(group, [crowd.groups[front] for front in kept]) <= _MOST_HIDDEN:
            kept.append(rank)
    ranks = sorted(kept)
    order = tuple(ranks.index(rank) for rank in reversed(kept))
    return replace(crowd, groups=tuple(crowd.groups[rank] for rank in ranks), order=order)


def picture_scene(
    seed: int, split: str, index: int, world: WorldConfig = DEFAULT_WORLD, config: DetectionConfig = DEFAULT_DETECTION
) -> Scene:
    """The scene, crowd or dense crowd that a row shows, by the shares of `config`.

    Raises:
        ValueError: for an unknown split.
    """
    lot = Random(f"{seed}:{split}:{index}:picture").random()
    if lot < config.dense_share:
        return clear_crowd(seed, split, index, world, _DENSE_COLUMNS)
    if lot < config.dense_share + config.crowd_share:
        return clear_crowd(seed, split, index, world)
    return world_scene(seed, split, index, world)


def detection_turn(
    scene: Scene, rng: Random, config: DetectionConfig = DEFAULT_DETECTION, world: WorldConfig = DEFAULT_WORLD
) -> tuple[str, str]:
    """A question for the things of a scene, and its answer.

    Args:
        scene: what the picture shows.
        rng: draws the task, the classes and the wording.
        config: the shares of the tasks.
        world: what absent classes are drawn from.
    """
    boxes = boxes_by_class(things_of(scene))
    crowded = sum(map(len, boxes.values())) > MOST_BOXES_AT_ONCE
    if not crowded and rng.random() >= config.class_share:
        return _worded(ALL_PROMPTS, rng, config.paraphrase), format_boxes(boxes, 1, 1)
    names = rng.sample(sorted(boxes), min(len(boxes), rng.randint(1, 3)))
    absent = absent_kinds(scene, world)
    if absent and (not names or rng.random() < config.absent_share):
        names.insert(rng.randint(0, len(names)), class_name(rng.choice(absent)))
    question = _worded(CLASS_PROMPTS, rng, config.paraphrase).format(classes=", ".join(names))
    return question, format_boxes({name: boxes[name] for name in names if name in boxes}, 1, 1, names=names)


def detection_row(
    seed: int,
    split: str,
    index: int,
    world: WorldConfig = DEFAULT_WORLD,
    image_size: int | None = None,
    crowd_share: float | None = None,
    config: DetectionConfig = DEFAULT_DETECTION,
) -> dict:
    """One picture with one detection task: a pure function of its arguments.

    Args:
        seed, split, index: which row; no picture is in two splits.
        world: kinds, colours, styles and counts to draw.
        image_size, crowd_share: override those of `config`.
        config: which pictures and tasks.

    Returns:
        `images` with one PIL picture, `messages` as `tasks.chat` makes them, and `objects`: (kind, colour, box) of
        everything in the picture, boxes in fractions.

    Raises:
        ValueError: for an unknown split, a share out of range or a bad picture size.
    """
    config = with_overrides(config, image_size=image_size, crowd_share=crowd_share)
    scene = picture_scene(seed, split, index, world, config)
    turn = detection_turn(scene, Random(f"{seed}:{split}:{index}:detection"), config, world)
    return picture_row(scene, [turn], config.image_size)


def picture_row(scene: Scene, turns: Sequence[tuple[str, str]], image_size: int) -> dict:
    """A row about one scene: `images`, `messages` and `objects` as in `detection_row`."""
    objects = [(thing.kind, thing.colour, thing.box) for thing in things_of(scene)]
    return {"images": [render(scene, image_size)], "messages": conversation(turns), "objects": objects}


def conversation(turns: Sequence[tuple[str, str]]) -> list[dict]:
    """Questions and answers as chat messages with content blocks; the first question carries the picture."""
    messages = []
    for number, (said, answer) in enumerate(turns):
        picture = [{"type": "image"}] if number == 0 else []
        messages.append({"role": "user", "content": [*picture, {"type": "text", "text": said}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return messages


def boxes_by_class(things: Sequence[Thing]) -> dict[str, list[Box]]:
    """The boxes of each class, in fractions."""
    boxes: dict[str, list[Box]] = {}
    for thing in things:
        boxes.setdefault(class_name(thing.kind), []).append(thing.box)
    return boxes


def absent_kinds(scene: Scene, world: WorldConfig = DEFAULT_WORLD) -> list[str]:
    """The kinds of the world that a picture certainly does not show: neither a thing nor a part of the backdrop."""
    present = {group.kind for group in scene.groups}
    return [kind for kind in world.kinds if kind not in present and kind not in SETTINGS[scene.setting].hides]


def with_overrides(config: DetectionConfig, **values) -> DetectionConfig:
    """`config` with those of `values` that are not None."""
    given = {name: value for name, value in values.items() if value is not None}
    return replace(config, **given) if given else config


def _worded(prompts: Sequence[str], rng: Random, paraphrase: bool) -> str:
    return rng.choice(prompts) if paraphrase else prompts[0]


def _hidden(group: Group, fronts: Sequence[Group]) -> float:
    box = group.boxes[0]
    return sum(overlap_area(box, front.boxes[0]) for front in fronts) / ((box[2] - box[0]) * (box[3] - box[1]))


__all__ = [
    "ALL_PROMPTS",
    "CLASS_PROMPTS",
    "DEFAULT_DETECTION",
    "MOST_BOXES_AT_ONCE",
    "DetectionConfig",
    "ParsedBoxes",
    "Thing",
    "absent_kinds",
    "boxes_by_class",
    "class_name",
    "clear_crowd",
    "conversation",
    "detection_row",
    "detection_turn",
    "format_box",
    "format_boxes",
    "parse_box",
    "parse_boxes",
    "picture_row",
    "picture_scene",
    "scale_box",
    "things_of",
    "with_overrides",
]
