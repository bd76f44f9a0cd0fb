"""When a spatial statement about two things is true, decided from their boxes alone.

Boxes are (x0, y0, x1, y1) in fractions of the picture, y growing downwards. A group of several things is judged by the
box around all of them, its hull. Margins keep borderline cases false: what is called true can be seen at a glance.
"""

from .vocabulary import KINDS

Box = tuple[float, float, float, float]

CENTRE_MARGIN = 0.10  # least distance between centres for left, right, above
TOUCH = 0.03  # largest distance between feet and surface for "on"
NEAR = 0.06  # largest gap for "next to"


def hull(boxes: tuple[Box, ...]) -> Box:
    """The smallest box around all `boxes`."""
    lefts, uppers, rights, lowers = zip(*boxes, strict=True)
    return min(lefts), min(uppers), max(rights), max(lowers)


def shared(a0: float, a1: float, b0: float, b1: float) -> float:
    """Length two intervals share; negative: the gap between them."""
    return min(a1, b1) - max(a0, b0)


def overlap_area(a: Box, b: Box) -> float:
    """Area two boxes share."""
    return max(0.0, shared(a[0], a[2], b[0], b[2])) * max(0.0, shared(a[1], a[3], b[1], b[3]))


def is_left(a: Box, b: Box) -> bool:
    """`a` is left of `b`: centres clearly apart, at most a fifth of the narrower one overlapping sideways."""
    if (b[0] + b[2] - a[0] - a[2]) / 2 < CENTRE_MARGIN:
        return False
    return shared(a[0], a[2], b[0], b[2]) <= 0.2 * min(a[2] - a[0], b[2] - b[0])


def is_over(a: Box, b: Box) -> bool:
    """`a` is higher than `b` and over it: heights mostly apart, at least 40 % of the narrower one shared sideways."""
    if (b[1] + b[3] - a[1] - a[3]) / 2 < CENTRE_MARGIN:
        return False
    if shared(a[1], a[3], b[1], b[3]) > 0.15 * min(a[3] - a[1], b[3] - b[1]):
        return False
    return shared(a[0], a[2], b[0], b[2]) >= 0.4 * min(a[2] - a[0], b[2] - b[0])


def is_on(boxes: tuple[Box, ...], kind_b: str, boxes_b: tuple[Box, ...]) -> bool:
    """All of `boxes` have their feet on the surface of the single thing `kind_b`."""
    top = KINDS[kind_b].top
    if top is None or len(boxes_b) != 1:
        return False
    b = boxes_b[0]
    surface, inset = b[1] + top * (b[3] - b[1]), KINDS[kind_b].top_inset * (b[2] - b[0])
    left, right = b[0] + inset, b[2] - inset
    return all(
        abs(box[3] - surface) <= TOUCH and shared(box[0], box[2], left, right) >= 0.75 * (box[2] - box[0])
        for box in boxes
    )


def is_in(boxes: tuple[Box, ...], kind_b: str, boxes_b: tuple[Box, ...]) -> bool:
    """All of `boxes` reach down behind the rim of the single container `kind_b`, with at least half looking out."""
    rim = KINDS[kind_b].rim
    if rim is None or len(boxes_b) != 1:
        return False
    b = boxes_b[0]
    edge = b[1] + rim * (b[3] - b[1])
    for x0, y0, x1, y1 in boxes:
        height = y1 - y0
        if x0 < b[0] or x1 > b[2] or y1 > b[3] or not 0.12 * height <= y1 - edge <= 0.5 * height:
            return False
    return True


def is_beside(a: Box, b: Box) -> bool:
    """`a` and `b` are at about the same height with hardly any room between them."""
    along = shared(a[0], a[2], b[0], b[2])
    if along < -NEAR or along > 0.15 * min(a[2] - a[0], b[2] - b[0]):
        return False
    return shared(a[1], a[3], b[1], b[3]) >= 0.5 * min(a[3] - a[1], b[3] - b[1])


def relation_holds(
    relation: str, kind_a: str, boxes_a: tuple[Box, ...], kind_b: str, boxes_b: tuple[Box, ...]
) -> bool:
    """Whether "`kind_a` is `relation` `kind_b`" is true.

    Args:
        relation: a name in `RELATIONS`. "right of" mirrors "left of"; "next to" is symmetric; "under" is true exactly
            when the other thing is above or on this one; "above" excludes touching ("on") and "in".
        kind_a, kind_b: names in `KINDS`; `boxes_a`, `boxes_b`: the boxes of their instances.

    Raises:
        ValueError: for an unknown relation.
    """
    if relation == "right of":
        return relation_holds("left of", kind_b, boxes_b, kind_a, boxes_a)
    if relation == "under":
        return relation_holds("above", kind_b, boxes_b, kind_a, boxes_a) or is_on(boxes_b, kind_a, boxes_a)
    if relation == "on":
        return is_on(boxes_a, kind_b, boxes_b)
    if relation == "in":
        return is_in(boxes_a, kind_b, boxes_b)
    a, b = hull(boxes_a), hull(boxes_b)
    if relation == "left of":
        return is_left(a, b)
    if relation == "above":
        return is_over(a, b) and not is_on(boxes_a, kind_b, boxes_b) and not is_in(boxes_a, kind_b, boxes_b)
    if relation == "next to":
        return is_beside(a, b)
    raise ValueError(f"unknown relation {relation!r}: use one of the names in RELATIONS")
