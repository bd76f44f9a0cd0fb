"""The words of pages: drawn so that nobody can guess them, and split into those for training and those held out.

A hash of each word decides its side, so the split needs no list and holds for words that no list has. Pages of the split
`train` have training words only; pages of `validation` and `test` have held-out words only. Single letters, digits and
punctuation belong to both sides: numbers, dates and prices are random anyway. In Chinese a word is a pair of characters
(a network cannot read characters that it has never seen, but it should read pairs that it has never seen).

The built-in texts draw words by their rank, as real texts do (Zipf's law), mixed with numbers, dates, prices, percentages,
times and names. They make no sense, which is the point: what stands on such a page has to be read.
"""

import hashlib
import itertools
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from random import Random

from .word_lists import CHINESE, CHINESE_SURNAMES, ENGLISH, FIRST_NAMES, MONTHS, SURNAMES

HELD_OUT_SHARE = 0.15
LANGUAGES = ("en", "zh")

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HAN_WORD = re.compile(f"[{_HAN}]{{1,2}}")
_LETTERS = re.compile(f"[^\\W\\d_²³¹⁰-₉{_HAN}]{{2,}}")
_HAN_PIECE = re.compile(f"[{_HAN}]{{1,2}}[，。、；：！？]*|[^\\s{_HAN}]+")
_EDGES = " \t\n.,;:!?()[]{}\"'“”‘’，。、；：！？（）"

_ONSETS = (
    "b c d f g h j k l m n p qu r s t v w x y z bl br ch cl cr dr fl fr gl gr pl pr sh sk sl sn sp st th tr".split()
)
_VOWELS = "a e i o u ai ea ee oa ou".split()
_CODAS = ["", "", "", *"b d g k l m n p r s t x ck ll nd ng nt rk st".split()]
_TRIES = 400
_NOTHING_FITS = (
    "no word fits into a line of these pages and can be drawn by their fonts: raise image_size, lower font_sizes, use one "
    "column, or name other fonts."
)

Fits = Callable[[str], bool]


