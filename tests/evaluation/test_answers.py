"""Hand-worked cases of the answer metrics: each expected number follows from the rule by hand."""

import pytest

from nanovlms_hf.evaluation.answers import (
    anls,
    contains,
    elements_found,
    exact,
    relaxed_correct,
    vqa_accuracy,
    vqa_words,
    yes_or_no,
)


@pytest.mark.parametrize(
    "said, accepted, expected",
    [
        ("hello", ["hello"], 1.0),
        ("Hello  World", ["hello world"], 1.0),  # capitals and runs of blanks
        (" hello\n", ["hello"], 1.0),
        ("helo", ["hello"], 0.8),  # one insertion in five characters
        ("hallo", ["hello"], 0.8),
        ("hello", ["hallo", "hello"], 1.0),  # the best accepted answer counts
        ("ab", ["ac"], 0.5),  # exactly the threshold is kept
        ("abc", ["xyz"], 0.0),
        ("abcd", ["abxyz"], 0.0),  # 1 - 3/5 = 0.4 lies below the threshold
        ("", ["hello"], 0.0),
        ("hello world", ["hello"], 0.0),  # 1 - 6/11
        ("1,234.50", ["1,234.60"], 0.875),  # one of eight characters
        ("été", ["ete"], 0.0),  # 1 - 2/3
        ("nineteen", ["ninteen"], 0.875),
    ],
)
def test_anls(said, accepted, expected):
    assert anls(said, accepted) == pytest.approx(expected)


def test_anls_needs_an_answer():
    with pytest.raises(ValueError, match="at least one accepted answer"):
        anls("x", [])


@pytest.mark.parametrize(
    "said, true, expected",
    [
        ("10", "10", 1),
        ("10.4", "10", 1),  # 4 %
        ("10.5", "10", 1),  # exactly 5 %
        ("10.51", "10", 0),
        ("9.5", "10", 1),
        ("9.4", "10", 0),
        ("-10", "10", 0),
        ("-9.8", "-10", 1),
        ("5%", "5%", 1),
        ("5%", "0.05", 1),  # a percentage is its fraction
        ("5", "5%", 0),
        ("0", "0", 1),  # no relative error at zero: the texts have to agree
        ("0.0", "0", 0),
        ("Yes", "yes", 1),
        (" blue ", "Blue", 1),
        ("blue.", "blue", 0),
        ("1,200", "1200", 0),  # no number to the scripts in use
        ("", "10", 0),
        ("nan", "10", 0),
        ("2019", "2020", 1),  # years are numbers too: a known weakness of the measure
    ],
)
def test_relaxed_accuracy(said, true, expected):
    assert relaxed_correct(said, true) == expected


@pytest.mark.parametrize(
    "said, people, expected",
    [
        ("red", ["red"] * 10, 1.0),
        ("red", ["red"] * 3 + ["blue"] * 7, (3 * 2 / 3 + 7 * 1) / 10),
        ("red", ["red"] * 1 + ["blue"] * 9, 9 * (1 / 3) / 10),
        ("red", ["red"] * 2 + ["blue"] * 8, (2 * 1 / 3 + 8 * 2 / 3) / 10),
        ("green", ["red"] * 10, 0.0),
        ("The Red.", ["red"] * 10, 1.0),
        ("two", ["2"] * 10, 1.0),
        ("don't know", ["dont know"] * 10, 1.0),
        ("1,000", ["1000"] * 10, 1.0),
        ("", ["red"] * 10, 0.0),
        ("red", ["red"], 1.0),
    ],
)
def test_vqa_accuracy(said, people, expected):
    assert vqa_accuracy(said, people) == pytest.approx(expected)


def test_vqa_words_keep_decimals():
    assert vqa_words("It is 3.5 m, a U.S. unit!") == "it is 3.5 m u s unit"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Yes", True),
        ("no.", False),
        ("Yes, there is no cat", True),  # the first word decides
        ("True", True),
        ("false", False),
        ("I think yes", True),
        ("there is none", None),
        ("nothing", None),
        ("it may be yes or no", None),
        ("", None),
    ],
)
def test_yes_or_no(text, expected):
    assert yes_or_no(text) is expected


def test_exact_contains_and_elements():
    assert exact("A red Mug.", ["a red mug"]) == 1 and exact("a mug", ["a red mug"]) == 0 and exact("", ["x"]) == 0
    assert contains("The total is 42 USD", ["42"]) == 1 and contains("anything", [""]) == 0
    assert contains("x ^ 2", ["x^2"], ignore_blanks=True) == 1 and contains("X^2", ["x^2"], ignore_blanks=True) == 0
    assert elements_found("x = -1 or x = -5", "-1<AND>-5") == 1
    assert elements_found("x is five", "4<AND>5") == 0.5
    assert elements_found("a dog", "cat <OR> dog") == 1 and elements_found("", "cat") == 0
