"""Named value transforms: what may stand behind the bar in "{column|transform}".

A transform turns the value of one column into text, or into the value that the next transform of a chain receives
("{captions|draw|sentence}"). It also receives the context of the row, because some need more than the value: a box has to be
divided by the size of its picture, and a drawn caption has to be the same caption tomorrow.

    @transform("shout")
    def shout(value, context):
        return str(value).upper()
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .box_text import BOX_SCALE, format_box, format_boxes, scale_box

_EDGE_SLACK = 0.01  # of a side; annotation tools round outwards


@dataclass
class RowContext:
    """What a transform may know of its row beside the value.

    Attributes:
        row: the other columns of the row.
        row_number: place of the row in the source, before any filter.
        seed: the run's seed and the source's name, as text.
        measure: returns (width, height) of the row's first picture in pixels, or raises ValueError if there is none.
    """

    row: dict[str, Any]
    row_number: int
    seed: str
    measure: Callable[[], tuple[int, int]]
    _size: tuple[int, int] | None = field(default=None, repr=False)

    def rng(self, purpose: str) -> random.Random:
        """Return a generator that depends on seed, row and purpose alone, whatever the number of workers.

        Args:
            purpose: keeps two drawings for the same row independent.

        Returns:
            A `random.Random`.
        """
        return random.Random(f"{self.seed}/{self.row_number}/{purpose}")

    def picture_size(self) -> tuple[int, int]:
        """Return (width, height) of the row's first picture in pixels, measured once.

        Raises:
            ValueError: the row has no picture.
        """
        if self._size is None:
            self._size = self.measure()
        return self._size


Transform = Callable[[Any, RowContext], Any]
TRANSFORMS: dict[str, Transform] = {}


def transform(name: str) -> Callable[[Transform], Transform]:
    """Register a function as the transform `name`.

    Args:
        name: letters, digits and underscores, as written in a template.

    Returns:
        The decorator.

    Raises:
        ValueError: the name is already taken or cannot be written in a template.
    """
    if name in TRANSFORMS:
        raise ValueError(f"the transform {name!r} exists already: choose another name.")
    if not name.isidentifier():
        raise ValueError(f"{name!r} cannot name a transform: use letters, digits and underscores.")

    def register(function: Transform) -> Transform:
        TRANSFORMS[name] = function
        return function

    return register


@transform("strip")
def strip(value: Any, context: RowContext) -> str:
    """Text without blanks at its ends."""
    return str(value).strip()


@transform("squeeze")
def squeeze(value: Any, context: RowContext) -> str:
    """Text on one line: every run of blanks and line breaks becomes one blank."""
    return " ".join(str(value).split())


@transform("lower")
def lower(value: Any, context: RowContext) -> str:
    """Text in small letters."""
    return str(value).lower()


@transform("sentence")
def sentence(value: Any, context: RowContext) -> str:
    """Text on one line that begins with a capital and ends with a full stop (or with the mark it has)."""
    text = squeeze(value, context)
    if not text:
        return text
    closed = text.rstrip("\"'”’)").endswith((".", "!", "?", "…"))
    return text[0].upper() + text[1:] + ("" if closed else ".")


@transform("drop_variant")
def drop_variant(value: Any, context: RowContext) -> str:
    """A name without the number that tells its drawings apart: "pull 2" becomes "pull"."""
    head, _, tail = squeeze(value, context).rpartition(" ")
    return head if head and tail.isdigit() else squeeze(value, context)


@transform("article")
def article(value: Any, context: RowContext) -> str:
    """Text with "a" or "an" before it, by its first letter: "an apple"."""
    text = squeeze(value, context)
    return f"{'an' if text[:1].lower() in tuple('aeiou') else 'a'} {text}"


@transform("join")
def join(value: Any, context: RowContext) -> str:
    """The items of a list, separated by commas."""
    return ", ".join(str(item) for item in _items(value, "join"))


@transform("first")
def first(value: Any, context: RowContext) -> Any:
    """The first item of a list."""
    return _items(value, "first")[0]


@transform("draw")
def draw(value: Any, context: RowContext) -> Any:
    """One item of a list, drawn by (seed, row): for rows with several captions or answers."""
    return context.rng("draw").choice(_items(value, "draw"))


@transform("count")
def count(value: Any, context: RowContext) -> str:
    """The number of items in a list."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"`count` needs a list, not {type(value).__name__}")
    return str(len(value))


