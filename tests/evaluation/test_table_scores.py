"""Scores of tables, worked by hand, and reading tables out of what models write."""

import itertools

import numpy as np
import pytest

from nanovlms_hf.data.chart_tables import ChartTable
from nanovlms_hf.evaluation import table_scores as module
from nanovlms_hf.evaluation.table_scores import (
    corpus_table_scores,
    label_similarity,
    number_similarity,
    parse_markdown_table,
    parse_python_dict,
    parse_table,
    read_number,
    table_scores,
)

TRUTH = ChartTable("Rain", "Rain (mm)", ("Day", "Oslo", "Rome"), (("Mon", 10, 20), ("Tue", 30, 40)))
SINGLE = ChartTable("Plums", "Plums (kg)", ("Year", "Plums (kg)"), (("1987", 100), ("1988", 50)))
POINTS = ChartTable("P", "Y (m)", ("X (s)", "Y (m)"), (("10", 5), ("20", 7)), numeric_labels=True)
EMPTY = ChartTable("", "", (), ())


def scores(prediction: str, truth: ChartTable = TRUTH) -> tuple[float, float, float]:
    found = table_scores(prediction, truth)
    return found["precision"], found["recall"], found["f1"]


def table(*rows: str) -> str:
    return "\n".join(f"| {row} |" for row in rows)


RULE = "--- | --- | ---"

HAND_WORKED = {
    "right": (table("Day | Oslo | Rome", RULE, "Mon | 10 | 20", "Tue | 30 | 40"), TRUTH, 4 / 4, 4 / 4),
    "rows and columns in another order": (
        table("Day | Rome | Oslo", RULE, "Tue | 40 | 30", "Mon | 20 | 10"),
        TRUTH,
        1,
        1,
    ),
    "transposed": (table("City | Mon | Tue", RULE, "Oslo | 10 | 30", "Rome | 20 | 40"), TRUTH, 1, 1),
    "as a dict": ("{'values': {'Oslo': {'Mon': 10, 'Tue': 30}, 'Rome': {'Mon': 20, 'Tue': 40}}}", TRUTH, 1, 1),
    # 19 for 20 is off by a twentieth: 0.95. The other three are right.
    "one number nearly right": (
        table("Day | Oslo | Rome", RULE, "Mon | 10 | 19", "Tue | 30 | 40"),
        TRUTH,
        3.95 / 4,
        3.95 / 4,
    ),
    # 17 for 20 is off by 0.15, beyond the threshold.
    "one number wrong": (table("Day | Oslo | Rome", RULE, "Mon | 10 | 17", "Tue | 30 | 40"), TRUTH, 3 / 4, 3 / 4),
    "one row missing": (table("Day | Oslo | Rome", RULE, "Mon | 10 | 20"), TRUTH, 2 / 2, 2 / 4),
    "one row too many": (
        table("Day | Oslo | Rome", RULE, "Mon | 10 | 20", "Tue | 30 | 40", "Wed | 1 | 2"),
        TRUTH,
        4 / 6,
        1,
    ),
    "a row twice": (table("Day | Oslo | Rome", RULE, "Mon | 10 | 20", "Mon | 10 | 20"), TRUTH, 2 / 4, 2 / 4),
    "an empty cell": (table("Day | Oslo | Rome", RULE, "Mon | 10 |  ", "Tue | 30 | 40"), TRUTH, 3 / 3, 3 / 4),
    # "Oslq" is one edit of four from "Oslo": its two cells count 0.75 each.
    "a letter of a column wrong": (
        table("Day | Oslq | Rome", RULE, "Mon | 10 | 20", "Tue | 30 | 40"),
        TRUTH,
        3.5 / 4,
        3.5 / 4,
    ),
    # "Fri" differs from "Mon" and "Tue" in more than half of its letters.
    "a wrong label": (table("Day | Oslo | Rome", RULE, "Fri | 10 | 20", "Tue | 30 | 40"), TRUTH, 2 / 4, 2 / 4),
    "values of two columns swapped": (table("Day | Rome | Oslo", RULE, "Mon | 10 | 20", "Tue | 30 | 40"), TRUTH, 0, 0),
    # "1986" is a quarter away from both years; the only pairing with equal labels wins and 50 is right, 100 counts 0.75.
    "a year misread": (table("Year | Plums (kg)", "1986 | 100", "1988 | 50"), SINGLE, 1.75 / 2, 1.75 / 2),
    # 4/5 of the label (8 for 10), then the number right: but 0.2 is beyond the threshold of numbers.
    "a point too far": (table("X (s) | Y (m)", "8 | 5", "20 | 7"), POINTS, 1 / 2, 1 / 2),
    # 19 for 20 counts 0.95 as a label.
    "a point nearly there": (table("X (s) | Y (m)", "10.0 | 5", "19 | 7"), POINTS, 1.95 / 2, 1.95 / 2),
    "no table": ("I see a chart.", TRUTH, 0, 0),
}


