"""One question of a benchmark: pictures, what is said, what is true; and what is wrong with a row that is no question.

Pictures are opened when they are needed, so a benchmark of thousands of photos takes no memory. The three picture conditions are
made here: `true` is the item's own picture, `blank` a grey one of the same size, `shuffled` another item's.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from ..data.chat_rows import MARKER
from ..data.pictures import encode_png, open_picture

CONDITIONS = ("true", "blank", "shuffled")
GREY = (128, 128, 128)


@dataclass(frozen=True)
class Problem:
    """A row that cannot be asked or scored: counted and listed, never dropped in silence."""

    id: str
    reason: str


@dataclass
class Item:
    """One question.

    Attributes:
        id: unique in its benchmark.
        benchmark: the benchmark's name.
        prompt: the user's words; `<image>` marks where a picture stands, and pictures come first where nothing is marked.
        sources: pictures, in any form that `open_picture` takes, or functions that draw them.
        references: metric name -> the truth in the metric's form. Empty: the item is asked but cannot be scored.
        truth: the truth in words, for people.
        prefix: what the assistant has already said; the model goes on from here and only what it adds is scored.
        group: part of the benchmark, scored on its own too.
        facts: what a grader may know beyond the truth: {"seed", "index"} of a scene, or {"captions": [...]}.
        row: the row's number in its split.
    """

    id: str
    benchmark: str
    prompt: str
    sources: list[Any] = field(repr=False)
    references: dict[str, Any]
    truth: str
    prefix: str = ""
    group: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    row: int = 0

    def pictures(self) -> list[Image.Image]:
        """The item's pictures, as plain RGB.

        Raises:
            PictureError: one of them cannot be opened.
        """
        return [
            open_picture(source() if callable(source) else source, f"picture {place} of {self.benchmark} {self.id}")
            for place, source in enumerate(self.sources, 1)
        ]

    def messages(self) -> list[dict]:
        """The user's turn as content blocks, a block for each picture."""
        pieces = self.prompt.split(MARKER) if MARKER in self.prompt else [""] * len(self.sources) + [self.prompt]
        blocks: list[dict] = []
        for place, piece in enumerate(pieces):
            blocks += [{"type": "image"}] if place else []
            blocks += [{"type": "text", "text": piece}] if piece else []
        return [{"role": "user", "content": blocks}]


def picture_key(picture: Image.Image) -> str:
    """Equal for pictures with the same pixels."""
    return hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()


class Conditions:
    """Pictures of each item under each condition.

    Args:
        items (`Sequence[Item]`): all items of one benchmark, in order; the same list gives the same shuffling.
    """

    _TRIES = 64  # other items looked at until one has another picture

    def __init__(self, items: Sequence[Item]):
        self.items = items

    def pictures(self, place: int, condition: str) -> list[Image.Image]:
        """The pictures that item `place` is given.

        Raises:
            PictureError: one of them cannot be opened.
            ValueError: for an unknown condition, or where no other item has as many, other pictures.
        """
        own = self.items[place].pictures()
        if condition == "true" or not own:
            return own
        if condition == "blank":
            return [Image.new("RGB", picture.size, GREY) for picture in own]
        if condition != "shuffled":
            raise ValueError(f"condition={condition!r} is unknown; choose of {', '.join(CONDITIONS)}.")
        return self._others(place, own)

    def _others(self, place: int, own: list[Image.Image]) -> list[Image.Image]:
        """Pictures of another item, half the list away: neighbours often share their picture."""
        keys, count = [picture_key(picture) for picture in own], len(self.items)
        for step in range(min(count - 1, self._TRIES)):
            other = (place + count // 2 + step) % count
            if other == place or len(self.items[other].sources) != len(own):
                continue
            pictures = self.items[other].pictures()
            if [picture_key(picture) for picture in pictures] != keys:
                return pictures
        item = self.items[place]
        raise ValueError(
            f"no other item of {item.benchmark} has {len(own)} other picture(s) to give to {item.id}; use more items, or leave "
            "out the condition `shuffled`."
        )


def encoded(picture: Image.Image, side: int = 160) -> bytes:
    """A picture as PNG for the result page, at most `side` pixels wide and high."""
    small = picture.copy()
    small.thumbnail((side, side))
    return encode_png(small)


__all__ = ["CONDITIONS", "GREY", "Conditions", "Item", "Problem", "encoded", "picture_key"]
