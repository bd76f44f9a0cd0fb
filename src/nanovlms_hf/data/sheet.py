"""A sheet of drawn pictures, for looking at: scenes, pages, charts, detection with its boxes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from .box_text import BOX_SCALE, parse_boxes
from .charts import ChartConfig, chart_row
from .descriptions import short_description
from .detection import detection_row
from .documents import DEFAULT_DOCUMENTS, document_row
from .drawing import render
from .scenes import make_scene

_BOX_COLOURS = ("#d02020", "#2060d0", "#108040", "#a04fc0", "#d07000", "#007c8c")

Drawn = tuple[Image.Image, str]


def _scene(seed: int, index: int, size: int, style: str | None) -> Drawn:
    scene = make_scene(seed, index)
    return render(scene, size, style=style), short_description(scene)


def _page(seed: int, index: int, size: int, style: str | None) -> Drawn:
    return _picture_and_answer(document_row(seed, "train", index, replace(DEFAULT_DOCUMENTS, image_size=size)))


def _chart(seed: int, index: int, size: int, style: str | None) -> Drawn:
    return _picture_and_answer(chart_row(seed, "train", index, ChartConfig(image_size=size)))


def _boxes(seed: int, index: int, size: int, style: str | None) -> Drawn:
    picture, answer = _picture_and_answer(detection_row(seed, "train", index, image_size=size))
    pen = ImageDraw.Draw(picture)
    for number, boxes in enumerate(parse_boxes(answer).boxes.values()):
        for box in boxes:
            corners = [round(corner * (size - 1) / (BOX_SCALE - 1)) for corner in box]
            pen.rectangle(corners, outline=_BOX_COLOURS[number % len(_BOX_COLOURS)], width=max(size // 96, 1))
    return picture, answer


def _picture_and_answer(row: dict) -> Drawn:
    return row["images"][0], row["messages"][-1]["content"][0]["text"]


SHEETS: dict[str, Callable[[int, int, int, str | None], Drawn]] = {
    "scenes": _scene,
    "documents": _page,
    "charts": _chart,
    "detection": _boxes,
}


def draw_sheet(
    output: str | Path,
    seed: int = 0,
    rows: int = 4,
    columns: int = 6,
    size: int = 192,
    style: str | None = None,
    kinds: Sequence[str] = ("scenes",),
) -> list[str]:
    """Draws the first pictures of a seed side by side.

    Args:
        output (`str` or `Path`): picture file to write.
        seed (`int`, defaults to 0): seed of the pictures.
        rows, columns (`int`): shape of the sheet.
        size (`int`, defaults to 192): side of one picture, in pixels.
        style (`str`, *optional*): draw all scenes in this style instead of each scene's own.
        kinds (`Sequence[str]`): what the rows of the sheet show, in turns, of `SHEETS`; detection has its boxes drawn in.

    Returns:
        `list[str]`: the text of each picture in reading order: a short description of a scene, else the answer.

    Raises:
        ValueError: if a number is not positive, or too small to draw a kind at, or a style or kind is unknown.
    """
    if min(rows, columns, size) < 1:
        raise ValueError(
            f"a sheet of {rows}x{columns} pictures of {size} pixels holds nothing; give positive numbers."
        )
    for kind in kinds or ("",):
        if kind not in SHEETS:
            raise ValueError(f"kind={kind!r} is unknown; choose from {', '.join(SHEETS)}.")
    sheet = Image.new("RGB", (columns * (size + 4), rows * (size + 4)), (255, 255, 255))
    texts, drawn = [], dict.fromkeys(kinds, 0)
    for place in range(rows * columns):
        row, column = divmod(place, columns)
        kind = kinds[row % len(kinds)]
        picture, text = SHEETS[kind](seed, drawn[kind], size, style)
        drawn[kind] += 1
        sheet.paste(picture, (column * (size + 4) + 2, row * (size + 4) + 2))
        texts.append(text)
    sheet.save(output)
    return texts


__all__ = ["SHEETS", "draw_sheet"]
