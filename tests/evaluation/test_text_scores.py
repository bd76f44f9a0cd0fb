"""Edit distances between texts: exact figures, white space, and what cannot be scored."""

import pytest

from nanovlms_hf.evaluation.text_scores import (
    character_error_rate,
    normalised_edit_distance,
    plain_spaces,
    word_error_rate,
)

SCORES = [character_error_rate, word_error_rate, normalised_edit_distance]


@pytest.mark.parametrize("score", SCORES)
def test_a_perfect_reading_has_no_errors(score):
    assert score([("Plums 12.50\nfor Anna", "Plums 12.50\nfor Anna"), ("x", "x")]) == 0.0


@pytest.mark.parametrize(
    ("said", "truth", "characters", "words", "normalised"),
    [
        ("kitten", "sitting", 3 / 7, 1.0, 3 / 7),
        ("a red cat", "a red hat", 1 / 9, 1 / 3, 1 / 9),
        ("a cat", "a red cat", 4 / 9, 1 / 3, 4 / 9),  # one word left out
        ("a red red cat", "a red cat", 4 / 9, 1 / 3, 4 / 13),  # one word too many
        ("", "four", 1.0, 1.0, 1.0),
        ("abcdef", "xy", 3.0, 1.0, 1.0),  # more said than there was to read
        ("Cat.", "cat", 2 / 3, 1.0, 0.5),  # capitals and punctuation count
        ("我们在这里", "我们去那里", 2 / 5, 1.0, 2 / 5),
    ],
)
def test_figures_of_one_text(said, truth, characters, words, normalised):
    pair = [(said, truth)]
    assert character_error_rate(pair) == pytest.approx(characters)
    assert word_error_rate(pair) == pytest.approx(words)
    assert normalised_edit_distance(pair) == pytest.approx(normalised)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    "said", ["one  two\tthree", " one\ntwo\n\nthree ", "one\r\ntwo three", "one\u3000two\xa0three"]
)
def test_any_white_space_is_one_space(score, said):
    assert score([(said, "one two three")]) == score([("one two three", said)]) == 0.0
    assert plain_spaces(said) == "one two three"


def test_a_missing_space_counts():
    assert character_error_rate([("onetwo", "one\ntwo")]) == pytest.approx(1 / 7)
    assert word_error_rate([("onetwo", "one\ntwo")]) == 1.0


def test_long_texts_weigh_more_in_error_rates_and_not_in_the_mean():
    pairs = [("", "ab"), ("one two three four", "one two three four")]
    assert character_error_rate(pairs) == pytest.approx(2 / 20)
    assert word_error_rate(pairs) == pytest.approx(1 / 5)
    assert normalised_edit_distance(pairs) == pytest.approx(1 / 2)
    assert character_error_rate(iter(pairs)) == character_error_rate(pairs)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("empty", ["", " \n\t"])
def test_an_empty_truth_is_named(score, empty):
    with pytest.raises(ValueError, match="the truth of text 1 is empty.*leave texts without characters out"):
        score([("a", "a"), ("b", empty)])


@pytest.mark.parametrize("score", SCORES)
def test_no_texts_cannot_be_scored(score):
    with pytest.raises(ValueError, match="no texts were given to score"):
        score([])
