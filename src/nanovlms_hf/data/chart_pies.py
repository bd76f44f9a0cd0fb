"""Pies: slices whose names stand beside them or in a legend, with or without their values."""

import math
from dataclasses import dataclass, replace

from .chart_data import Chart
from .chart_layout import Frame, draw_legend, legend_rows, mark_colors, number_text
from .chart_pen import CAPITAL, DESCENT, Pen


@dataclass
class _Label:
    """A text beside a slice: its left end, the height it is centred on, and its size."""

    text: str
    x: float
    y: float
    width: float
    height: float

    def is_inside(self, frame: Frame) -> bool:
        half = self.height / 2
        across = frame.left <= self.x and self.x + self.width <= frame.right
        return across and frame.bottom <= self.y - half and self.y + half <= frame.top

    def touches(self, other: "_Label") -> bool:
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and abs(self.y - other.y) < (self.height + other.height) / 2


def draw_pie(pen: Pen, chart: Chart, frame: Frame) -> None:
    """Draws a pie into the frame, in the first arrangement in which no two texts touch.

    Names beside the slices are tried first if the chart wants them there, then a legend with the values beside the slices,
    then a legend that holds the values too, which always fits.
    """
    pen.text(frame.middle, frame.take_line(pen.size, at_bottom=True), chart.table.measure)
    names, values = [str(row[0]) for row in chart.rows], _written_values(chart)
    both = [f"{name} {value}".strip() for name, value in zip(names, values, strict=True)]
    colors = mark_colors(chart, len(names))
    if chart.look.names_beside and _draw_labelled(pen, chart, frame, both, colors):
        return
    inner = _without_legend(pen, chart, frame, names)
    if _draw_labelled(pen, chart, inner, values, colors):
        draw_legend(pen, frame, names, colors, [""] * len(names), chart.look.legend_below)
        return
    draw_legend(pen, frame, both, colors, [""] * len(names), chart.look.legend_below)
    _draw_labelled(pen, chart, frame, [""] * len(names), colors)


def _written_values(chart: Chart) -> list[str]:
    if not chart.value_labels:
        return [""] * len(chart.rows)
    sign = "%" if chart.table.measure.endswith("(%)") else ""
    return [number_text(value, chart) + sign for _, value in chart.rows]


def _without_legend(pen: Pen, chart: Chart, frame: Frame, names: list[str]) -> Frame:
    inner = replace(frame)
    for _ in legend_rows(pen, frame, names):
        inner.take_line(pen.size, at_bottom=chart.look.legend_below)
    return inner


def _draw_labelled(pen: Pen, chart: Chart, frame: Frame, texts: list[str], colors: list) -> bool:
    """Draws the slices with a text at each, as large as the texts leave room for; draws nothing where they do not fit."""
    around = (CAPITAL + DESCENT + 0.5) * pen.size if any(texts) else 0.2 * pen.size
    aside = max(map(pen.width, texts)) + 0.6 * pen.size if any(texts) else 0.2 * pen.size
    radius = min(0.5 * frame.height - around, 0.5 * frame.width - aside)
    centre = (frame.middle, (frame.bottom + frame.top) / 2)
    total, angle = sum(value for _, value in chart.rows), chart.look.turn
    edges = [angle]
    for _, value in chart.rows:
        edges.append(edges[-1] - 360 * value / total)  # clockwise, in the order of the rows
    labels = [
        _place_label(pen, centre, radius, (start + end) / 2, text)
        for start, end, text in zip(edges, edges[1:], texts, strict=False)
        if text
    ]
    apart = not any(label.touches(other) for place, label in enumerate(labels) for other in labels[:place])
    if radius < 2.6 * pen.size or not apart or not all(label.is_inside(frame) for label in labels):
        return False
    for start, end, color in zip(edges, edges[1:], colors, strict=False):
        pen.slice(centre, radius, end, start, color, chart.look.hole)
    for label in labels:
        pen.text(label.x, label.y, label.text, "left")
    return True


def _place_label(pen: Pen, centre: tuple[float, float], radius: float, angle: float, text: str) -> _Label:
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    width, height = pen.width(text), (CAPITAL + DESCENT) * pen.size
    x = centre[0] + (radius + 0.4 * pen.size) * cosine
    y = centre[1] + (radius + 0.4 * pen.size + height / 2 * abs(sine)) * sine
    left = x if cosine > 0.3 else x - width if cosine < -0.3 else x - width / 2
    return _Label(text, left, y, width, height)


__all__ = ["draw_pie"]