@pytest.mark.parametrize("name", HAND_WORKED)
def test_hand_worked_scores(name):
    prediction, truth, precision, recall = HAND_WORKED[name]
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert scores(prediction, truth) == pytest.approx((precision, recall, f1))


def test_thresholds_can_be_moved():
    off = table("Day | Oslo | Rome", RULE, "Mon | 10 | 15", "Tue | 30 | 40")
    assert table_scores(off, TRUTH, number_threshold=0.5)["recall"] == pytest.approx(3.75 / 4)
    renamed = table("Day | Oslq | Rome", RULE, "Mon | 10 | 20", "Tue | 30 | 40")
    assert table_scores(renamed, TRUTH, label_threshold=0.2)["recall"] == pytest.approx(2 / 4)


def test_parts_of_the_similarity():
    assert label_similarity("Oslo", " oslo ") == 1 and label_similarity("", "") == 1
    assert label_similarity("Oslo", "Osla") == 0.75 and label_similarity("ab", "ac") == 0.5
    assert label_similarity("abc", "xyc") == 0 == label_similarity("", "abc")
    assert number_similarity(95, 100) == pytest.approx(0.95) and number_similarity(-95, -100) == pytest.approx(0.95)
    assert number_similarity(89, 100) == 0 == number_similarity(-100, 100)
    assert number_similarity(0, 0) == 1 and number_similarity(0.01, 0) == 0


def test_titles_and_text_values_are_compared_as_text():
    words = ChartTable("Ranks", "Rank", ("Name", "Rank"), (("Ann", "gold"), ("Bob", "iron")))
    found = table_scores("# Ranqs\n\n| Name | Rank |\n|---|---|\n| Ann | gola |\n| Bob | 3 |", words)
    assert found["title"] == pytest.approx(0.8) and found["recall"] == pytest.approx(0.75 / 2)


def test_a_corpus_is_the_mean_over_tables_and_counts_the_unreadable():
    right = TRUTH.markdown()
    half = table("Day | Oslo | Rome", RULE, "Mon | 10 | 20")
    found = corpus_table_scores([(right, TRUTH), (half, TRUTH), ("{'values': {'Oslo'", TRUTH)])
    assert found == pytest.approx(
        {
            "precision": 2 / 3,
            "recall": 1.5 / 3,
            "f1": (1 + 2 / 3) / 3,
            "title": 1 / 3,
            "tables": 3,
            "unreadable": 1,
        }
    )


def test_nothing_to_compare_with_is_a_sentence():
    with pytest.raises(ValueError, match="the true table 'T' has no values"):
        table_scores("", ChartTable("T", "", ("a", "b"), (("x", None),)))
    with pytest.raises(ValueError, match="give at least one pair"):
        corpus_table_scores([])


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    (
        ("12", 12),
        (" -3.50 ", -3.5),
        ("1,200", 1200),
        ("$1,200.5", 1200.5),
        ("45%", 45),
        (".5", 0.5),
        ("+7", 7),
        ("", None),
        ("-", None),
        ("%", None),
        ("Q1", None),
        ("1,20", None),
        ("1987-88", None),
        ("9" * 40, None),
        ("nan", None),
        ("１２", None),
    ),
)
def test_numbers(text, number):
    found = read_number(text)
    assert found == number and type(found) is type(number)


