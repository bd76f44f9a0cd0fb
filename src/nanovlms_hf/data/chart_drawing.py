"""Drawing a chart: from its table and look to a picture.

The arrangement is worked out from the outside in. A `Frame` is the space that is left: the title takes its lines off the top,
the legend its rows, the axes theirs, and the marks are drawn in what remains.
"""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .chart_axes import draw_axes_chart
from .chart_data import SMALLEST_IMAGE, Chart, text_pixels
from .chart_layout import Frame, draw_title
from .chart_pen import Pen
from .chart_pies import draw_pie

_COLORS = {False: ("#222222", "#ffffff", "#d4d4d4"), True: ("#eeeeee", "#23272e", "#4a505a")}  # ink, ground, grid


def render_chart(chart: Chart, image_size: int = SMALLEST_IMAGE) -> Image.Image:
    """The picture of a chart; safe to call from several threads.

    Args:
        chart (`Chart`): the chart.
        image_size (`int`, defaults to 192): side of the square picture in pixels.

    Returns:
        `PIL.Image.Image`: RGB.

    Raises:
        ValueError: if the size is not a whole number of at least 192 pixels, below which the text cannot be read.
    """
    canvas = draw_chart(chart, image_size).canvas
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())  # (height, width, 3)


def draw_chart(chart: Chart, image_size: int = SMALLEST_IMAGE) -> Figure:
    """As `render_chart`, but the matplotlib figure on its Agg canvas, not yet drawn."""
    if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < SMALLEST_IMAGE:
        raise ValueError(
            f"image_size={image_size!r} does not suit a chart; give whole pixels from {SMALLEST_IMAGE}, below which its text "
            "cannot be read."
        )
    ink, ground, grid = _COLORS[chart.look.dark]
    pen = Pen(image_size, text_pixels(image_size) * chart.look.scale, chart.look.font, ink, ground, grid)
    margin = 0.3 * pen.size
    frame = Frame(margin, margin, image_size - margin, image_size - margin)
    draw_title(pen, chart, frame)
    (draw_pie if chart.kind == "pie" else draw_axes_chart)(pen, chart, frame)
    return pen.figure


__all__ = ["draw_chart", "render_chart"]
