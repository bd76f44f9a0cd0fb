"""Which option of a multiple-choice question a text chooses.

The scripts of the benchmarks guess at random where they find no letter; here such an answer is wrong and counted as
`unparsed`, so a model that does not answer cannot reach a quarter of the points. Rules, the first that finds one letter wins:

1. the whole answer is a letter: "B", "(B)", "b.", "**B**"
2. a statement: "the answer is B", "Answer: (B)", "option B", "\\boxed{B}"; of several the last, because reasoning comes first
3. the answer begins with a marked letter: "B. a cat", "(B) a cat", "B: a cat"
4. letters in brackets: "... so (B)"; of several different ones the last
5. one single capital letter stands alone; "A" before a small word is an article, "I" a pronoun
6. the text of one option: the whole answer, or the only option whose words occur in it
"""

import re
import string
from collections.abc import Sequence

LETTERS = string.ascii_uppercase

_STATED = r"(?:answer|option|choice|letter)(?:\s+(?:is|would be|must be|should be))?\s*[:=]?\s*"
_MARK = r"[\(\[\*\"'“]*"


def option_letter(text: str, options: Sequence[str] | int) -> str | None:
    """The letter that a text chooses.

    Args:
        text (`str`): what the model wrote.
        options (`Sequence[str]` or `int`): the texts of the options in order, or only their number (at most 26).

    Returns:
        `str` or `None`: "A" for the first option ...; None where nothing is chosen, or several are.

    Raises:
        ValueError: if there are fewer than two options or more than 26.
    """
    count = options if isinstance(options, int) else len(options)
    if not 2 <= count <= len(LETTERS):
        raise ValueError(f"a question with {count} options is no multiple choice; give 2 to {len(LETTERS)}.")
    letters = LETTERS[:count]
    text = text.strip()
    rules = (_whole, _stated, _leading, _bracketed, _standing_alone)
    for rule in rules:
        found = rule(text, letters)
        if found:
            return found
    return None if isinstance(options, int) else _by_text(text, options)


def _whole(text: str, letters: str) -> str | None:
    bare = text.strip(string.punctuation + string.whitespace + "“”")
    return bare.upper() if len(bare) == 1 and bare.upper() in letters else None


def _stated(text: str, letters: str) -> str | None:
    pattern = rf"\\boxed\{{\s*(?:\\text\{{)?\(?([{letters}])\)?|\b(?i:{_STATED}){_MARK}([{letters}])(?![\w'’])"
    found = [match for match in re.finditer(pattern, text) if not _is_article(text, match)]
    return (found[-1].group(1) or found[-1].group(2)) if found else None


def _is_article(text: str, match: re.Match) -> bool:
    """Whether the "A" of "the answer is A cat" is an article, or the "I" a pronoun; not so in "A or B"."""
    letter = match.group(match.lastindex)
    return (
        letter in "AI"
        and re.match(r"\s+(?!or\b|and\b|because\b|since\b|as\b|is\b)[a-z]", text[match.end() :]) is not None
    )


def _leading(text: str, letters: str) -> str | None:
    match = re.match(rf"{_MARK}([{letters}])\s*[\)\]\.:,\*]", text) or re.match(rf"([{letters}])\s*[-–]\s", text)
    return match.group(1) if match else None


def _bracketed(text: str, letters: str) -> str | None:
    found = re.findall(rf"[\(\[]([{letters}])[\)\]]", text)
    return found[-1] if found else None


def _standing_alone(text: str, letters: str) -> str | None:
    found = {
        match.group(1)
        for match in re.finditer(rf"(?<![\w'’])([{letters}])(?![\w'’])", text)
        if not _is_article(text, match)
    }
    return found.pop() if len(found) == 1 else None


def _by_text(text: str, options: Sequence[str]) -> str | None:
    said = _plain(text)
    names = [_plain(str(option)) for option in options]
    same = [place for place, name in enumerate(names) if name and name == said]
    if len(same) == 1:
        return LETTERS[same[0]]
    inside = [place for place, name in enumerate(names) if name and f" {name} " in f" {said} "]
    # "red" occurs in "dark red": an option inside a longer one that occurs too does not count
    chosen = [p for p in inside if not any(p != q and f" {names[p]} " in f" {names[q]} " for q in inside)]
    return LETTERS[chosen[0]] if len(chosen) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s%.+-]|\.(?!\d)", " ", text.lower()).split())


__all__ = ["LETTERS", "option_letter"]
