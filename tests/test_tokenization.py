"""The tokenizer that is trained on the text at hand."""

import random

import pytest
from transformers import AutoTokenizer

from nanovlms_hf.tokenization import SPECIAL_TOKENS, train_tokenizer

TEXTS = ["A red dog runs in the garden.", "There are 3 blue balls on the beach.", "What do you see?"] * 5


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 300, model_max_length=77)


@pytest.mark.parametrize(
    "text",
    [
        "A red dog.",
        "  two  blanks , and one at the end ",
        "line\nbreak\ttab\r\n",
        "naïve café, Größe, żółć",
        "日本語 中文 한국어 العربية עברית",
        "👩‍👩‍👧‍👦 🏳️‍🌈 \U0001f9ff",
        "e\u0301 is not \u00e9, and \ufb01 is not fi",  # no normalisation
        "\x00\x01\x7f\u200b\ufeff\u2028",
        "1234567890.5 %",
        "",
    ],
)
def test_any_text_comes_back_exactly(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_random_unicode_comes_back_exactly(tokenizer):
    rng = random.Random(0)
    for _ in range(200):
        points = [rng.choice((rng.randrange(0xD800), rng.randrange(0xE000, 0x110000))) for _ in range(20)]
        text = "".join(map(chr, points))
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_special_tokens_have_fixed_ids(tokenizer):
    assert tokenizer.convert_tokens_to_ids(["<|pad|>", "<|end|>", "<|begin|>", "<image>"]) == [0, 1, 2, 3]
    assert tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS) == list(range(7))
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, 1, None)
    assert tokenizer("<|user|><image>a<|end|>")["input_ids"][:2] == [5, 3]
    assert tokenizer.decode([3, 5, 1, 0], skip_special_tokens=True) == ""
    assert set(tokenizer.all_special_tokens) == set(SPECIAL_TOKENS)


def test_nothing_is_added_around_a_text(tokenizer):
    assert tokenizer("A dog")["input_ids"] == tokenizer("A dog", add_special_tokens=False)["input_ids"]
    batch = tokenizer(["A dog", "A red dog in the garden"], padding=True)
    assert batch["input_ids"][0][-1] == 0 and batch["attention_mask"][0][-1] == 0
    assert set(batch) == {"input_ids", "attention_mask"}


def test_digits_stand_alone(tokenizer):
    assert [tokenizer.decode([token]) for token in tokenizer("1234")["input_ids"]] == list("1234")


def test_the_size_is_kept_and_frequent_words_are_one_token(tokenizer):
    assert len(tokenizer) == 300
    assert tokenizer.model_max_length == 77
    assert len(tokenizer(" garden")["input_ids"]) < len(" garden")
    assert len(train_tokenizer(["ab"], 5000)) < 270  # no more merges than the text has


def test_the_same_text_gives_the_same_tokenizer(tokenizer):
    again = train_tokenizer(iter(TEXTS), 300)
    assert again.backend_tokenizer.to_str() == train_tokenizer(TEXTS, 300).backend_tokenizer.to_str()
    assert again.get_vocab() == tokenizer.get_vocab()


def test_it_is_the_same_after_saving(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.get_vocab() == tokenizer.get_vocab()
    text = "<|user|><image>A red dog, 12 é.<|end|>"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert again.decode(again(text)["input_ids"]) == text
    assert (again.pad_token_id, again.eos_token_id) == (0, 1)
    assert set(again.all_special_tokens) == set(SPECIAL_TOKENS)


def test_a_vocabulary_that_cannot_hold_the_bytes_is_refused():
    with pytest.raises(
        ValueError, match="vocab_size=262 cannot hold the 256 bytes and 7 special tokens; give at least 263"
    ):
        train_tokenizer(TEXTS, 262)
    smallest = train_tokenizer(TEXTS, 263)
    assert len(smallest) == 263 and smallest.decode(smallest("é")["input_ids"]) == "é"


def test_no_text_is_refused():
    with pytest.raises(ValueError, match="there is no text to train the tokenizer on"):
        train_tokenizer([], 300)


def test_frequent_words_are_whole_and_others_are_spelled():
    texts = ["Find the red cat.", "Where is the cat? The cat: here", "a cat"]
    tokenizer = train_tokenizer(texts, 265, whole_words=2)
    assert len(tokenizer) == 265
    assert tokenizer.tokenize("the cat, cats") == ["the", "Ġ", "cat", ",", "Ġ", "c", "a", "t", "s"]
    for text in ("the cat", "a catalogue of the  cats\n", "Cat.the"):
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    again = train_tokenizer(texts, 265, whole_words=2)
    assert again.get_vocab() == tokenizer.get_vocab()


def test_too_small_for_the_whole_words():
    with pytest.raises(ValueError, match="and 2 whole words; give at least 265"):
        train_tokenizer(TEXTS, 264, whole_words=2)
