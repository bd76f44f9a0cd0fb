"""Where things go: each group is placed in a stated relation to an earlier one, and the relation is then checked.

Placement is rejection sampling on boxes: propose, test for room, visibility and truth of the relation, try again. A
group that finds no room is left out, so the caller may end up with fewer groups than it asked for.
"""

from dataclasses import dataclass, field
from math import sqrt
from random import Random

from .geometry import Box, hull, overlap_area, relation_holds
from .sprites import POSES, aspect
from .vocabulary import Kind

EDGE = 0.015  # room kept free at the picture's edges
SKY_FLOOR = 0.57  # flying things end above this height
FEET = (0.66, 0.975)  # heights the feet of standing things may have
SIZE_RANGE = {"small": (0.125, 0.145), None: (0.245, 0.28), "big": (0.42, 0.47)}
COUNT_RANGE = {2: (0.175, 0.205), 3: (0.15, 0.18), 4: (0.135, 0.16), 5: (0.125, 0.15)}
_PATTERNS = {  # columns and rows of a group's instances, in steps of one instance
    2: (((0, 0), (1, 0)),),
    3: (((0, 0), (1, 0), (2, 0)), ((0, 1), (1, 0), (2, 1)), ((0.5, 0), (0, 1), (1, 1))),
    4: (((0, 0), (1, 0), (0, 1), (1, 1)), ((0, 0.6), (1, 0), (2, 0.6), (3, 0))),
    5: (((0, 0), (2, 0), (1, 0.75), (0, 1.5), (2, 1.5)), ((0.5, 0), (1.5, 0), (0, 1), (1, 1), (2, 1))),
}
MOST_HIDDEN = 0.24  # of a thing's box, by all things drawn over it


@dataclass
class Placed:
    """A group under construction: what it is, how its instances look and where they are."""

    kind: Kind
    size: str | None
    count: int
    flying: bool
    poses: tuple[int, ...]
    boxes: tuple[Box, ...] = ()
    depth: float = 0.0  # drawing order: larger is nearer
    hull: Box = field(default=(0.0, 0.0, 0.0, 0.0))

    def put(self, shape: tuple[Box, ...], x: float, y: float) -> None:
        """Move the group so that the upper left corner of its hull is at (x, y)."""
        self.boxes = tuple((x0 + x, y0 + y, x1 + x, y1 + y) for x0, y0, x1, y1 in shape)
        self.hull = hull(self.boxes)
        self.depth = self.hull[3]


def _instance(rng: Random, kind: Kind, size: float, pose: int) -> tuple[float, float]:
    stretch = sqrt(aspect(kind.name, pose)) * rng.uniform(0.96, 1.04)
    return size * kind.scale * stretch, size * kind.scale / stretch


def _shape(rng: Random, group: Placed) -> tuple[Box, ...]:
    """Boxes of the group's instances with the hull's corner at (0, 0)."""
    low, high = SIZE_RANGE[group.size] if group.count == 1 else COUNT_RANGE[group.count]
    size = rng.uniform(low, high)
    sizes = [
        _instance(rng, group.kind, size * (rng.uniform(0.95, 1.05) if group.count > 1 else 1.0), pose)
        for pose in group.poses
    ]
    if group.count == 1:
        width, height = sizes[0]
        return ((0.0, 0.0, width, height),)
    wide, high = max(w for w, _ in sizes) * rng.uniform(0.98, 1.1), max(h for _, h in sizes) * rng.uniform(0.9, 1.05)
    cells = rng.choice(_PATTERNS[group.count])
    boxes = []
    for (column, row), (width, height) in zip(cells, sizes, strict=True):
        x = (column + 0.5) * wide - width / 2 + rng.uniform(-0.03, 0.03) * wide
        y = (row + 1.0) * high - height + rng.uniform(-0.05, 0.05) * high
        boxes.append((x, y, x + width, y + height))
    left, upper, _, _ = hull(tuple(boxes))
    return tuple((x0 - left, y0 - upper, x1 - left, y1 - upper) for x0, y0, x1, y1 in boxes)


def _heights(group: Placed, height: float) -> tuple[float, float]:
    """The range of the hull's upper edge that keeps the group in the air or on the ground."""
    if group.flying:
        return EDGE, SKY_FLOOR - height
    return max(EDGE, FEET[0] - height), FEET[1] - height


