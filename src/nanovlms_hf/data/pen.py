"""A pen for sprites: filled shapes with outlines on a square of 100 x 100 units.

The one idea: every fill is a *linear* function of the thing's colour. A sprite drawn twice, once for black and once for
white, is then known for every colour, and tinting it later costs two pastes (see `sprites`).
"""

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

UNITS = 100
MARGIN = 14  # room around the unit square, for parts that reach out of it


@dataclass(frozen=True)
class Role:
    """A fill that follows the thing's colour: `share` of the colour plus `add` on each channel (0 to 255)."""

    share: float
    add: float = 0.0


MAIN = Role(1.0)
DARK = Role(0.70)
DEEP = Role(0.45, 6.0)
LIGHT = Role(0.50, 127.0)
PALE = Role(0.22, 198.0)

WHITE, CREAM, GREY, SILVER, INK = (250, 250, 250), (255, 236, 205), (128, 130, 138), (196, 200, 208), (38, 34, 40)
SKIN, ROSE, WOOD, LEAF, GOLD = (244, 200, 164), (242, 130, 140), (146, 98, 58), (78, 152, 66), (248, 206, 60)

Fill = Role | tuple[int, int, int]
Points = list[tuple[float, float]]


def oval(
    cx: float, cy: float, rx: float, ry: float, turn: float = 0.0, start: float = 0.0, end: float = 360.0
) -> Points:
    """Points of an ellipse, or of its part from `start` to `end` (degrees, clockwise from the right), turned by `turn`."""
    steps = max(8, int(abs(end - start) / 8))
    cos_turn, sin_turn = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    points = []
    for step in range(steps + 1):
        angle = math.radians(start + (end - start) * step / steps)
        x, y = rx * math.cos(angle), ry * math.sin(angle)
        points.append((cx + x * cos_turn - y * sin_turn, cy + x * sin_turn + y * cos_turn))
    return points


def box(x0: float, y0: float, x1: float, y1: float, corner: float = 0.0) -> Points:
    """Points of a rectangle with corners rounded by `corner` units."""
    if not corner:
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    r = min(corner, (x1 - x0) / 2, (y1 - y0) / 2)
    corners = ((x1 - r, y0 + r, -90), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180))
    return [point for cx, cy, start in corners for point in oval(cx, cy, r, r, 0, start, start + 90)]


def smooth(points: Points, closed: bool = True) -> Points:
    """A Catmull-Rom curve through `points`."""
    count = len(points)
    at = (lambda i: points[i % count]) if closed else (lambda i: points[min(max(i, 0), count - 1)])
    curve = []
    for i in range(count if closed else count - 1):
        p0, p1, p2, p3 = at(i - 1), at(i), at(i + 1), at(i + 2)
        for step in range(8):
            t = step / 8
            curve.append(
                tuple(
                    0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
                    for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
                )
            )
    return curve if closed else [*curve, points[-1]]


def spokes(cx: float, cy: float, outer: float, inner: float, count: int, turn: float = -90.0) -> Points:
    """Points of a star with `count` tips."""
    points = []
    for i in range(2 * count):
        radius = inner if i % 2 else outer
        angle = math.radians(turn + 180.0 * i / count)
        points.append((cx + radius * math.cos(angle), cy + radius * math.sin(angle)))
    return points


class Pen:
    """Draws on a transparent square.

    Args:
        tint: the thing's colour, (r, g, b) each 0 to 255.
        pixels: side of the square in pixels, `MARGIN` included.
        outline: width of outlines in units; 0 draws none.
    """

    def __init__(self, tint: tuple[int, int, int], pixels: int, outline: float):
        self.tint = tint
        self.scale = pixels / (UNITS + 2 * MARGIN)
        self.outline = outline
        self.image = Image.new("RGBA", (pixels, pixels), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)

    def _colour(self, fill: Fill, darker: float = 1.0) -> tuple[int, int, int]:
        if isinstance(fill, Role):
            return tuple(round(darker * min(255.0, fill.share * channel + fill.add)) for channel in self.tint)
        return tuple(round(darker * channel) for channel in fill)

    def _place(self, points: Points) -> Points:
        return [((x + MARGIN) * self.scale, (y + MARGIN) * self.scale) for x, y in points]

    def _stroke(self, points: Points, width: float, colour: tuple[int, int, int]) -> None:
        pixels = max(1, round(width * self.scale))
        self._draw.line(points, fill=colour, width=pixels, joint="curve")
        radius = pixels / 2
        for x, y in (points[0], points[-1]):
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def shape(self, points: Points, fill: Fill = MAIN, outline: bool = True) -> None:
        """One closed shape."""
        self.shapes([points], fill, outline)

    def shapes(self, shapes: list[Points], fill: Fill = MAIN, outline: bool = True) -> None:
        """Several closed shapes as one: a single outline around their union."""
        placed = [self._place(points) for points in shapes]
        if outline and self.outline:
            for points in placed:
                self._stroke([*points, points[0], points[1]], 2 * self.outline, self._colour(fill, 0.38))
        for points in placed:
            self._draw.polygon(points, fill=self._colour(fill))

    def line(self, points: Points, width: float, fill: Fill = INK, outline: bool = False) -> None:
        """A stroke of `width` units with round ends; `outline` rims it like a shape."""
        placed = self._place(points)
        if outline and self.outline:
            self._stroke(placed, width + 2 * self.outline, self._colour(fill, 0.38))
        self._stroke(placed, width, self._colour(fill))

    def dot(self, x: float, y: float, radius: float, fill: Fill = INK) -> None:
        """A disc without outline."""
        self.shape(oval(x, y, radius, radius), fill, outline=False)

    def eye(self, x: float, y: float, radius: float) -> None:
        """A round eye, readable on light and on dark things."""
        self.dot(x, y, radius, WHITE)
        self.dot(x, y, radius * 0.66, INK)
        self.dot(x - radius * 0.22, y - radius * 0.25, radius * 0.22, WHITE)

    def smile(self, x: float, y: float, radius: float, width: float = 2.2, fill: Fill = INK) -> None:
        """A smiling mouth."""
        self.line(oval(x, y, radius, radius * 0.8, 0, 25, 155), width, fill)
