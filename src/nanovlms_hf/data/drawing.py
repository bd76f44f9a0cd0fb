"""Draws a scene as a picture: a kept backdrop, then every thing stretched to its box and tinted, farthest first."""

from random import Random

from PIL import Image

from .backdrops import VARIANTS, backdrop
from .scenes import KINDS, SETTINGS, STYLES, Group, Scene
from .sprites import COARSE_PIXELS, POSES, sprite

SMALLEST, LARGEST = 16, 2048


def render(scene: Scene, size: int = 128, style: str | None = None) -> Image.Image:
    """Draw a scene.

    Args:
        scene: what to draw.
        size: side of the square picture in pixels, 16 to 2048. The layout is the same at every size.
        style: overrides the scene's own style.

    Returns:
        An RGB picture of `size` x `size` pixels.

    Raises:
        ValueError: for an unknown style or a size out of range.
    """
    style = style or scene.style
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}: use one of {', '.join(STYLES)}")
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size is {size} pixels: choose {SMALLEST} to {LARGEST}")
    rng = Random((scene.seed << 64) + scene.index + 0x5EED)
    canvas = backdrop(scene.setting, style, rng.randrange(2 * VARIANTS), size)
    shade = tuple(rng.randrange(120, 256) for _ in range(3))
    canvas = Image.blend(canvas, Image.new("RGB", canvas.size, shade), rng.uniform(0.0, 0.1))
    for index in scene.order:
        _draw_group(canvas, scene.groups[index], style, size)
        for kind, relation, carrier in scene.links:
            if relation == "in" and kind == scene.groups[index].kind:
                _draw_group(canvas, scene.by_kind[carrier], style, size, below=KINDS[carrier].rim)
    return canvas


def _draw_group(canvas: Image.Image, group: Group, style: str, size: int, below: float = 0.0) -> None:
    """Draw all instances of a group, or only what lies below a fraction of their height."""
    for (x0, y0, x1, y1), look in sorted(zip(group.boxes, group.looks, strict=True), key=lambda pair: pair[0][3]):
        left, upper = round(x0 * size), round(y0 * size)
        width, height = max(1, round(x1 * size) - left), max(1, round(y1 * size) - upper)
        fine = max(width, height) > COARSE_PIXELS
        mask, fixed = (
            layer.resize((width, height), Image.Resampling.BILINEAR)
            for layer in sprite(group.kind, style, look.pose, fine).level_for(width, height)
        )
        if look.flipped:
            mask, fixed = (layer.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for layer in (mask, fixed))
        if below:
            cut = round(below * height)
            part = (0, cut, width, height)
            mask, fixed, upper = mask.crop(part), fixed.crop(part), upper + cut
        canvas.paste(look.tint, (left, upper), mask)
        canvas.paste(fixed, (left, upper), fixed)


def warm_up(styles: tuple[str, ...] = STYLES, size: int = 128) -> None:
    """Draw and keep every sprite and backdrop of `styles`, so that no later picture waits for one (some seconds).

    Args:
        styles: names in `STYLES`.
        size: the picture size that backdrops are kept for, in pixels.
    """
    for kind in KINDS.values():
        for style in styles:
            for pose in range(len(POSES) if kind.tilts else 1):
                sprite(kind.name, style, pose, 0.5 * size > COARSE_PIXELS)
    for style in styles:
        for setting in SETTINGS:
            for variant in range(2 * VARIANTS):
                backdrop(setting, style, variant, size)
