"""Questions about charts: every answer is found again in the chart's table."""

import ast
import re
from random import Random

import numpy as np
import pytest

from nanovlms_hf.data.chart_questions import WORDINGS, chart_question_row, chart_questions
from nanovlms_hf.data.charts import KINDS, ChartConfig, chart_row, make_chart

PLAIN = ChartConfig(paraphrases=False)


def said(row):
    return [turn["content"][-1]["text"] for turn in row["messages"]]


@pytest.fixture(scope="module")
def all_asked():
    """(chart, {thing: value}, question, answer, kind) of many charts, in the first wordings."""
    found = []
    for index in range(80):
        chart = make_chart(0, "train", index, PLAIN)
        values = ast.literal_eval(chart.python_dict())["values"]
        if isinstance(next(iter(values.values())), dict):
            values = {f"{series} at {label}": value for series, row in values.items() for label, value in row.items()}
        elif chart.kind == "scatter":
            values = {f"the point at {label}": value for label, value in values.items()}
        found += [(chart, values, *qa) for qa in chart_questions(chart, Random(index), paraphrases=False)]
    return found


def of_kind(all_asked, kind):
    found = [rest[:4] for *rest, asked_kind in all_asked if asked_kind == kind]
    assert found, f"no chart was asked for {kind}"
    return found


def test_every_kind_of_question_comes_up_for_every_kind_of_chart(all_asked):
    assert {kind for *_, kind in all_asked} == set(WORDINGS)
    assert {chart.kind for chart, *_ in all_asked} == set(KINDS)


def test_values(all_asked):
    for _, values, question, answer in of_kind(all_asked, "value"):
        assert str(values[re.fullmatch(r"What is the value of (.*)\?", question).group(1)]) == answer


def series_values(values, question):
    """Those of the series that a question names, by label."""
    series = re.search(r"value of (.*)\?$", question)
    if not series:
        return values
    return {
        thing.split(" at ")[1]: value for thing, value in values.items() if thing.startswith(f"{series.group(1)} at ")
    }


def test_extremes_are_the_only_ones(all_asked):
    for kind, pick in (("largest", max), ("smallest", min)):
        for chart, values, question, answer in of_kind(all_asked, kind):
            assert chart.kind != "scatter"
            row = series_values(values, question)
            assert [label for label, value in row.items() if value == pick(row.values())] == [answer]
    for _, values, question, answer in of_kind(all_asked, "top"):
        assert str(max(series_values(values, question).values())) == answer


def test_comparisons_and_differences(all_asked):
    answers = []
    for _, values, question, answer in of_kind(all_asked, "compare"):
        one, other = re.fullmatch(r"Is the value of (.*) larger than that of (.*)\?", question).groups()
        assert answer == ("Yes" if values[one] > values[other] else "No") and values[one] != values[other]
        answers.append(answer)
    assert 0.3 < answers.count("Yes") / len(answers) < 0.7
    for _, values, question, answer in of_kind(all_asked, "difference"):
        one, other = re.fullmatch(r"What is the difference between (.*) and (.*)\?", question).groups()
        assert abs(values[one] - values[other]) == pytest.approx(float(answer))
        assert re.fullmatch(r"\d+(\.\d*[1-9])?", answer)


def test_counts_and_words(all_asked):
    for chart, _, _, answer in of_kind(all_asked, "count"):
        assert int(answer) == len(chart.rows)
    for chart, _, _, answer in of_kind(all_asked, "series"):
        assert int(answer) == len(chart.columns) - 1 and chart.kind != "pie"
    for chart, _, _, answer in of_kind(all_asked, "title"):
        assert answer == chart.title
    for chart, _, _, answer in of_kind(all_asked, "measure"):
        assert answer == chart.table.measure
    for chart, _, _, answer in of_kind(all_asked, "kind"):
        assert answer == f"{chart.kind} chart"


def test_a_row_is_a_function_of_seed_split_and_index():
    first, again = (chart_question_row(3, "train", 5, questions=4) for _ in range(2))
    assert said(first) == said(again) and len(said(first)) == 8
    assert np.array_equal(first["images"][0], again["images"][0])
    assert np.array_equal(first["images"][0], chart_row(3, "train", 5)["images"][0])
    assert said(first) != said(chart_question_row(3, "train", 6, questions=4))
    assert said(first) != said(chart_question_row(3, "test", 5, questions=4))


def test_the_first_turn_has_the_picture_and_the_instruction():
    row = chart_question_row(0, "train", 0, PLAIN, questions=3)
    assert [[block["type"] for block in turn["content"]] for turn in row["messages"]] == [
        ["image", "text"],
        *[["text"]] * 5,
    ]
    assert said(row)[0].endswith(" Answer using a single word or phrase.")


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="expected a whole number from 1 to 20"):
        chart_question_row(0, "train", 0, questions=0)
    with pytest.raises(ValueError, match="split='dev' is unknown"):
        chart_question_row(0, "dev", 0)
