"""Worked cases of reading facts: negation, plural counts, and two things of one kind."""

import pytest

from nanovlms_hf.data.facts import read_facts

NEGATION = [
    ("There is no dog.", set()),
    ("I see no dogs and no cats.", set()),
    ("The cat is not red.", {("kind", "cat")}),
    ("The cat isn't big.", {("kind", "cat")}),
    ("There is a cat and no dog.", {("kind", "cat")}),
    ("The cats are not blue.", {("kind", "cat")}),
    ("The cat is red and not big.", {("kind", "cat"), ("colour", "cat", "red")}),
    ("The cat is not next to the ball.", {("kind", "cat"), ("kind", "ball")}),
    ("A cat is not red. It is blue.", {("kind", "cat"), ("colour", "cat", "blue")}),
    ("There is no red cat.", set()),
    ("The dog is not under the box.", {("kind", "dog"), ("kind", "box")}),
]
COUNTS = [
    ("Three cats sit here.", {("kind", "cat"), ("count", "cat", "3")}),
    ("There are 4 red balls.", {("kind", "ball"), ("count", "ball", "4"), ("colour", "ball", "red")}),
    ("Two small dogs run.", {("kind", "dog"), ("count", "dog", "2"), ("size", "dog", "small")}),
    ("There is one cat.", {("kind", "cat")}),
    ("I see cats.", {("kind", "cat")}),
    ("Five sheep and a duck.", {("kind", "sheep"), ("count", "sheep", "5"), ("kind", "duck")}),
    (
        "Two running girls in red.",
        {("kind", "running girl"), ("count", "running girl", "2"), ("colour", "running girl", "red")},
    ),
    ("I see cats. There are three of them.", {("kind", "cat"), ("count", "cat", "3")}),
    ("Three balls are here. One of them is red.", {("kind", "ball"), ("count", "ball", "3")}),
    ("A pair of dogs.", {("kind", "dog"), ("count", "dog", "2")}),
    ("Two of the cats are red.", {("kind", "cat")}),
    ("The boats are two.", {("kind", "boat")}),
]
TWO_OF_ONE_KIND = [
    ("A red cat and a blue cat.", {("kind", "cat"), ("colour", "cat", "red"), ("colour", "cat", "blue")}),
    ("A big dog and a small dog.", {("kind", "dog"), ("size", "dog", "big"), ("size", "dog", "small")}),
    ("A cat sits next to a cat.", {("kind", "cat")}),
    (
        "One ball is red. The other ball is green.",
        {("kind", "ball"), ("colour", "ball", "red"), ("colour", "ball", "green")},
    ),
    (
        "A red ball is above a blue ball and a dog.",
        {("kind", "ball"), ("colour", "ball", "red"), ("colour", "ball", "blue"), ("kind", "dog")},
    ),
    (
        "A running boy and a sleeping boy.",
        {("kind", "running boy"), ("kind", "sleeping boy")},
    ),
    (
        "Two red cats and three blue cats.",
        {
            ("kind", "cat"),
            ("count", "cat", "2"),
            ("count", "cat", "3"),
            ("colour", "cat", "red"),
            ("colour", "cat", "blue"),
        },
    ),
    ("A red cat. A red cat.", {("kind", "cat"), ("colour", "cat", "red")}),
    ("There is a kitten and a cat.", {("kind", "cat")}),
    ("The small box is left of the big box.", {("kind", "box"), ("size", "box", "small"), ("size", "box", "big")}),
    (  # an action behind a colour is not read, so the girls stay girls
        "A girl in red who runs and a girl in blue who waves.",
        {("kind", "girl"), ("colour", "girl", "red"), ("colour", "girl", "blue")},
    ),
]


@pytest.mark.parametrize("text, expected", NEGATION)
def test_negation(text, expected):
    assert read_facts(text) == expected


@pytest.mark.parametrize("text, expected", COUNTS)
def test_plural_counts(text, expected):
    assert read_facts(text) == expected


@pytest.mark.parametrize("text, expected", TWO_OF_ONE_KIND)
def test_two_things_of_one_kind(text, expected):
    assert read_facts(text) == expected
