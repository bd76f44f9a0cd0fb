"""A sheet of pictures of the built-in world, for looking at."""

from pathlib import Path

from PIL import Image

from .descriptions import short_description
from .drawing import render
from .scenes import make_scene


def draw_sheet(
    output: str | Path, seed: int = 0, rows: int = 4, columns: int = 6, size: int = 192, style: str | None = None
) -> list[str]:
    """Draws the first `rows * columns` scenes of a seed into one picture.

    Args:
        output (`str` or `Path`): picture file to write.
        seed (`int`, defaults to 0): seed of the world.
        rows, columns (`int`): shape of the sheet.
        size (`int`, defaults to 192): side of one picture, in pixels.
        style (`str`, *optional*): draw all in this style instead of each scene's own.

    Returns:
        `list[str]`: a short description of each picture, in reading order.

    Raises:
        ValueError: if a number is not positive or the style is unknown.
    """
    if min(rows, columns, size) < 1:
        raise ValueError(
            f"a sheet of {rows}x{columns} pictures of {size} pixels holds nothing; give positive numbers."
        )
    sheet = Image.new("RGB", (columns * (size + 4), rows * (size + 4)), (255, 255, 255))
    texts = []
    for index in range(rows * columns):
        scene = make_scene(seed, index)
        corner = (index % columns * (size + 4) + 2, index // columns * (size + 4) + 2)
        sheet.paste(render(scene, size, style=style), corner)
        texts.append(short_description(scene))
    sheet.save(output)
    return texts


__all__ = ["draw_sheet"]
