"""Which letter a text chooses: worked cases, with the traps that fool simpler rules."""

import pytest

from nanovlms_hf.evaluation.options import option_letter

ANIMALS = ["cat", "red dog", "dog", "bird"]
TEN = [f"thing {number}" for number in range(10)]


@pytest.mark.parametrize(
    "text, options, expected",
    [
        ("B", ANIMALS, "B"),
        ("b", ANIMALS, "B"),
        ("(C)", ANIMALS, "C"),
        ("**D**", ANIMALS, "D"),
        ("B.", ANIMALS, "B"),
        ("C. dog", ANIMALS, "C"),
        ("B: red dog", ANIMALS, "B"),
        ("The answer is D.", ANIMALS, "D"),
        ("Answer: (A)", ANIMALS, "A"),
        ("the correct option is B because it barks", ANIMALS, "B"),
        ("It could be A. But the answer is C", ANIMALS, "C"),
        ("First I thought the answer is A, then: the answer is B", ANIMALS, "B"),  # the last statement
        (r"so \boxed{C}", ANIMALS, "C"),
        (r"so \boxed{\text{D}}", ANIMALS, "D"),
        ("A cat sits there", ["x", "y", "z"], None),  # "A" is an article
        ("A cat sits there", ANIMALS, "A"),  # ... but the option's words occur
        ("I see B here", ANIMALS, "B"),
        ("Between (A) and (B) I choose (B)", ANIMALS, "B"),
        ("A or B", ["x", "y"], None),  # two letters, no choice
        ("dog", ANIMALS, "C"),
        ("it is a red dog", ANIMALS, "B"),  # the longer option holds the shorter one
        ("a cat and a bird", ANIMALS, None),
        ("E", ANIMALS, None),  # there is no fifth option
        ("J", TEN, "J"),  # MMMU-Pro's tenth option
        ("The answer is H", TEN, "H"),
        ("I", TEN, "I"),
        ("I think it is the first one", TEN, None),  # a pronoun is no letter
        ("Vitamin B is good", 4, "B"),
        ("", ANIMALS, None),
        ("none of these", ANIMALS, None),
        ("Bird", ANIMALS, "D"),
        ("3.5", ["3", "3.5", "35"], "B"),
    ],
)
def test_option_letter(text, options, expected):
    assert option_letter(text, options) == expected


@pytest.mark.parametrize("count", [0, 1, 27])
def test_too_few_or_too_many_options(count):
    with pytest.raises(ValueError, match="no multiple choice"):
        option_letter("A", count)
