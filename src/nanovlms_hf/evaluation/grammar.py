"""A rule-based grammar check of short English texts, without a network, a model or Java.

What it looks for: words in small letters that are in no dictionary (pyspellchecker's), "a" for "an" (inflect's rules), a number
above one before a singular and a singular article before a plural, "they is" and "there is two", a word twice in a row, a sentence
that does not begin with a capital, and a text that ends in the middle of a sentence.

What it does not see: word order, missing small words, a sentence without a verb, tense, the right preposition, and anything else
that needs a parse. docs/evaluation.md says which share of made-up mistakes it finds. LanguageTool would find more, but it
needs Java and a download of its server; proselint checks style and not grammar.
"""

import re
from collections.abc import Iterable
from functools import cache

_TOKEN = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*|\d+")
_SENTENCE = re.compile(r"[^.!?]+[.!?]*[\"'”’)]*")
_ENDED = re.compile(r"[.!?][\"'”’)]*\s*$")
_NUMBERS = set("two three four five six seven eight nine ten".split())
_MANY = _NUMBERS | {"several", "many", "few", "both"}
_ONE = {"a", "an", "one", "each", "every"}
_PLURAL_PRONOUNS, _SINGULAR_PRONOUNS = {"they", "we", "you", "these", "those"}, {"it", "he", "she"}
_ADJECTIVES = set(
    "big small little tiny large huge long tall short round red blue green yellow orange purple pink black white brown grey gray "
    "running dancing reading waving jumping sleeping very nice pretty lovely cute happy new old".split()
)
# Nouns that are both numbers, or are spelt like plurals and are none.
_NEITHER = set(
    "bus glass grass dress cactus octopus boss class cross less news series species sheep fish deer aircraft scissors trousers "
    "glasses pants clothes".split()
)
_NO_NOUN = set(
    "and are the who with for from other more one two three four five six seven eight nine ten of in on at is was were be been as "
    "to it he she they we you them him her his its our my your that this these those here there under above next left right by "
    "near so too also then when where what or but not no yes all each every many much some any have has had do does did can could "
    "will would may might must go come see look find sit stand lie play like love want need make take give get say tell show help "
    "eat run jump dance wave read sleep fly grow wait sing draw paint think know hear feel live stay".split()
)
_IRREGULAR = {"men", "women", "children", "mice", "feet", "teeth", "geese", "people"}
_MAY_REPEAT = {"that", "had", "very", "so", "bye", "ha", "no", "hop", "knock", "many", "far", "long"}


@cache
def _speller():
    from spellchecker import SpellChecker

    return SpellChecker(distance=1)


@cache
def _inflect():
    import inflect

    return inflect.engine()


@cache
def known_word(word: str) -> bool:
    """Whether a word, a number or a possessive is in the dictionary; British "-our" as well as American "-or"."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    return word.isdigit() or bool(_speller().known([word, word.replace("our", "or")]))


@cache
def _is_plural(word: str) -> bool:
    if word in _IRREGULAR:
        return True
    if word in _NEITHER or word in _NO_NOUN or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return False
    singular = _inflect().singular_noun(word)
    return isinstance(singular, str) and known_word(singular)


@cache
def _is_singular_noun(word: str) -> bool:
    """Whether a word is surely a countable noun in the singular: its plural is a word, too."""
    if (
        len(word) < 3
        or word in _NO_NOUN
        or word in _ADJECTIVES
        or word in _NEITHER
        or word.endswith(("ing", "ed", "s"))
    ):
        return False
    return not _is_plural(word) and known_word(_inflect().plural_noun(word))


def sentences_of(text: str) -> list[str]:
    """The sentences of a text; a piece without an end mark counts as one."""
    return [piece.strip() for piece in _SENTENCE.findall(text) if _TOKEN.search(piece)]


def sentence_faults(sentence: str, starts: bool = True) -> list[str]:
    """What is wrong in one sentence.

    Args:
        sentence (`str`): with its end mark.
        starts (`bool`): whether it has to begin with a capital.
    """
    words = _TOKEN.findall(sentence)
    lower = [word.lower().replace("’", "'") for word in words]
    # A capital inside may be a name, which no dictionary has to know.
    faults = [f"unknown word {word!r}" for word in words if not known_word(word) and not word[0].isupper()]
    if starts and words and words[0][0].islower():
        faults.append("begins with a small letter")
    for first, second in zip(lower, lower[1:], strict=False):
        faults += _pair_faults(first, second)
    return faults + list(_number_faults(lower))


def _pair_faults(first: str, second: str) -> Iterable[str]:
    if first == second and first not in _MAY_REPEAT:
        yield f"{first!r} twice"
    if first in ("a", "an") and second.isalpha() and _inflect().a(second).split()[0] != first:
        yield f"{first} before {second!r}"
    if first in _PLURAL_PRONOUNS and second in ("is", "was", "has"):
        yield f"{first} {second}"
    if first in _SINGULAR_PRONOUNS and second in ("are", "were", "have"):
        yield f"{first} {second}"


def _number_faults(words: list[str]) -> Iterable[str]:
    for place, word in enumerate(words):
        ahead = words[place + 1 : place + 4]
        noun = next((one for one in ahead if one not in _ADJECTIVES), None)
        if noun is None:
            continue
        if word in _MANY and _is_singular_noun(noun) and not any(map(_is_plural, ahead)):
            yield f"{word} ... {noun!r}, expected a plural"
        if word in _ONE and _is_plural(noun):
            yield f"{word} ... {noun!r}, expected a singular"
        if place and words[place - 1] in ("there", "here") and "and" not in words[place:]:
            if word == "is" and (ahead[0] in _NUMBERS or _is_plural(noun)):
                yield f"{words[place - 1]} is {' '.join(ahead[:2])}"
            if word == "are" and ahead[0] in ("a", "an", "one"):
                yield f"{words[place - 1]} are {ahead[0]}"


def text_faults(completion: str, prefix: str = "") -> list[list[str]]:
    """Faults of each sentence of a completion; the first sentence is read together with the beginning that it completes.

    Args:
        completion (`str`): what a model added.
        prefix (`str`): what was given.

    Returns:
        `list[list[str]]`: one list a sentence, empty where nothing was found; no list for a completion without words.
    """
    if not _TOKEN.search(completion):
        return []
    open_part = re.split(r"[.!?]+[\"'”’)]*\s*", prefix)[-1]
    sentences = sentences_of(f"{open_part} {completion}")
    faults = []
    for place, sentence in enumerate(sentences):
        quoted = place > 0 and sentences[place - 1][-1] in "\"'”’"  # "Stop!" said the cat.
        faults.append(sentence_faults(sentence, starts=not quoted))
    if not _ENDED.search(completion):
        faults[-1].append("ends in the middle of a sentence")
    return faults


__all__ = ["known_word", "sentence_faults", "sentences_of", "text_faults"]
