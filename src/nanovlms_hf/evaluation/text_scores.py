"""How far what was read is from what is written: edit distances between texts, by characters and by words.

Line breaks say little about reading: any run of white space, line breaks among it, counts as one space, and white space at the
ends counts for nothing. Everything else counts, capitals and punctuation too. A character is a code point.
"""

from collections.abc import Iterable, Sequence

from rapidfuzz.distance import Levenshtein

Pairs = Iterable[tuple[str, str]]


def plain_spaces(text: str) -> str:
    """A text with each run of white space as one space, and none at the ends."""
    return " ".join(text.split())


def character_error_rate(pairs: Pairs) -> float:
    """Characters to insert, delete or replace, over the characters of the truth, summed over all texts before dividing.

    Args:
        pairs: (what was said, the truth) for each text.

    Returns:
        0 for a perfect reading; above 1 where more was said wrongly than there was to read.

    Raises:
        ValueError: if there are no pairs, or a truth is empty.
    """
    return _error_rate(_checked(pairs))


def word_error_rate(pairs: Pairs) -> float:
    """As `character_error_rate`, with words, what stands between spaces, in place of characters."""
    return _error_rate([(said.split(), truth.split()) for said, truth in _checked(pairs)])


def normalised_edit_distance(pairs: Pairs) -> float:
    """Edit distance in characters over the length of the longer text, averaged over the texts: the figure of OCR papers.

    Args:
        pairs: (what was said, the truth) for each text.

    Returns:
        0 for a perfect reading to 1.

    Raises:
        ValueError: if there are no pairs, or a truth is empty.
    """
    distances = [Levenshtein.normalized_distance(said, truth) for said, truth in _checked(pairs)]
    return sum(distances) / len(distances)


def _checked(pairs: Pairs) -> list[tuple[str, str]]:
    plain = [(plain_spaces(said), plain_spaces(truth)) for said, truth in pairs]
    if not plain:
        raise ValueError("no texts were given to score: give at least one pair of what was said and the truth.")
    for number, (_, truth) in enumerate(plain):
        if not truth:
            raise ValueError(
                f"the truth of text {number} is empty, so its errors cannot be counted against it: leave texts without "
                "characters out."
            )
    return plain


def _error_rate(pairs: Sequence[tuple[Sequence, Sequence]]) -> float:
    errors = sum(Levenshtein.distance(said, truth) for said, truth in pairs)
    return errors / sum(len(truth) for _, truth in pairs)


__all__ = ["character_error_rate", "normalised_edit_distance", "plain_spaces", "word_error_rate"]
