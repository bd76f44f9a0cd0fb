"""ShortDesc and LongDesc from real captions, as NanoVLMs made them (arXiv 2502.07838, section 2.1): `nanovlms describe-dataset`.

A language model behind any endpoint of OpenAI's form reads the captions of a picture, never the picture, and writes one short and one
long description in the words of a small child. Each answer is checked for length, vocabulary and openers, and asked for again with
what was wrong. The prompts are our own wording of the paper's constraints.

A consequence of the method, true of the paper too: the writer never saw the picture, so a part of each text is not in it.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from .descriptions import LONG_SENTENCES, LONG_WORDS, SHORT_SENTENCES, SHORT_WORDS

FORMS = {"short": (SHORT_WORDS, SHORT_SENTENCES), "long": (LONG_WORDS, LONG_SENTENCES)}
EXCLAMATIONS = ("oh", "wow", "look", "hey", "hi", "hello", "yay", "ooh", "aww")
GENERIC_STARTS = (
    "this is a picture", "this picture", "the picture", "this image", "the image", "in this picture", "in the picture", "in this image",
    "in the image", "this photo", "the photo", "in this photo", "here is a picture", "once upon a time", "i see a picture",
    "there is a picture",
)  # fmt: skip
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_SYSTEM = "You write down what a cheerful child of four or five says about a picture, in very easy English words."


@dataclass
class Rules:
    """What a description has to keep to.

    Args:
        least_frequency: a word counts as easy from this frequency on in pyspellchecker's dictionary (film subtitles); words of
            the captions are always allowed.
        hard_words: how many other words a text may hold.
        same_opening: how many texts of a form may begin with the same three words; keeps openers from repeating over the set.
        words: a list of easy words to use in place of the frequencies.
    """

    least_frequency: int = 400
    hard_words: int = 0
    same_opening: int = 25
    words: frozenset[str] | None = None
    openings: dict[str, Counter] = field(default_factory=lambda: {form: Counter() for form in FORMS})


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [part for part in _SENTENCE_END.split(text.strip()) if part.strip()]


def opening(text: str) -> str:
    """The first three words, in small letters."""
    return " ".join(_WORD.findall(text.lower())[:3])


def is_easy(word: str, rules: Rules) -> bool:
    """Whether a small child would use a word."""
    if rules.words is not None:
        return word in rules.words
    frequencies = _frequencies()
    stem = word.split("'")[0]
    forms = {word, stem, stem.replace("our", "or")}
    return max(frequencies[form] for form in forms) >= rules.least_frequency


@cache
def _frequencies():
    try:
        from spellchecker import SpellChecker
    except ImportError as error:
        raise ValueError(
            "checking the vocabulary needs pyspellchecker: pip install 'nanovlms-hf[evaluation]'."
        ) from error
    return SpellChecker(distance=1).word_frequency


def faults(text: str, form: str, captions: Iterable[str], rules: Rules) -> list[str]:
    """What is wrong with a description, as sentences that can be sent back to its writer; empty if nothing is.

    Args:
        text: the description.
        form: "short" or "long".
        captions: what it was written from.
        rules: what it has to keep to; openings used so far are read, not changed.
    """
    (fewest, most), (least, longest) = FORMS[form]
    words, parts = text.split(), sentences(text)
    found = []
    if not fewest <= len(words) <= most:
        found.append(f"It has {len(words)} words; write {fewest} to {most}.")
    if not least <= len(parts) <= longest:
        found.append(f"It has {len(parts)} sentences; write {least} to {longest}.")
    if text and text.rstrip("\"'”’)")[-1:] not in (".", "!", "?"):
        found.append("The last sentence does not end.")
    if not text.isascii() and re.search(r"[^\x00-\x7f“”‘’–—…]", text):
        found.append("It holds signs that are no plain English letters.")
    found += _opener_faults(text, parts, form, rules)
    known = {word for caption in captions for word in _WORD.findall(caption.lower())}
    plain = text.lower().replace("’", "'")
    hard = sorted({word for word in _WORD.findall(plain) if word not in known and not is_easy(word, rules)})
    if len(hard) > rules.hard_words:
        found.append(f"These words are too hard for a small child: {', '.join(hard[:8])}.")
    return found


def _opener_faults(text: str, parts: list[str], form: str, rules: Rules) -> list[str]:
    found = []
    lower = text.lower().lstrip("\"'“‘")
    if lower.startswith(GENERIC_STARTS):
        found.append("It begins in a way that fits any picture; begin with something that is in this one.")
    first_words = [(_WORD.findall(part.lower()) or [""])[0] for part in parts]
    shouted = sorted({word for word in first_words if word in EXCLAMATIONS})
    if shouted:
        found.append(f"A sentence begins with {', '.join(shouted)}; begin otherwise.")
    openers = Counter(" ".join(_WORD.findall(part.lower())[:2]) for part in parts)
    repeated = [words for words, count in openers.items() if count > 1]
    if repeated:
        found.append(f"Several sentences begin with {repeated[0]!r}; begin each in another way.")
    if rules.openings[form][opening(text)] >= rules.same_opening:
        found.append(f"Too many texts of this set begin with {opening(text)!r}; begin otherwise.")
    return found


def messages(captions: Iterable[str], form: str) -> list[dict]:
    """What the writer is asked: the captions of one picture, and the form of the text."""
    (fewest, most), (least, longest) = FORMS[form]
    listed = "\n".join(f"- {caption.strip()}" for caption in captions)
    wish = (
        f"Several people described the same picture:\n{listed}\n\n"
        f"Put what they say together into one description of {fewest} to {most} words in {least} to {longest} sentences. All sentences "
        "tell of this one scene. Use only words that a child of four or five knows; be playful and full of ideas, but tell nothing that "
        "goes against what the people say. Begin each sentence in another way, none with a cry such as oh, wow or look, and do not begin "
        "with words that would fit any picture, such as 'this is a picture of'.\n"
        'Answer with one JSON object and nothing else: {"description": "..."}'
    )
    return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": wish}]


def check_description(form: str, captions: list[str], rules: Rules):
    """A check for `ChatEndpoint.ask_json`: returns the description, or raises ValueError with what is wrong."""

    def check(answer: dict) -> str:
        text = answer.get("description")
        if not isinstance(text, str) or not text.strip():
            raise ValueError("it has no text under the key description.")
        text = " ".join(text.split())
        found = faults(text, form, captions, rules)
        if found:
            raise ValueError(" ".join(found))
        return text

    return check


__all__ = [
    "EXCLAMATIONS",
    "FORMS",
    "GENERIC_STARTS",
    "Rules",
    "check_description",
    "faults",
    "is_easy",
    "messages",
    "opening",
    "sentences",
]
