"""What each token of a vision vocabulary should know: the characters that stand in its square, and the thing that covers it.

A decoder that writes out a page teaches a tower to read, but only through one token at a time, and only after it has found
out where to look. Rows that know their truth can tell the tower at once: each square of the final grid gets the characters
whose middle lies in it, in reading order, and the kind, colour and box of the thing drawn over its middle. The targets cost no
decoder and speed up reading several times (docs/log.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .box_text import scale_box
from .vocabulary import COLOURS, KINDS

# Characters by class: 0 is none, then printable ASCII without the space; the last class is any other character.
ALPHABET = "".join(chr(code) for code in range(33, 127))
NUM_CHARACTERS = len(ALPHABET) + 2
_CLASS_OF = {character: index for index, character in enumerate(ALPHABET, start=1)}
_OTHER = NUM_CHARACTERS - 1

_DIGITS = 10
_AFTER_SPACE = "\u0120"  # how a byte-level vocabulary writes the space that a word begins with
_KIND_OF = {name: index for index, name in enumerate(KINDS, start=1)}
_COLOUR_OF = {name: index for index, name in enumerate(COLOURS, start=1)}
IGNORED = -100


@dataclass(frozen=True)
class MarkTask:
    """One classification at every token.

    Attributes:
        name (`str`): key of its targets.
        num_classes (`int`): classes.
        slots (`int`): how many answers a token gives.
        weight (`float`): of its loss among the others'.
        has_empty (`bool`): whether class 0 stands for nothing there; otherwise it is a class like any other.
    """

    name: str
    num_classes: int
    slots: int = 1
    weight: float = 1.0
    has_empty: bool = True


def mark_tasks(slots: int) -> tuple[MarkTask, ...]:
    """The tasks, with `slots` characters a token at most.

    Characters weigh four times: with equal weights the things, which are learned sooner, keep the tower to themselves.
    """
    return (
        MarkTask("characters", NUM_CHARACTERS, slots, weight=4.0),
        MarkTask("kinds", len(KINDS) + 1),
        MarkTask("colours", len(COLOURS) + 1),
        MarkTask("hundreds", _DIGITS, 4, weight=2.0, has_empty=False),
        MarkTask("tens", _DIGITS, 4, weight=2.0, has_empty=False),
    )


def marks_of(row: dict[str, Any], grid: int, slots: int) -> dict[str, np.ndarray]:
    """The targets of one row.

    Args:
        row (`dict`): `glyphs`, the characters and their boxes `(n, 4)`, and `objects`, tuples of kind, colour and box, both
            with corners as fractions of the picture; a row without a key has no targets for it, an empty one shows nothing.
        grid (`int`): tokens along a side of the picture.
        slots (`int`): characters a token at most; further ones are left to the decoder.

    Returns:
        `dict`: `characters` of shape `(grid * grid, slots)`, `kinds` and `colours` of shape `(grid * grid, 1)`, `hundreds` and
        `tens`, the first two of the three digits of each number of the box, of shape `(grid * grid, 4)`, int64; -100 where
        there is nothing to learn.
    """
    characters = np.full((grid * grid, slots), IGNORED, np.int64)
    if row.get("glyphs") is not None:
        characters[:] = _character_marks(*row["glyphs"], grid, slots)
    kinds, colours = np.full((2, grid * grid, 1), IGNORED, np.int64)
    hundreds, tens = np.full((2, grid * grid, 4), IGNORED, np.int64)
    if row.get("objects") is not None:
        kinds[:], colours[:] = 0, 0
        _mark_objects(row["objects"], grid, kinds, colours, hundreds, tens)
    return {"characters": characters, "kinds": kinds, "colours": colours, "hundreds": hundreds, "tens": tens}


def words_of(row: dict[str, Any], grid: int, vocabulary: Mapping[str, int], slots: int) -> np.ndarray:
    """The decoder's own tokens for what each square shows: the words of its thing's kind and colour, or its characters.

    Args:
        row (`dict`), grid (`int`): as for `marks_of`.
        vocabulary (`Mapping[str, int]`): token -> id, as a tokenizer's `get_vocab()`; a word that is no single token is left out.
        slots (`int`): tokens a square at most.

    Returns:
        `np.ndarray`: ids of shape `(grid * grid, slots)`, int64, -100 where there is none.
    """
    said = np.full((grid * grid, slots), IGNORED, np.int64)
    for kind, colour, box in row.get("objects") or ():
        first, *others = kind.split()
        words = [first.capitalize(), first, *others, *([colour] if colour else [])]
        known = [vocabulary[token] for word in words for token in (word, _AFTER_SPACE + word) if token in vocabulary]
        said[_covered(box, grid)] = (known + [IGNORED] * slots)[:slots]
    if row.get("glyphs") is not None:
        for square, characters in enumerate(_character_marks(*row["glyphs"], grid, slots)):
            letters = [ALPHABET[mark - 1] for mark in characters if 0 < mark < _OTHER]
            known = [vocabulary[letter] for letter in dict.fromkeys(letters) if letter in vocabulary]
            said[square, : len(known)] = known
    return said


def _cells(positions: np.ndarray, grid: int) -> np.ndarray:
    return np.clip((positions * grid).astype(np.int64), 0, grid - 1)


def _character_marks(characters: str, boxes: np.ndarray, grid: int, slots: int) -> np.ndarray:
    marks = np.zeros((grid * grid, slots), np.int64)
    if not characters:
        return marks
    columns = _cells((boxes[:, 0] + boxes[:, 2]) / 2, grid)
    rows = _cells((boxes[:, 1] + boxes[:, 3]) / 2, grid)
    filled = np.zeros(grid * grid, np.int64)
    for character, cell in zip(characters, (rows * grid + columns).tolist(), strict=True):
        if filled[cell] < slots:
            marks[cell, filled[cell]] = _CLASS_OF.get(character, _OTHER)
            filled[cell] += 1
    return marks


def _mark_objects(objects, grid: int, kinds, colours, hundreds, tens) -> None:
    for kind, colour, box in objects:  # in drawing order: what is drawn later covers what was drawn before
        covered = _covered(box, grid)
        kinds[covered], colours[covered] = _KIND_OF[kind], _COLOUR_OF.get(colour, IGNORED)
        written = np.asarray(scale_box(box, 1, 1))
        hundreds[covered], tens[covered] = written // 100, written // 10 % 10


def _covered(box, grid: int) -> np.ndarray:
    """Which squares have their middle in a box, as a flat mask."""
    middles = (np.arange(grid) + 0.5) / grid
    across = (middles >= box[0]) & (middles < box[2])
    down = (middles >= box[1]) & (middles < box[3])
    return (down[:, None] & across[None, :]).reshape(-1)


__all__ = ["ALPHABET", "IGNORED", "MarkTask", "NUM_CHARACTERS", "mark_tasks", "marks_of", "words_of"]
