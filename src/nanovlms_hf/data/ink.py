"""What of each thing a picture really shows, found by drawing: the measure of how exact the boxes of the world are.

A scene's boxes are laid out before anything is drawn, in fractions; a drawing puts whole pixels there, in a style that may
fade or roughen the edges, and puts other things in front. Here a picture is drawn with the thing in black, with it in white and
without it; its pixels are those that differ. That takes three drawings for a thing, so rows use the scene's own boxes.
"""

from dataclasses import replace

import numpy as np

from .drawing import render
from .geometry import Box
from .scenes import Scene

_SEEN = 32  # least difference of a channel, of 255, that is ink
_AWAY = 4.0  # far outside of the picture, in widths of it


def ink_boxes(scene: Scene, size: int = 192, visible: bool = False) -> list[Box | None]:
    """The box around the drawn pixels of every single thing, in the order of `detection.things_of`.

    Args:
        scene: a scene or a crowd.
        size: side of the picture in pixels.
        visible: whether only pixels count that no other thing hides.

    Returns:
        Boxes in fractions of the picture; None for a thing of which nothing is seen.

    Raises:
        ValueError: for a size that `render` refuses.
    """
    places = [(number, instance) for number, group in enumerate(scene.groups) for instance in range(group.count)]
    found = []
    for place in places:
        others = [] if visible else [other for other in places if other != place]
        shown = _moved_away(scene, others)
        without = _pixels(_moved_away(shown, [place]), size)
        tints = [_pixels(_tinted(shown, place, tint), size) for tint in ((0, 0, 0), (255, 255, 255))]
        found.append(_box_around(np.maximum(*(np.abs(pixels - without) for pixels in tints)).max(-1) >= _SEEN))
    return found


def _box_around(ink: np.ndarray) -> Box | None:
    """The box around the true pixels of a mask of shape (size, size)."""
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not rows.size:
        return None
    corners = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return tuple(float(corner) / len(ink) for corner in corners)


def _pixels(scene: Scene, size: int) -> np.ndarray:
    return np.asarray(render(scene, size), dtype=np.int16)  # (size, size, 3)


def _moved_away(scene: Scene, places: list[tuple[int, int]]) -> Scene:
    """The scene with some instances drawn outside of the picture; nothing else of it changes."""
    groups = list(scene.groups)
    for number, instance in places:
        boxes = list(groups[number].boxes)
        x0, y0, x1, y1 = boxes[instance]
        boxes[instance] = (x0 + _AWAY, y0, x1 + _AWAY, y1)
        groups[number] = replace(groups[number], boxes=tuple(boxes))
    return replace(scene, groups=tuple(groups))


def _tinted(scene: Scene, place: tuple[int, int], tint: tuple[int, int, int]) -> Scene:
    groups, (number, instance) = list(scene.groups), place
    looks = list(groups[number].looks)
    looks[instance] = looks[instance]._replace(tint=tint)
    groups[number] = replace(groups[number], looks=tuple(looks))
    return replace(scene, groups=tuple(groups))


__all__ = ["ink_boxes"]
