"""A byte-level BPE tokenizer trained on the text at hand, for models that start from nothing.

A tiny model cannot afford a foreign vocabulary: 49,152 tokens at width 192 are 9.4M parameters. The special tokens have
fixed ids, so that configuration and tokenizer agree before either has seen text.
"""

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD_TOKEN, END_TOKEN, BEGIN_TOKEN, IMAGE_TOKEN = "<|pad|>", "<|end|>", "<|begin|>", "<image>"
SPECIAL_TOKENS = [PAD_TOKEN, END_TOKEN, BEGIN_TOKEN, IMAGE_TOKEN, "<|system|>", "<|user|>", "<|assistant|>"]


def train_tokenizer(texts: Iterable[str], vocab_size: int, model_max_length: int = 1024) -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer; any text round-trips exactly.

    Args:
        texts (`Iterable[str]`): the training text.
        vocab_size (`int`): upper bound of the vocabulary, special tokens included; at least 263 (bytes and specials).
        model_max_length (`int`): the decoder's context, in tokens.

    Raises:
        ValueError: if the vocabulary cannot hold the 256 bytes and the special tokens, or if there is no text.
    """
    smallest = 256 + len(SPECIAL_TOKENS)
    if vocab_size < smallest:
        raise ValueError(
            f"vocab_size={vocab_size} cannot hold the 256 bytes and {len(SPECIAL_TOKENS)} special tokens; give at least "
            f"{smallest}."
        )
    texts = iter(texts)
    first = next(texts, None)
    if first is None:
        raise ValueError(
            "there is no text to train the tokenizer on; the training set is empty: check its source entry."
        )

    def all_texts():
        yield first
        yield from texts

    tokenizer = Tokenizer(models.BPE())
    # Single digits: a box coordinate or a count is then spelled the same way wherever it stands.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(all_texts(), trainer=trainer)
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