def is_held_out(word: str) -> bool:
    """Whether a word (or any short text) is kept from training: by a hash of it in lower case, for `HELD_OUT_SHARE` of all."""
    digest = hashlib.blake2b(word.lower().encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**32


def words_of(text: str) -> list[str]:
    """The words of a text that the split is about: runs of two or more letters, in lower case; Chinese in pairs."""
    return [word.lower() for word in _LETTERS.findall(text)] + [w for w in _HAN_WORD.findall(text) if len(w) == 2]


def belongs(token: str, held_out: bool) -> bool:
    """Whether all words of a token are on one side of the split; a token without words is on both."""
    return all(is_held_out(word) == held_out for word in words_of(token))


class Words(ABC):
    """A stream of tokens for one page. A token is what stands between two spaces (in Chinese: a pair of characters).

    Args:
        rng: draws everything.
        language: "en" or "zh".
        held_out: the side of the split that words come from; None for both.
        covers: whether the page's fonts can draw a text; values are drawn from symbols that they can.
        skip_missing: leave out words that the fonts cannot draw.
    """

    def __init__(self, rng: Random, language: str, held_out: bool | None, covers: Fits, skip_missing: bool):
        self.rng, self.language, self.held_out = rng, language, held_out
        self.covers, self.skip_missing = covers, skip_missing
        self.currencies = [symbol for symbol in ("¥¥¥$" if language == "zh" else "$€£") if covers(symbol)]

    @abstractmethod
    def running(self, count: int, fits: Fits) -> list[str]:
        """About `count` tokens of running text with punctuation, each of which fits a line."""

    @abstractmethod
    def phrase(self, count: int, fits: Fits) -> list[str]:
        """`count` tokens without punctuation around them, each of which fits."""

    def allows(self, text: str) -> bool:
        """Whether every word of a text is on this page's side of the split, and can be drawn if that is asked for."""
        on_this_side = self.held_out is None or belongs(text, self.held_out)
        return on_this_side and (not self.skip_missing or self.covers(text))

    def value(self, kind: str) -> str:
        """A random value as one token: "integer", "decimal", "percent", "price", "date" or "time"."""
        text = _VALUES[kind](self)
        return text if not self.skip_missing or self.covers(text) else str(self.rng.randrange(1000))

    def some_value(self) -> str:
        """A random value of any kind."""
        return self.value(self.rng.choice(tuple(_VALUES)))


def _integer(words: Words) -> str:
    number = words.rng.randrange(10 ** words.rng.randint(1, 5))
    return f"{number:,}" if words.rng.random() < 0.5 else str(number)


def _decimal(words: Words) -> str:
    digits = words.rng.randint(1, 2)
    return f"{words.rng.randrange(10 ** words.rng.randint(2, 4)) / 10**digits:.{digits}f}"


def _percent(words: Words) -> str:
    return f"{words.rng.randrange(100)}%" if words.rng.random() < 0.6 else f"{words.rng.randrange(1000) / 10:.1f}%"


def _price(words: Words) -> str:
    symbol = words.rng.choice(words.currencies) if words.currencies else ""
    whole = words.rng.randrange(1, 10 ** words.rng.randint(1, 4))
    return f"{symbol}{whole}" if words.rng.random() < 0.3 else f"{symbol}{whole}.{words.rng.randrange(100):02d}"


def _date(words: Words) -> str:
    year, month, day = words.rng.randint(1950, 2049), words.rng.randint(1, 12), words.rng.randint(1, 28)
    if words.language == "zh" and words.covers("年月日") and words.rng.random() < 0.7:
        return f"{year}年{month}月{day}日"
    return words.rng.choice(
        (f"{year}-{month:02d}-{day:02d}", f"{day:02d}/{month:02d}/{year}", f"{day}.{month}.{year}")
    )


def _time(words: Words) -> str:
    return f"{words.rng.randrange(24):02d}:{words.rng.randrange(60):02d}"


_VALUES: dict[str, Callable[[Words], str]] = {
    "integer": _integer,
    "decimal": _decimal,
    "percent": _percent,
    "price": _price,
    "date": _date,
    "time": _time,
}


@lru_cache(maxsize=64)
def ranked_words(language: str, held_out: bool | None, zipf: float) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The words of one side with their cumulative weights, 1 / (rank + 3) ** zipf, the ranks being those within the side."""
    words = [
        word
        for word in (ENGLISH if language == "en" else CHINESE)
        if language == "zh" or held_out is None or len(word) == 1 or is_held_out(word) == held_out
    ]
    return tuple(words), tuple(itertools.accumulate((rank + 3) ** -zipf for rank in range(len(words))))


class GeneratedWords(Words):
    """The built-in texts.

    Args:
        rng, language, held_out, covers, skip_missing: see `Words`.
        zipf: exponent of the word distribution; 0 draws all words alike.
        value_share: share of numbers, dates, prices and names among the tokens.
        invented_share: share of invented words among the words, such as "brailk" (not in Chinese).
    """

    def __init__(self, *common, zipf: float, value_share: float, invented_share: float):
        super().__init__(*common)
        self.value_share, self.invented_share = value_share, invented_share
        self.words, self.weights = ranked_words(self.language, self.held_out, zipf)
        self.before = ""
        self.months = [month for month in MONTHS if self.allows(month)]
        self.first_names = [name for name in FIRST_NAMES if self.allows(name)]
        self.surnames = [n for n in (SURNAMES if self.language == "en" else CHINESE_SURNAMES) if self.allows(n)]

    def running(self, count: int, fits: Fits) -> list[str]:
        tokens: list[str] = []
        while len(tokens) < count:
            left, length = count - len(tokens), self.rng.randint(4, 12)
            sentence = self._sentence(left if left < length + 3 else length, fits)
            stop = (
                ("。" if self.language == "zh" else ".") if self.covers("。" if self.language == "zh" else ".") else ""
            )
            sentence[-1] = sentence[-1] + stop if fits(sentence[-1] + stop) else sentence[-1]
            tokens += sentence
        return tokens

    def _sentence(self, length: int, fits: Fits) -> list[str]:
        comma = "，" if self.language == "zh" else ","
        tokens = [capital(self._word(fits))]
        while len(tokens) < length:
            if self.rng.random() < self.value_share:
                tokens += [token for token in self._special() if self.allows(token) and fits(token)]
            else:
                tokens.append(self._word(fits))
            if len(tokens) < length and self.rng.random() < 0.12 and fits(tokens[-1] + comma) and self.covers(comma):
                tokens[-1] += comma if tokens[-1][-1] not in ",，" else ""
        return tokens[:length]

    def phrase(self, count: int, fits: Fits) -> list[str]:
        return [self._word(fits) for _ in range(count)]

    def _special(self) -> list[str]:
        """A value, a name of one or two tokens or a date of three."""
        draw = self.rng.random()
        if self.language == "zh":
            named = draw < 0.2 and self.surnames
            return [self._until(self._chinese_name, bool) if named else self.some_value()]
        if draw < 0.15 and self.first_names and self.surnames:
            first, last = self.rng.choice(self.first_names), self.rng.choice(self.surnames)
            return [first if self.rng.random() < 0.7 else f"{first[0]}.", last]
        if draw < 0.25 and self.months:
            return [str(self.rng.randint(1, 28)), self.rng.choice(self.months), str(self.rng.randint(1950, 2049))]
        return [self.some_value()]

    def _chinese_name(self) -> str:
        return self.rng.choice(self.surnames) + self._ranked()

    def _word(self, fits: Fits) -> str:
        if self.language == "zh":
            return self._until(lambda: self._ranked() + self._ranked(), fits)
        if self.invented_share and self.rng.random() < self.invented_share:
            return self._until(lambda: invented_word(self.rng), fits)
        return self._until(self._ranked, fits)

    def _ranked(self) -> str:
        return self.rng.choices(self.words, cum_weights=self.weights)[0]

    def _until(self, draw: Callable[[], str], fits: Fits) -> str:
        for _ in range(_TRIES):
            word = draw()
            if word != self.before and self.allows(word) and fits(word):
                self.before = word
                return word
        raise ValueError(_NOTHING_FITS)


def invented_word(rng: Random) -> str:
    """A pronounceable word of one to three syllables that no list has, or has by chance."""
    syllables = rng.choices((1, 2, 3), weights=(3, 4, 1))[0]
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))


def capital(word: str) -> str:
    """The word with its first letter large; only a to z, since a font need not have both forms of others."""
    return word[:1].upper() + word[1:] if word[:1].isascii() else word


class TextWords(Words):
    """Tokens of given texts, from a random row on, in order; those of the other side of the split are left out, and of those
    without words (numbers, signs) as many in proportion.

    Numbers of tables and formulas are drawn at random as in the built-in texts.

    Args:
        rng, language, held_out, covers, skip_missing: see `Words`.
        texts: rows of text with random access; a column of a `datasets.Dataset` is read row by row.
        keep_texts_whole: the split goes by rows instead: no word of a row is left out, and a hash of the row decides.

    Raises:
        ValueError: there are no rows, a row is not text, or no row has a word of this side.
    """

    ROWS_TRIED = 1000

    def __init__(self, *common, texts: Sequence[str], keep_texts_whole: bool):
        super().__init__(*common)
        if not hasattr(texts, "__len__") or not hasattr(texts, "__getitem__") or isinstance(texts, str):
            raise ValueError(
                f"texts is {type(texts).__name__}; expected rows with a length and an index: a list of texts, a column of a "
                "`datasets.Dataset`, or list(...) around what can only be read once."
            )
        if len(texts) == 0:
            raise ValueError("texts has no rows: give at least one text.")
        self.texts, self.whole = texts, keep_texts_whole
        self._tokens = self._all_tokens()

    def running(self, count: int, fits: Fits) -> list[str]:
        return self._take(count, fits, " ")

    def phrase(self, count: int, fits: Fits) -> list[str]:
        return self._take(count, fits, _EDGES)

    def _take(self, count: int, fits: Fits, edges: str) -> list[str]:
        taken, missed = [], 0
        while len(taken) < count:
            token = next(self._tokens).strip(edges)
            if token and fits(token):
                taken.append(token)
                missed = 0
            elif (missed := missed + 1) > _TRIES:
                raise ValueError(_NOTHING_FITS)
        return taken

    def _all_tokens(self) -> Iterator[str]:
        """Tokens without end; stops with an error after `ROWS_TRIED` rows in a row that give none."""
        row, barren = self.rng.randrange(len(self.texts)), 0
        while barren < self.ROWS_TRIED and barren <= 2 * len(self.texts):
            found = False
            for token in self._tokens_of(self.texts[row], row):
                found = True
                yield token
            barren = 0 if found else barren + 1
            row = (row + 1) % len(self.texts)
        side, unit = "held-out" if self.held_out else "training", "row" if self.whole else "word"
        mend = "" if self.whole else ", or set held_out_words: false to split by rows instead of by words"
        raise ValueError(
            f"{min(self.ROWS_TRIED, len(self.texts))} rows of texts hold no {side} {unit} that the fonts can draw: give more "
            f"texts{mend}."
        )

    def _tokens_of(self, text: str, row: int) -> list[str]:
        if not isinstance(text, str):
            raise ValueError(
                f"row {row} of texts is {type(text).__name__}; expected text: name a column that holds text."
            )
        text = unicodedata.normalize("NFC", text)
        if self.whole and self.held_out is not None and is_held_out(text) != self.held_out:
            return []
        tokens = _HAN_PIECE.findall(text) if self.language == "zh" else text.split()
        if self.whole:
            return [token for token in tokens if self.covers(token)] if self.skip_missing else tokens
        return [token for token in tokens if self.allows(token) and self._keeps(token)]

    def _keeps(self, token: str) -> bool:
        """All tokens with words; as few of those without, such as numbers, as there are words on this side."""
        share = 1.0 if self.held_out is None else HELD_OUT_SHARE if self.held_out else 1 - HELD_OUT_SHARE
        return bool(words_of(token)) or self.rng.random() < share


__all__ = [
    "HELD_OUT_SHARE",
    "LANGUAGES",
    "GeneratedWords",
    "TextWords",
    "Words",
    "belongs",
    "capital",
    "invented_word",
    "is_held_out",
    "ranked_words",
    "words_of",
]