@transform("yes_no")
def yes_no(value: Any, context: RowContext) -> str:
    """A truth value as "yes" or "no"."""
    return "yes" if _truth(value) else "no"


@transform("true_false")
def true_false(value: Any, context: RowContext) -> str:
    """A truth value as "true" or "false"."""
    return "true" if _truth(value) else "false"


@transform("box_to_text")
def box_to_text(value: Any, context: RowContext) -> str:
    """One box of corners [x1, y1, x2, y2] in pixels as the answer to a referring expression: "[035, 024, 847, 901]"."""
    return _box_text(list(value), context.picture_size())


@transform("xywh_box_to_text")
def xywh_box_to_text(value: Any, context: RowContext) -> str:
    """As `box_to_text`, for one of COCO's boxes [x, y, width, height] in pixels."""
    return _box_text(_corners_of_xywh(list(value)), context.picture_size())


@transform("boxes_to_text")
def boxes_to_text(value: Any, context: RowContext) -> str:
    """Objects with corner boxes [x1, y1, x2, y2] in pixels as detection text.

    "RBC: [012, 345, 678, 999], [...]; WBC: [...]." Classes and boxes stand from left to right (see `box_text`), because a model
    cannot guess the order in which somebody drew them.
    """
    return _detection_text(value, context.picture_size(), lambda box: box)


@transform("xywh_boxes_to_text")
def xywh_boxes_to_text(value: Any, context: RowContext) -> str:
    """As `boxes_to_text`, for COCO's boxes [x, y, width, height] in pixels."""
    return _detection_text(value, context.picture_size(), _corners_of_xywh)


@transform("unit_boxes_to_text")
def unit_boxes_to_text(value: Any, context: RowContext) -> str:
    """As `boxes_to_text`, for corners that are already fractions of the picture, 0 to 1."""
    return _detection_text(value, (1, 1), lambda box: box)


@transform("counts_to_text")
def counts_to_text(value: Any, context: RowContext) -> str:
    """How many objects of each class there are, in alphabetical order: "RBC: 12; WBC: 1."."""
    names = [name for name, _ in _objects(value)]
    return "; ".join(f"{name}: {names.count(name)}" for name in sorted(set(names))) + "."


def _detection_text(value: Any, size: tuple[int, int], corners: Callable[[list], list]) -> str:
    boxes: dict[str, list[list]] = {}
    for name, box in _objects(value):
        boxes.setdefault(name, []).append(corners(list(box)))
    try:
        return format_boxes(boxes, *size, slack=_EDGE_SLACK)
    except ValueError as error:
        raise ValueError(
            f"{error}; for [x, y, width, height] use `xywh_boxes_to_text`, for fractions `unit_boxes_to_text`"
        ) from error


def _corners_of_xywh(box: list) -> list:
    if len(box) != 4:
        raise ValueError(f"a box needs four numbers, not {len(box)}")
    x, y, width, height = box
    return [x, y, x + width, y + height]


def _box_text(corners: list, size: tuple[int, int]) -> str:
    return format_box(scale_box(corners, *size, slack=_EDGE_SLACK), BOX_SCALE, BOX_SCALE)


def _objects(value: Any) -> list[tuple[str, list]]:
    """(name, box) of every object, from {"bbox": [...], "category": [...]} or from a list of such objects."""
    if isinstance(value, dict) and "bbox" in value and "category" in value:
        pairs = list(zip(value["category"], value["bbox"], strict=True))
    elif isinstance(value, list) and all(isinstance(o, dict) and "bbox" in o and "category" in o for o in value):
        pairs = [(o["category"], o["bbox"]) for o in value]
    else:
        raise ValueError("objects must be {'bbox': [...], 'category': [...]} or a list of {'bbox', 'category'}")
    if not pairs:
        raise ValueError("the list of objects is empty, so there is nothing to say about it")
    if any(box is None or len(box) != 4 for _, box in pairs):
        raise ValueError("every box needs four numbers")
    return [(str(name), box) for name, box in pairs]


def _items(value: Any, name: str) -> list:
    if not isinstance(value, list | tuple):
        raise ValueError(f"`{name}` needs a list, not {type(value).__name__}")
    if not value:
        raise ValueError(f"`{name}` needs at least one item, the list is empty")
    return list(value)


def _truth(value: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    answer = words.get(str(value).strip().lower())
    if answer is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return answer
