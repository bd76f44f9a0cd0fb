"""Loss curves as inline SVG: a few hundred characters of lines, text as text, colours from the page's style."""

import math
from html import escape

WIDTH, HEIGHT = 400, 230  # units of the drawing; small, so that its text is still readable on a phone
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 26, 36
_MOST_POINTS = 200
_SERIES = (("training", "loss", "train"), ("validation", "eval_loss", "valid"))

Point = tuple[float, float]


def _points(history: list[dict], key: str) -> list[Point]:
    """(step, loss) of the entries that have both as finite numbers; long runs as means of equal stretches."""
    points = []
    for row in history:
        step, loss = row.get("step"), row.get(key)
        if all(isinstance(value, int | float) and math.isfinite(value) for value in (step, loss)):
            points.append((float(step), float(loss)))
    points.sort()
    stretch = math.ceil(len(points) / _MOST_POINTS) or 1
    groups = [points[start : start + stretch] for start in range(0, len(points), stretch)]
    return [tuple(sum(column) / len(group) for column in zip(*group, strict=True)) for group in groups]


def _even_ticks(low: float, high: float, number: int = 7) -> list[float]:
    """Round numbers from `low` to `high`, about `number` of them."""
    rough = (high - low) / number
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    return [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten; powers alone, and only some of them, where the range is wide."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1, 2, 5) if high / low < 300 else (1,)
    powers = range(first, last + 1, 1 if len(factors) > 1 else math.ceil((last - first) / 7))
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def _span(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _label(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class _Axes:
    """Where a step and a loss lie on the drawing; the loss is logarithmic when it fell by a lot."""

    def __init__(self, points: list[Point]):
        self.x0, self.x1 = _span([step for step, _ in points])
        self.y0, self.y1 = _span([loss for _, loss in points])
        self.log = self.y0 > 0 and self.y1 / self.y0 > 4
        if self.log:  # air above and below
            self.y0, self.y1 = self.y0 / 1.15, self.y1 * 1.15
        else:
            margin = 0.04 * (self.y1 - self.y0)
            self.y0, self.y1 = self.y0 - margin, self.y1 + margin
        self.y_ticks = (_log_ticks if self.log else _even_ticks)(self.y0, self.y1)
        self.x_ticks = _even_ticks(self.x0, self.x1, 4)

    def x(self, step: float) -> float:
        return _LEFT + (step - self.x0) / (self.x1 - self.x0) * (WIDTH - _LEFT - _RIGHT)

    def y(self, loss: float) -> float:
        low, high, value = (math.log(v) if self.log else v for v in (self.y0, self.y1, loss))
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def _grid(axes: _Axes) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    parts = []
    for tick in axes.y_ticks:
        y = axes.y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{_label(tick)}</text>')
    for tick in axes.x_ticks:
        x = axes.x(tick)
        anchor = "end" if x > right - 16 else "middle"
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="{anchor}">{_label(tick)}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    scale = "loss (log scale)" if axes.log else "loss"
    parts.append(f'<text x="6" y="14">{scale}</text>')
    parts.append(f'<text x="{(_LEFT + right) / 2:.0f}" y="{HEIGHT - 5}" text-anchor="middle">optimizer step</text>')
    return parts


def _line(axes: _Axes, points: list[Point], name: str) -> list[str]:
    places = [f"{axes.x(step):.1f},{axes.y(loss):.1f}" for step, loss in points]
    parts = [f'<polyline class="{name}" points="{" ".join(places)}"/>'] if len(places) > 1 else []
    if name == "valid" or len(places) == 1:
        parts += [f'<circle class="{name}" cx="{x}" cy="{y}" r="2.6"/>' for x, y in (p.split(",") for p in places)]
    return parts


def _legend(drawn: list[tuple[str, str, list[Point]]]) -> list[str]:
    parts, x = [], WIDTH - _RIGHT - 120 * len(drawn)
    for label, name, points in drawn:
        parts += [f'<line class="{name}" x1="{x}" x2="{x + 18}" y1="10" y2="10"/>']
        parts += [f'<circle class="valid" cx="{x + 9}" cy="10" r="2.6"/>'] if name == "valid" else []
        parts.append(f'<text x="{x + 23}" y="14">{label} {_label(points[-1][1])}</text>')
        x += 120
    return parts


def loss_curve(history: list[dict], name: str) -> str:
    """Training loss as a line, validation loss as a dashed line with dots, each with its last value in the legend.

    Args:
        history (`list[dict]`): entries with `step` and `loss` or `eval_loss`, as in `trainer.state.log_history`; anything
            without finite numbers is left out.
        name (`str`): what the curve is of, for readers who cannot see it.

    Returns:
        `str`: an `<svg>` element, or an empty string if there is nothing to draw.
    """
    series = [(label, style, _points(history, key)) for label, key, style in _SERIES]
    drawn = [(label, style, points) for label, style, points in series if points]
    if not drawn:
        return ""
    axes = _Axes([point for _, _, points in drawn for point in points])
    told = ", ".join(
        f"{label} loss from {_label(points[0][1])} at step {_label(points[0][0])} to {_label(points[-1][1])} at step "
        f"{_label(points[-1][0])}"
        for label, _, points in drawn
    )
    parts = [f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(f"{name}: {told}")}">']
    parts += _grid(axes) + _legend(drawn)
    for _, style, points in drawn:
        parts += _line(axes, points, style)
    return "".join([*parts, "</svg>"])


__all__ = ["loss_curve"]
