"""A pen for charts: matplotlib artists placed by the pixel, without `pyplot`, `Axes` or any global setting.

An `Axes` costs some 10 ms before anything is in it and measures its texts while drawing; here the arrangement is worked out
first, from the widths of the texts, and the figure holds a few artists at their final places. Everything is given in pixels
from the lower left corner, at 72 dots per inch, where a point is a pixel. Every property that `rcParams` would fill in for
these artists is given.
"""

import threading
from functools import cache, lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Wedge
from matplotlib.path import Path as Outline
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform

# (plain, bold, size that makes it look as large as DejaVu Sans): families that matplotlib brings along.
FONTS = (
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", 1.0),
    ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", 1.0),
    ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf", 1.0),
    ("STIXGeneral.ttf", "STIXGeneralBol.ttf", 1.2),
)
CAPITAL = 0.73  # height of a capital letter and of a digit, as a share of the size
DESCENT = 0.24
_PLACES = IdentityTransform()


@cache
def _font_file(name: str) -> str:
    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", name))


@lru_cache(maxsize=65536)
def _text_width(text: str, file: str, size: float, thread: int) -> float:
    font = get_font(file)
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    return font.get_width_height()[0] / 64


class Pen:
    """Collects the artists of one square picture.

    Args:
        image_size (`int`): side in pixels.
        size (`float`): size of plain text in pixels.
        font (`int`): index of the family in `FONTS`.
        ink, ground, grid (`str`): colours of texts and axes, of the background, and of lines at the ticks.
    """

    def __init__(self, image_size: int, size: float, font: int, ink: str, ground: str, grid: str):
        side = image_size / 72
        self.figure = Figure(
            figsize=(side, side), dpi=72, facecolor=ground, edgecolor=ground, layout="none", frameon=True
        )
        self.canvas = FigureCanvasAgg(self.figure)
        self.image_size, self.ink, self.ground, self.grid = image_size, ink, ground, grid
        plain, bold, self._stretch = FONTS[font]
        self._files = (_font_file(plain), _font_file(bold))
        self.size = size
        self.unit = size / 10  # width of a thin line

    def width(self, text: str, size: float | None = None, bold: bool = False) -> float:
        """Pixels that a text is wide."""
        return _text_width(text, self._files[bold], (size or self.size) * self._stretch, threading.get_ident())

    def text(
        self,
        x: float,
        y: float,
        text: str,
        align: str = "center",
        *,
        size: float | None = None,
        bold: bool = False,
        turned: bool = False,
        color: str | None = None,
    ) -> Text:
        """Writes a line of text whose capitals are centred on `y`, or on `x` if it is turned to read upwards.

        `align` says which end of the text, or its middle, is at the other coordinate.
        """
        size = size or self.size
        shift = CAPITAL * size / 2
        font = FontProperties(fname=self._files[bold], size=size * self._stretch)
        artist = Text(
            x + shift if turned else x,
            y if turned else y - shift,
            text,
            color=color or self.ink,
            fontproperties=font,
            horizontalalignment=align,
            verticalalignment="baseline",
            rotation=90 if turned else 0,
            rotation_mode="anchor",
            parse_math=False,
            usetex=False,
            wrap=False,
            antialiased=True,
            transform=_PLACES,
        )
        return self._add(artist)

    def _add(self, artist):
        artist.set_zorder(0)  # what is drawn later lies on top, whatever its kind
        self.figure.add_artist(artist)
        return artist

    def lines(self, ends: list[tuple[float, float, float, float]], color: str, width: float) -> None:
        """Straight separate lines, each from `(x0, y0)` to `(x1, y1)`."""
        points = np.array(ends, dtype=float).reshape(-1, 2)  # (2 * lines, 2)
        codes = np.tile([Outline.MOVETO, Outline.LINETO], len(ends))
        self._add(
            PathPatch(
                Outline(points, codes),
                fill=False,
                edgecolor=color,
                linewidth=width,
                linestyle="-",
                capstyle="butt",
                joinstyle="miter",
                antialiased=True,
                snap=True,
                transform=_PLACES,
            )
        )

    def boxes(self, boxes: list[tuple[float, float, float, float]], color) -> None:
        """Filled upright rectangles, each from `(x0, y0)` to `(x1, y1)`, on whole pixels."""
        corners = [[(a, b), (c, b), (c, d), (a, d), (a, b)] for a, b, c, d in boxes]
        points = np.round(np.array(corners, dtype=float)).reshape(-1, 2)  # (5 * boxes, 2)
        codes = np.tile([Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY], len(boxes))
        self._add(
            PathPatch(
                Outline(points, codes), facecolor=color, linewidth=0, hatch=None, antialiased=True, transform=_PLACES
            )
        )

    def curve(self, xs, ys, color, marker: str, width: float, style: str, marker_size: float) -> None:
        """A line through points with a marker at each; `style="none"` for the markers alone."""
        self._add(
            Line2D(
                xs,
                ys,
                color=color,
                linewidth=width,
                linestyle=style,
                marker=marker,
                markersize=marker_size,
                markerfacecolor=color,
                markeredgecolor=color,
                markeredgewidth=0,
                fillstyle="full",
                solid_capstyle="round",
                solid_joinstyle="round",
                dash_capstyle="butt",
                dash_joinstyle="round",
                antialiased=True,
                drawstyle="default",
                transform=_PLACES,
            )
        )

    def slice(self, centre: tuple[float, float], radius: float, start: float, end: float, color, hole: float) -> None:
        """A slice of a circle between two angles in degrees, edged in the colour of the ground; `hole` is a share of the radius."""
        self._add(
            Wedge(
                centre,
                radius,
                start,
                end,
                width=radius * (1 - hole) if hole else None,
                facecolor=color,
                edgecolor=self.ground,
                linewidth=self.unit,
                linestyle="-",
                joinstyle="round",
                capstyle="butt",
                hatch=None,
                antialiased=True,
                transform=_PLACES,
            )
        )


__all__ = ["CAPITAL", "DESCENT", "FONTS", "Pen"]
