"""A byte-level BPE tokenizer trained on the text at hand, for models that start from nothing.

A tiny model cannot afford a foreign vocabulary: 49,152 tokens at width 192 are 9.4M parameters. The special tokens have
fixed ids, so that configuration and tokenizer agree before either has seen text.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD_TOKEN, END_TOKEN, BEGIN_TOKEN, IMAGE_TOKEN = "<|pad|>", "<|end|>", "<|begin|>", "<image>"
SPECIAL_TOKENS = [PAD_TOKEN, END_TOKEN, BEGIN_TOKEN, IMAGE_TOKEN, "<|system|>", "<|user|>", "<|assistant|>"]


_WORD = re.compile(r"[^\W\d_]{2,}")  # two letters or more


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, model_max_length: int = 1024, whole_words: int = 0
) -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer; any text round-trips exactly.

    With `whole_words` and no room for merges, a text is spelled letter by letter but for its most frequent words: words that a page
    shows for the first time are read like any other, while the names of known things are one token each.

    Args:
        texts (`Iterable[str]`): the training text.
        vocab_size (`int`): upper bound of the vocabulary, special tokens and whole words included; at least 263 (bytes and
            specials) more than `whole_words`.
        model_max_length (`int`): the decoder's context, in tokens.
        whole_words (`int`, defaults to 0): how many of the text's most frequent words get a token of their own.

    Raises:
        ValueError: if the vocabulary cannot hold the 256 bytes, the special tokens and the whole words, or if there is no
            text.
    """
    smallest = 256 + len(SPECIAL_TOKENS) + whole_words
    if vocab_size < smallest:
        words = f" and {whole_words} whole words" if whole_words else ""
        raise ValueError(
            f"vocab_size={vocab_size} cannot hold the 256 bytes and {len(SPECIAL_TOKENS)} special tokens{words}; give at "
            f"least {smallest}."
        )
    counts: Counter[str] = Counter()
    texts = iter(texts)
    first = next(texts, None)
    if first is None:
        raise ValueError(
            "there is no text to train the tokenizer on; the training set is empty: check its source entry."
        )

    def all_texts():
        for text in chain([first], texts):
            if whole_words:
                counts.update(_WORD.findall(text))
            yield text

    tokenizer = Tokenizer(models.BPE())
    # Single digits: a box coordinate or a count is then spelled the same way wherever it stands.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - whole_words,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(all_texts(), trainer=trainer)
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:whole_words]
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=False) for word in frequent])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD_TOKEN,
        eos_token=END_TOKEN,
        extra_special_tokens=SPECIAL_TOKENS[2:],
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=model_max_length,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )


__all__ = ["END_TOKEN", "IMAGE_TOKEN", "PAD_TOKEN", "SPECIAL_TOKENS", "train_tokenizer"]
