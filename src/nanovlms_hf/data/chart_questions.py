"""Questions about drawn charts, answered by their tables: values, the largest and the smallest, comparisons, counts.

The charts are those of `charts.py`, whose values can be read off the picture and whose labels nobody can guess. They take the
place of ChartQA in Vary-toy's multi-task training.
"""

from decimal import Decimal
from random import Random

from .charts import Chart, ChartConfig, make_chart, render_chart
from .questions import QA
from .short_answers import Asker, check_count, draw_questions, short_answer_chat

WORDINGS: dict[str, tuple[str, ...]] = {
    "value": (
        "What is the value of {thing}?",
        "Which value does {thing} have?",
        "Read the value of {thing}.",
        "What number does the chart give for {thing}?",
    ),
    "largest": (
        "Which {part} has the largest value{of_series}?",
        "Where is the value{of_series} the highest: at which {part}?",
        "Name the {part} with the greatest value{of_series}.",
    ),
    "smallest": (
        "Which {part} has the smallest value{of_series}?",
        "Where is the value{of_series} the lowest: at which {part}?",
        "Name the {part} with the least value{of_series}.",
    ),
    "top": ("What is the largest value{of_series}?", "How high is the highest value{of_series}?"),
    "compare": (
        "Is the value of {one} larger than that of {other}?",
        "Does {one} have a larger value than {other}?",
        "Compare {one} with {other}: is the value of the former greater?",
    ),
    "difference": (
        "What is the difference between {one} and {other}?",
        "How far apart are the values of {one} and {other}?",
    ),
    "count": ("How many {parts} are there?", "How many {parts} does the chart show?", "Count the {parts}."),
    "series": ("How many series does the chart show?", "How many different data series are there?"),
    "title": ("What is the title of the chart?", "What does the title say?", "What is the chart called?"),
    "measure": ("What does the chart measure?", "Which quantity, in which unit, is shown?", "What is measured here?"),
    "kind": ("What kind of chart is this?", "Which type of chart is shown?"),
}

_KIND_NAMES = {"bar": "bar chart", "line": "line chart", "pie": "pie chart", "scatter": "scatter chart"}


def chart_questions(chart: Chart, rng: Random, paraphrases: bool = True) -> list[QA]:
    """Everything that can be asked about a chart and has one clear answer.

    Args:
        chart (`Chart`): from `make_chart`.
        rng (`Random`): draws wordings, and which values are asked about.
        paraphrases (`bool`, defaults to `True`): draw the wordings among `WORDINGS`; otherwise always the first.

    Returns:
        `list[QA]`: numbers are written as in the chart's table, without commas.
    """
    asker = Asker(rng, WORDINGS, paraphrases)
    part = {"pie": "slice", "scatter": "point"}.get(chart.kind, "category")
    several = len(chart.columns) > 2
    for place, series in enumerate(chart.columns[1:], start=1):
        of_series = f" of {series}" if several else ""
        values = {_thing(chart, row[0], series if several else ""): row[place] for row in chart.rows}
        thing = rng.choice(list(values))
        asker.ask("value", values[thing], thing=thing)
        if chart.kind != "scatter":  # its labels are numbers to be measured, which name nothing
            _ask_extremes(asker, chart, place, part, of_series)
        asker.ask("top", max(values.values()), of_series=of_series)
        _ask_pairs(asker, values)
    plural = {"slice": "slices", "point": "points" if not several else "points in each series"}.get(part, "categories")
    asker.ask("count", len(chart.rows), parts=plural)
    if chart.kind != "pie":
        asker.ask("series", len(chart.columns) - 1)
    asker.ask("title", chart.title)
    asker.ask("measure", chart.table.measure)
    asker.ask("kind", _KIND_NAMES[chart.kind])
    return asker.asked


def chart_question_row(
    seed: int, split: str, index: int, config: ChartConfig | None = None, questions: int = 1
) -> dict[str, list]:
    """A picture of a chart with a chat of questions and short answers; a pure function of its arguments.

    Args:
        seed, split, index, config: as for `charts.make_chart`.
        questions (`int`, defaults to 1): turns, as far as there is so much to ask.

    Returns:
        `dict[str, list]`: `images` and `messages`, as `charts.chart_row`.

    Raises:
        ValueError: a number of questions that cannot be, or what `make_chart` raises.
    """
    check_count(questions)
    config = config or ChartConfig()
    chart = make_chart(seed, split, index, config)
    rng = Random(f"{seed}:{split}:{index}:chart questions")
    asked = draw_questions(chart_questions(chart, rng, config.paraphrases), questions, rng)
    return {
        "images": [render_chart(chart, config.image_size)],
        "messages": short_answer_chat(asked, rng, config.paraphrases),
    }


def _thing(chart: Chart, label: str, series: str) -> str:
    """What a value belongs to, in words: "Plums", "Opal at 1987", "the point at 12.5", "Opal at 12.5"."""
    if series:
        return f"{series} at {label}"
    return f"the point at {label}" if chart.kind == "scatter" else label


def _ask_extremes(asker: Asker, chart: Chart, place: int, part: str, of_series: str) -> None:
    values = [row[place] for row in chart.rows]
    for kind, extreme in (("largest", max(values)), ("smallest", min(values))):
        if values.count(extreme) == 1:
            asker.ask(kind, chart.rows[values.index(extreme)][0], part=part, of_series=of_series)


def _ask_pairs(asker: Asker, values: dict[str, int | float]) -> None:
    one, other = asker.rng.sample(list(values), 2)
    if values[one] != values[other]:
        asker.ask("compare", "Yes" if values[one] > values[other] else "No", one=one, other=other)
    difference = abs(Decimal(str(values[one])) - Decimal(str(values[other])))
    asker.ask("difference", f"{difference.normalize():f}", one=one, other=other)


__all__ = ["WORDINGS", "chart_question_row", "chart_questions"]
