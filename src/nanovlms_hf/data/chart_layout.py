"""What all charts share around their marks: the space that is left, title, legend, colours and number texts."""

import colorsys
from dataclasses import dataclass

from .chart_data import Chart
from .chart_pen import CAPITAL, DESCENT, Pen

MARKERS = ("o", "s", "^", "D")
_PATCH, _SPACE, _GAP = 0.8, 0.4, 0.9  # of a legend's entries, as shares of the text's size


@dataclass
class Frame:
    """Space that is left, in pixels from the lower left corner of the picture."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        """Halfway between left and right."""
        return (self.left + self.right) / 2

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From bottom to top."""
        return self.top - self.bottom

    def take_line(self, size: float, at_bottom: bool = False) -> float:
        """Takes a line of text of this size off the top or the bottom; returns the height its capitals are centred on."""
        needed = (CAPITAL + DESCENT + 0.25) * size
        if at_bottom:
            self.bottom += needed
            return self.bottom - (0.25 + CAPITAL / 2) * size
        self.top -= needed
        return self.top + (0.25 + DESCENT + CAPITAL / 2) * size


def draw_title(pen: Pen, chart: Chart, frame: Frame) -> None:
    """Writes the title at the top, on two lines if it is too wide for one."""
    size, bold = pen.size * 1.1, chart.look.bold_title
    lines = [chart.title]
    if pen.width(chart.title, size, bold) > frame.width:
        words = chart.title.split()
        lines = [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]
    for line in lines:
        y = frame.take_line(size)
        if chart.look.title_left:
            pen.text(frame.left, y, line, "left", size=size, bold=bold)
        else:
            pen.text(frame.middle, y, line, size=size, bold=bold)


def legend_rows(pen: Pen, frame: Frame, names: list[str]) -> list[list[int]]:
    """Which entries of a legend stand together in a row that is no wider than the frame."""
    rows: list[list[int]] = []
    room = 0.0
    for place, name in enumerate(names):
        width = _entry_width(pen, name) + _GAP * pen.size
        if not rows or width > room + _GAP * pen.size:
            rows.append([])
            room = frame.width
        rows[-1].append(place)
        room -= width
    return rows


def _entry_width(pen: Pen, name: str) -> float:
    return (_PATCH + _SPACE) * pen.size + pen.width(name)


def draw_legend(pen: Pen, frame: Frame, names: list[str], colors: list, markers: list[str], at_bottom: bool) -> None:
    """Writes names behind patches of their colours, in as many centred rows as they need.

    Args:
        pen, frame: where to draw; the rows are taken off the frame.
        names (`list[str]`), colors, markers: of each series; the marker `""` gives a square patch.
        at_bottom (`bool`): take the rows off the bottom instead of the top.
    """
    patch = _PATCH * pen.size
    rows = legend_rows(pen, frame, names)
    for row in reversed(rows) if at_bottom else rows:
        y = frame.take_line(pen.size, at_bottom)
        widths = [_entry_width(pen, names[place]) + _GAP * pen.size for place in row]
        x = frame.middle - (sum(widths) - _GAP * pen.size) / 2
        for place, width in zip(row, widths, strict=True):
            if markers[place]:
                pen.curve([x + patch / 2], [y], colors[place], markers[place], 0, "none", 0.75 * pen.size)
            else:
                pen.boxes([(x, y - patch / 2, x + patch, y + patch / 2)], colors[place])
            pen.text(x + (_PATCH + _SPACE) * pen.size, y, names[place], "left")
            x += width


def mark_colors(chart: Chart, count: int) -> list[tuple[float, float, float]]:
    """Well-separated colours for `count` marks, starting at the chart's hue."""
    lightness = (0.72, 0.55) if chart.look.dark else (0.5, 0.36)
    hues = [(chart.look.hue + place / count) % 1 for place in range(count)]
    return [colorsys.hls_to_rgb(hue, lightness[place % 2], 0.62) for place, hue in enumerate(hues)]


def number_text(value: int | float, chart: Chart) -> str:
    """A number as the picture shows it, with commas if the chart has them."""
    return f"{value:,}" if chart.look.thousands and isinstance(value, int) else str(value)


__all__ = ["MARKERS", "Frame", "draw_legend", "draw_title", "legend_rows", "mark_colors", "number_text"]
