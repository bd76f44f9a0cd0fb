"""Charts as data: a random table, the axis it is drawn on, and how the picture is to look.

Content is random on purpose, as in Vary's charts (arXiv 2312.06109): words, names and numbers that a language model could
guess would teach it to guess. Values can be read from the picture: where they are not written next to their mark they are
rounded to a fourth or a fifth of the distance between two ticks: about 6 pixels of a picture of 192 pixels, seldom under 3.
"""

import random
from dataclasses import dataclass
from functools import cached_property

from .chart_tables import ChartTable
from .chart_words import HEADERS, UNITS, draw_labels, draw_times, draw_word
from .world import SPLIT_OFFSETS

KINDS = ("bar", "line", "pie", "scatter")
SMALLEST_IMAGE = 192
MAX_SERIES, MAX_CATEGORIES = 4, 8


@dataclass(frozen=True)
class ChartConfig:
    """Which charts to make.

    Args:
        image_size (`int`, defaults to 192): side of the square picture in pixels, at least 192; also decides how many value
            labels there is room for.
        kinds (`tuple[str, ...]`): kinds to draw from, each as often as it is named.
        series (`tuple[int, int]`, defaults to `(1, 2)`): fewest and most series, 1 to 4; a pie always has one.
        categories (`tuple[int, int]`, defaults to `(2, 5)`): fewest and most labels, or points of a scatter chart, 2 to 8.
        value_labels (`float`, defaults to 0.5): how often the values stand next to bars, points and slices where there is
            room for them; never in scatter charts.
        paraphrases (`bool`, defaults to `True`): ask in many wordings; otherwise always in the paper's own.

    Raises:
        ValueError: if a value is of the wrong kind or out of its range.
    """

    image_size: int = SMALLEST_IMAGE
    kinds: tuple[str, ...] = KINDS
    series: tuple[int, int] = (1, 2)
    categories: tuple[int, int] = (2, 5)
    value_labels: float = 0.5
    paraphrases: bool = True

    def __post_init__(self):
        if not _is_whole(self.image_size) or not SMALLEST_IMAGE <= self.image_size <= 4096:
            raise ValueError(
                f"image_size={self.image_size!r} does not suit a chart; give whole pixels from {SMALLEST_IMAGE}, below which "
                "its text cannot be read, to 4096."
            )
        kinds = (self.kinds,) if isinstance(self.kinds, str) else self.kinds
        if not isinstance(kinds, list | tuple) or not kinds or any(kind not in KINDS for kind in kinds):
            raise ValueError(f"kinds={self.kinds!r} has to be a list of chart kinds; choose from {', '.join(KINDS)}.")
        object.__setattr__(self, "kinds", tuple(kinds))
        for name, least, most in (("series", 1, MAX_SERIES), ("categories", 2, MAX_CATEGORIES)):
            object.__setattr__(self, name, _checked_range(name, getattr(self, name), least, most))
        share = self.value_labels
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ValueError(f"value_labels={share!r} has to be a share of the charts; give a number from 0 to 1.")
        if not isinstance(self.paraphrases, bool):
            raise ValueError(f"paraphrases={self.paraphrases!r} has to be true or false.")


def _is_whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _checked_range(name: str, given, least: int, most: int) -> tuple[int, int]:
    pair = tuple(given) if isinstance(given, list | tuple) else ()
    if len(pair) != 2 or not all(map(_is_whole, pair)) or not least <= pair[0] <= pair[1] <= most:
        raise ValueError(
            f"{name}={given!r} has to be the fewest and the most {name}; give two whole numbers from {least} to {most}, the "
            "smaller first."
        )
    return pair


def _number(mantissa: int, exponent: int) -> int | float:
    return mantissa * 10**exponent if exponent >= 0 else round(mantissa / 10**-exponent, -exponent)


