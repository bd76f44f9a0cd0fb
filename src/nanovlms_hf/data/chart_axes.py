"""Charts with two axes: upright and lying bars, lines, and scattered points."""

import math
from dataclasses import dataclass

from .chart_data import Chart, ValueAxis
from .chart_layout import MARKERS, Frame, draw_legend, mark_colors, number_text
from .chart_pen import CAPITAL, DESCENT, Pen

_LINE_STYLES = ("-", "--", ":", "-.")


@dataclass
class _Scale:
    """Where the numbers of an axis are, in pixels along it."""

    axis: ValueAxis
    start: float
    end: float

    def at(self, number: float) -> float:
        low, high = self.axis.ticks[0], self.axis.ticks[-1]
        return self.start + (number - low) / (high - low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        return [self.at(tick) for tick in self.axis.ticks]


def draw_axes_chart(pen: Pen, chart: Chart, frame: Frame) -> None:
    """Draws legend, axes and marks of a bar, line or scatter chart into the frame."""
    look, names = chart.look, list(chart.columns[1:])
    colors = mark_colors(chart, len(names))
    markers = [MARKERS[(look.marker + place) % len(MARKERS)] for place in range(len(names))]
    if len(names) > 1:
        draw_legend(
            pen, frame, names, colors, [""] * len(names) if chart.kind == "bar" else markers, look.legend_below
        )
    rows_have_room = frame.height - 3 * pen.size >= 1.2 * pen.size * len(chart.rows)
    if chart.kind == "bar" and look.horizontal and rows_have_room:
        _draw_lying_bars(pen, chart, frame, colors)
        return
    _name_axes(pen, chart, frame, below=chart.columns[0], beside=chart.table.measure, above=look.measure_above)
    tick_texts = [number_text(tick, chart) for tick in chart.axis.ticks]
    frame.left += max(map(pen.width, tick_texts)) + 0.6 * pen.size
    if chart.kind == "scatter":
        across = _scatter_scale(pen, chart, frame)
        places = [across.at(float(label)) for label, *_ in chart.rows]
    else:
        places = _write_labels_below(pen, chart, frame)
    foot, head = _paddings(pen, chart, frame)
    rise = _Scale(chart.axis, frame.bottom + foot, frame.top - head)
    if look.grid:
        pen.lines([(frame.left, y, frame.right, y) for y in rise.ticks], pen.grid, 0.8 * pen.unit)
        if chart.kind == "scatter":
            pen.lines([(x, frame.bottom, x, frame.top) for x in across.ticks], pen.grid, 0.8 * pen.unit)
    if chart.kind == "bar":
        _draw_standing_bars(pen, chart, frame, rise, places, colors)
    else:
        _draw_curves(pen, chart, rise, places, colors, markers)
    _draw_spines(pen, chart, frame)
    pen.lines([(frame.left - 0.3 * pen.size, y, frame.left, y) for y in rise.ticks], pen.ink, pen.unit)
    for y, text in _spaced(rise, tick_texts, 1.2 * pen.size):
        pen.text(frame.left - 0.45 * pen.size, y, text, "right")


def _name_axes(pen: Pen, chart: Chart, frame: Frame, below: str, beside: str, above: bool) -> None:
    """Writes what the axes show, one name below and one along the left edge, or above the plot where it does not fit."""
    pen.text(frame.middle, frame.take_line(pen.size, at_bottom=True), below)
    frame.bottom += 0.15 * pen.size
    if above or pen.width(beside) > 0.95 * frame.height:
        pen.text(frame.left, frame.take_line(pen.size), beside, "left")
        frame.top -= 0.3 * pen.size
        return
    pen.text(frame.left + (CAPITAL / 2 + 0.05) * pen.size, (frame.top + frame.bottom) / 2, beside, turned=True)
    frame.left += (CAPITAL + DESCENT + 0.3) * pen.size


def _draw_spines(pen: Pen, chart: Chart, frame: Frame) -> None:
    left, bottom, right, top = frame.left, frame.bottom, frame.right, frame.top
    edges = [(left, bottom, right, bottom), (left, bottom, left, top)]
    if chart.look.box:
        edges += [(left, top, right, top), (right, bottom, right, top)]
    pen.lines(edges, pen.ink, pen.unit)


def _slots(start: float, end: float, count: int) -> list[float]:
    return [start + (end - start) * (place + 0.5) / count for place in range(count)]


def _write_labels_below(pen: Pen, chart: Chart, frame: Frame) -> list[float]:
    """Writes the labels under the plot, turned if they are too wide; returns the middles of their slots."""
    labels = [str(row[0]) for row in chart.rows]
    places = _slots(frame.left, frame.right, len(labels))
    widest = max(map(pen.width, labels))
    turned = widest + 0.5 * pen.size > frame.width / len(labels)
    if turned:
        frame.bottom += widest + 0.5 * pen.size
        for x, label in zip(places, labels, strict=True):
            pen.text(x, frame.bottom - 0.4 * pen.size, label, "right", turned=True)
        return places
    y = frame.take_line(pen.size, at_bottom=True) - 0.1 * pen.size
    for x, label in zip(places, labels, strict=True):
        pen.text(x, y, label)
    return places


def _spaced(scale: _Scale, texts: list[str], needed: float) -> list[tuple[float, str]]:
    """Places and numbers of the ticks; every second or third number only where less than `needed` pixels are between them."""
    every = math.ceil(needed / (scale.ticks[1] - scale.ticks[0]))
    return list(zip(scale.ticks, texts, strict=True))[::every]


def _write_ticks_below(pen: Pen, chart: Chart, frame: Frame, scale: _Scale) -> None:
    texts = [number_text(tick, chart) for tick in scale.axis.ticks]
    y = frame.bottom - (0.5 + CAPITAL / 2) * pen.size
    for x, text in _spaced(scale, texts, max(map(pen.width, texts)) + 0.6 * pen.size):
        pen.text(x, y, text)
    pen.lines([(x, frame.bottom - 0.3 * pen.size, x, frame.bottom) for x in scale.ticks], pen.ink, pen.unit)


def _scale_below(pen: Pen, chart: Chart, frame: Frame, axis: ValueAxis, start_pad: float, end_pad: float) -> _Scale:
    """A scale along the bottom, its line of numbers taken off the frame; the last number stays inside the picture."""
    frame.take_line(pen.size, at_bottom=True)
    frame.bottom += 0.2 * pen.size
    spill = pen.width(number_text(axis.ticks[-1], chart)) / 2
    frame.right -= max(0.0, spill - end_pad)
    return _Scale(axis, frame.left + start_pad, frame.right - end_pad)


def _scatter_scale(pen: Pen, chart: Chart, frame: Frame) -> _Scale:
    pad = 0.7 * pen.size
    scale = _scale_below(pen, chart, frame, chart.label_axis, pad, pad)
    _write_ticks_below(pen, chart, frame, scale)
    return scale


def _value_texts(chart: Chart) -> list[str]:
    return [number_text(value, chart) for row in chart.rows for value in row[1:]]


def _bar_slot(chart: Chart, length: float) -> float:
    """Pixels along the axis that one bar of a group has."""
    return length / len(chart.rows) * chart.look.thickness / (len(chart.columns) - 1)


def _values_are_turned(pen: Pen, chart: Chart, frame: Frame) -> bool:
    slots = frame.width / len(chart.rows) / (len(chart.columns) - 1)
    room = slots if len(chart.columns) == 2 else _bar_slot(chart, frame.width)
    return max(map(pen.width, _value_texts(chart))) + 0.3 * pen.size > room


def _paddings(pen: Pen, chart: Chart, frame: Frame) -> tuple[float, float]:
    """Pixels between the lowest and the highest tick and the edges of the plot: room for marks and written values."""
    if chart.kind == "bar":
        if not chart.value_labels:
            return 0.0, 0.5 * pen.size
        if _values_are_turned(pen, chart, frame):
            return 0.0, max(map(pen.width, _value_texts(chart))) + 0.5 * pen.size
        return 0.0, 1.3 * pen.size
    pad = (1.7 if chart.value_labels else 0.7) * pen.size
    return pad, pad


def _bar_color(chart: Chart, colors: list, series: int, row: int):
    if len(chart.columns) > 2 or not chart.look.many_hues:
        return colors[series]
    return mark_colors(chart, len(chart.rows))[row]


def _draw_standing_bars(pen: Pen, chart: Chart, frame: Frame, rise: _Scale, places: list[float], colors: list) -> None:
    width, count = _bar_slot(chart, frame.width), len(chart.columns) - 1
    turned = _values_are_turned(pen, chart, frame)
    for row, (middle, (_, *values)) in enumerate(zip(places, chart.rows, strict=True)):
        for series, value in enumerate(values):
            x, top = middle + (series - count / 2) * width, rise.at(value)
            pen.boxes([(x, frame.bottom, x + width, top)], _bar_color(chart, colors, series, row))
            if chart.value_labels:
                centre, text = x + width / 2, number_text(value, chart)
                if turned:
                    pen.text(centre, top + 0.25 * pen.size, text, "left", turned=True)
                else:
                    pen.text(centre, top + (0.3 + CAPITAL / 2) * pen.size, text)


def _draw_lying_bars(pen: Pen, chart: Chart, frame: Frame, colors: list) -> None:
    _name_axes(pen, chart, frame, below=chart.table.measure, beside=chart.columns[0], above=False)
    labels = [str(row[0]) for row in chart.rows]
    frame.left += max(map(pen.width, labels)) + 0.5 * pen.size
    end_pad = max(map(pen.width, _value_texts(chart))) + 0.6 * pen.size if chart.value_labels else 0.5 * pen.size
    scale = _scale_below(pen, chart, frame, chart.axis, 0.0, end_pad)
    if chart.look.grid:
        pen.lines([(x, frame.bottom, x, frame.top) for x in scale.ticks], pen.grid, 0.8 * pen.unit)
    width, count = _bar_slot(chart, frame.height), len(chart.columns) - 1
    places = _slots(frame.top, frame.bottom, len(labels))
    for row, (middle, (label, *values)) in enumerate(zip(places, chart.rows, strict=True)):
        pen.text(frame.left - 0.4 * pen.size, middle, label, "right")
        for series, value in enumerate(values):
            y, end = middle - (series - count / 2) * width, scale.at(value)
            pen.boxes([(frame.left, y - width, end, y)], _bar_color(chart, colors, series, row))
            if chart.value_labels:
                pen.text(end + 0.3 * pen.size, y - width / 2, number_text(value, chart), "left")
    _draw_spines(pen, chart, frame)
    _write_ticks_below(pen, chart, frame, scale)


def _draw_curves(pen: Pen, chart: Chart, rise: _Scale, places: list[float], colors: list, markers: list[str]) -> None:
    """Lines with markers, or the markers alone; written values stand above the highest and below the lowest line."""
    for series, (color, marker) in enumerate(zip(colors, markers, strict=True)):
        style = _LINE_STYLES[series] if chart.look.dashed else _LINE_STYLES[0]
        heights = [rise.at(row[1 + series]) for row in chart.rows]
        line = "none" if chart.kind == "scatter" else style
        pen.curve(
            places,
            heights,
            color,
            marker,
            1.5 * pen.unit,
            line,
            (0.65 if chart.kind == "scatter" else 0.55) * pen.size,
        )
    if not chart.value_labels:
        return
    offset = (0.55 + CAPITAL / 2) * pen.size
    for place, (x, (_, *values)) in enumerate(zip(places, chart.rows, strict=True)):
        for value, color in zip(values, colors, strict=True):
            up = value == max(values) if len(values) > 1 else not _is_valley(chart, place)
            y, text = rise.at(value) + (offset if up else -offset), number_text(value, chart)
            across, along = pen.width(text) / 2, (CAPITAL / 2 + 0.05) * pen.size
            pen.boxes([(x - across, y - along, x + across, y + along)], pen.ground)  # no line runs through the number
            pen.text(x, y, text, color=pen.ink if len(values) == 1 else color)


def _is_valley(chart: Chart, place: int) -> bool:
    """Whether the line of a single series falls to this point and rises from it."""
    neighbours = chart.rows[max(0, place - 1) : place] + chart.rows[place + 1 : place + 2]
    return all(row[1] > chart.rows[place][1] for row in neighbours)


__all__ = ["draw_axes_chart"]
