"""Longer texts against references, against each other and against the training text.

BLEU is sacrebleu's, ROUGE rouge-score's, CIDEr pycocoevalcap's CIDEr-D; all three run without a network and without Java. Two
differences from the COCO caption tool: words are split here by a regular expression (its PTB tokenizer is a Java program), and
METEOR and SPICE are left out for the same reason.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
from rapidfuzz.distance import LCSseq

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_ORDERS = 4


def words_of(text: str) -> list[str]:
    """Words in small letters, without punctuation."""
    return _WORD.findall(text.lower())


def bleu_statistics(prediction: str, references: Sequence[str]) -> list[int]:
    """What a text adds to corpus BLEU: matches and n-grams of order 1 to 4, its length and the closest reference's."""
    from sacrebleu.metrics import BLEU

    score = BLEU(effective_order=True).sentence_score(prediction, list(references))
    return [*score.counts, *score.totals, score.sys_len, score.ref_len]


def bleu_from(sums: np.ndarray, sentence: bool = False) -> float:
    """BLEU, 0 to 100, from summed statistics, with sacrebleu's default smoothing; `sentence` uses the orders there are."""
    from sacrebleu.metrics import BLEU

    sums = [int(value) for value in sums]
    return BLEU.compute_bleu(
        sums[:_ORDERS],
        sums[_ORDERS : 2 * _ORDERS],
        *sums[2 * _ORDERS :],
        smooth_method="exp",
        effective_order=sentence,
    ).score


def rouge_scores(prediction: str, references: Sequence[str]) -> dict[str, float]:
    """F-measures of ROUGE-1, ROUGE-2 and ROUGE-L, 0 to 1, against the reference that fits best; no stemming."""
    scores = _rouge_scorer().score_multi(list(references), prediction)
    return {name: float(score.fmeasure) for name, score in scores.items()}


@cache
def _rouge_scorer():
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"])


def cider_scores(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """CIDEr-D of each text (Vedantam et al., CVPR 2015), usually 0 to 10, in pycocoevalcap's scale.

    The weights of n-grams come from these references, so the scores of a handful of texts mean little, and that of a single one
    is 0.
    """
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    scorer = CiderScorer(n=_ORDERS)
    for prediction, answers in zip(predictions, references, strict=True):
        scorer += (" ".join(words_of(prediction)), [" ".join(words_of(answer)) for answer in answers])
    return np.asarray(scorer.compute_score()[1], float)


def ngrams(text: str, order: int) -> list[tuple[str, ...]]:
    """Runs of `order` words of a text."""
    words = words_of(text)
    return [tuple(words[place : place + order]) for place in range(len(words) - order + 1)]


def distinct_n(texts: Sequence[str], order: int) -> float:
    """Different n-grams over all n-grams of the texts together (Li et al., NAACL 2016); 0 where there are none."""
    counted = Counter(gram for text in texts for gram in ngrams(text, order))
    total = sum(counted.values())
    return len(counted) / total if total else 0.0


def distinct_interval(texts: Sequence[str], order: int) -> tuple[float, float]:
    """95 % interval of `distinct_n` by leaving out each text in turn (jackknife): drawing a text twice would repeat its words."""
    alone = [Counter(ngrams(text, order)) for text in texts]
    together = sum(alone, Counter())
    total, value = sum(together.values()), distinct_n(texts, order)
    if len(texts) < 2 or not total:
        return value, value
    left = []
    for counted in alone:
        lost = sum(together[gram] == count for gram, count in counted.items())
        rest = total - sum(counted.values())
        left.append((len(together) - lost) / rest if rest else 0.0)
    error = np.sqrt((len(texts) - 1) * np.mean((np.array(left) - np.mean(left)) ** 2))
    return max(0.0, value - 1.96 * error), min(1.0, value + 1.96 * error)


def self_bleu(texts: Sequence[str], against: int = 100) -> np.ndarray:
    """BLEU of each text against others of the same set, 0 to 1 (Zhu et al., SIGIR 2018); 1: it says what another says.

    Args:
        texts (`Sequence[str]`): generated texts.
        against (`int`, defaults to 100): other texts taken as references for each, the ones after it in a circle, so that the
            time stays bounded; the number changes the score, so compare only scores of equal numbers.

    Raises:
        ValueError: for fewer than two texts.
    """
    if len(texts) < 2:
        raise ValueError(f"self-BLEU compares texts with each other; {len(texts)} was given, give at least 2.")
    count = min(against, len(texts) - 1)
    scores = []
    for place, text in enumerate(texts):
        others = [texts[(place + step) % len(texts)] for step in range(1, count + 1)]
        scores.append(min(1.0, bleu_from(bleu_statistics(text, others), sentence=True) / 100) if text.strip() else 0.0)
    return np.array(scores)


class NearestText:
    """Finds, for a text, the training text that holds most of its words in the same order.

    Args:
        training_texts (`Sequence[str]`): texts that a model was trained on.

    Raises:
        ValueError: if there is none.
    """

    def __init__(self, training_texts: Sequence[str]):
        self.texts = [text for text in dict.fromkeys(training_texts) if text.strip()]
        if not self.texts:
            raise ValueError("there is no training text to compare with; give at least one.")
        self._letters: dict[str, str] = {}
        self._coded = [self._code(text) for text in self.texts]

    def _code(self, text: str) -> str:
        """One character a word, so that the comparison runs in rapidfuzz's compiled code."""
        coded = []
        for word in words_of(text):
            if word not in self._letters:
                self._letters[word] = chr(0xF0000 + len(self._letters))
            coded.append(self._letters[word])
        return "".join(coded)

    def __call__(self, text: str) -> tuple[float, str]:
        """(overlap, nearest training text).

        The overlap is the share of the text's words that stand in one training text in the same order (longest common
        subsequence, gaps allowed); 1: every word of it was read in that order, 0: no word is shared or there is none.
        """
        from rapidfuzz import process

        coded = self._code(text)
        if not coded:
            return 0.0, ""
        best = process.extractOne(coded, self._coded, scorer=LCSseq.similarity)
        return best[1] / len(coded), self.texts[best[2]]


__all__ = [
    "NearestText",
    "bleu_from",
    "bleu_statistics",
    "cider_scores",
    "distinct_interval",
    "distinct_n",
    "ngrams",
    "rouge_scores",
    "self_bleu",
    "words_of",
]
