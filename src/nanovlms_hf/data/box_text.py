"""Boxes as plain text, written the way of Vary (arXiv 2401.12503) and read back from whatever a model says.

    Car: [009, 552, 058, 737], [682, 598, 999, 976]; Running girl: [044, 070, 913, 909].

Corners are x1, y1, x2, y2, each divided by its side of the picture, times 1000, rounded, at most 999, three digits. The
paper does not say in which order classes and boxes stand; here it is from left to right (then from top to bottom): the boxes
of a class by their corners, the classes by their first box. A model can see that order, and cannot see any other.

Three answers are our own: a class that was asked for and is not there is `Boat: none.`, a picture of nothing is `None.`, and
a box thinner than a thousandth of the picture is written a thousandth wide, so that no written box is empty.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

BOX_SCALE = 1000
ThousandthsBox = tuple[int, int, int, int]

_BRACKET = re.compile(r"\[([^\[\]]*)(\]?)")
_FOUR_NUMBERS = re.compile(r"\s*" + r"\s*,\s*".join([r"([0-9]{1,4})"] * 4) + r"\s*")
_NAME_BREAKERS = re.compile(r"[\[\];\n]")
_EDGES = " ,.:\t\r"
_NOTHING = "none"


@dataclass
class ParsedBoxes:
    """What could be read from an answer.

    Attributes:
        boxes: class -> its boxes (x1, y1, x2, y2) in thousandths of the picture, 0 to 999, in the order of the text. A class
            that was said to be absent has an empty list; boxes without a class stand under "". Spellings that differ only in
            capitals are one class, under the first of them.
        unreadable: the pieces of the text that are neither a class, nor a box, nor punctuation, in order; a blank text is
            one unreadable piece.
    """

    boxes: dict[str, list[ThousandthsBox]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def all_boxes(self) -> list[ThousandthsBox]:
        """Every box, whatever its class."""
        return [box for boxes in self.boxes.values() for box in boxes]

    @property
    def is_lost(self) -> bool:
        """Whether nothing at all could be read though something was said, or nothing was said."""
        return bool(self.unreadable) and not self.boxes


def scale_box(
    box: Sequence[float], width: float, height: float, *, name: str = "object", slack: float = 0.0
) -> ThousandthsBox:
    """A box in thousandths of its picture.

    Args:
        box: x1, y1, x2, y2 in the unit of `width` and `height`.
        width, height: sides of the picture; both 1 for boxes in fractions.
        name: class of the box, for the error.
        slack: how far a box may reach over the edge, as a fraction of the side; what reaches over is cut off.

    Returns:
        Four integers, 0 to 999, with x1 < x2 and y1 < y2.

    Raises:
        ValueError: if the box is not four finite numbers, is empty or turned around, or lies outside the picture.
    """
    corners = _four_numbers(box, name, width, height)
    x1, y1, x2, y2 = corners
    over_x, over_y = (slack + 1e-6) * width, (slack + 1e-6) * height
    if not (-over_x <= x1 < x2 <= width + over_x and -over_y <= y1 < y2 <= height + over_y):
        shown = [round(corner, 4) for corner in corners]
        raise ValueError(
            f"the box {shown} (x1, y1, x2, y2) of {name!r} does not lie in a picture of {width}x{height}: give corners with "
            f"0 <= x1 < x2 <= {width} and 0 <= y1 < y2 <= {height}"
        )
    (left, right), (upper, lower) = _interval(x1, x2, width), _interval(y1, y2, height)
    return left, upper, right, lower


def format_box(box: Sequence[float], width: float, height: float) -> str:
    """One box as text, the answer to a referring expression: "[035, 024, 847, 901]". Arguments and errors: `scale_box`."""
    return _written(scale_box(box, width, height))


def format_boxes(
    boxes: Mapping[str, Iterable[Sequence[float]]],
    width: float,
    height: float,
    *,
    names: Sequence[str] | None = None,
    slack: float = 0.0,
) -> str:
    """Boxes of several classes as text.

    Args:
        boxes: class -> its boxes (x1, y1, x2, y2) in pixels (any unit that `width` and `height` share).
        width, height: sides of the picture.
        names: the order of the classes, every class of `boxes` among them; a name that `boxes` lacks is written as absent.
            When not given, classes stand from left to right, those without a box last.
        slack: as in `scale_box`.

    Returns:
        "Car: [009, 552, 058, 737], [682, 598, 999, 976]; Boat: none."; "None." when there is no class.

    Raises:
        ValueError: for a box that `scale_box` refuses, a class whose name cannot be read back (blank, or with a bracket,
            semicolon or line break), or a class of `boxes` that is not among `names`.
    """
    scaled = {name: sorted(scale_box(b, width, height, name=name, slack=slack) for b in boxes[name]) for name in boxes}
    if names is None:
        names = sorted((name for name in scaled if scaled[name]), key=lambda name: (scaled[name], name))
        names += [name for name in scaled if not scaled[name]]
    missing = [name for name in scaled if name not in names]
    if missing:
        raise ValueError(
            f"names={list(names)} lacks {missing}, which has boxes: list every class that is to be written"
        )
    for name in names:
        _check_name(name)
    if not names:
        return "None."
    return "; ".join(f"{name}: {_listed(scaled.get(name, []))}" for name in names) + "."


def parse_boxes(text: str) -> ParsedBoxes:
    """Read boxes out of text, however badly written; never raises for any text.

    Beyond what `format_boxes` writes it takes what the paper's own figures show: numbers of one to four digits, any spaces
    or none, lower-case classes, no full stop at the end, 1000 (read as 999), and a bare box without a class. Brackets that
    hold anything but four such numbers, a box with x2 < x1 or y2 < y1, a number above 1000 and a cut-off end are reported
    as unreadable, and what stands around them is still read.
    """
    parsed = ParsedBoxes()
    if not text.strip():
        parsed.unreadable.append(text)
        return parsed
    name, position = "", 0
    for match in _BRACKET.finditer(text):
        name = _read_between(text[position : match.start()], name, parsed)
        box = _read_box(match)
        if box is None:
            parsed.unreadable.append(match.group().strip())
            name = name if match.group(2) else ""  # an unclosed bracket may have swallowed the next class
        else:
            _boxes_of(parsed, name).append(box)
        position = match.end()
    for piece in _pieces(text[position:]):
        _read_absent(piece, parsed)
    return parsed


def parse_box(text: str) -> ThousandthsBox | None:
    """The first readable box of a text, in thousandths; None if there is none."""
    boxes = (_read_box(match) for match in _BRACKET.finditer(text))
    return next((box for box in boxes if box is not None), None)


def _four_numbers(box: Sequence[float], name: str, width: float, height: float) -> list[float]:
    try:
        corners = [float(corner) for corner in box]
    except (TypeError, ValueError):
        corners = []
    if len(corners) != 4 or not all(map(isfinite, corners)):
        raise ValueError(
            f"the box {box!r} of {name!r} in a picture of {width}x{height} is not four finite numbers: give x1, y1, x2, y2"
        )
    if not (isfinite(width) and isfinite(height) and width > 0 and height > 0):
        raise ValueError(
            f"the picture of the box {corners} of {name!r} measures {width}x{height}: give its width and height in pixels"
        )
    return corners


def _interval(low: float, high: float, side: float) -> tuple[int, int]:
    start, end = (min(BOX_SCALE - 1, max(0, round(corner / side * BOX_SCALE))) for corner in (low, high))
    if start < end:
        return start, end
    return (start, start + 1) if start < BOX_SCALE - 1 else (start - 1, start)


def _written(box: ThousandthsBox) -> str:
    return "[" + ", ".join(f"{corner:03d}" for corner in box) + "]"


def _listed(boxes: list[ThousandthsBox]) -> str:
    return ", ".join(map(_written, boxes)) if boxes else _NOTHING


def _check_name(name: str) -> None:
    if not isinstance(name, str) or _NAME_BREAKERS.search(name) or name.strip(_EDGES) != name or not name:
        raise ValueError(
            f"the class {name!r} cannot be written as detection text: use a name without brackets, semicolons and line "
            "breaks, and without punctuation at its ends"
        )


def _read_box(match: re.Match) -> ThousandthsBox | None:
    numbers = _FOUR_NUMBERS.fullmatch(match.group(1))
    if numbers is None or not match.group(2):
        return None
    x1, y1, x2, y2 = map(int, numbers.groups())
    if x2 < x1 or y2 < y1 or max(x2, y2) > BOX_SCALE:
        return None
    return tuple(min(corner, BOX_SCALE - 1) for corner in (x1, y1, x2, y2))


def _pieces(text: str) -> list[str]:
    return [piece for piece in (part.strip(_EDGES.replace(":", "")) for part in re.split(r"[;\n]", text)) if piece]


def _read_between(text: str, name: str, parsed: ParsedBoxes) -> str:
    """Read what stands before a box; returns the class that the box belongs to."""
    pieces = _pieces(text)
    if not pieces:
        return "" if ";" in text else name
    for piece in pieces[:-1]:
        _read_absent(piece, parsed)
    found, colon, rest = pieces[-1].rpartition(":")
    if colon and found.strip(_EDGES) and not rest.strip():
        return found.strip(_EDGES)
    parsed.unreadable.append(pieces[-1])
    return ""


def _read_absent(piece: str, parsed: ParsedBoxes) -> None:
    """Read a piece without boxes: "Boat: none", or "None" alone."""
    name, colon, said = (part.strip(_EDGES) for part in piece.rpartition(":"))
    if said.lower() != _NOTHING:
        parsed.unreadable.append(piece)
    elif name:
        _boxes_of(parsed, name)


def _boxes_of(parsed: ParsedBoxes, name: str) -> list[ThousandthsBox]:
    known = next((spelling for spelling in parsed.boxes if spelling.lower() == name.lower()), name)
    return parsed.boxes.setdefault(known, [])


__all__ = [
    "BOX_SCALE",
    "ParsedBoxes",
    "ThousandthsBox",
    "format_box",
    "format_boxes",
    "parse_box",
    "parse_boxes",
    "scale_box",
]