def test_markdown_is_read_out_of_what_surrounds_it():
    text = "Here it is:\n\n# Rain\n\nRain (mm)\n\n|Day|Oslo|Rome|\n|:--|--:|---|\n|Mon|10|20|\n| Tue | 30 | 40\n\nThat is all | really."
    assert parse_markdown_table(text) == TRUTH == parse_table(text)
    assert parse_markdown_table("Day | Oslo\nMon | 10") == ChartTable("", "Oslo", ("Day", "Oslo"), (("Mon", 10),))
    ragged = parse_markdown_table("| Day | Oslo |\n| Mon |\n| Tue | 1 | 2 |")
    assert ragged == ChartTable("", "", ("Day", "Oslo", ""), (("Mon", None, None), ("Tue", 1, 2)))
    assert parse_markdown_table("| a\\|b | c |\n| x | y\\|z |").columns == ("a|b", "c")


@pytest.mark.parametrize(
    "text",
    (
        "",
        "words",
        "|",
        "| a | b |",
        "| a |\n| b |",
        "|||\n|||"[:3],
        "| a | b |\n| --- | --- |",
        "| 1 | 2 |\n" * 300,
        "x" * 20_001,
    ),
)
def test_broken_markdown_is_an_empty_table(text):
    assert parse_markdown_table(text) == EMPTY


def test_dicts_are_read_out_of_what_surrounds_them():
    assert parse_python_dict(f"```python\n{TRUTH.python_dict()}\n```") == TRUTH
    bare = parse_python_dict("{'Mon': '1,200', 'Tue': 3, 'Wed': None, 'Thu': True}")
    assert bare == ChartTable("", "", ("", ""), (("Mon", 1200), ("Tue", 3), ("Wed", None), ("Thu", "True")))
    gaps = parse_python_dict("{'values': {'A': {'x': 1}, 'B': {'y': 2}, 'C': 5}}")
    assert gaps == ChartTable("", "", ("", "A", "B"), (("x", 1, None), ("y", None, 2)))


@pytest.mark.parametrize(
    "text",
    (
        "",
        "{",
        "}{",
        "{}",
        "{'a': 1",
        "{'values': {}}",
        "{'values': 3}",
        "{1, 2}",
        "{[]: 1}",
        "{'a': __import__('os').abort()}",
        "{'a': open('x')}",
        "{**{'a': 1}}",
        "{'a': " + "[" * 5000 + "]" * 5000 + "}",
        "{" * 9000 + "}" * 9000,
        "{'a': " + "-" * 15_000 + "1}",
        "{'a': " + "not " * 4000 + "1}",
        "{'a': " + "1+" * 4000 + "1}",
        "{'a': " + "9" * 5000 + "}",
        "{'a': 1}" + " " * 20_000 + "}",
        "{" + ", ".join(f"'{n}': {n}" for n in range(400)) + "}",
        "{'a': '\x00'}",
        "{'a': '\ud800'}",
    ),
)
def test_broken_and_hostile_dicts_are_empty_tables(text):
    assert parse_python_dict(text) == EMPTY
    assert table_scores(text, TRUTH) == {"precision": 0, "recall": 0, "f1": 0, "title": 0, "readable": 0}


def test_the_form_is_recognised():
    assert parse_table(TRUTH.markdown()) == TRUTH == parse_table(TRUTH.python_dict())
    assert parse_table("{a} " + "\n" + SINGLE.markdown()) == SINGLE


def test_labels_with_a_unit_are_read_as_numbers_and_years_are_not():
    for parse, text in ((parse_markdown_table, ChartTable.markdown), (parse_python_dict, ChartTable.python_dict)):
        assert parse(text(POINTS)).numeric_labels and not parse(text(SINGLE)).numeric_labels
        assert not parse(text(TRUTH)).numeric_labels


@pytest.mark.parametrize("shape", ((1, 1), (2, 3), (3, 2), (4, 4), (3, 6)))
def test_the_assignment_is_the_best_of_all(shape):
    rng = np.random.default_rng(0)
    for draw in range(20):
        gains = rng.random(shape) if draw % 2 else rng.integers(0, 3, shape) / 2  # ties too
        pairs = module._best_assignment(gains)
        rows, columns = zip(*pairs, strict=True)
        assert len(pairs) == len(set(rows)) == len(set(columns)) == min(shape)
        tall = gains if shape[0] <= shape[1] else gains.T
        orders = itertools.permutations(range(tall.shape[1]), tall.shape[0])
        best = max(tall[range(tall.shape[0]), order].sum() for order in orders)
        assert sum(gains[pair] for pair in pairs) == pytest.approx(best)
