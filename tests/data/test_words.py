"""The words of pages: the split by hash, the built-in distribution, and given texts."""

import random
from collections import Counter

import pytest

from nanovlms_hf.data.word_lists import CHINESE, ENGLISH, MONTHS
from nanovlms_hf.data.words import (
    HELD_OUT_SHARE,
    GeneratedWords,
    TextWords,
    belongs,
    invented_word,
    is_held_out,
    ranked_words,
    words_of,
)

TEXTS = ["The quick brown fox jumps over a lazy dog. It cost $5.", "Of two boats, one came home at 12:30."]


def anything(text: str) -> bool:
    return True


def generated(
    held_out, language="en", seed=0, zipf=1.0, value_share=0.15, invented_share=0.0, covers=anything, skip=False
):
    shares = {"zipf": zipf, "value_share": value_share, "invented_share": invented_share}
    return GeneratedWords(random.Random(seed), language, held_out, covers, skip, **shares)


def given(held_out, texts=TEXTS, whole=False, language="en", covers=anything, skip=False):
    return TextWords(random.Random(0), language, held_out, covers, skip, texts=texts, keep_texts_whole=whole)


def test_words_are_runs_of_letters_or_pairs_of_characters():
    assert words_of("It's 36x² + B7, of-the Über a_b.") == ["it", "of", "the", "über"]
    assert words_of("今天天气好，2021年3月") == ["今天", "天气"]
    assert words_of("π r² = 3") == []


def test_the_split_is_a_fixed_hash_that_ignores_case():
    assert [word for word in ENGLISH[:20] if is_held_out(word)] == ["of", "to", "that", "at"]
    assert is_held_out("OF") and not is_held_out("The")
    share = sum(map(is_held_out, ENGLISH)) / len(ENGLISH)
    assert abs(share - HELD_OUT_SHARE) < 0.02
    assert belongs("12.50", True) and belongs("12.50", False) and belongs("a", True)
    assert belongs("Of,", True) and not belongs("of-the", True) and not belongs("of-the", False)


def test_the_lists_have_no_doubles_and_enough_words_on_each_side():
    assert len(set(ENGLISH)) == len(ENGLISH) > 2400 and len(set(CHINESE)) == len(CHINESE) > 700
    train, held_out = ranked_words("en", False, 1.0)[0], ranked_words("en", True, 1.0)[0]
    assert not set(train) - {"a"} & set(held_out) and len(held_out) > 350
    assert len(ranked_words("en", None, 1.0)[0]) == len(ENGLISH)
    assert len(MONTHS) == 12


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_generated_words_stay_on_their_side(held_out, language):
    words = generated(held_out, language, invented_share=0.3)
    tokens = words.running(3000, anything) + words.phrase(500, anything)
    drawn = [word for token in tokens for word in words_of(token)]
    assert len(drawn) > 2000 and all(is_held_out(word) == held_out for word in drawn)


def test_generated_words_follow_zipf_and_zipf_0_is_flat():
    steep = Counter(generated(False, value_share=0.0).phrase(8000, anything))
    flat = Counter(generated(False, value_share=0.0, zipf=0.0).phrase(8000, anything))
    assert steep["the"] > 3 * steep["so"] > 0 and steep["the"] > 250
    assert max(flat.values()) < 20 and len(flat) > len(steep)


def test_running_text_has_sentences_values_and_names():
    tokens = generated(False).running(4000, anything)
    text = " ".join(tokens)
    assert len(tokens) == 4000 and text[0].isupper() and text.endswith(".")
    for sign in ("$", "€", "£", "%", ":", "-", "/", ", "):
        assert sign in text
    assert any(f" {month} " in text for month in MONTHS) and not any(token.endswith(",.") for token in tokens)
    assert not any(first == second for first, second in zip(tokens, tokens[1:], strict=False) if first.isalpha())


def test_words_that_do_not_fit_are_not_drawn():
    words = generated(True)
    assert all(len(token) <= 4 for token in words.running(200, lambda token: len(token) <= 4))
    with pytest.raises(ValueError, match=r"no word fits into a line of these pages.*raise image_size"):
        words.phrase(1, lambda token: False)


def test_values_are_drawn_from_symbols_that_the_font_has():
    words = generated(False, covers=lambda text: not set(text) & set("€£"))
    prices = [words.value("price") for _ in range(50)]
    assert all(price.startswith("$") for price in prices)
    assert generated(False, covers=lambda text: False).value("price")[0].isdigit()


def test_words_that_the_font_lacks_can_be_left_out():
    tokens = generated(False, covers=lambda text: "e" not in text, skip=True).phrase(300, anything)
    assert len(tokens) == 300 and not any("e" in token for token in tokens)


def test_invented_words_are_pronounceable():
    rng = random.Random(0)
    words = [invented_word(rng) for _ in range(200)]
    assert all(word.isalpha() and word.islower() and set(word) & set("aeiou") for word in words)


def test_given_texts_keep_their_order_and_lose_the_other_side():
    train = given(False).running(40, anything)
    assert "The" in train and "fox" in train and "$5." in train and "Of" not in train and "two" not in train
    held_out = given(True).running(200, anything)
    assert set(held_out) == {"Of", "two", "came", "at", "12:30.", "quick", "a", "$5."}
    assert all(belongs(token, False) for token in train) and all(belongs(token, True) for token in held_out)


def test_given_texts_can_be_split_by_rows():
    rows = [f"row {number} has words of its own" for number in range(200)]
    numbers = {
        side: {token for token in given(side, rows, whole=True).running(3000, anything) if token.isdigit()}
        for side in (False, True)
    }
    assert not numbers[False] & numbers[True] and numbers[False] and numbers[True]
    text = " ".join(given(False, rows, whole=True).running(14, anything))
    assert text.count("has words of its own") == 2


def test_phrases_of_given_texts_have_no_punctuation_around_them():
    assert not any(token[-1] in ".,:" for token in given(False).phrase(20, anything))


def test_chinese_texts_are_split_by_pairs():
    text = "今天天气很好，我们一起去公园看花。"
    both = {side: given(side, [text * 3], language="zh").running(20, anything) for side in (False, True)}
    for side, tokens in both.items():
        assert all(belongs(token, side) for token in tokens)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ([], "texts has no rows"),
        ("just a string", "texts is str; expected rows with a length"),
        (iter(["a b"]), r"texts is list_iterator; expected rows.*list\(\.\.\.\)"),
        ([3, 4], r"row \d of texts is int; expected text"),
        (["the and for"], r"1 rows of texts hold no held-out word"),
        (["", "  "], "2 rows of texts hold no held-out word"),
    ],
)
def test_texts_that_cannot_be_used(texts, sentence):
    with pytest.raises(ValueError, match=sentence):
        given(True, texts).running(3, anything)


def test_rows_of_the_wrong_side_alone():
    row = next(f"only row {n}" for n in range(100) if not is_held_out(f"only row {n}"))
    with pytest.raises(ValueError, match="hold no held-out row"):
        given(True, [row], whole=True).running(1, anything)


def test_tokens_that_never_fit_do_not_hang():
    with pytest.raises(ValueError, match="no word fits"):
        given(False).running(1, lambda token: False)
