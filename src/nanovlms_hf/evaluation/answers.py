"""Right or wrong for short answers, by the rules of the benchmarks that ask for them.

Each function scores one answer, 0 to 1. Where a paper and the script behind its leaderboard differ, the script decides,
because published numbers come from it; the docstring says so.
"""

import re
import string
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

_ARTICLES = {"a", "an", "the"}
_NUMBER_WORDS = {
    word: str(number) for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
} | {"none": "0"}
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_ALTERNATIVE, _TOGETHER = re.compile(r"<or>", re.IGNORECASE), re.compile(r"<and>", re.IGNORECASE)


def squeeze(text: str) -> str:
    """Small letters, blanks at the ends gone, runs of blanks one blank."""
    return " ".join(text.lower().split())


def anls(prediction: str, answers: Sequence[str], threshold: float = 0.5) -> float:
    """Average normalised Levenshtein similarity of one answer (Biten et al., ICCV 2019; DocVQA, Mathew et al. 2021).

    The best `1 - distance / longer length` over the accepted answers, and 0 where that is below the threshold. Exactly 0.5 is
    kept, as the challenge's script does (the paper's formula would drop it). Capitals and runs of blanks do not matter.

    Raises:
        ValueError: if there is no accepted answer.
    """
    if not answers:
        raise ValueError("ANLS needs at least one accepted answer, the list is empty.")
    said = squeeze(prediction)
    best = max(1 - Levenshtein.normalized_distance(said, squeeze(str(answer))) for answer in answers)
    return best if best >= threshold else 0.0


def _number(text: str) -> float | None:
    """A number, or a percentage as its fraction; None for anything else."""
    text = text.strip()
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def relaxed_correct(prediction: str, answer: str, tolerance: float = 0.05) -> float:
    """ChartQA's relaxed accuracy of one answer (Masry et al., ACL 2022): numbers within 5 %, anything else the same text.

    The rules of the scripts in use: "5%" is 0.05, so it does not equal "5"; "1,200" is no number; where the true number is 0 the
    texts have to agree. Capitals and blanks at the ends do not matter.
    """
    said, true = _number(prediction), _number(answer)
    if said is not None and true:
        return float(abs(said - true) / abs(true) <= tolerance + 1e-12)
    return float(prediction.strip().lower() == answer.strip().lower())


def vqa_words(text: str) -> str:
    """An answer as VQA compares it: small letters, number words as digits, without articles and punctuation.

    Apostrophes are dropped on both sides, which makes "dont" equal "don't" as the official table of contractions does. Commas and
    points inside numbers stay.
    """
    text = squeeze(text).replace("'", "").replace("’", "")
    text = re.sub(r"(?<=\d),(?=\d)", "", text)
    text = re.sub(r"[^\w\s.]|(?<!\d)\.|\.(?!\d)", " ", text)
    words = [_NUMBER_WORDS.get(word, word) for word in text.split() if word not in _ARTICLES]
    return " ".join(words)


def vqa_accuracy(prediction: str, answers: Sequence[str]) -> float:
    """VQA accuracy of one answer (Antol et al., ICCV 2015): three people who said the same make it right.

    The mean, over leaving out each person in turn, of `min(1, others who said it / 3)`, as the official script computes it.

    Raises:
        ValueError: if there is no answer by a person.
    """
    if not answers:
        raise ValueError("VQA accuracy needs the answers of people, the list is empty.")
    said, people = vqa_words(prediction), [vqa_words(str(answer)) for answer in answers]
    if len(people) == 1:
        return float(said == people[0])
    matches = sum(said == answer for answer in people)
    return sum(min(1.0, (matches - (said == answer)) / 3) for answer in people) / len(people)


def exact(prediction: str, answers: Sequence[str]) -> float:
    """1 where the answer is one of the accepted ones, capitals, blanks and punctuation at the ends aside."""

    def plain(text: str) -> str:
        return squeeze(text).strip(string.punctuation + " ")

    return float(plain(prediction) in {plain(str(answer)) for answer in answers})


def contains(prediction: str, answers: Sequence[str], ignore_blanks: bool = False) -> float:
    """OCRBench's rule (Liu et al. 2023): 1 where an accepted answer stands inside the prediction.

    Args:
        prediction (`str`): what the model wrote.
        answers (`Sequence[str]`): accepted answers.
        ignore_blanks (`bool`): compare with capitals but without blanks, the benchmark's rule for handwritten formulas.
    """

    def plain(text: str) -> str:
        text = text.strip().replace("\n", " ")
        return text.replace(" ", "") if ignore_blanks else text.lower()

    said = plain(prediction)
    return float(any(plain(str(answer)) in said for answer in answers if str(answer).strip()))


def yes_or_no(text: str) -> bool | None:
    """True for yes or true, False for no or false, None where the text says neither or both.

    The first word decides; else the only one of the four words that occurs.
    """
    words = re.findall(r"[a-z]+", text.lower())
    if words and words[0] in _YES_NO:
        return _YES_NO[words[0]]
    said = {_YES_NO[word] for word in words if word in _YES_NO}
    return said.pop() if len(said) == 1 else None


def elements_found(prediction: str, answer: str) -> float:
    """Share of MM-Vet's required elements that stand in the prediction, word for word.

    `<AND>` parts are all required, of `<OR>` parts one is. This stands in for the benchmark's GPT-4 judge where there is no
    endpoint; it cannot see a paraphrase, so it is too low for long answers and is reported under its own name.
    """
    said = f" {vqa_words(prediction)} "

    def present(part: str) -> bool:
        words = vqa_words(part)
        return bool(words) and f" {words} " in said

    best = 0.0
    for alternative in _ALTERNATIVE.split(answer):
        parts = [part for part in _TOGETHER.split(alternative) if part.strip()]
        if parts:
            best = max(best, sum(map(present, parts)) / len(parts))
    return best


__all__ = [
    "anls",
    "contains",
    "elements_found",
    "exact",
    "relaxed_correct",
    "squeeze",
    "vqa_accuracy",
    "vqa_words",
    "yes_or_no",
]