def _range_for(
    rng: Random, relation: str, group: Placed, shape: tuple[Box, ...], other: Placed
) -> tuple[float, float] | None:
    """A proposed corner for `group` that should make "`group` `relation` `other`" true; None when there is no room."""
    _, _, width, height = hull(shape)
    left, upper, right, lower = other.hull
    low, high = _heights(group, height)
    x_low, x_high = EDGE, 1.0 - EDGE - width
    slack = 0.04 * min(width, right - left)
    if relation == "left of":
        x_high = min(x_high, left - width + slack)
    elif relation == "right of":
        x_low = max(x_low, right - slack)
    elif relation == "next to":
        gap = rng.uniform(-0.01, 0.045)
        x_low = x_high = left - width - gap if rng.random() < 0.5 else right + gap
        low, high = max(low, upper - height * 0.4), min(high, lower - height * 0.6)
        if not group.flying and not other.flying:
            low, high = max(low, lower - height - 0.05), min(high, lower - height + 0.05)
    elif relation in ("above", "under"):
        reach = 0.5 * min(width, right - left)
        x_low, x_high = max(x_low, left - width + reach), min(x_high, right - reach)
        if relation == "above":
            high = min(high, upper - height - 0.01)
        else:
            low = max(low, lower + 0.01)
    else:
        top = other.kind.top if relation == "on" else other.kind.rim
        surface = upper + top * (lower - upper)
        sunk = 0.012 if relation == "on" else rng.uniform(0.26, 0.34) * height
        low = high = surface - height + sunk
        inner = (0.05 if relation == "in" else other.kind.top_inset) * (right - left)
        spare = 0.0 if relation == "in" else 0.15 * width
        x_low, x_high = max(x_low, left + inner - spare), min(x_high, right - inner - width + spare)
        if low < EDGE:
            return None
    if x_low > x_high or low > high or x_low < EDGE or x_high > 1.0 - EDGE - width:
        return None
    return rng.uniform(x_low, x_high), rng.uniform(low, high)


def _visible(group: Placed, placed: list[Placed], carrier: Placed | None) -> bool:
    """Whether every thing, old and new, still shows enough of itself."""
    everything = [*placed, group]
    for back in everything:
        for box in back.boxes:
            area = (box[2] - box[0]) * (box[3] - box[1])
            hidden = 0.0
            for front in everything:
                if front is back or front.depth < back.depth or (back is group and front is carrier):
                    continue
                hidden += sum(overlap_area(box, other) for other in front.boxes)
            if hidden > MOST_HIDDEN * area:
                return False
    return True


def _stray_inclusion(group: Placed, placed: list[Placed], relation: str | None, other: Placed | None) -> bool:
    """Whether some thing happens to look as if it were in or on another one that it has no such link to."""
    for near in placed:
        for name in ("in", "on"):
            if near is other and relation == name:
                continue
            if relation_holds(name, group.kind.name, group.boxes, near.kind.name, near.boxes):
                return True
            if relation_holds(name, near.kind.name, near.boxes, group.kind.name, group.boxes):
                return True
    return False


def _options(group: Placed, other: Placed) -> list[str]:
    """The relations worth trying between a new group and a placed one."""
    options = ["left of", "right of"]
    if group.flying == other.flying:
        options += ["next to", "next to"]
    if group.flying and not other.flying:
        options += ["above", "above", "above"]
    if other.flying and not group.flying:
        options += ["under", "under"]
    return options


def _carries(other: Placed, group: Placed) -> bool:
    """Whether a placed thing can have the new group on it or in it."""
    if other.count > 1 or other.flying or group.flying or not group.kind.rests:
        return False
    return other.kind.top is not None or other.kind.rim is not None


def _first(rng: Random, group: Placed) -> bool:
    for _ in range(8):
        shape = _shape(rng, group)
        _, _, width, height = hull(shape)
        low, high = _heights(group, height)
        if width < 1.0 - 2 * EDGE and low <= high:
            group.put(shape, rng.uniform(EDGE, 1.0 - EDGE - width), rng.uniform(low, high))
            return True
    return False


def place(rng: Random, group: Placed, placed: list[Placed], small_allowed: bool = True) -> tuple[str, Placed] | None:
    """Find room for `group` among `placed`.

    Args:
        rng: the scene's generator.
        group: the new group; its boxes are set when room is found. It may be made small to fit in or on another thing.
        placed: the groups that already have their place.
        small_allowed: whether a single thing may be made small.

    Returns:
        The link it was placed by, (relation, earlier group), or None when no room was found; for the first group of a
        scene the link is ("", itself).
    """
    if not placed:
        return ("", group) if _first(rng, group) else None
    wanted = group.size
    carriers = [near for near in placed if _carries(near, group)]
    prefer_carrier = bool(carriers) and rng.random() < 0.7
    for attempt in range(8):
        if prefer_carrier and attempt < 3:
            other = rng.choice(carriers)
            relation = "on" if other.kind.rim is None else "in"
        else:
            other = rng.choice(placed)
            relation = rng.choice(_options(group, other))
        group.size = wanted
        if relation in ("in", "on") and small_allowed and group.count == 1 and other.size != "big":
            group.size = "small" if "small" in group.kind.sizes else wanted
        for _ in range(4):
            shape = _shape(rng, group)
            corner = _range_for(rng, relation, group, shape, other)
            if corner is None:
                continue
            group.put(shape, *corner)
            if relation in ("in", "on"):
                group.depth = other.depth + 1e-4
            if (
                relation_holds(relation, group.kind.name, group.boxes, other.kind.name, other.boxes)
                and _visible(group, placed, other if relation == "in" else None)
                and not _stray_inclusion(group, placed, relation, other)
            ):
                return relation, other
    return None


def random_poses(rng: Random, kind: Kind, count: int) -> tuple[int, ...]:
    """A pose for each of `count` instances of a kind."""
    if not kind.tilts:
        return (0,) * count
    return tuple(rng.randrange(len(POSES)) for _ in range(count))


def flies(rng: Random, kind: Kind) -> bool:
    """Whether this time the kind is in the air."""
    return "sky" in kind.places and ("ground" not in kind.places or rng.random() < 0.5)