@dataclass(frozen=True)
class ValueAxis:
    """A numeric axis whose ticks are 1, 2 or 5 times a power of ten apart.

    Attributes:
        first (`int`): the lowest tick, counted in steps from zero.
        intervals (`int`): intervals between ticks.
        mantissa (`int`), exponent (`int`): the step is `mantissa * 10 ** exponent`.
        fine (`bool`): values may be finer than the eye can tell, because they are written out.
    """

    first: int
    intervals: int
    mantissa: int
    exponent: int
    fine: bool = False

    @cached_property
    def ticks(self) -> tuple[int | float, ...]:
        """Numbers at the ticks, lowest first."""
        steps = range(self.first, self.first + self.intervals + 1)
        return tuple(_number(step * self.mantissa, self.exponent) for step in steps)

    @property
    def _last_digit(self) -> int:
        """Power of ten of the last digit of a value."""
        if self.fine:
            return self.exponent - (2 if self.exponent == 2 else 1)
        return self.exponent - (self.mantissa != 5)

    @property
    def parts(self) -> int:
        """Values that one interval is divided into."""
        if self.fine:
            return self.mantissa * 10 ** (self.exponent - self._last_digit)
        return {1: 5, 2: 4, 5: 5}[self.mantissa]

    def value(self, place: int) -> int | float:
        """The value `place` parts above the lowest tick."""
        step = self.mantissa * 10 ** (self.exponent - self._last_digit)
        return _number(self.first * step + place * step // self.parts, self._last_digit)

    @property
    def places(self) -> int:
        """Number of the highest place."""
        return self.parts * self.intervals


@dataclass(frozen=True)
class ChartLook:
    """How a chart is drawn: everything that its table does not say.

    Attributes:
        font (`int`): index of the family; bold_title, title_left: look of the title.
        scale (`float`): size of the text, 1 being the smallest that can be read.
        hue (`float`): of the first colour, 0 to 1; many_hues: single bars each in their own colour.
        dark (`bool`), grid (`bool`), box (`bool`): dark ground; lines at the ticks; frame on four sides instead of two.
        horizontal (`bool`): bars lie; thickness: share of its slot that a bar fills.
        measure_above (`bool`): the measure stands above the axis instead of along it.
        legend_below (`bool`): the legend is under the plot instead of above.
        thousands (`bool`): commas in large numbers.
        marker (`int`): index of the first series' marker; dashed: later lines are dashed.
        names_beside (`bool`): names stand beside the slices of a pie instead of in a legend; turn: degrees of its first edge;
        hole: share of its radius cut out, 0 for a full pie.
    """

    font: int
    bold_title: bool
    title_left: bool
    scale: float
    hue: float
    many_hues: bool
    dark: bool
    grid: bool
    box: bool
    horizontal: bool
    thickness: float
    measure_above: bool
    legend_below: bool
    thousands: bool
    marker: int
    dashed: bool
    names_beside: bool
    turn: float
    hole: float


@dataclass(frozen=True)
class Chart:
    """A chart: `table` is what it says, the rest how it is drawn.

    Attributes:
        kind (`str`): one of `KINDS`.
        table (`ChartTable`): title, headers and values.
        axis (`ValueAxis`): of the values; None for a pie.
        label_axis (`ValueAxis`): of the labels of a scatter chart; else None.
        value_labels (`bool`): values are written next to their marks.
        look (`ChartLook`): fonts, colours, arrangement.
    """

    kind: str
    table: ChartTable
    axis: ValueAxis | None
    label_axis: ValueAxis | None
    value_labels: bool
    look: ChartLook

    @property
    def title(self) -> str:
        """The line above the chart."""
        return self.table.title

    @property
    def columns(self) -> tuple[str, ...]:
        """Header of the labels, then one a series."""
        return self.table.columns

    @property
    def rows(self) -> tuple[tuple, ...]:
        """Label and values, row by row."""
        return self.table.rows

    def markdown(self) -> str:
        """The table as Markdown, see `ChartTable.markdown`."""
        return self.table.markdown()

    def python_dict(self) -> str:
        """The table as the text of a python dict, see `ChartTable.python_dict`."""
        return self.table.python_dict()


def make_chart(seed: int, split: str, index: int, config: ChartConfig | None = None) -> Chart:
    """The chart of a row, a pure function of its arguments.

    Args:
        seed (`int`): seed of the charts.
        split (`str`): `train`, `validation` or `test`; the last two use only words that `train` never does.
        index (`int`): number of the row.
        config (`ChartConfig`, *optional*): which charts to make.

    Returns:
        `Chart`: with a table that can be read off its picture.

    Raises:
        ValueError: if the split is unknown or the index is negative.
    """
    if split not in SPLIT_OFFSETS:
        raise ValueError(f"split={split!r} is unknown; choose one of {', '.join(SPLIT_OFFSETS)}.")
    if not _is_whole(index) or index < 0:
        raise ValueError(f"index={index!r} is not the number of a row; give a whole number from 0.")
    config = config or ChartConfig()
    rng = random.Random(f"{seed}:{split}:{index}:chart")
    kind = rng.choice(config.kinds)
    held_out = split != "train"
    title = _title(rng, held_out)
    look = _look(rng)
    maker = {"pie": _make_pie, "scatter": _make_scatter}.get(kind, _make_categories)
    return maker(rng, held_out, kind, title, look, config)


def _look(rng: random.Random) -> ChartLook:
    return ChartLook(
        font=rng.randrange(4),
        bold_title=rng.random() < 0.5,
        title_left=rng.random() < 0.3,
        scale=rng.choice((1.0, 1.0, 1.1, 1.2)),
        hue=round(rng.random(), 3),
        many_hues=rng.random() < 0.4,
        dark=rng.random() < 0.2,
        grid=rng.random() < 0.6,
        box=rng.random() < 0.5,
        horizontal=rng.random() < 0.35,
        thickness=rng.choice((0.6, 0.7, 0.8, 0.9)),
        measure_above=rng.random() < 0.4,
        legend_below=rng.random() < 0.5,
        thousands=rng.random() < 0.5,
        marker=rng.randrange(4),
        dashed=rng.random() < 0.5,
        names_beside=rng.random() < 0.5,
        turn=float(rng.choice((0, 30, 45, 60, 90, 120))),
        hole=rng.choice((0.0, 0.0, 0.4)),
    )


def _title(rng: random.Random, held_out: bool) -> str:
    first, second = draw_word(rng, held_out), draw_word(rng, held_out)
    year = rng.randint(1900, 2099)
    patterns = (f"{first} {second}", f"{first} in {second}", f"{first} {year}", f"{first} {second} {year}")
    return rng.choice((*patterns, f"{first} and {second}", f"{first} of {second}"))


def _measure(rng: random.Random, held_out: bool, taken: tuple[str, ...] = (), units: tuple[str, ...] = UNITS) -> str:
    return f"{draw_word(rng, held_out, 7, taken)} ({rng.choice(units)})"


def _draw_axis(rng: random.Random, from_zero: bool, fine: bool = False) -> ValueAxis:
    first = 0 if from_zero or rng.random() < 0.4 else rng.choice((-4, -2, -1, *range(1, 13)))
    exponent = rng.choice((-1, 0, 0, 1, 1, 2, 3))
    return ValueAxis(first, rng.randint(3, 5), rng.choice((1, 2, 5)), exponent, fine)


def _apart(rng: random.Random, axis: ValueAxis, count: int) -> list[int | float]:
    """Values of `count` series at one label, no two so close that their marks would hide each other."""
    gap = max(1, axis.parts * 2 // 5)
    while True:
        places = [rng.randint(0, axis.places) for _ in range(count)]
        if all(abs(a - b) >= gap for i, a in enumerate(places) for b in places[:i]):
            return [axis.value(place) for place in places]


def _make_categories(rng, held_out, kind, title, look, config) -> Chart:
    count, series = rng.randint(*config.categories), rng.randint(*config.series)
    if rng.random() < (0.6 if kind == "line" else 0.25):
        header, labels = draw_times(rng, count)
    else:
        header, labels = rng.choice(HEADERS), draw_labels(rng, held_out, count, longest=8 if count <= 3 else 6)
    measure = _measure(rng, held_out)
    names = (measure,) if series == 1 else tuple(draw_labels(rng, held_out, series))
    wants_labels = rng.random() < config.value_labels
    axis = _draw_axis(rng, from_zero=kind == "bar", fine=wants_labels)
    value_labels = wants_labels and _has_room(kind, count, series, axis, look, config.image_size)
    if wants_labels and not value_labels:
        axis = ValueAxis(axis.first, axis.intervals, axis.mantissa, axis.exponent)
    if kind == "bar":
        least = max(1, axis.parts // 5)  # a bar of no height says nothing
        rows = [(label, *(axis.value(rng.randint(least, axis.places)) for _ in names)) for label in labels]
    else:
        rows = [(label, *_apart(rng, axis, series)) for label in labels]
    table = ChartTable(title, measure, (header, *names), tuple(rows))
    return Chart(kind, table, axis, None, value_labels, look)


def _has_room(kind: str, count: int, series: int, axis: ValueAxis, look: ChartLook, image_size: int) -> bool:
    """Whether values can be written at the marks: turned on bars, level above and below points."""
    text_height = text_pixels(image_size) * look.scale
    if kind == "bar":
        slot = 0.55 * image_size / count * (1 if series == 1 else look.thickness / series)
        return text_height * 1.15 <= slot
    longest = max(len(f"{axis.value(place):,}") for place in (1, axis.places - 1))
    return series <= 2 and longest * text_height * 0.65 <= 0.62 * image_size / count


def text_pixels(image_size: int) -> float:
    """Size of plain text in a picture of this side: 10 pixels at 192, growing more slowly than the picture."""
    return 10.0 * (image_size / SMALLEST_IMAGE) ** 0.6


def _make_scatter(rng, held_out, kind, title, look, config) -> Chart:
    count, series = rng.randint(*config.categories), rng.randint(*config.series)
    measure = _measure(rng, held_out)
    header = _measure(rng, held_out, (measure.split()[0],))
    names = (measure,) if series == 1 else tuple(draw_labels(rng, held_out, series))
    axis, label_axis = _draw_axis(rng, from_zero=False), _draw_axis(rng, from_zero=False)
    spread = (
        count - 1 if label_axis.places >= 2 * (count - 1) else 0
    )  # two parts between points, where there are enough
    drawn = sorted(rng.sample(range(label_axis.places + 1 - spread), count))
    places = [place + (rank if spread else 0) for rank, place in enumerate(drawn)]
    rows = [(str(label_axis.value(place)), *_apart(rng, axis, series)) for place in places]
    table = ChartTable(title, measure, (header, *names), tuple(rows), numeric_labels=True)
    return Chart(kind, table, axis, label_axis, False, look)


def _make_pie(rng, held_out, kind, title, look, config) -> Chart:
    count = rng.randint(*config.categories)
    labels = draw_labels(rng, held_out, count, longest=7)
    value_labels = rng.random() < config.value_labels
    amounts = value_labels and rng.random() < 0.5
    measure = _measure(rng, held_out, units=UNITS[1:] if amounts else UNITS[:1])  # the first unit is per cent
    part, least = (1, 7) if value_labels else (5, 10)  # a twentieth of the circle can be seen
    values: list[int | float] = _shares(rng, count, part, least)
    if amounts:
        size = rng.choice((1, 4, 10, 25))
        values = [value * size + rng.randrange(size) for value in values]
        values = [value / 10 for value in values] if size < 10 and rng.random() < 0.5 else values
    table = ChartTable(title, measure, ("", measure), tuple(zip(labels, values, strict=True)))
    return Chart(kind, table, None, None, value_labels, look)


def _shares(rng: random.Random, count: int, part: int, least: int) -> list[int]:
    """Random multiples of `part`, none below `least`, with the sum 100."""
    free = (100 - count * least) // part
    cuts = sorted(rng.randint(0, free) for _ in range(count - 1))
    shares = [least + part * (high - low) for low, high in zip([0, *cuts], [*cuts, free], strict=True)]
    shares[0] += 100 - sum(shares)
    return shares


__all__ = [
    "KINDS",
    "MAX_CATEGORIES",
    "MAX_SERIES",
    "SMALLEST_IMAGE",
    "Chart",
    "ChartConfig",
    "ChartLook",
    "ValueAxis",
    "make_chart",
    "text_pixels",
]
